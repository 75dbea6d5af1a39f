"""What the report draws of an evaluation: beams, budgets, and what the channels share.

Shapes: `M` searches, `P` relevant items of all searches together, `B` beams, `n` items of an
answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from genrecall.data.tables import Rows
from genrecall.evaluate.bootstrap import Bootstrap
from genrecall.evaluate.equal import found_after_cut
from genrecall.evaluate.inputs import EvaluationInputs, unit_groups
from genrecall.evaluate.measures import (
    Floats,
    IntArray,
    TargetRanks,
    candidates,
    recall,
    target_ranks,
)
from genrecall.evaluate.names import K, single_channels

_STEPS: Final = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, K)
"""Widths and budgets at which curves are drawn: even on a logarithmic axis."""


def steps(most: int) -> list[int]:
    """Where a curve up to `most` has its points.

    >>> steps(12)
    [1, 2, 3, 5, 7, 10, 12]
    """
    return [step for step in _STEPS if step < most] + [most]


def beam_curves(inputs: EvaluationInputs, beams: Mapping[str, IntArray]) -> list[dict[str, Any]]:
    """Follow the beams of every stage: relevant items found, and items behind them.

    Args:
        inputs: of the evaluation.
        beams: by stage the SID positions of each search, best first, `[M, B]`; negative entries
            are padding.

    Returns:
        For each stage its `stage`, `beams` [widths], `hit@beam` and `candidates@beam` [figures].
    """
    assert inputs.sid_of_item is not None, "beams need the SIDs of the items"
    bootstrap = _bootstrap(inputs)
    per_sid = inputs.items_per_sid
    if per_sid is None:
        per_sid = np.bincount(inputs.sid_of_item)
    targets = [inputs.sid_of_item[rows] for rows in inputs.positives]
    curves = []
    for stage, leaves in beams.items():
        ranks = target_ranks(list(leaves), targets)
        widths = steps(_filled(leaves))
        items = [candidates(leaves, per_sid, width) for width in widths]
        curves.append(
            {
                "stage": stage,
                "beams": widths,
                "hit@beam": _shares(bootstrap, [recall(ranks, width) for width in widths]),
                "candidates@beam": [bootstrap.mean(of_width).to_json() for of_width in items],
            }
        )
    return curves


def cut_curve(
    inputs: EvaluationInputs, answers: Sequence[tuple[Rows, IntArray]], widths: Sequence[int]
) -> dict[str, Any]:
    """Recall of answers that are cut to `K` items, by the number of beams they are made of.

    More beams bring more items, and the cut falls on all of them alike: beyond some width relevant
    items are pushed out (CQ-SID, arXiv 2605.14434, §5).

    Args:
        inputs: of the evaluation.
        answers: for each search all items behind its beams in the order of the answer, `[n]`, and
            the place of each item's beam, counted from 0, `[n]`.
        widths: numbers of beams.

    Returns:
        `beams` [widths], `recall` [figures].
    """
    found = np.stack(
        [
            found_after_cut(rows, beam, positives, widths=widths, k=K)
            for (rows, beam), positives in zip(answers, inputs.positives, strict=True)
        ]
    )  # (M, widths)
    return {"beams": list(widths), "recall": _shares(_bootstrap(inputs), list(found.T))}


def budget_curves(inputs: EvaluationInputs) -> dict[str, Any]:
    """Recall of every channel and fusion by the number of items.

    Returns:
        channel → `items` [budgets], `recall` [figures].
    """
    bootstrap, budgets = _bootstrap(inputs), steps(K)
    curves = {}
    for name, lists in inputs.channels.items():
        ranks = target_ranks(lists, inputs.positives)
        figures = _shares(bootstrap, [recall(ranks, k) for k in budgets])
        curves[name] = {"items": budgets, "recall": figures}
    return curves


def overlap(inputs: EvaluationInputs) -> dict[str, Any]:
    """Share of the relevant items that exactly these channels have among their first `K`.

    Fusions have no items of their own; controls and the baseline are no channels to serve, and what
    they find would be taken from the channel that they resemble. The shares sum to 1.

    Returns:
        `channels` [names], `sets` [{`channels` [names], `share` figure}], the largest first; no
        channel at all is the set without names.
    """
    bootstrap = _bootstrap(inputs)
    ranks = {
        name: target_ranks(inputs.channels[name], inputs.positives)
        for name in single_channels(inputs.channels)
    }
    shares = {names: bootstrap.share(share) for names, share in found_by(ranks, K).items()}
    return {
        "channels": list(ranks),
        "sets": [
            {"channels": list(names), "share": shares[names].to_json()}
            for names in sorted(shares, key=lambda names: -shares[names].value)
        ],
    }


def found_by(ranks: Mapping[str, TargetRanks], k: int) -> dict[tuple[str, ...], Floats]:
    """Share of each search's targets that exactly these lists have among their first `k`.

    Args:
        ranks: by the name of a list, all of the same targets.
        k: how much of a list counts.

    Returns:
        float64 `[M]` by names, only of combinations that occur; no name where none has it.

    >>> targets = [np.array([5, 9])]
    >>> one, two = (target_ranks([np.array(rows)], targets) for rows in ([5], [5, 7]))
    >>> found_by({"one": one, "two": two}, k=2)
    {(): array([0.5]), ('one', 'two'): array([0.5])}
    """
    names, some = list(ranks), next(iter(ranks.values()))
    has = np.stack([of_name.rank < k for of_name in ranks.values()])  # (lists, P)
    number = (has << np.arange(len(names))[:, None]).sum(axis=0)
    shares = {}
    for combination in np.unique(number).tolist():
        chosen = some.search[number == combination]
        shares[tuple(name for bit, name in enumerate(names) if combination >> bit & 1)] = (
            np.bincount(chosen, minlength=len(some.n_targets)) / some.n_targets
        )
    return shares


def _filled(leaves: IntArray) -> int:
    """The widest beam that was filled for any search, at least 1."""
    return max(int((leaves >= 0).sum(axis=1).max(initial=0)), 1)


def _bootstrap(inputs: EvaluationInputs) -> Bootstrap:
    return Bootstrap(len(inputs.positives), groups=unit_groups(inputs), seed=inputs.seed)


def _shares(bootstrap: Bootstrap, values: Sequence[Floats]) -> list[dict[str, Any]]:
    return [bootstrap.share(of_step).to_json() for of_step in values]
