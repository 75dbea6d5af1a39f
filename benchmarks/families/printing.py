"""The comparison as text, and as Markdown for `docs/`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from rich.console import Console

from benchmarks.families.cells import CELLS, LM
from benchmarks.families.tables import MEASURES
from benchmarks.figures import figure_table, say_all, say_figure
from benchmarks.markdown import markdown_table

_WIDTH: Final = 180
_HEADINGS: Final = (
    "",
    "weights",
    "training, s",
    "examples/s",
    "tokens/s",
    "used",
    *(f"hit@beam {measure[4:]}" if measure.startswith("hit") else measure for measure in MEASURES),
)
_NONE: Final = "–"


def print_result(result: Mapping[str, Any]) -> None:
    """Print the settings, and a table for each config."""
    console = Console(width=_WIDTH, highlight=False)
    console.print(_settings(result), markup=False, soft_wrap=True)
    for name, table in result["configs"].items():
        console.print()
        shown = figure_table(_HEADINGS, title=_title(name, table), edge=True)
        for row in _rows(table):
            shown.add_row(*row)
        console.print(shown)
        for line in _notes(table):
            console.print(line, markup=False, soft_wrap=True)


def as_markdown(result: Mapping[str, Any]) -> str:
    """The same as Markdown."""
    lines = [_settings(result), ""]
    for name, table in result["configs"].items():
        lines += [f"**{_title(name, table)}**", ""]
        lines += markdown_table(_HEADINGS, _rows(table))
        lines += ["", *(f"- {note}" for note in _notes(table)), ""]
    return "\n".join(lines)


def _settings(result: Mapping[str, Any]) -> str:
    return f"settings: {say_all(result['settings'])}"


def _title(name: str, table: Mapping[str, Any]) -> str:
    sizes = table["items_per_sid"]
    return (
        f"{name} · {table['searches']:,} validation searches of {table['units']:,} queries or "
        f"shoppers · {table['sids']:,} SIDs, {sizes['mean']:.2f} items each "
        f"({sizes['weighted']:.2f} weighted)"
    )


def _rows(table: Mapping[str, Any]) -> Iterator[list[str]]:
    for name, figures in table["figures"].items():
        yield [name, *_speed(table["cells"].get(name)), *_figures(figures)]
    for name, figures in table["paired"].items():
        yield [name, *[""] * 5, *_figures(figures, sign="+")]


def _speed(cell: Mapping[str, Any] | None) -> list[str]:
    if cell is None:
        return [""] * 5
    tokens, used = cell["tokens_per_second"], cell["utilization"]
    return [
        _millions(cell["parameters"]),
        f"{cell['seconds']:,.0f}",
        f"{cell['examples_per_second']:,.0f}",
        _NONE if tokens is None else f"{tokens:,.0f}",
        _NONE if used is None else f"{used:.0%}",
    ]


def _millions(count: int) -> str:
    return f"{count / 1e6:,.3g} M"


def _figures(figures: Mapping[str, Any], sign: str = "") -> list[str]:
    return [
        say_figure(figures[measure], sign) if measure in figures else _NONE for measure in MEASURES
    ]


def _notes(table: Mapping[str, Any]) -> Iterator[str]:
    for cell in CELLS:
        if (trained := table["cells"].get(cell.name)) is None:
            continue
        steps = ", ".join(
            f"{name} {stage['steps']:,} × {stage['batch']:,} in {stage['seconds']:,.0f} s"
            for name, stage in trained["stages"].items()
        )
        teacher = trained["teacher_seconds"]
        taught = "" if teacher is None else f"; the teacher answered for {teacher:,.0f} s beside it"
        yield f"{cell.name}: {cell.says}: {steps}{taught}"
    if (peak := table["cells"].get(LM, {}).get("peak")) is not None:
        yield f"used: share of {peak}"
