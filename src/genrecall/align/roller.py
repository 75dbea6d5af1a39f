"""Draws what a step learns from: groups of generated SIDs, and SIDs that were chosen.

Shapes: `Q` searches with a group, `M` places of a group, `A` searches of the anchor, `T` chosen
SIDs drawn of each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from genrecall.align import objective
from genrecall.align.pages import Pages, PassingSids
from genrecall.align.rewards import Outcome, draw_experts
from genrecall.align.rollout import Groups, form_groups
from genrecall.align.scorers import OwnReward
from genrecall.decode.sample import sample
from genrecall.foundation.errors import DataError
from genrecall.generator.align_config import AlignConfig
from genrecall.generator.base import Policy
from genrecall.generator.prompts import Prompt
from genrecall.learning.processes import launched, rank

_REDRAWS: Final = 3  # times that flat groups are replaced; those of the last time stay
_TARGETS: Final = 2  # chosen SIDs that are drawn of a search, as in stage 3

_Index = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Rollout:
    """What a step learns from.

    Attributes:
        prompts: of the groups, `[Q]`.
        groups: one of each.
        anchors: prompts of searches with a choice, `[A]`.
        chosen: what was chosen in them; -1 where there are fewer, int64 `[A, T]`.
    """

    prompts: Sequence[Prompt]
    groups: Groups
    anchors: Sequence[Prompt]
    chosen: _Index

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to learn from."""
        return not self.prompts and not self.anchors


class Share(NamedTuple):
    """What share of a rollout a part of it has.

    Means over a part, so weighted, add up to those over the whole.
    """

    groups: float = 1.0
    generated: float = 1.0
    experts: float = 1.0
    chosen: float = 1.0


class Part(NamedTuple):
    """Some searches of a rollout.

    Attributes:
        rollout: of these.
        rows: which of the groups it has.
        share: of the whole.
    """

    rollout: Rollout
    rows: slice
    share: Share


def split(rollout: Rollout, at_once: int) -> Iterator[Part]:
    """Parts of at most so many searches, groups before anchors."""
    if len(rollout.prompts) + len(rollout.anchors) <= at_once:
        yield Part(rollout, slice(None), Share())
        return
    groups, whole = rollout.groups, _counts(rollout)
    for start in range(0, len(rollout.prompts), at_once):
        rows = slice(start, start + at_once)
        part = Rollout(rollout.prompts[rows], _take(groups, rows), [], rollout.chosen[:0])
        yield Part(part, rows, _share_of(part, whole))
    nothing = _take(groups, slice(0, 0))
    for start in range(0, len(rollout.anchors), at_once):
        rows = slice(start, start + at_once)
        part = Rollout([], nothing, rollout.anchors[rows], rollout.chosen[rows])
        yield Part(part, slice(0, 0), _share_of(part, whole))


def _counts(rollout: Rollout) -> tuple[int, ...]:
    """Groups, generated members, experts and chosen SIDs."""
    groups = rollout.groups
    counted = (groups.generated, groups.expert, rollout.chosen >= 0)
    return (len(groups.leaves), *(int(of_kind.sum()) for of_kind in counted))


def _share_of(part: Rollout, whole: tuple[int, ...]) -> Share:
    return Share(
        *(of_part / max(of_all, 1) for of_part, of_all in zip(_counts(part), whole, strict=True))
    )


