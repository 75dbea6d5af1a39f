"""Draws SIDs from a generator's distribution, valid ones only, by the passes of a beam search.

Each level's probabilities are masked by the trie and, for the draw alone, sum to one over the codes
that may follow; the log-probabilities that come out are the generator's own, as in a beam search.
A language model gives some probability to codes that continue no SID. So its SIDs are drawn a
little otherwise than their log-probabilities say, and a gradient by these also makes it surer that
a SID exists.
Without replacement the draw is a stochastic beam search (Kool, van Hoof and Welling, Stochastic
Beams and Where to Find Them, 2019): the SIDs with the highest perturbed log-probabilities, in the
order in which they would have been drawn one after another.

Shapes: `Q` prompts, `G` SIDs drawn of each, `S` SIDs in use, `R` prefixes, `C` their children.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from genrecall.decode.base import Beams
from genrecall.foundation.errors import RequestError
from genrecall.foundation.ragged import ragged_offsets, rank_in_run
from genrecall.foundation.sid import LEVELS
from genrecall.foundation.trie import Trie
from genrecall.generator.base import Generator, Reading
from genrecall.learning.sampling import draw_in_runs, running_sums

_Index = NDArray[np.int64]
_Floats = NDArray[np.float64]


class _Prefixes(NamedTuple):
    """Prefixes of all prompts, ordered by prompt."""

    prompt: _Index  # (R,)
    node: _Index  # (R,) node in the trie
    logprob: NDArray[np.float32]  # (R,) by the generator
    chance: _Floats  # (R,) log-probability of being drawn
    key: _Floats  # (R,) perturbed `chance` of the best SID below; orders what is drawn
    parent: _Index  # (R,) row of the generator's state that it continues
    times: _Index  # (R,) how often it was drawn; only with replacement

    def take(self, rows: _Index) -> _Prefixes:
        return _Prefixes(
            prompt=self.prompt[rows],
            node=self.node[rows],
            logprob=self.logprob[rows],
            chance=self.chance[rows],
            key=self.key[rows],
            parent=self.parent[rows],
            times=self.times[rows],
        )


def sample(
    generator: Generator[Any],
    reading: Reading[Any],
    *,
    size: int,
    rng: np.random.Generator,
    temperature: float = 1.0,
    distinct: bool = False,
    valid: Sequence[NDArray[np.bool_]] | None = None,
) -> Beams:
    """Draw SIDs of each prompt.

    Args:
        generator: what has read.
        reading: of `Q` prompts.
        size: `G`.
        rng: where chance comes from.
        temperature: of the draw; at 1 SIDs are drawn by their probability.
        distinct: draw without replacement.
        valid: SIDs that may be drawn, bool `[S]` for each prompt; None for all.

    Returns:
        The SIDs in the order in which they were drawn, with the generator's log-probabilities. With
        `distinct` there are fewer than `G` where fewer are valid; a prompt without a valid SID has
        none.

    Raises:
        RequestError: `size < 1`, or a temperature that is not positive.
    """
    if size < 1 or temperature <= 0:
        raise RequestError(
            f"size={size}, temperature={temperature}; at least one SID is drawn, at a temperature "
            "above 0."
        )
    alive = None
    if valid is not None and len(valid):
        spread = map(generator.trie.spread, valid)
        alive = [np.stack(of_level) for of_level in zip(*spread, strict=True)]
    trie, prefixes = generator.trie, _roots(len(reading), size)
    state, step = reading.state, reading.step
    for level in range(LEVELS):
        owner, children = _expand(
            prefixes, trie, level, step.reshape(-1).numpy(), alive, temperature
        )
        if distinct:
            children = _perturb(children, owner, rng)
            prefixes = children.take(_best(children.prompt, children.key, size))
        else:
            prefixes = _draw(children, owner, prefixes, rng)
        if level < LEVELS - 1:
            state, step = generator.advance(
                state, torch.from_numpy(prefixes.parent), torch.from_numpy(prefixes.node)
            )
    return _as_beams(prefixes if distinct else _repeat(prefixes, rng), len(reading), size)


def _roots(n_prompts: int, size: int) -> _Prefixes:
    prompt, zeros = np.arange(n_prompts), np.zeros(n_prompts, dtype=np.int64)
    chance = np.zeros(n_prompts)
    return _Prefixes(
        prompt=prompt,
        node=zeros,
        logprob=chance.astype(np.float32),
        chance=chance,
        key=chance,
        parent=zeros,
        times=np.full(n_prompts, size),
    )


def _expand(
    prefixes: _Prefixes,
    trie: Trie,
    level: int,
    step: NDArray[np.float32],
    alive: Sequence[NDArray[np.bool_]] | None,
    temperature: float,
) -> tuple[_Index, _Prefixes]:
    """All allowed children, and which of the prefixes each continues: int64 `[C]`.

    A child's `key` is still that of the prefix; `step` holds the log-probabilities of all children.
    """
    owner, node, _ = trie.children(level, prefixes.node)
    if alive is not None:
        kept = alive[level][prefixes.prompt[owner], node]
        owner, node, step = owner[kept], node[kept], step[kept]
    tempered = step.astype(np.float64) / temperature
    sums = _log_sums(tempered, owner, len(prefixes.node))
    return owner, _Prefixes(
        prompt=prefixes.prompt[owner],
        node=node,
        logprob=prefixes.logprob[owner] + step,
        chance=prefixes.chance[owner] + tempered - sums[owner],
        key=prefixes.key[owner],
        parent=owner,
        times=np.zeros(len(owner), dtype=np.int64),
    )


def _draw(
    children: _Prefixes, owner: _Index, prefixes: _Prefixes, rng: np.random.Generator
) -> _Prefixes:
    """Draw children of each prefix as often as it was drawn, with replacement.

    What is drawn several times is one row, so that it is advanced once.
    """
    counts = np.bincount(owner, minlength=len(prefixes.node))
    times = np.where(counts > 0, prefixes.times, 0)
    cumulative = running_sums(np.exp(children.chance - prefixes.chance[owner]))
    runs = np.repeat(np.arange(len(times)), times)
    drawn = draw_in_runs(cumulative, ragged_offsets(counts), runs, 1, rng)[:, 0]
    rows, often = np.unique(drawn, return_counts=True)
    return children.take(rows)._replace(times=often)


def _repeat(prefixes: _Prefixes, rng: np.random.Generator) -> _Prefixes:
    """Each as often as it was drawn, those of a prompt in an order of chance."""
    every = prefixes.take(np.repeat(np.arange(len(prefixes.node)), prefixes.times))
    return every.take(np.lexsort((rng.random(len(every.node)), every.prompt)))


def _perturb(children: _Prefixes, owner: _Index, rng: np.random.Generator) -> _Prefixes:
    """Give children Gumbel keys whose maximum is the key of their prefix.

    Kool et al., 2019, appendix B.3: with `Z` the maximum of the children's free keys `g` and `T`
    the prefix's, `-log(exp(-T) - exp(-Z) + exp(-g))`.
    """
    free = children.chance + rng.gumbel(size=len(owner))
    n = int(owner.max(initial=-1)) + 1
    highest = np.full(n, -np.inf)
    np.maximum.at(highest, owner, free)
    with np.errstate(divide="ignore"):  # the best child itself has log 0 and gets the prefix's key
        apart = children.key - free + np.log1p(-np.exp(free - highest[owner]))
    keys = children.key - np.maximum(apart, 0.0) - np.log1p(np.exp(-np.abs(apart)))
    return children._replace(key=keys)


def _best(group: _Index, keys: _Floats, count: int) -> _Index:
    """Positions of the `count` highest keys of each group, the highest first; groups ascend."""
    order = np.lexsort((-keys, group))
    return order[rank_in_run(group[order]) < count]


def _log_sums(values: _Floats, owner: _Index, n: int) -> _Floats:
    """Log-sum-exp of each owner's entries: `[C]`, `[C]` to `[n]`; -inf without an entry."""
    highest = np.full(n, -np.inf)
    np.maximum.at(highest, owner, values)
    sums = np.bincount(owner, weights=np.exp(values - highest[owner]), minlength=n)
    with np.errstate(divide="ignore"):
        return highest + np.log(sums)


def _as_beams(prefixes: _Prefixes, n_prompts: int, size: int) -> Beams:
    leaves = np.full((n_prompts, size), -1, dtype=np.int64)
    logprob = np.full((n_prompts, size), -np.inf, dtype=np.float32)
    rank = rank_in_run(prefixes.prompt)
    leaves[prefixes.prompt, rank] = prefixes.node
    logprob[prefixes.prompt, rank] = prefixes.logprob
    return Beams(leaves, logprob)
