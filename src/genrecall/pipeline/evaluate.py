"""Measure a bundle on a split of the searches that its run has read."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple, TextIO, cast, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from genrecall.bundle import KIND, OpenBundle, other_settings, read_bundle
from genrecall.config import Config
from genrecall.data.load import KIND as DATA
from genrecall.data.load import load_shop
from genrecall.data.shop_data import ShopData
from genrecall.evaluate.names import Metrics
from genrecall.foundation.artifact import Artifact, open_artifact
from genrecall.foundation.errors import ArtifactError, ConfigError, unknown_name
from genrecall.foundation.files import holds_something
from genrecall.foundation.progress import FileLog
from genrecall.learning.threads import set_threads
from genrecall.offline.described import describe
from genrecall.offline.evidence import gather
from genrecall.offline.measure import Plan, evaluate
from genrecall.offline.requests import DistinctRequests, make_questions
from genrecall.offline.trec_files import write_trec
from genrecall.pipeline.outputs import Outputs
from genrecall.pipeline.publish import made_of
from genrecall.report.costs import read_costs
from genrecall.report.page import ReportData, render_report

_Measurable = Literal["validation", "test"]


class Measured(NamedTuple):
    """A bundle that is measured.

    Attributes:
        artifact: its folder.
        bundle: what it serves, and the training stages before it where its run has kept them.
        shop: the tables that its run has read.
    """

    artifact: Artifact
    bundle: OpenBundle
    shop: ShopData

    def asked(self, rows: NDArray[np.int64]) -> DistinctRequests:
        """Some validation searches as requests, with their shoppers if the bundle reads them."""
        shoppers = self.bundle.reads_shoppers
        return make_questions(self.shop, "validation", rows, shoppers=shoppers).personalised


def open_measured(bundle: Path, data: Path | None) -> Measured:
    """Open a bundle and the data stage of its run.

    Args:
        bundle: the bundle's folder.
        data: the run's data stage; None for the one beside the bundle.

    Raises:
        ArtifactError: bundle or data stage are missing or damaged, or do not belong together.
    """
    opened, outputs = open_artifact(bundle, kind=KIND), Outputs(bundle.parent)
    read = open_artifact(data or outputs.stage("data"), kind=DATA)
    shop = load_shop(read)
    loaded = read_bundle(opened, made_of(opened, outputs))
    if read.digest != opened.meta.get("data"):
        raise ArtifactError(
            f"{read.path} holds other items, searches or splits than {bundle} was made of, so it "
            "might measure what the bundle was trained on. Give the data stage of the bundle's own "
            "run with --data, or run the pipeline again."
        )
    return Measured(opened, loaded, shop)


def evaluate_bundle(
    bundle: Path,
    *,
    split: str,
    data: Path | None = None,
    page: TextIO | None = None,
    trec: Path | None = None,
    threads: int | None = None,
) -> Metrics:
    """Measure a bundle on one split of the searches that its run has read.

    Each evaluation is written to the run's `log.jsonl`, and that of the test split is told.

    Args:
        bundle: the bundle's folder.
        split: `validation` or `test`.
        data: the run's data stage; None for the one beside the bundle.
        page: where to write a page about it; None for nowhere.
        trec: a folder for TREC files of what each channel ranked, and of what is relevant; None for
            no files.
        threads: that compute; None for those of the config.

    Raises:
        ArtifactError: bundle or data stage are missing or damaged, or do not belong together, or
            a version with other settings made the bundle.
        ConfigError: another split, or `trec` holds something.
        DataError: no search of the split has a relevant item.
    """
    if split not in get_args(_Measurable):
        raise ConfigError(unknown_name("split", split, get_args(_Measurable)))
    if trec is not None and holds_something(trec):
        raise ConfigError(f"{trec} is not empty and is left as it is. Give another folder.")
    opened, loaded, shop = open_measured(bundle, data)
    if trec is not None:
        trec.mkdir(parents=True, exist_ok=True)  # before anything is measured for it
    outputs = Outputs(bundle.parent)
    try:
        config = Config.model_validate(opened.meta["config"])
    except ValidationError as error:
        raise other_settings(opened, error) from error
    set_threads(threads or config.threads)
    log = FileLog(outputs.log)
    log.event("evaluate", bundle=str(bundle), digest=opened.digest, split=split)
    if split == "test":
        log.say("  this is the test split: tune nothing on what it says")
    offline = evaluate(
        loaded,
        shop,
        split=cast("_Measurable", split),
        plan=Plan(
            config.evaluate,
            config.funnel.fusion,
            weights=opened.meta["fusion"] if split == "test" else None,
            seed=config.seed,
        ),
        health=opened.meta["metrics"]["quantize"],
        log=log,
    )
    if trec is not None:
        write_trec(offline, shop.catalog, trec)
    if page is not None:
        described = describe(
            loaded,
            shop.searches,
            inputs=opened.digest,
            log_file=outputs.log,
            seed=config.seed,
            log=log,
        )
        measured: ReportData = {}
        if offline.evidence is not None:
            measured = gather(offline.evidence, loaded, seed=config.seed, log=log)
        costs = read_costs(outputs.log, bundle)
        page.write(render_report(offline.metrics, described | measured, costs))
    return offline.metrics
