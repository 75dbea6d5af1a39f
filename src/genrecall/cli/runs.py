"""Commands about whole runs: `demo`, `run`, `evaluate`."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genrecall.cli.shared import (
    BundleFolder,
    ConfigFile,
    DataFolder,
    JsonFile,
    ReportFile,
    Threads,
    result_stream,
    say_next,
    write_result,
    wrote,
)

if TYPE_CHECKING:
    from genrecall.config import Config
    from genrecall.pipeline.run import RunResult


def demo(
    out: Annotated[Path, typer.Option(help="Where to write.")] = Path("runs/demo"),
    items: Annotated[int, typer.Option(min=100, help="Items of the synthetic shop.")] = 8000,
    searches: Annotated[int, typer.Option(min=100, help="Searches in its log.")] = 40_000,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same shop.")] = 0,
    json_file: JsonFile = None,
    threads: Threads = None,
) -> None:
    """Make a synthetic shop and run the whole pipeline on it."""
    from genrecall.pipeline.demo import make_demo
    from genrecall.pipeline.outputs import Outputs
    from genrecall.pipeline.run import run

    outputs = Outputs(out)
    shop = outputs.folder / "shop"
    with outputs.alone():  # another run may be reading the shop
        config = make_demo(shop, items=items, searches=searches, seed=seed)
    wrote(shop)
    result = run(_with_threads(config, threads), outputs)
    _report_run(result, json_file)
    say_next("recall", outputs.bundle, "cordless drill 18v", "-k", 10, "--explain")


def run(
    config_file: ConfigFile,
    out: Annotated[
        Path | None, typer.Option(help="Where to write; runs/<name of the config> by default.")
    ] = None,
    first: Annotated[
        str | None,
        typer.Option("--from", help="Run this stage and those after it even if up to date."),
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", help="The last stage to run; all by default.")
    ] = None,
    json_file: JsonFile = None,
    threads: Threads = None,
) -> None:
    """Run all stages that are not up to date.

    The stages are data, queries, embed, quantize, generator, align, calibrate and evaluate.
    """
    from genrecall.config import load_config
    from genrecall.pipeline.outputs import Outputs
    from genrecall.pipeline.run import run as run_pipeline

    config = _with_threads(load_config(config_file), threads)
    outputs = Outputs(out or Path("runs") / config_file.stem)
    result = run_pipeline(config, outputs, first=first, last=last)
    if not result.main:  # of several processes one tells
        return
    _report_run(result, json_file)
    if result.metrics is None:
        say_next("run", config_file, *(("--out", out) if out else ()))
    else:
        say_next("recall", outputs.bundle, "a query", "-k", 10, "--explain")


def evaluate(
    bundle: BundleFolder,
    split: Annotated[str, typer.Option(help="validation or test.")] = "validation",
    data: DataFolder = None,
    report: ReportFile = None,
    json_file: JsonFile = None,
    trec: Annotated[
        Path | None,
        typer.Option(help="A new folder for TREC files: a run for each channel, and qrels."),
    ] = None,
    threads: Threads = None,
) -> None:
    """Measure a bundle on the validation or the test split.

    The test split is measured only here, and each time is logged.
    """
    from genrecall.cli.terminal import terminal
    from genrecall.evaluate.table import print_metrics
    from genrecall.pipeline.evaluate import evaluate_bundle
    from genrecall.pipeline.outputs import Outputs

    with nullcontext() if report is None else result_stream(report) as page:
        metrics = evaluate_bundle(
            bundle, split=split, data=data, page=page, trec=trec, threads=threads
        )
    print_metrics(metrics, console=terminal())
    wrote(Outputs(bundle.parent).log)
    if trec is not None:
        wrote(trec)
    write_result(json_file, metrics)
    say_next("recall", bundle, "a query", "-k", 10, "--explain")


def _report_run(result: RunResult, json_file: Path | None) -> None:
    from genrecall.cli.terminal import terminal
    from genrecall.evaluate.table import print_metrics

    outputs = result.outputs
    if result.metrics is None:
        wrote(outputs.folder / "stages")
    else:
        print_metrics(result.metrics, console=terminal())
        print()
        for path in (outputs.bundle, outputs.metrics, outputs.machine, outputs.report):
            wrote(path)
        if outputs.rejects.is_dir():
            wrote(outputs.rejects)
    wrote(outputs.log)
    write_result(json_file, {"ran": result.ran, "metrics": result.metrics})


def _with_threads(config: Config, threads: int | None) -> Config:
    """The config with the threads of the command line, if it names any."""
    return config if threads is None else config.model_copy(update={"threads": threads})
