"""Stage `evaluate`: figures of the validation split, and what the report shows of them.

Nothing of it only draws: what does comes when the bundle is written.
"""

from __future__ import annotations

from typing import Final

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
from genrecall.report.page import ReportData

EVIDENCE: Final = "evidence.json"
"""What the page shows of the evaluation beside the metrics."""


def run(
    config: Config,
    bundle: OpenBundle,
    data: ShopData,
    work: Work,
    *,
    health: Json,
) -> Artifact:
    """Measure on the validation split what a run has made, and gather evidence for its report.

    Args:
        config: of the run; its sections `evaluate` and `funnel` are read.
        bundle: what the run has made.
        data: the searches, and who made them.
        work: where to write and to report.
        health: figures of the SIDs.
    """
    log = work.log
    nothing = choose_searches(
        data.searches, "validation", bundle.items.mask, most=0, seed=work.seed
    )
    if not nothing.relevant["available"]:
        log.say("  no validation search can be answered with a relevant item: nothing is measured")
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
    shown: ReportData = {}
    if offline.evidence is not None:
        shown = gather(offline.evidence, bundle, seed=work.seed, log=log)
    metrics, of_machine = tell_apart(offline.metrics)
    with writing(work.out, kind="evaluate", inputs=work.inputs) as folder:
        write_json(folder / "metrics.json", metrics)
        write_json(folder / EVIDENCE, shown)
        write_json(folder / "fusion.json", offline.weights)
        write_trec(offline, data.catalog, folder / "trec")
    if work.machine is not None:
        write_json(work.machine, {"inputs": work.inputs, **of_machine})
    return open_artifact(work.out, kind="evaluate")
