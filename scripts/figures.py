"""The figures that README and docs show: of which runs they are, and how they are written.

A block of figures is one of three: what a run told while it worked and the tables of its figures
(`Told`), a table of some of them (`Chosen`), or what a command printed (`Printed`).
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from genrecall.evaluate.table import WIDTH, print_metrics

ROOT: Final = Path(__file__).resolve().parents[1]
OUTPUTS: Final = ROOT / "runs/figures"
"""Where what commands printed is kept."""

SKIPPED: Final = "…"
"""Marks what is left out."""


class MissingError(Exception):
    """What a figure is made of is not there."""


@dataclass(frozen=True)
class Run:
    """What figures come from.

    Attributes:
        commands: that make it, in order; the first one is named beside the figures.
        folder: of the run, below the repository; "" for a command that only prints.
    """

    commands: tuple[str, ...]
    folder: str = ""


def _pipeline(name: str, *more: str) -> Run:
    bundle = f"runs/{name}/bundle"
    test = f"genrecall evaluate {bundle} --split test --json runs/{name}/test.json"
    return Run((f"genrecall run examples/{name}.yaml", test, *more), f"runs/{name}")


RUNS: Final[Mapping[str, Run]] = {
    "demo": Run(("genrecall demo --out runs/demo",), "runs/demo"),
    "recall": Run(('genrecall recall runs/demo/bundle "cordless drill 18v" -k 3 --explain',)),
    "homedepot": _pipeline("homedepot"),
    "beauty": _pipeline("beauty"),
    "games": _pipeline("games"),
    "personalisation": Run(("python -m benchmarks.personalisation --seeds 3",)),
    "alignment": Run(
        ("python -m benchmarks.alignment --tables paper --cells more_sft,grpo_k0,eg_grpo_k2",)
    ),
    "alignment_clicks": Run(
        (
            "python -m benchmarks.alignment --tables paper --cells more_sft,grpo_k0,eg_grpo_k1,"
            "eg_grpo_k2,eg_grpo_k4,experts_only --policies bm25+dense --shoppers position "
            "--clicks 5,20,100 --seeds 1",
        )
    ),
    "ablation": Run(
        ("python -m benchmarks.ablation --shop homedepot --full --cells cq_sid,rq_vae",)
    ),
    "ablation_generic": Run(
        (
            "python -m benchmarks.ablation --shop homedepot_generic --cells "
            "cq_sid,no_category,no_query_item,rq_vae",
        )
    ),
    "stability": Run(("python -m benchmarks.stability examples/homedepot.yaml",)),
    "new_items": Run(("python -m benchmarks.new_items examples/homedepot.yaml",)),
    "million": Run(("python -m benchmarks.million --threads 1",)),
}


@dataclass(frozen=True)
class Told:
    """Lines of a run's log, then the tables of its figures.

    Attributes:
        run: whose.
        lines: patterns of the lines to show, of the log or of the printed figures, in their order;
            `SKIPPED` stands for what is left out. Of a line that was told several times the last
            counts.
        headings: beginnings of the paragraphs of the printed figures to show; None for all.
        split: of the figures.
    """

    run: str
    lines: tuple[str, ...] = ()
    headings: tuple[str, ...] | None = ()
    split: str = "validation"

    def write(self) -> str:
        """The block, fenced."""
        paragraphs = printed(metrics_of(self.run, self.split))
        told = [line for paragraph in paragraphs for line in paragraph.splitlines()]
        lines = "\n".join(_select([*said(self.run), *told], self.lines)) if self.lines else ""
        if self.headings is not None:
            paragraphs = [p for p in paragraphs if p.startswith(self.headings)]
        return fenced("\n".join(part for part in (lines, "\n\n".join(paragraphs)) if part))


@dataclass(frozen=True)
class Chosen:
    """A table of some figures of an evaluation.

    Attributes:
        run: whose.
        columns: headings.
        rows: label, and the place of each figure such as `channels/bm25/recall@10`; "" for none.
        split: of the figures.
    """

    run: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    split: str = "validation"

    def write(self) -> str:
        """The block, a Markdown table."""
        metrics = metrics_of(self.run, self.split)
        lines = [("", *self.columns), ("---",) * (len(self.columns) + 1)]
        for label, *places in self.rows:
            signed = label.startswith(SKIPPED)
            lines.append((label, *(_cell(metrics, place, signed=signed) for place in places)))
        return "".join(f"| {' | '.join(line)} |\n" for line in lines).replace("|  |", "| |")


@dataclass(frozen=True)
class Printed:
    """What a command printed.

    Attributes:
        run: whose first command.
        start: pattern of the first line to show; "" for the first of all.
        markdown: whether it is Markdown already.
    """

    run: str
    start: str = ""
    markdown: bool = False

    def write(self) -> str:
        """The block, fenced where it is not Markdown."""
        file = output_of(self.run)
        if not file.is_file():
            raise MissingError(f"{file.relative_to(ROOT)}: run {RUNS[self.run].commands[0]!r}")
        lines = file.read_text("utf-8").splitlines()
        first = next((n for n, line in enumerate(lines) if re.search(self.start, line)), None)
        if first is None:
            raise MissingError(f"{file.relative_to(ROOT)} has no line like {self.start!r}")
        text = "\n".join(line.rstrip() for line in lines[first:]).strip("\n")
        return f"{text}\n" if self.markdown else fenced(text)


Figure = Told | Chosen | Printed


def output_of(run: str) -> Path:
    """Where what the first command of a run printed is kept."""
    return OUTPUTS / f"{run}.txt"


def said(run: str) -> list[str]:
    """All lines that a run told, in order."""
    events = _read(run, "log.jsonl").splitlines()
    return [event["text"] for event in map(json.loads, events) if event["event"] == "say"]


def metrics_of(run: str, split: str) -> dict[str, Any]:
    """Figures of a run, those of the machine among them."""
    if split == "test":
        return dict(json.loads(_read(run, "test.json")))
    metrics = dict(json.loads(_read(run, "metrics.json")))
    machine = json.loads(_read(run, "machine.json"))
    return metrics | {key: value for key, value in machine.items() if key != "inputs"}


def printed(metrics: Mapping[str, Any]) -> list[str]:
    """The paragraphs that a run prints of its figures."""
    stream = io.StringIO()
    print_metrics(dict(metrics), console=Console(file=stream, width=WIDTH, highlight=False))
    text = "\n".join(line.rstrip() for line in stream.getvalue().splitlines())
    return [paragraph.strip("\n") for paragraph in text.split("\n\n") if paragraph.strip()]


def figure_text(figure: Mapping[str, Any], *, signed: bool = False) -> str:
    """A figure with its interval as the tables of the docs write it.

    >>> figure_text({"value": 0.4921, "ci": [0.466, 0.516]})
    '.492 [.466–.516]'
    >>> figure_text({"value": -0.001, "ci": [-0.009, 0.008]}, signed=True)
    '−.001 [−.009, +.008]'
    """
    sign = "+" if signed else ""
    value, low, high = (
        f"{number:{sign}.3f}".replace("0.", ".", 1).replace("-", "−")
        for number in (figure["value"], *figure["ci"])
    )
    return f"{value} [{low}{', ' if signed else '–'}{high}]"


def fenced(text: str) -> str:
    """A text as a block of code."""
    return f"```\n{text}\n```\n"


def _read(run: str, name: str) -> str:
    path = ROOT / RUNS[run].folder / name
    if not path.is_file():
        raise MissingError(f"{path.relative_to(ROOT)}: run {' && '.join(RUNS[run].commands)!r}")
    return path.read_text("utf-8")


def _select(lines: Sequence[str], patterns: Iterable[str]) -> Iterable[str]:
    for pattern in patterns:
        if pattern.strip() == SKIPPED:
            yield pattern
            continue
        found = [line for line in lines if re.search(pattern, line)]
        if not found:
            raise MissingError(f"no line of the run is like {pattern!r}")
        yield found[-1]


def _cell(metrics: Mapping[str, Any], place: str, *, signed: bool) -> str:
    if not place:
        return ""
    figure: Any = metrics
    for name in place.split("/"):
        if not isinstance(figure, Mapping) or name not in figure:
            raise MissingError(f"the figures have no {place!r}")
        figure = figure[name]
    return figure_text(figure, signed=signed)
