"""Commands about whole runs: `demo`, `run`, `evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genrecall.cli.shared import BundleFolder, ConfigFile, JsonFile, say_next, write_result, wrote

if TYPE_CHECKING:
    from genrecall.pipeline.run import RunResult


def demo(
    out: Annotated[Path, typer.Option(help="Where to write.")] = Path("runs/demo"),
    items: Annotated[int, typer.Option(min=100, help="Items of the synthetic shop.")] = 8000,
    searches: Annotated[int, typer.Option(min=100, help="Searches in its log.")] = 40_000,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same shop.")] = 0,
    json_file: JsonFile = None,
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
    result = run(config, outputs)
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
) -> None:
    """Run all stages that are not up to date.

    The stages are data, embed, quantize, generator, align, calibrate and evaluate.
    """
    from genrecall.config import load_config
    from genrecall.pipeline.outputs import Outputs
    from genrecall.pipeline.run import run as run_pipeline

    config = load_config(config_file)
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
    data: Annotated[
        Path | None,
        typer.Option(help="The run's data stage; by default the one beside the bundle."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write a page about it, for example test.html.")
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Measure a bundle on the validation or the test split.

    The test split is measured only here, and each time is logged.
    """
    from genrecall.evaluate.table import print_metrics
    from genrecall.pipeline.evaluate import evaluate_bundle
    from genrecall.pipeline.outputs import Outputs

    metrics = evaluate_bundle(bundle, split=split, data=data, report=report)
    print_metrics(metrics)
    wrote(Outputs(bundle.parent).log)
    if report is not None:
        wrote(report)
    write_result(json_file, metrics)
    say_next("recall", bundle, "a query", "-k", 10, "--explain")


def _report_run(result: RunResult, json_file: Path | None) -> None:
    from genrecall.evaluate.table import print_metrics

    outputs = result.outputs
    if result.metrics is None:
        wrote(outputs.folder / "stages")
    else:
        print_metrics(result.metrics)
        print()
        for path in (outputs.bundle, outputs.metrics, outputs.report):
            wrote(path)
        if outputs.rejects.is_dir():
            wrote(outputs.rejects)
    wrote(outputs.log)
    write_result(json_file, {"ran": result.ran, "metrics": result.metrics})
