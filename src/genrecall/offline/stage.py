"""Stage `evaluate`: figures of the validation split, and what the report shows."""

from __future__ import annotations

import time
from pathlib import Path

from genrecall.bundle import OpenBundle
from genrecall.config import Config
from genrecall.data.shop_data import ShopData
from genrecall.evaluate.metrics import tell_apart
from genrecall.foundation.artifact import Artifact, Json, open_artifact, writing
from genrecall.foundation.files import write_json
from genrecall.foundation.work import Work
from genrecall.offline.chosen import choose_searches
from genrecall.offline.evidence import gather
from genrecall.offline.measure import Plan, evaluate, unmeasured
from genrecall.offline.trec_files import write_trec


def run(
    config: Config,
    bundle: OpenBundle,
    data: ShopData,
    work: Work,
    *,
    health: Json,
    log_file: Path,
) -> Artifact:
    """Measure on the validation split what a run has made, and gather evidence for its report.

    Args:
        config: of the run; its sections `evaluate` and `funnel` are read.
        bundle: what the run has made.
        data: the searches, and who made them.
        work: where to write and to report.
        health: figures of the SIDs.
        log_file: events of the run, for the curves of training.
    """
    log = work.log
    nothing = choose_searches(
        data.searches, "validation", bundle.items.available, most=0, seed=work.seed
    )
    if not nothing.relevant["available"]:
        log.say("  no validation search has a relevant item that is available: nothing is measured")
        offline = unmeasured(nothing, split="validation", health=health)
    else:
        offline = evaluate(
            bundle,
            data,
            split="validation",
            plan=Plan(config.evaluate, config.funnel.fusion, seed=work.seed),
            health=health,
            log=log,
        )
    start = time.monotonic()
    report = gather(
        bundle,
        data.searches,
        evidence=offline.evidence,
        inputs=work.inputs,
        log_file=log_file,
        seed=work.seed,
    )
    log.say(f"  report: {time.monotonic() - start:.1f} s")
    metrics, of_machine = tell_apart(offline.metrics)
    with writing(work.out, kind="evaluate", inputs=work.inputs) as folder:
        write_json(folder / "metrics.json", metrics)
        write_json(folder / "report.json", report)
        write_json(folder / "fusion.json", offline.weights)
        write_trec(offline, data.catalog, folder / "trec")
    if work.machine is not None:
        write_json(work.machine, {"inputs": work.inputs, **of_machine})
    return open_artifact(work.out, kind="evaluate")
