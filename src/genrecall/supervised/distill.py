"""Distillation: a trained generator's distribution over SIDs becomes the targets of another one.

The teacher, as a rule a language model, answers logged queries and pseudo-queries with its best
SIDs. A SID's share of the softmax over them is spread evenly over its items, so what the student
draws are items as from any other source. Teacher and student must have the same SIDs.

Shapes: `n` prompts, `B` beams, `S` SIDs, `N` items.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from genrecall.bundle import read_bundle
from genrecall.decode.base import Beams
from genrecall.decode.reference import ReferenceEngine
from genrecall.foundation.artifact import Artifact
from genrecall.foundation.errors import ConfigError
from genrecall.foundation.progress import Progress, RunLog
from genrecall.foundation.ragged import join_bags, ragged_offsets, ragged_ranges
from genrecall.foundation.sid import SidTable
from genrecall.generator.config import DistillConfig
from genrecall.generator.prompts import QUERY, Prompt
from genrecall.supervised.prompt_sets import PromptSet, make_targets

_AT_ONCE: Final = 64  # prompts searched together: bounds the memory of the beams


class Teacher(Protocol):
    """A trained generator that is asked for its best SIDs."""

    def __call__(self, prompts: Sequence[Prompt], beam: int) -> Beams:
        """The `beam` most probable SIDs of each prompt."""


def distilled_prompts(
    teacher: Teacher,
    config: DistillConfig,
    *,
    logged: PromptSet | None,
    pseudo: PromptSet,
    sid_of_item: NDArray[np.int64],
    rng: np.random.Generator,
) -> PromptSet:
    """Prompts with the teacher's targets.

    Half of them are logged queries, as far as there are so many; the rest are pseudo-queries.

    Args:
        teacher: answers the prompts.
        config: how many prompts and beams.
        logged: logged queries; None where there are none.
        pseudo: pseudo-queries.
        sid_of_item: position of each item's SID in the trie, int64 `[N]`.
        rng: which prompts are asked.
    """
    of_logged = min(len(logged), config.prompts // 2) if logged is not None else 0
    of_pseudo = min(len(pseudo), config.prompts - of_logged)
    chosen = [(pseudo, rng.choice(len(pseudo), of_pseudo, replace=False))]
    if logged is not None:
        chosen.append((logged, rng.choice(len(logged), of_logged, replace=False)))
    texts = [prompts.texts[i] for prompts, numbers in chosen for i in numbers.tolist()]
    taught = teacher([Prompt(text) for text in texts], config.beam)
    items, weights, counts = _spread(taught, sid_of_item)
    return PromptSet(
        texts=texts,
        kind=QUERY,
        targets=make_targets(items, weights, ragged_offsets(counts)),
        weight=np.arange(1.0, len(texts) + 1),
        made_of=None,
        cut=lambda: join_bags(*(prompts.bags_of(numbers) for prompts, numbers in chosen)),
    )


def _spread(
    taught: Beams, sid_of_item: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """Items behind the SIDs, the share of each, and how many of them each prompt has."""
    order = np.argsort(sid_of_item, kind="stable")
    sizes = np.bincount(sid_of_item)
    starts = ragged_offsets(sizes)[:-1]
    there = taught.leaves >= 0
    shares = np.exp(taught.logprob - taught.logprob.max(axis=1, keepdims=True)) * there
    shares = shares / shares.sum(axis=1, keepdims=True)
    leaves = taught.leaves[there]
    items = order[ragged_ranges(starts[leaves], sizes[leaves])]
    weights = np.repeat(shares[there].astype(np.float64) / sizes[leaves], sizes[leaves])
    counts = np.where(there, sizes[np.maximum(taught.leaves, 0)], 0).sum(axis=1)
    return items.astype(np.int64), weights, counts


def open_teacher(bundle: Artifact, table: SidTable, log: RunLog) -> Teacher:
    """The generator that a bundle serves.

    Args:
        bundle: whose.
        table: the SIDs that the student learns.
        log: where to report.

    Raises:
        ArtifactError: the bundle is damaged or of other settings.
        ConfigError: the bundle has other SIDs.
    """
    opened = read_bundle(bundle)
    theirs = opened.items.table
    if theirs.space != table.space or not np.array_equal(theirs.codes, table.codes):
        raise ConfigError(
            f"generator.distill.teacher: {bundle.path} has other SIDs "
            f"({len(theirs.packed):,} in {theirs.space.sizes}) than this run "
            f"({len(table.packed):,} in {table.space.sizes}). Make both from the same data with "
            "the same settings up to the generator."
        )
    generator = opened.generative().generator
    engine = ReferenceEngine(generator)

    def answer(prompts: Sequence[Prompt], beam: int) -> Beams:
        progress = Progress(log, "teacher", total=len(prompts), unit="prompts")
        answers = []
        for start in range(0, len(prompts), _AT_ONCE):
            part = prompts[start : start + _AT_ONCE]
            answers.append(engine.search(generator.read(part), beam=beam))
            progress.update(len(part))
        progress.finish()
        return Beams.join(answers, beam)

    return answer
