"""One cell: align from stage 3 on, keep what serves by validation searches, measure on test ones.

A cell that is finished with the same settings is read; an interrupted one goes on where it stopped.
Measures of each test search are kept, so that tables pair them search by search. Shapes: `M` test
searches, `R` of them whose items are ranked.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

import genrecall
from benchmarks.alignment.cells import START, Cell
from benchmarks.alignment.worlds import World
from genrecall import __version__
from genrecall.align.compact import CompactLearner
from genrecall.align.pages import Pages, logged_pages
from genrecall.align.trainer import train_arm
from genrecall.align.validation import mean_gain
from genrecall.bundle import OpenBundle, assemble
from genrecall.channels.base import Ranking
from genrecall.channels.config import ChannelsConfig
from genrecall.channels.generative import GenerativeChannel
from genrecall.data.load import load_shop
from genrecall.data.shop_data import ShopData
from genrecall.data.shoppers import HISTORY
from genrecall.data.tables import Searches
from genrecall.evaluate.bootstrap import numbered
from genrecall.evaluate.exposure import AT
from genrecall.evaluate.names import K
from genrecall.foundation.artifact import content_hash, file_hash
from genrecall.foundation.files import write_json
from genrecall.foundation.progress import FileLog, RunLog
from genrecall.funnel.config import FusionConfig
from genrecall.funnel.weights import cross_fitted_fusion
from genrecall.generator.compact.generator import CompactGenerator
from genrecall.learning.checkpoint import Checkpoints
from genrecall.offline.alignment import beam_measures, recall_measures
from genrecall.offline.requests import DistinctRequests, requests_of
from genrecall.text.normalize import query_keys

_STAGES: Final = ("data", "embed", "quantize", "generator")

Measured = dict[str, NDArray[np.float64]]
"""By measure a value for each test search, NaN where it has nothing to count, `[M]`; of items only
for the first `R` searches, the rest NaN. The same for all searches are `seconds`, the processor
time of the training, of an interrupted cell that of its last part; and `gain`, the mean relative
gain over the start on validation searches that the kept weights were chosen by."""


@dataclass(frozen=True)
class Plan:
    """How cells are trained and measured.

    Attributes:
        base: settings that all arms share.
        validation: searches to choose the best weights by, at most.
        test: searches measured, at most.
        ranked: searches whose items are ranked, at most.
    """

    base: Mapping[str, Any]
    validation: int
    test: int
    ranked: int


class Bench:
    """What all cells of a world and a seed share.

    Args:
        world: with its stage 3 trained.
        seed: of it.
        plan: how cells are trained and measured.
    """

    def __init__(self, world: World, seed: int, plan: Plan) -> None:
        self.world, self.seed, self.plan = world, seed, plan
        self._outputs = world.outputs(seed)

    def finish(self, cell: Cell | None) -> Measured:
        """Measures of a cell on the test searches; of stage 3 for None."""
        config = None if cell is None else cell.config(self.plan.base)
        facts = {
            "version": __version__,
            "code": _CODE,
            "config": config and config.model_dump(mode="json"),
            "plan": [self.plan.validation, self.plan.test, self.plan.ranked],
            "stages": [self._outputs.open_stage(name).digest for name in _STAGES],
        }
        name = START if config is None else config.name  # other tables may name it otherwise
        path = self._outputs.folder / "cells" / f"{name}-{content_hash(facts)[:12]}.npz"
        if path.is_file():
            with np.load(path, allow_pickle=False) as kept:
                return dict(kept)
        _ = (self._training.outcomes, self._validation.shown)  # all cells share them
        began = time.process_time()
        generator, gain = (self.start, 0.0) if cell is None else self._train(cell, path)
        seconds = time.process_time() - began if cell else 0.0
        measured = self._measure(generator)
        for what, value in (("seconds", seconds), ("gain", gain)):
            measured[what] = np.full(len(self._test), value)
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_suffix(".tmp.npz")
        arrays: dict[str, Any] = dict(measured)
        np.savez(scratch, **arrays)
        scratch.replace(path)
        shutil.rmtree(path.with_suffix(".checkpoints"), ignore_errors=True)
        return measured

    @cached_property
    def groups(self) -> NDArray[np.int64]:
        """A number for the query of each test search, int64 `[M]`."""
        return numbered(query_keys(self._test.queries))

    @cached_property
    def log(self) -> RunLog:
        """Where cells report to."""
        return FileLog(self._outputs.folder / "cells.jsonl")

    @cached_property
    def _shop(self) -> ShopData:
        return load_shop(self._outputs.open_stage("data"))

    @cached_property
    def _bundle(self) -> OpenBundle:
        stages = {name: self._outputs.open_stage(name) for name in _STAGES}
        return assemble(stages, channels=ChannelsConfig())

    @cached_property
    def start(self) -> CompactGenerator:
        """Stage 3."""
        generator = self._bundle.generative().generator
        assert isinstance(generator, CompactGenerator)
        return generator

    @cached_property
    def _test(self) -> Searches:
        frame = self._shop.searches.told("test").spread(self.plan.test).frame
        # Those whose items are ranked stand first.
        return Searches(frame.sample(fraction=1.0, shuffle=True, seed=0))

    @cached_property
    def _requests(self) -> DistinctRequests:
        return requests_of(self._shop, self._test, "test", shoppers=True)

    @cached_property
    def _ranked(self) -> tuple[Searches, DistinctRequests]:
        searches = Searches(self._test.frame[: self.plan.ranked])
        return searches, requests_of(self._shop, searches, "test", shoppers=True)

    @cached_property
    def _beside(self) -> dict[str, list[Ranking]]:
        """What the other channels answer to the searches whose items are ranked."""
        searches, _ = self._ranked
        anonymous = requests_of(self._shop, searches, "test", shoppers=False)
        return {
            "bm25": anonymous.ask(self._bundle.lexical(), K),
            "dense": anonymous.ask(self._bundle.dense(), K),
        }

    def _pages(self, split: Any, most: int | None) -> Pages:
        sid_of_item = self.start.items.table.sid_of_item
        return logged_pages(self._shop, split, sid_of_item, history=HISTORY, most=most)

    @cached_property
    def _training(self) -> Pages:
        return self._pages("train", None)

    @cached_property
    def _validation(self) -> Pages:
        return self._pages("validation", self.plan.validation)

    def _train(self, cell: Cell, path: Path) -> tuple[CompactGenerator, float]:
        """What serves, and its gain on validation searches."""
        learner, config = CompactLearner(self.start), cell.config(self.plan.base)
        kept = Checkpoints(path.with_suffix(".checkpoints"), every=60.0)
        self.log.say(f"{self.world.name}, seed {self.seed}, {cell.name}")
        went = train_arm(
            learner,
            self._training,
            self._validation,
            config,
            seed=self.seed,
            checkpoints=kept,
            log=self.log,
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path.with_suffix(".json"), went._asdict())
        return learner.policy.generator, mean_gain(went.best, went.start)

    def _measure(self, generator: CompactGenerator) -> Measured:
        channel = GenerativeChannel(generator, self._bundle.channels.generative)
        sids = channel.generate(self._requests.distinct, AT[-1]).leaves[self._requests.place]
        measured = dict(beam_measures(channel.items, self._test, sids))
        searches, requests = self._ranked
        rankings = requests.ask(channel, K)
        of_items = recall_measures(searches, rankings)
        chosen = np.flatnonzero([len(rows) > 0 for rows in searches.positives]).tolist()
        lists = self._beside | {"generative": rankings}
        union = list(rankings)
        crossed = cross_fitted_fusion(
            {name: [of_all[search] for search in chosen] for name, of_all in lists.items()},
            [searches.positives[search] for search in chosen],
            K,
            config=FusionConfig(),
            groups=numbered(query_keys([searches.queries[search] for search in chosen])),
        )
        for search, ranking in zip(chosen, crossed.rankings, strict=True):
            union[search] = ranking
        of_union = recall_measures(searches, union)
        of_items |= {f"union {name}": values for name, values in of_union.items()}
        rest = np.full(len(self._test) - len(searches), np.nan)
        return measured | {name: np.concatenate([v, rest]) for name, v in of_items.items()}


def _hash_code() -> str:
    folders = (Path(genrecall.__file__).parent, Path(__file__).parent)
    return content_hash(
        [file_hash(path) for folder in folders for path in sorted(folder.rglob("*.py"))]
    )


_CODE: Final = _hash_code()
"""Hash of the code that this process runs: another version of it makes other cells."""
