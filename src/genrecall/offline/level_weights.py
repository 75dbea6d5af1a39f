"""Fitting how much heads and look-ahead weigh at each level, from searches with relevant items.

At each level the next code of a relevant item's SID is read as the choice among the codes that may
follow its prefix: what is maximised is the mean log-softmax of these codes, as for the weights of a
fusion (`funnel/weights.py`). It has one maximum at each level. Few searches say little: fitted
weights and the usual ones are mixed as `n : 20`, `n` being the number of searches. How much it
counts in the look-ahead how often items were chosen is the one of a few weights, `PRIORS`, of which
the fit is likeliest.

Shapes: `M` searches, `G` prefixes of all searches together, `n` possible next codes of all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from genrecall.channels.base import Request
from genrecall.channels.generative import GenerativeChannel, ReadRequests
from genrecall.foundation.ragged import ragged_offsets, ragged_owners
from genrecall.foundation.sid import LEVELS
from genrecall.funnel.fusion import Candidates
from genrecall.generator.compact.generator import CompactGenerator
from genrecall.generator.compact.policy import NextCodes
from genrecall.generator.compact.weights import (
    BOTH,
    HEADS,
    LOOK_AHEAD,
    WAYS,
    Fitted,
    Levels,
    LevelWeights,
)
from genrecall.learning.likelihood import likeliest_weights, mean_log_likelihood, mixed_with_usual
from genrecall.offline.generated import reread

PRIORS: Final = (0.0, 0.5, 1.0, 2.0, 3.0, 4.0)
"""Weights of the prior in the look-ahead that are tried."""

_LEAST_GAIN: Final = 2.0
"""Nats by which all searches together must be likelier for another weight than 0."""

_MOST_TARGETS: Final = 4  # of a search: a query with hundreds of judged items is one query


@dataclass(frozen=True, eq=False)
class LevelChoices:
    """The choices at one level that relevant items make.

    Attributes:
        search: which search each prefix is of, int64 `[G]`.
        candidates: the children of every prefix, by its number, as nodes of the trie; parts are
            what heads and look-ahead say.
        chosen: those of them that relevant items are behind, `[G]`.
    """

    search: NDArray[np.int64]
    candidates: Candidates
    chosen: Sequence[NDArray[np.int64]]

    def of(self, kept: NDArray[np.bool_]) -> LevelChoices:
        """Those of the searches that are kept, bool `[M]`; their prefixes are numbered anew."""
        groups = np.flatnonzero(kept[self.search])
        number = np.full(len(self.search), -1)
        number[groups] = np.arange(len(groups))
        inside = number[self.candidates.search] >= 0
        some = Candidates(
            search=number[self.candidates.search[inside]],
            rows=self.candidates.rows[inside],
            parts=self.candidates.parts[:, inside],
            has=self.candidates.has[:, inside],
        )
        chosen = [self.chosen[group] for group in groups.tolist()]
        return LevelChoices(self.search[groups], some, chosen)

    @property
    def searches(self) -> int:
        """How many searches chose something."""
        chose = np.array([len(codes) > 0 for codes in self.chosen], dtype=np.bool_)
        return len(np.unique(self.search[chose]))

    def log_likelihood(self, weights: NDArray[np.float64]) -> float:
        """Mean over prefixes, with weights of heads and look-ahead."""
        return mean_log_likelihood(self.candidates, self.chosen, weights)


def level_choices(
    channels: Sequence[GenerativeChannel],
    requests: Sequence[Request],
    sids: Sequence[NDArray[np.int64]],
) -> list[list[LevelChoices]]:
    """What heads and look-ahead say along the SIDs of relevant items, for each level.

    Args:
        channels: of one `compact` generator with weights of each kind.
        requests: of `M` searches.
        sids: of the relevant items of each, the most relevant first, as positions in the trie.

    Returns:
        For each channel.
    """
    found: list[list[list[_Followed]]] = [[[] for _ in range(LEVELS)] for _ in channels]
    first = 0
    for read in channels[0].read(requests):
        for channel, of_channel in zip(channels, found, strict=True):
            assert isinstance(channel.generator, CompactGenerator)
            again, wanted = reread(channel, read), sids[first : first + len(read)]
            for level, followed in enumerate(_follow(channel.generator, again, wanted)):
                of_channel[level].append(followed._replace(search=followed.search + first))
        first += len(read)
    return [[_join(of_level) for of_level in of_channel] for of_channel in found]


def fit_levels(
    choices: Mapping[float, Sequence[LevelChoices]],
    fold: NDArray[np.int64],
    folds: int,
    *,
    head_weight: float,
) -> dict[str, Fitted]:
    """Weights for each way of decoding, on all searches and on those without each fold.

    Args:
        choices: of each level, by the weight of the prior in the look-ahead, 0 among them.
        fold: of each search, int64 `[M]`.
        folds: how many there are.
        head_weight: of the heads where nothing is known.
    """
    every = np.ones(len(fold), dtype=np.bool_)
    served = _fit(choices, every, head_weight)
    of_folds = [_fit(choices, fold != number, head_weight) for number in range(folds)]
    return {way: Fitted(served[way], tuple(of_fold[way] for of_fold in of_folds)) for way in WAYS}


def _fit(
    choices: Mapping[float, Sequence[LevelChoices]], kept: NDArray[np.bool_], head_weight: float
) -> dict[str, LevelWeights]:
    """Weights from the searches that are kept, by way; all ways read one look-ahead."""
    told: dict[float, float] = {}
    some = {prior: [of_level.of(kept) for of_level in levels] for prior, levels in choices.items()}
    for prior, levels in some.items():
        both = np.array(_fit_way(levels, BOTH, head_weight)[:2])  # (2, levels)
        likely = sum(of.log_likelihood(both[:, level]) for level, of in enumerate(levels))
        told[prior] = max(of.searches for of in levels) * likely - _LEAST_GAIN * (prior > 0)
    best = max(told, key=lambda prior: (told[prior], -prior))
    return {way: _fit_way(some[best], way, head_weight)._replace(prior=best) for way in WAYS}


def _fit_way(choices: Sequence[LevelChoices], way: str, head_weight: float) -> LevelWeights:
    """Weights of one way of decoding; the usual ones as far as nothing is chosen."""
    usual = LevelWeights.usual(way, head_weight=head_weight)
    parts = {BOTH: [0, 1], HEADS: [0], LOOK_AHEAD: [1]}[way]
    names = [(HEADS, LOOK_AHEAD)[part] for part in parts]
    table = np.array(usual[:2])  # (2, levels)
    for level, of_level in enumerate(choices):
        said = replace(
            of_level.candidates,
            parts=of_level.candidates.parts[parts],
            has=of_level.candidates.has[parts],
        )
        n, before = of_level.searches, table[parts, level]
        fitted = likeliest_weights(said, of_level.chosen, names)
        table[parts, level] = mixed_with_usual(fitted, before, n)
    heads, look_ahead = table.tolist()
    return LevelWeights(_three(heads), _three(look_ahead))


class _Followed(NamedTuple):
    """One level of some requests: see `LevelChoices`."""

    search: NDArray[np.int64]  # (G,)
    codes: NextCodes
    chosen: list[NDArray[np.int64]]


def _follow(
    generator: CompactGenerator, read: ReadRequests, sids: Sequence[NDArray[np.int64]]
) -> Iterator[_Followed]:
    """Go along the SIDs of the relevant items of requests that were read, level by level."""
    # A query without a known word generates nothing.
    known = np.any(read.reading.queries, axis=1).tolist()
    kept = [leaves[: _MOST_TARGETS * know] for leaves, know in zip(sids, known, strict=True)]
    path = generator.trie.path(np.concatenate(kept))
    row = ragged_owners([len(leaves) for leaves in kept])  # which prefix each SID continues
    search, state = np.arange(len(read)), read.reading.state
    for level in range(LEVELS):
        size = generator.trie.n_nodes[level]
        longer = np.unique(row * size + path[:, level])
        prefix, grown = np.divmod(longer, size)
        ends = np.searchsorted(prefix, np.arange(len(search) + 1))
        chosen = [grown[first:end] for first, end in pairwise(ends.tolist())]
        yield _Followed(search, generator.policy.next_codes(state), chosen)
        if level < LEVELS - 1:
            state, _ = generator.advance(state, torch.from_numpy(prefix), torch.from_numpy(grown))
            search, row = search[prefix], np.searchsorted(longer, row * size + path[:, level])


def _join(parts: Sequence[_Followed]) -> LevelChoices:
    """One level of all requests."""
    before = ragged_offsets([len(part.search) for part in parts])
    groups = [part.codes.prefix + first for part, first in zip(parts, before[:-1], strict=True)]
    said = [np.stack([part.codes.heads, part.codes.look_ahead]) for part in parts]
    together = np.concatenate([np.empty((2, 0), dtype=np.float32), *said], axis=1)
    candidates = Candidates(
        search=np.concatenate([np.empty(0, dtype=np.int64), *groups]),
        rows=np.concatenate([np.empty(0), *(part.codes.node for part in parts)]).astype(np.int32),
        parts=together,
        has=np.ones(together.shape, dtype=np.bool_),
    )
    search = np.concatenate([np.empty(0, dtype=np.int64), *(part.search for part in parts)])
    return LevelChoices(search, candidates, [codes for part in parts for codes in part.chosen])


def _three(values: Sequence[float]) -> Levels:
    first, second, third = values
    return first, second, third
