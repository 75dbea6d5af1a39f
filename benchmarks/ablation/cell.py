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
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.ablation.shops import Shop
from genrecall import __version__
from genrecall.bundle import OpenBundle, assemble
from genrecall.channels.base import Request
from genrecall.channels.generative import GenerativeChannel
from genrecall.config import Config
from genrecall.data.tables import Rows, Searches
from genrecall.evaluate.equal import BeamCurve, beam_curve
from genrecall.evaluate.measures import recall, target_ranks
from genrecall.foundation.artifact import Artifact, content_hash
from genrecall.foundation.progress import RunLog
from genrecall.foundation.work import Work
from genrecall.generator.compact.generator import CompactGenerator
from genrecall.generator.compact.look_ahead import LookAhead
from genrecall.generator.config import GeneratorConfig
from genrecall.offline.measure import sample_searches
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


@dataclass(frozen=True, eq=False)
class Measured:
    """What one cell says of each search; `M` searches, `B` beams.

    Attributes:
        found: per mode, share of the good items behind the first b beams, `[M, B + 1]`.
        items: per mode, items behind them, `[M, B + 1]`.
        truncated: per mode, share found when the items of the first so many beams are cut to the
            best `BUDGET` by efficiency score, `[M, len(WIDTHS)]`.
        recall: per mode, share of the good items among the first 10, 100, 1,000, `[M, 3]`.
        health: figures of the SID space.
        sizes: items of each SID, `[S]`.
    """

    found: Mapping[str, NDArray[np.float32]]
    items: Mapping[str, NDArray[np.float32]]
    truncated: Mapping[str, NDArray[np.float32]]
    recall: Mapping[str, NDArray[np.float32]]
    health: Mapping[str, Any]
    sizes: NDArray[np.int64]

    def curve(self, mode: str) -> BeamCurve:
        """What more and more beams find."""
        return BeamCurve(self.found[mode].astype(np.float64), self.items[mode].astype(np.float64))

    def summary(self) -> str:
        """One line to watch a long run by."""
        said = [f"{self.sizes.mean():.2f} items per SID"]
        for mode in MODES:
            hits = self.found[mode].mean(axis=0)
            figures = " ".join(f"{hits[width]:.3f}" for width in HIT_AT)
            said.append(f"{mode} hit@1,10,100 {figures}")
        return ", ".join(said)


class _NoLookAhead(LookAhead):
    """Says nothing of any prefix: the heads decide alone."""

    def __call__(self, queries: Tensor) -> tuple[Tensor, ...]:
        return tuple(torch.zeros(len(queries), n) for n in self.trie.n_nodes)


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
    parts = assemble(stages, channels=config.channels)
    served = parts.generative()
    channels = {"heads": _by_heads(served, parts), "default": served}
    measured = _measure(channels, sample(data.searches), table.sid_of_item)
    health = dict(quantize.read_json(HEALTH))
    shutil.rmtree(scratch)
    return Measured(**measured, health=health, sizes=table.sizes)


def _without_shoppers(config: GeneratorConfig) -> GeneratorConfig:
    """A cell asks what a SID space is worth; who searches has no part in it."""
    skipped = config.user_query_to_sid.model_copy(update={"steps": 0})
    return config.model_copy(update={"user_query_to_sid": skipped})


def sample(searches: Searches) -> Searches:
    """The validation searches that every cell is measured on."""
    return sample_searches(searches.of("validation"), SEARCHES, seed=0)


def _by_heads(served: GenerativeChannel, parts: OpenBundle) -> GenerativeChannel:
    """The same channel and weights, decoded without the look-ahead."""
    generator = served.generator
    assert isinstance(generator, CompactGenerator)
    ahead = generator.look_ahead
    blind = _NoLookAhead(
        ahead.trie, ahead.means.numpy(), served.postings.sizes, temperature=ahead.temperature
    )
    return GenerativeChannel(
        CompactGenerator(
            generator.model, generator.encoder, blind, generator.items, head_weight=1.0
        ),
        catalog=served.catalog,
        postings=served.postings,
        vectors=served.vectors,
        read=served.read,
        encode=generator.encode,
        eligible=parts.eligible,
        config=parts.channels.generative,
    )


def _measure(
    channels: Mapping[str, GenerativeChannel],
    searches: Searches,
    sid_of_item: NDArray[np.int64],
) -> dict[str, dict[str, NDArray[np.float32]]]:
    queries = sorted(set(searches.queries))  # a popular query is answered once
    place = {query: row for row, query in enumerate(queries)}
    spread = np.array([place[query] for query in searches.queries])
    requests = [Request(query) for query in queries]
    targets = [sid_of_item[rows] for rows in searches.positives]
    measured: dict[str, dict[str, NDArray[np.float32]]] = {
        key: {} for key in ("found", "items", "truncated", "recall")
    }
    for mode, channel in channels.items():
        beams = channel.generate(requests, BEAMS).leaves[spread]  # (M, B)
        curve = beam_curve(beams, targets, channel.postings.sizes)
        measured["found"][mode] = curve.found.astype(np.float32)
        measured["items"][mode] = curve.items.astype(np.float32)
        measured["truncated"][mode] = _truncated(channel, beams, searches.positives)
        answers = channel.rank(requests, max(RECALL_AT))
        ranks = target_ranks([answers[row].rows for row in spread.tolist()], searches.positives)
        at = np.stack([recall(ranks, k) for k in RECALL_AT], axis=1)
        measured["recall"][mode] = at.astype(np.float32)
    return measured


def _truncated(
    channel: GenerativeChannel, beams: NDArray[np.int64], positives: Sequence[Rows]
) -> NDArray[np.float32]:
    """Share of the good items among the best `BUDGET` by efficiency score, `[M, len(WIDTHS)]`."""
    score = channel.catalog.frame["score"].fill_null(0.0).to_numpy()
    if not score.any():  # a shop without a score: one that says nothing of relevance
        score = np.random.default_rng(0).random(len(score))
    found = np.empty((len(beams), len(WIDTHS)), dtype=np.float32)
    for search, (leaves, good) in enumerate(zip(beams, positives, strict=True)):
        posted = channel.postings.items(leaves, None)
        order = np.argsort(-score[posted.rows], kind="stable")
        rows, beam = posted.rows[order], posted.beam[order]
        for column, width in enumerate(WIDTHS):
            kept = rows[beam < width][:BUDGET]
            found[search, column] = np.isin(good, kept).mean()
    return found
