"""Tables of the benchmark, for the terminal and for `docs/`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from benchmarks.alignment.cells import SECOND
from benchmarks.alignment.tables import MEASURES
from benchmarks.figures import say_all, say_figure
from benchmarks.markdown import markdown_table

_SHOWN: Final = (*MEASURES[:8], *MEASURES[9:13])

_OF_THE_PAPER: Final = ("clk@1", "clk@10", "exp@1", "exp@10", "pvr@10")

SUMMARY: Final = "## Differences in all worlds"


def as_markdown(result: Mapping[str, Any]) -> str:
    """All tables of all worlds."""
    lines = [f"Settings: {say_all(result['settings'])}.", ""]
    for world, tables in result["worlds"].items():
        for name, table in tables.items():
            lines += [f"## {world}: {name}", "", *_table(table["cells"], ""), ""]
            lines += ["Differences, search by search:", "", *_table(table["paired"], "+"), ""]
    return "\n".join(lines)


def summary(result: Mapping[str, Any]) -> str:
    """What EG-GRPO adds in all worlds, in the measures of the paper, in one table.

    Without its arm the table shows all differences.
    """
    recalls = ("recall@100", "recall@1000", "union recall@100", "union recall@1000")
    shown = (*_OF_THE_PAPER, *recalls)
    return "\n".join([SUMMARY, "", *markdown_table(["", *shown], _differences(result, shown))])


def _differences(result: Mapping[str, Any], shown: tuple[str, ...]) -> Iterator[list[str]]:
    for world, tables in result["worlds"].items():
        for table in tables.values():
            pairs = table["paired"]
            ours = {name: pairs[name] for name in pairs if name.startswith(f"{SECOND} - ")}
            for name, figures in (ours or pairs).items():
                yield [
                    f"{world}: {name}",
                    *(say_figure(figures.get(measure), "+") for measure in shown),
                ]


def _table(rows: Mapping[str, Mapping[str, Any]], sign: str) -> list[str]:
    shown = [m for m in _SHOWN if any(m in figures for figures in rows.values())]
    times = not sign
    return markdown_table(
        ["", *shown, *(["gain", "seconds"] if times else [])],
        (
            [
                name,
                *(say_figure(figures.get(measure), sign) for measure in shown),
                *(_once(figures) if times else []),
            ]
            for name, figures in rows.items()
        ),
    )


def _once(figures: Mapping[str, Any]) -> list[str]:
    """What a cell has once: gain on validation searches, seconds of training."""
    return [f"{figures['gain']['value']:+.2%}", f"{figures['seconds']['value']:.0f}"]
