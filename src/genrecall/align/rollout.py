"""Groups of generated SIDs and injected experts, with their rewards (Algorithm 2 of EG-GRPO).

Shapes: `Q` searches of a batch, `G` SIDs generated of each, `K` experts, `M` places of a group.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrecall.align.rewards import Outcome, Outcomes, draw_experts, ladder
from genrecall.generator.align_config import AlignConfig

_Sids = NDArray[np.int64]


class Groups(NamedTuple):
    """A group for each search of a batch.

    Attributes:
        leaves: SIDs of the members, -1 at empty places, int64 `[Q, M]`.
        expert: injected ones, bool `[Q, M]`.
        outcome: what became of each, `Outcome`, int8 `[Q, M]`.
        rewards: float32 `[Q, M]`.
        hit: groups with a generated SID that was chosen; of a search without a choice, one that
            was shown, bool `[Q]`.
    """

    leaves: _Sids
    expert: NDArray[np.bool_]
    outcome: NDArray[np.int8]
    rewards: NDArray[np.float32]
    hit: NDArray[np.bool_]

    @property
    def there(self) -> NDArray[np.bool_]:
        """Places that are taken, bool `[Q, M]`."""
        return self.leaves >= 0

    @property
    def generated(self) -> NDArray[np.bool_]:
        """Members that were generated and not injected, bool `[Q, M]`."""
        return self.there & ~self.expert


def form_groups(
    generated: _Sids,
    searches: _Sids,
    outcomes: Outcomes,
    config: AlignConfig,
    rng: np.random.Generator,
) -> Groups:
    """Inject experts beside generated SIDs, and reward all of them.

    An expert that was generated is not injected as well. In groups of fixed size each that is
    injected takes the place of the SID that was generated last; where that one was the same, the
    group is one smaller.

    Args:
        generated: SIDs in the order in which they were drawn, -1 where there are fewer, `[Q, G]`.
        searches: which searches they are of, int64 `[Q]`.
        outcomes: of all searches.
        config: how many experts, and when.
        rng: chooses among the experts of a search.
    """
    outcome = outcomes.of(searches, generated)
    experts = draw_experts(outcomes, searches, config.experts, rng)
    best = outcomes.best[searches]
    hit = (outcome >= np.minimum(best, Outcome.CLICKED)[:, None]).any(axis=1) & (
        best >= Outcome.EXPOSED
    )
    if config.inject == "when_no_hit":
        experts[hit] = -1
    kept = generated.copy()
    if config.group_size == "fixed":
        # As many as are injected at most; one that is among those that stay gives its place back.
        wanted = (experts >= 0).sum(axis=1)
        stays = np.arange(generated.shape[1]) < (generated.shape[1] - wanted)[:, None]
        absent = ~_among(experts, np.where(stays, generated, -1)) & (experts >= 0)
        room = generated.shape[1] - absent.sum(axis=1)
        kept[np.arange(generated.shape[1]) >= room[:, None]] = -1
    experts[_among(experts, kept)] = -1
    leaves = np.concatenate([kept, experts], axis=1)
    is_expert = np.zeros(leaves.shape, dtype=np.bool_)
    is_expert[:, generated.shape[1] :] = experts >= 0
    every = outcomes.of(searches, leaves)
    worth = outcomes.worth_of(searches, leaves) if config.rewards.gmv else None
    return Groups(leaves, is_expert, every, ladder(every, config.rewards, worth), hit)


def _among(experts: _Sids, generated: _Sids) -> NDArray[np.bool_]:
    """Which experts were generated: `[Q, K]`, `[Q, G]` to bool `[Q, K]`."""
    found: NDArray[np.bool_] = (experts[:, :, None] == generated[:, None, :]).any(axis=2)
    return found & (experts >= 0)