class Roller:
    """Rolls out groups from the weights as they are.

    Args:
        policy: what is trained.
        pages: to draw searches from.
        config: of the groups.
        own_reward: instead of the ladder; None for that.

    Raises:
        DataError: a search is of another split than the training: its reward would be learned from.
    """

    def __init__(
        self,
        policy: Policy[Any],
        pages: Pages,
        config: AlignConfig,
        own_reward: OwnReward | None = None,
    ) -> None:
        self._policy, self._pages, self._config = policy, pages, config
        self._own_reward = own_reward
        self._passing = PassingSids(pages, len(policy.trie))
        _refuse_leak(pages)
        best = pages.outcomes.best
        self._shown = np.flatnonzero(best >= Outcome.EXPOSED)
        self._with_choice = np.flatnonzero(best >= Outcome.CLICKED)

    def roll(self, rng: np.random.Generator) -> Rollout:
        """What a step learns from, by its chance; of several processes, this one's share."""
        config = self._config
        count = 0 if config.learn_from == "clicks" else _share(config.searches)
        prompts, groups = self._groups(count, rng)
        for _ in range(_REDRAWS if config.redraw_flat else 0):
            flat = flat_groups(groups)
            if not flat.any():
                break
            prompts, groups = _replace(prompts, groups, flat, *self._groups(int(flat.sum()), rng))
        anchored = config.learn_from == "clicks" or config.anchor
        anchors = self._anchors(_share(config.anchor_searches) if anchored else 0, rng)
        return Rollout(prompts, groups, *anchors)

    def _groups(self, count: int, rng: np.random.Generator) -> tuple[list[Prompt], Groups]:
        """Groups of `count` searches; fewer where a reward of the team's own is missing."""
        config = self._config
        searches = _draw(self._shown, count, rng)
        prompts = [self._forget(search, rng) for search in searches.tolist()]
        generated = np.empty((0, config.group), dtype=np.int64)
        if prompts:
            generated = sample(
                self._policy,
                self._policy.read(prompts),
                size=config.group,
                rng=rng,
                temperature=config.temperature,
                distinct=config.distinct,
                valid=self._passing.of(searches.tolist()),
            ).leaves
        groups = form_groups(generated, searches, self._pages.outcomes, config, rng)
        if self._own_reward is None or not prompts:
            return prompts, groups
        queries = [prompt.text for prompt in prompts]
        rewards = self._own_reward(queries, groups.leaves, groups.outcome)
        answered = np.flatnonzero(~np.isnan(rewards).any(axis=1))
        return [prompts[search] for search in answered.tolist()], _take(
            groups._replace(rewards=rewards), answered
        )

    def _anchors(self, count: int, rng: np.random.Generator) -> tuple[list[Prompt], _Index]:
        searches = _draw(self._with_choice, count, rng)
        chosen = draw_experts(self._pages.outcomes, searches, _TARGETS, rng, least=Outcome.CLICKED)
        return [self._forget(search, rng) for search in searches.tolist()], chosen

    def _forget(self, search: int, rng: np.random.Generator) -> Prompt:
        """A search's prompt with some of what is known of its shopper left out."""
        prompt = self._pages.prompts[search]
        if rng.random() < self._config.shopper_dropout:
            return Prompt(prompt.text)
        rate = 2.0 * self._config.history_dropout * rng.random()
        kept = rng.random(len(prompt.history)) >= rate
        return replace(prompt, history=tuple(compress(prompt.history, kept.tolist())))


def _refuse_leak(pages: Pages) -> None:
    splits = pages.searches.frame["split"]
    leaks = np.flatnonzero((splits != "train").fill_null(True).to_numpy())
    if len(leaks):
        raise DataError(
            f"leak: search {int(leaks[0]):,} of those that rewards are taken from is of the split "
            f"{splits[int(leaks[0])]!r}; a reward may know training searches only. Take them by "
            "`logged_pages(shop, 'train', …)`."
        )


def flat_groups(groups: Groups) -> NDArray[np.bool_]:
    """Groups that teach nothing, since all their rewards are equal: bool `[Q]`."""
    if not len(groups.leaves):
        return np.empty(0, dtype=np.bool_)
    found: NDArray[np.bool_] = objective.flat(
        torch.from_numpy(groups.rewards), torch.from_numpy(groups.there)
    ).numpy()
    return found


def _share(searches: int) -> int:
    """How many of a step's searches this process takes."""
    return len(range(rank(), searches, launched()))


def _draw(searches: _Index, count: int, rng: np.random.Generator) -> _Index:
    """Some of the searches, with replacement; none where there are none."""
    return searches[rng.integers(0, max(len(searches), 1), count if len(searches) else 0)]


def _take(groups: Groups, rows: _Index | slice) -> Groups:
    """Some of the groups."""
    taken: dict[str, Any] = {name: values[rows] for name, values in groups._asdict().items()}
    return Groups(**taken)


def _replace(
    prompts: list[Prompt],
    groups: Groups,
    which: NDArray[np.bool_],
    new_prompts: list[Prompt],
    new: Groups,
) -> tuple[list[Prompt], Groups]:
    """The same with some groups replaced by others, as far as there are so many."""
    at = np.flatnonzero(which)[: len(new_prompts)]
    patched = list(prompts)
    for place, prompt in zip(at.tolist(), new_prompts, strict=True):
        patched[place] = prompt
    values: dict[str, Any] = {name: of_all.copy() for name, of_all in groups._asdict().items()}
    for name, of_new in new._asdict().items():
        values[name][at] = of_new
    return patched, Groups(**values)
