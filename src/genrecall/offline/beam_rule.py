"""Tuning how many beams a search keeps by how sure the generator is of the first code.

Where its entropy is small few beams find what many do. Of all rules over a grid of entropies the
one with the fewest beams on average is taken whose recall is, with 95 % certainty, within a loss of
the widest's: few searches allow few savings. What is tuned on some searches flatters itself on
them, so it is also measured on others: half of the queries by the rule of the other half.

Shapes: `M` searches with something relevant, `W` widths.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrecall.channels.base import Request
from genrecall.channels.config import BeamsConfig
from genrecall.channels.generative import GenerativeChannel
from genrecall.data.splits import fold_of_query
from genrecall.decode.base import BeamRule
from genrecall.foundation.progress import RunLog

_GRID: Final = 20  # quantiles of the entropies that are tried
_HALVES: Final = 2
_SURE: Final = 1.645  # standard errors: with 95 % the mean loss is no greater


class Judged(NamedTuple):
    """What beams of each width find.

    Attributes:
        entropy: of the first code, in nats, float64 `[M]`.
        recall: of each search with each width, float64 `[M, W]`.
        beams: that were kept for it, which are more than the width where an answer needs more
            items, float64 `[M, W]`.
        fold: half of each search, int64 `[M]`.
    """

    entropy: NDArray[np.float64]
    recall: NDArray[np.float64]
    beams: NDArray[np.float64]
    fold: NDArray[np.int64]


class Tuned(NamedTuple):
    """A rule, and what it is worth.

    Attributes:
        rule: on all searches.
        recall: mean with it.
        beams: mean that it keeps.
        held_out: mean recall of each half by the rule of the other.
        held_out_beams: mean beams likewise.
        fixed: mean recall with each width alone, `[W]`.
        fixed_beams: mean beams likewise.
    """

    rule: BeamRule
    recall: float
    beams: float
    held_out: float
    held_out_beams: float
    fixed: list[float]
    fixed_beams: list[float]


def judge_widths(
    channel: GenerativeChannel,
    requests: Sequence[Request],
    positives: Sequence[NDArray[np.integer]],
    widths: Sequence[int],
    *,
    k: int,
    log: RunLog,
) -> Judged:
    """Answer each search with each width.

    Args:
        channel: that serves.
        requests: of `M` searches.
        positives: catalog rows that are relevant to each, at least one.
        widths: of beams, in ascending order.
        k: items of an answer.
        log: where to report how far it is.
    """
    recall, kept = np.empty((2, len(requests), len(widths)))
    for place, width in enumerate(widths):
        log.say(f"  {width} beams")
        beams = BeamsConfig(widths=(width,), entropies=())
        rankings = channel.with_beams(beams).rank(requests, k)
        for row, (ranking, relevant) in enumerate(zip(rankings, positives, strict=True)):
            recall[row, place] = np.isin(relevant, ranking.rows).mean()
            kept[row, place] = 0 if ranking.beams is None else ranking.beams.found
    steps = [read.reading.step.numpy().astype(np.float64) for read in channel.read(requests)]
    first = np.concatenate(steps)
    fold = np.array([fold_of_query(request.query, _HALVES) for request in requests])
    return Judged(-(np.exp(first) * first).sum(axis=1), recall, kept, fold)


def tune_beams(judged: Judged, widths: Sequence[int], *, loss: float) -> Tuned:
    """The rule with the fewest beams on average that loses no more recall.

    Args:
        judged: what beams of each width find.
        widths: `[W]`.
        loss: of the widest beams' recall, relative, such as 0.005.
    """
    every = np.ones(len(judged.fold), dtype=np.bool_)
    rule = _tuned(judged, widths, loss, every)
    recall, beams = _under(judged, rule)
    apart, apart_beams = np.empty(len(recall)), np.empty(len(recall))
    for half in range(_HALVES):
        inside = judged.fold == half
        other = _tuned(judged, widths, loss, ~inside) if (~inside).any() else rule
        found, kept = _under(judged, other)
        apart[inside], apart_beams[inside] = found[inside], kept[inside]
    return Tuned(
        rule,
        recall=float(recall.mean()),
        beams=float(beams.mean()),
        held_out=float(apart.mean()),
        held_out_beams=float(apart_beams.mean()),
        fixed=judged.recall.mean(axis=0).tolist(),
        fixed_beams=judged.beams.mean(axis=0).tolist(),
    )


def _tuned(judged: Judged, widths: Sequence[int], loss: float, kept: NDArray[np.bool_]) -> BeamRule:
    """By the searches that are kept, bool `[M]`."""
    some = Judged(judged.entropy[kept], judged.recall[kept], judged.beams[kept], judged.fold[kept])
    allowed = loss * some.recall[:, -1].mean()
    grid = np.unique(np.quantile(some.entropy, np.linspace(0, 1, _GRID + 1)))
    grid = np.append(grid, grid[-1] + 1.0)  # beyond all of them: the wider beams are never kept
    best, cost = BeamRule((widths[-1],)), (float(some.beams[:, -1].mean()), 0.0)
    for entropies in combinations_with_replacement(grid.tolist(), len(widths) - 1):
        rule = BeamRule(tuple(widths), entropies)
        recall, beams = _under(some, rule)
        lost = some.recall[:, -1] - recall
        # By chance some rules look better than they are: what is lost is taken at its upper bound.
        most = lost.mean() + _SURE * lost.std() / len(lost) ** 0.5
        found = float(beams.mean()), float(lost.mean())
        if most <= allowed and found < cost:
            best, cost = rule, found
    return best


def _under(judged: Judged, rule: BeamRule) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Recall and beams of each search under a rule, `[M]` both; the widest width is the last."""
    place = np.searchsorted(rule.entropies, judged.entropy, side="right")
    at = np.arange(len(place)), place + judged.recall.shape[1] - len(rule.widths)
    return judged.recall[at], judged.beams[at]
