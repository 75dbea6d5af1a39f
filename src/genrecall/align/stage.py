"""Stage `align`: EG-GRPO from the last supervised stage on, and its controls."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from genrecall.align.compact import CompactLearner
from genrecall.align.pages import Pages, logged_pages
from genrecall.align.trainer import Learner, train_arm
from genrecall.data.shop_data import ShopData
from genrecall.foundation.artifact import Artifact, Json, open_artifact, writing
from genrecall.foundation.errors import ConfigError
from genrecall.foundation.files import write_json
from genrecall.foundation.work import Work
from genrecall.generator.align_config import AlignConfig
from genrecall.generator.base import Generator
from genrecall.generator.compact.generator import CompactGenerator
from genrecall.generator.lm.config import LmConfig
from genrecall.generator.load import ALIGN, ALIGN_FILE, ALIGNED, CONTROLS
from genrecall.learning.checkpoint import Checkpoints
from genrecall.learning.processes import is_main, launched, part_processes

if TYPE_CHECKING:
    from genrecall.generator.lm.generator import LmGenerator


def skip(work: Work) -> Artifact:
    """Align nothing."""
    return _publish(work, lambda _: [])


def run(
    config: AlignConfig,
    data: ShopData,
    start: Callable[[], Generator[Any]],
    work: Work,
    *,
    lm: LmConfig,
    history: int | None,
) -> Artifact:
    """Align the generator, train its controls, and keep the weights of each.

    Where the log does not tell what was shown, nothing is trained. All processes of a launch call
    it alike; the main one writes.

    Args:
        config: of the alignment.
        data: training searches to learn from, validation searches to choose by.
        start: loads the generator after its last supervised stage.
        work: where to write, to resume from and to report.
        lm: how a language model is trained.
        history: items of a shopper's history that it looks through; None where it reads nothing of
            shoppers.
    """
    _check_processes(config)
    if reason := _reason_against(config, data):
        work.log.note(f"  nothing is aligned: {reason}")
        return skip(work)
    generator = start()
    sid_of_item = generator.items.table.sid_of_item
    money = config.rewards.gmv > 0
    pages = logged_pages(data, "train", sid_of_item, history=history, money=money)
    validation = logged_pages(
        data, "validation", sid_of_item, history=history, most=config.validation_searches
    )
    _check_prices(config, pages)
    work.log.say(f"  {len(pages):,} searches to learn from, {len(validation):,} to choose by")
    kept = Checkpoints(work.resumes_from, every=work.checkpoint_every)

    def train(folder: Path | None) -> list[Json]:
        if folder is not None:
            (folder / CONTROLS).mkdir()
        went = []
        for where, arm in _arms(config).items():
            learner = _learner(generator, lm, seed=work.seed)
            aligned = train_arm(
                learner, pages, validation, arm, seed=work.seed, checkpoints=kept, log=work.log
            )
            if folder is not None:
                learner.save(folder / where)
            went.append({"arm": arm.name, "where": where, **aligned._asdict()})
        return went

    return _publish(work, train)


def _publish(work: Work, train: Callable[[Path | None], list[Json]]) -> Artifact:
    """What was trained, as an artifact; a process that is not the main one writes nothing."""
    writes = writing(work.out, kind=ALIGN, inputs=work.inputs) if is_main() else nullcontext()
    with writes as folder:
        went = train(folder)
        if folder is not None:
            write_json(folder / ALIGN_FILE, went)
    part_processes()
    return open_artifact(work.out, kind=ALIGN)


def _arms(config: AlignConfig) -> dict[str, AlignConfig]:
    """What is trained, by the folder of its weights."""
    controls = {f"{CONTROLS}/{name}": config.arm(name) for name in config.controls}
    return {ALIGNED: config, **controls}


def _check_processes(config: AlignConfig) -> None:
    for name in ("searches", "anchor_searches"):
        given = getattr(config, name)
        if given % launched():
            raise ConfigError(
                f"generator.align.{name} is {given}, and {launched()} processes cannot share them "
                f"evenly. Give a multiple of {launched()}, or start another number of processes."
            )


def _check_prices(config: AlignConfig, pages: Pages) -> None:
    if pages.prices is None:
        return
    chosen = pages.searches.frame.select("positives", "bought").explode("positives", "bought")
    bought = chosen.filter("bought")["positives"].to_numpy()
    if not np.isfinite(pages.prices[bought]).any():
        raise ConfigError(
            f"generator.align.rewards.gmv is {config.rewards.gmv:g}, and no purchase of the "
            "training searches has a price. Map the column `price` of the items, or set gmv to 0."
        )


def _reason_against(config: AlignConfig, data: ShopData) -> str:
    """Why the log does not suffice; "" where it does."""
    searches = data.searches.frame
    by_clicks = config.learn_from == "clicks" and not config.controls
    column, told = ("positives", "chosen") if by_clicks else ("impressions", "shown")
    for split in ("train", "validation"):
        if not searches.filter(searches["split"] == split)[column].list.len().sum():
            mapped = "clicks" if by_clicks else "impressions"
            return f"no {split} search tells what was {told}. Map the column `{mapped}`."
    return ""


def _learner(generator: Generator[Any], lm: LmConfig, *, seed: int) -> Learner:
    if isinstance(generator, CompactGenerator):
        return CompactLearner(generator)
    # The compact family does not wait for transformers.
    from genrecall.align.lm import LmLearner

    return LmLearner(cast("LmGenerator", generator), lm, seed=seed)
