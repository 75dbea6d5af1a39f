"""A catalog of a million items through the whole pipeline: seconds and peak memory by stage.

    python -m benchmarks.million
    python -m benchmarks.million --items 100_000 --searches 100_000     # how a stage grows

Every stage runs in a process of its own, as `genrecall run CONFIG --to STAGE` does, so its memory
is its own. Training is short: what is learned is not looked at. A stage that was measured with the
same settings is not run again, and one that was interrupted goes on where it was, so the command
may be stopped and started at will; of such a stage the seconds are those of the last start, which
the table marks by `>`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml
from rich.console import Console

from benchmarks.command import positive, write_figures
from benchmarks.figures import figure_table, say_all
from benchmarks.process import run_alone
from genrecall import __version__
from genrecall.foundation.artifact import content_hash
from genrecall.foundation.files import write_json
from genrecall.pipeline.stages import STAGES

TABLES: Final = "tables"
RECALL: Final = "recall"
STEPS: Final = (TABLES, *(stage.name for stage in STAGES), RECALL)
"""What is measured, in order: the last one opens the bundle and answers a hundred queries."""

GIB: Final = 1 << 30

SHORT: Final[Mapping[str, Any]] = {
    "embed": {"in_domain": {"steps": 300}},
    "quantize": {"training": {"epochs": 1}},
    "generator": {
        "item_to_sid": {"steps": 50},
        "query_to_sid": {"steps": 100},
        "user_query_to_sid": {"steps": 20},
        "pseudo_queries": 20_000,
    },
    "evaluate": {"searches": 500, "latency_searches": 100},
}
"""Settings of the run; all others are the defaults."""


class Measured(NamedTuple):
    """What a step took.

    Attributes:
        seconds: on the clock.
        cpu: seconds of all threads together.
        peak: most resident memory, in bytes.
        resumed: whether an interrupted one went on, whose time before that is not counted.
    """

    seconds: float
    cpu: float
    peak: int
    resumed: bool = False


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure all steps that are not measured yet, then print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.million",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--items", type=positive, default=1_000_000, help="(1000000)")
    parser.add_argument("--searches", type=positive, default=1_000_000, help="(1000000)")
    parser.add_argument("--threads", type=positive, default=2, help="of the pipeline (2)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/million"))
    parser.add_argument("--settings", type=Path, help="a YAML file of settings in place of ours")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    given = parser.parse_args(arguments)
    chosen = SHORT if given.settings is None else yaml.safe_load(given.settings.read_text("utf-8"))
    settings = {
        "version": __version__,
        "items": given.items,
        "searches": given.searches,
        "threads": given.threads,
        "seed": given.seed,
    }
    out = given.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    measured = measure_all(out, settings, chosen)
    print_table(settings, chosen, measured)
    steps = {step: took._asdict() for step, took in measured.items()}
    write_figures(given, {"settings": settings, "run": chosen, "steps": steps})


def measure_all(
    out: Path, settings: Mapping[str, Any], chosen: Mapping[str, Any]
) -> dict[str, Measured]:
    """Measure what was not measured with these settings.

    Args:
        out: folder of tables, config and run.
        settings: of the benchmark.
        chosen: of the run.

    Returns:
        By step, in order.
    """
    key = content_hash({"settings": settings, "run": chosen})
    kept = out / "measured.json"
    found = json.loads(kept.read_text("utf-8")) if kept.is_file() else {}
    if found.get("key") != key:
        found = {"key": key, "steps": {}}
    config = write_config(out, settings, chosen)
    for step in STEPS:
        if step not in found["steps"]:
            print(f"{step} …", flush=True)
            found["steps"][step] = measure(command_of(step, out, config, settings), out)._asdict()
            write_json(kept, found)
    return {step: Measured(**found["steps"][step]) for step in STEPS}


def write_config(out: Path, settings: Mapping[str, Any], chosen: Mapping[str, Any]) -> Path:
    """The config of the run."""
    tables = {name: {"file": f"{name}.parquet"} for name in ("items", "searches", "users")}
    data = {**tables, "split": {"by": "time"}}
    path = out / "million.yaml"
    values = {"data": data, **chosen, "threads": settings["threads"], "seed": settings["seed"]}
    path.write_text(yaml.safe_dump(values, sort_keys=False), "utf-8")
    return path


def command_of(step: str, out: Path, config: Path, settings: Mapping[str, Any]) -> list[str]:
    """What is run for a step, by this Python."""
    run = out / "run"
    if step == TABLES:
        sizes = (str(settings[name]) for name in ("items", "searches", "seed"))
        return ["-m", "benchmarks.million.shop", str(out), *sizes]
    if step == RECALL:
        files = ["--queries", str(out / "queries.txt"), "--run", str(out / "answers.run")]
        return ["-m", "genrecall", "recall", str(run / "bundle"), *files, "-k", "100"]
    return ["-m", "genrecall", "run", str(config), "--out", str(run), "--to", step]


def measure(command: Sequence[str], out: Path) -> Measured:
    """Run a command in a process of its own; what it says goes into `said.log`."""
    checkpoints = out / "run/work/checkpoints"
    resumed = checkpoints.is_dir() and any(checkpoints.iterdir())
    with (out / "said.log").open("a") as said:
        took = run_alone(command, output=said)
    if took.status:
        sys.exit(f"{' '.join(command)!r} failed; see {out / 'said.log'}")
    return Measured(took.seconds, took.cpu, took.peak, resumed)


def print_table(
    settings: Mapping[str, Any],
    chosen: Mapping[str, Any],
    measured: Mapping[str, Measured],
    *,
    console: Console | None = None,
) -> None:
    """Print the settings, a row for each step, and the most memory that any took."""
    console = console or Console(width=100, highlight=False)
    console.print(f"settings: {say_all(settings)}", markup=False)
    console.print(f"of the run: {json.dumps(chosen)}", markup=False, soft_wrap=True)
    table = figure_table(("step", "seconds", "of all threads", "peak GiB"), padding=(0, 1, 0, 1))
    for step, took in measured.items():
        began = ">" if took.resumed else ""
        table.add_row(
            step, f"{began}{took.seconds:,.0f}", f"{took.cpu:,.0f}", f"{took.peak / GIB:.2f}"
        )
    console.print(table)
    step, most = max(measured.items(), key=lambda entry: entry[1].peak)
    console.print(f"{most.peak / GIB:.2f} GiB at most, in {step}", markup=False)


if __name__ == "__main__":
    main()
