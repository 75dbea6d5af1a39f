"""One cell of the ablation: one SID space, one generator trained for it, measured two ways.

Both ways decode the same trained generator:

- `heads`: by its learned heads alone, as the paper's language model does. What a query means has to
  be learned as codes, so a SID space that is easy to predict wins.
- `default`: as `genrecall run` serves it, with the look-ahead over the items behind the codes.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.ablation.shops import Shop
from genrecall import __version__
from genrecall.bundle import assemble
from genrecall.channels.base import Request
from genrecall.channels.generative import GenerativeChannel
from genrecall.config import Config
from genrecall.data.tables import Rows, Searches
from genrecall.evaluate.equal import BeamCurve, beam_curve, found_after_cut
from genrecall.evaluate.measures import recall_at
from genrecall.foundation.artifact import Artifact, content_hash
from genrecall.foundation.progress import RunLog
from genrecall.foundation.work import Work
from genrecall.generator.base import Generator
from genrecall.generator.compact.generator import CompactGenerator
from genrecall.generator.compact.weights import HEADS, LevelWeights
from genrecall.generator.config import GeneratorConfig
from genrecall.index.live import LiveItems
from genrecall.offline.folds import FoldedChannel
from genrecall.offline.generated import answer_searches
from genrecall.offline.measure import sample_searches
from genrecall.offline.requests import DistinctRequests
from genrecall.quantize import stage as quantize_stage
from genrecall.quantize.load import HEALTH, load_table
from genrecall.supervised import stage as generator_stage

MODES = ("heads", "default")
BEAMS = 300
RECALL_AT = (10, 100, 1000)
HIT_AT = (1, 10, 100)
WIDTHS = (1, 2, 5, 10, 20, 35, 50, 75, 100, 125, 150, 175, 200, 225, 250, 275, 300)
"""Beams behind an answer that is cut to `BUDGET` items."""
BUDGET = 1000
SEARCHES = 1000
"""Validation searches measured at most."""


class Decoded(NamedTuple):
    """What one way of decoding says of each search; `M` searches, `B` beams.

    Attributes:
        found: share of the relevant items behind the first b beams, `[M, B + 1]`.
        items: items behind them, `[M, B + 1]`.
        truncated: share found when the items of the first so many beams are cut to the best
            `BUDGET` by efficiency score, `[M, len(WIDTHS)]`.
        recall: share of the relevant items among the first 10, 100, 1,000, `[M, 3]`.
    """

    found: NDArray[np.float32]
    items: NDArray[np.float32]
    truncated: NDArray[np.float32]
    recall: NDArray[np.float32]

    @property
    def curve(self) -> BeamCurve:
        """What more and more beams find."""
        return BeamCurve(self.found.astype(np.float64), self.items.astype(np.float64))


@dataclass(frozen=True, eq=False)
class Measured:
    """What one cell says.

    Attributes:
        modes: by way of decoding.
        health: figures of the SID space.
        sizes: items of each SID, `[S]`.
    """

    modes: Mapping[str, Decoded]
    health: Mapping[str, Any]
    sizes: NDArray[np.int64]

    def summary(self) -> str:
        """One line to watch a long run by."""
        said = [f"{self.sizes.mean():.2f} items per SID"]
        for mode, decoded in self.modes.items():
            hits = decoded.found.mean(axis=0)
            figures = " ".join(f"{hits[width]:.3f}" for width in HIT_AT)
            said.append(f"{mode} hit@1,10,100 {figures}")
        return ", ".join(said)


def settings_hash(shop: Shop, config: Config, seed: int) -> str:
    """What the figures of a cell depend on."""
    sections = config.model_dump(mode="json", include={"quantize", "generator", "channels"})
    return content_hash(
        {
            "version": __version__,
            "vectors": shop.embed.digest,
            "data": shop.data.digest,
            "sections": sections,
            "seed": seed,
            "searches": SEARCHES,
        }
    )


def run_cell(shop: Shop, config: Config, seed: int, *, scratch: Path, log: RunLog) -> Measured:
    """Make the SIDs, train a generator for them, and measure both ways of decoding it.

    Args:
        shop: catalog, searches and vectors.
        config: of the cell; its sections `quantize`, `generator` and `channels` count.
        seed: of quantizer and generator; the vectors are the same for all seeds.
        scratch: a folder for the stage outputs, emptied at the end.
        log: where to report.
    """
    data, embedded = shop.tables, shop.embedded
    inputs = settings_hash(shop, config, seed)

    def work(stage: str) -> Work:
        checkpoints = scratch / "checkpoints"
        return Work(scratch / stage, inputs=inputs, seed=seed, log=log, checkpoints=checkpoints)

    quantize = quantize_stage.run(
        config.quantize,
        quantize_stage.QuantizeInputs(
            item_vectors=embedded.item_vectors,
            categories=data.catalog.categories,
            query_vectors=shop.query_vectors,
            pairs=data.pairs,
        ),
        work("quantize"),
    )
    stages: dict[str, Artifact] = {"data": shop.data, "embed": shop.embed, "quantize": quantize}
    table = load_table(quantize)
    stages["generator"] = generator_stage.run(
        _without_shoppers(config.generator), data, embedded, table, work("generator")
    )
    served = assemble(stages, channels=config.channels).generative()
    heads = GenerativeChannel(_by_heads(served.generator), config.channels.generative)
    channels = dict(zip(MODES, (heads, served), strict=True))
    modes = {mode: _measure(channel, sample(data.searches)) for mode, channel in channels.items()}
    health = dict(quantize.read_json(HEALTH))
    shutil.rmtree(scratch)
    return Measured(modes, health, table.sizes)


def _without_shoppers(config: GeneratorConfig) -> GeneratorConfig:
    """A cell asks what a SID space is worth; who searches has no part in it."""
    skipped = config.user_query_to_sid.model_copy(update={"steps": 0})
    return config.model_copy(update={"user_query_to_sid": skipped})


def sample(searches: Searches) -> Searches:
    """The validation searches that every cell is measured on."""
    return sample_searches(searches.of("validation"), SEARCHES, seed=0)


def _by_heads(generator: Generator[Any]) -> CompactGenerator:
    """The same weights, decoded without the look-ahead."""
    assert isinstance(generator, CompactGenerator)
    return generator.weighed(LevelWeights.usual(HEADS))


def _measure(channel: GenerativeChannel, searches: Searches) -> Decoded:
    requests = DistinctRequests([Request(query) for query in searches.queries])
    answers = answer_searches(FoldedChannel([channel]), requests, max(RECALL_AT), BEAMS)
    items, relevant = channel.items, searches.positives
    targets = [items.table.sid_of_item[rows] for rows in relevant]
    curve = beam_curve(answers.sids, targets, items.postings.sizes)
    lists = [ranking.rows for ranking in answers.rankings]
    at = np.stack(list(recall_at(lists, relevant, RECALL_AT).values()), axis=1)
    cut = _truncated(items, answers.sids, relevant)
    return Decoded(*(values.astype(np.float32) for values in (*curve, cut, at)))


def _truncated(
    items: LiveItems, beams: NDArray[np.int64], positives: Sequence[Rows]
) -> NDArray[np.float64]:
    """Share of the relevant items among the best `BUDGET` by score, `[M, len(WIDTHS)]`."""
    score = np.nan_to_num(items.efficiency)
    if not score.any():  # a shop without a score: one that says nothing of relevance
        score = np.random.default_rng(0).random(len(score))
    found = []
    for leaves, relevant in zip(beams, positives, strict=True):
        posted = items.postings.items(leaves, None)
        order = np.argsort(-score[posted.rows], kind="stable")
        rows, beam = posted.rows[order], posted.beam[order]
        found.append(found_after_cut(rows, beam, relevant, widths=WIDTHS, k=BUDGET))
    return np.stack(found)
