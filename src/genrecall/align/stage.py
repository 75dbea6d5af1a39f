"""Stage `align`: EG-GRPO from the last supervised stage on, and its controls."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from genrecall.align.compact import CompactLearner
from genrecall.align.pages import logged_pages
from genrecall.align.trainer import Learner, train_arm
from genrecall.data.shop_data import ShopData
from genrecall.foundation.artifact import Artifact, Json, open_artifact, write_json, writing
from genrecall.foundation.work import Work
from genrecall.generator.align_config import AlignConfig
from genrecall.generator.base import Generator
from genrecall.generator.compact.generator import CompactGenerator
from genrecall.generator.load import ALIGN, ALIGN_FILE, ALIGNED, CONTROLS
from genrecall.learning.checkpoint import Checkpoints


def skip(work: Work) -> Artifact:
    """Align nothing."""
    return _publish(work, lambda _: [])


def run(
    config: AlignConfig,
    data: ShopData,
    start: Callable[[], Generator[Any]],
    work: Work,
    *,
    history: int | None,
) -> Artifact:
    """Align the generator, train its controls, and keep the weights of each.

    Where the log does not tell what was shown, nothing is trained.

    Args:
        config: of the alignment.
        data: training searches to learn from, validation searches to choose by.
        start: loads the generator after its last supervised stage.
        work: where to write, to resume from and to report.
        history: items of a shopper's history that it looks through; None where it reads nothing of
            shoppers.
    """
    if reason := _reason_against(data):
        work.log.say(f"  nothing is aligned: {reason}")
        return skip(work)
    generator = start()
    sid_of_item = generator.items.table.sid_of_item
    pages = logged_pages(data, "train", sid_of_item, history=history)
    validation = logged_pages(
        data, "validation", sid_of_item, history=history, most=config.validation_searches
    )
    work.log.say(f"  {len(pages):,} searches to learn from, {len(validation):,} to choose by")
    kept = Checkpoints(work.resumes_from, every=config.validate_every)

    def train(folder: Path) -> list[Json]:
        (folder / CONTROLS).mkdir()
        went = []
        for where, arm in _arms(config).items():
            learner = _learner(generator)
            aligned = train_arm(
                learner, pages, validation, arm, seed=work.seed, checkpoints=kept, log=work.log
            )
            learner.save(folder / where)
            went.append({"arm": arm.name, "where": where, **aligned._asdict()})
        return went

    return _publish(work, train)


def _publish(work: Work, train: Callable[[Path], list[Json]]) -> Artifact:
    with writing(work.out, kind=ALIGN, inputs=work.inputs) as folder:
        write_json(folder / ALIGN_FILE, train(folder))
    return open_artifact(work.out, kind=ALIGN)


def _arms(config: AlignConfig) -> dict[str, AlignConfig]:
    """What is trained, by the folder of its weights."""
    controls = {f"{CONTROLS}/{name}": config.arm(name) for name in config.controls}
    return {ALIGNED: config, **controls}


def _reason_against(data: ShopData) -> str:
    searches = data.searches.frame
    for split in ("train", "validation"):
        shown = searches.filter(searches["split"] == split)["impressions"].list.len()
        if not shown.sum():
            return f"no {split} search tells what was shown. Map the column `impressions`."
    return ""


def _learner(generator: Generator[Any]) -> Learner:
    if isinstance(generator, CompactGenerator):
        return CompactLearner(generator)
    raise NotImplementedError
