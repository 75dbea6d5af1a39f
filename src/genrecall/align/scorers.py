"""Rewards of a team's own: a Python function or an HTTP service that scores generated SIDs.

Both get the same question and give the same answer. A question is a list with an entry for each
search:

    {"query": "cordless drill", "sids": [
        {"sid": "<c1_3><c2_0><c3_5>", "items": ["i17", "i40"], "outcome": "exposed"}, …]}

`items` are all items behind the SID, `outcome` is what became of it on the logged page: `valid`,
`exposed`, `clicked` or `bought`. The answer has for each search a list with one number for each of
its SIDs, or null where there is none. A service is sent `{"searches": question}` by POST and
answers `{"rewards": answer}`.

What does not answer rightly is a failure: the search is skipped and counted (`without_reward` of a
step's figures), never rewarded by chance.
"""

from __future__ import annotations

import importlib
import json
import urllib.request
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from genrecall.align.rewards import Outcome
from genrecall.data.values.convert import shorten
from genrecall.foundation.errors import ConfigError
from genrecall.foundation.sid import Sid
from genrecall.generator.align_config import RewardConfig
from genrecall.index.live import LiveItems

Question = list[dict[str, Any]]
Ask = Callable[[Question], Any]
"""Gives the answer to a question, or raises."""

_GIVE_UP: Final = 20  # questions in a row without a single answer


class OwnReward:
    """Rewards of a team's own for generated SIDs.

    Args:
        ask: a function or a service.
        items: of the shop.
        name: of the function or service, for errors.

    Attributes:
        failures: searches without an answer so far.
        cause: why the last of them has none; "" without one.
    """

    def __init__(self, ask: Ask, items: LiveItems, *, name: str) -> None:
        self._ask, self._items, self._name = ask, items, name
        self._in_vain = 0
        self.failures = 0
        self.cause = ""

    def __call__(
        self, queries: Sequence[str], leaves: NDArray[np.int64], outcome: NDArray[np.int8]
    ) -> NDArray[np.float32]:
        """Rewards of the members of groups, float32 `[Q, M]`; NaN in groups without an answer.

        Args:
            queries: `[Q]`.
            leaves: SIDs, -1 at empty places, int64 `[Q, M]`.
            outcome: what became of each, `Outcome`, int8 `[Q, M]`.

        Raises:
            ConfigError: there was no answer many times in a row.
        """
        there = leaves >= 0
        question = [
            {"query": query, "sids": self._describe(of_search[taken], became[taken])}
            for query, of_search, became, taken in zip(queries, leaves, outcome, there, strict=True)
        ]
        rewards = np.full(leaves.shape, np.nan, dtype=np.float32)
        for row, numbers in enumerate(self._answers(question)):
            found = _as_rewards(numbers, int(there[row].sum()))
            if isinstance(found, str):
                self.cause = f"for the query {queries[row]!r} it gave {found}"
            else:
                rewards[row, there[row]] = found
                rewards[row, ~there[row]] = 0.0
        failed = int(np.isnan(rewards).any(axis=1).sum())
        self.failures += failed
        self._in_vain = self._in_vain + 1 if failed == len(question) else 0
        if self._in_vain >= _GIVE_UP:
            raise ConfigError(
                f"generator.align.rewards: {self._name} gave no reward {_GIVE_UP} times in a row "
                f"({self.cause}). It must give for each search a list of finite numbers, one for "
                "each of its SIDs; see docs/alignment.md."
            )
        return rewards

    def _answers(self, question: Question) -> Sequence[Any]:
        """What was answered for each search; nothing if it is not that."""
        try:
            answer = self._ask(question)
        except Exception as error:  # whatever a team's code or network does
            self.cause = f"{type(error).__name__}: {error}"
            return []
        is_rows = isinstance(answer, Sequence | np.ndarray) and not isinstance(answer, str | bytes)
        if not is_rows:
            self.cause = f"it gave {shorten(answer)} instead of a list"
        elif len(answer) != len(question):
            self.cause = f"it gave rewards of {len(answer):,} searches for {len(question):,}"
        else:
            return cast("Sequence[Any]", answer)
        return []

    def _describe(
        self, leaves: NDArray[np.int64], outcome: NDArray[np.int8]
    ) -> list[dict[str, Any]]:
        items, ids = self._items, self._items.catalog.item_ids
        return [
            {
                "sid": str(Sid(*items.trie.sids[leaf].tolist())),
                "items": [ids[row] for row in items.postings.items(np.array([leaf])).rows.tolist()],
                "outcome": Outcome(became).name.lower(),
            }
            for leaf, became in zip(leaves.tolist(), outcome.tolist(), strict=True)
        ]


def check_own_reward(config: RewardConfig) -> None:
    """Refuse a function that is not there before anything is trained.

    Raises:
        ConfigError: there is no such function.
    """
    if config.function is not None:
        _function(config.function)


def own_reward(config: RewardConfig, items: LiveItems) -> OwnReward | None:
    """The reward that a config names; None for the ladder.

    Raises:
        ConfigError: there is no such function.
    """
    if config.function is not None:
        return OwnReward(_function(config.function), items, name=config.function)
    if config.url is not None:
        return OwnReward(_service(config.url, config.timeout), items, name=config.url)
    return None


def _as_rewards(numbers: Any, count: int) -> NDArray[np.float32] | str:
    """So many finite numbers, as they are computed with; or what was given instead, in words."""
    try:
        given = np.asarray(numbers)
    except (ValueError, TypeError):  # lists in lists of other lengths
        return f"{shorten(numbers)} instead of a list of numbers"
    if given.dtype.kind not in "biuf" or given.ndim != 1:
        return f"{shorten(numbers)} instead of a list of numbers"
    if len(given) != count:
        return f"{len(given):,} numbers for {count:,} SIDs"
    with np.errstate(over="ignore"):
        rewards: NDArray[np.float32] = given.astype(np.float32)
    return (
        rewards if np.isfinite(rewards).all() else f"{shorten(numbers)}, which are not all finite"
    )


def _function(name: str) -> Ask:
    module, _, function = name.partition(":")
    try:
        found: Ask = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"generator.align.rewards.function: {name!r} cannot be imported ({error}). Give "
            "'module:function' of a module that Python finds, for example in PYTHONPATH."
        ) from error
    return found


def _service(url: str, timeout: float) -> Ask:
    def ask(question: Question) -> Any:
        request = urllib.request.Request(
            url,
            data=json.dumps({"searches": question}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=timeout) as response:
            answer = json.load(response)
        if not isinstance(answer, dict) or "rewards" not in answer:
            raise ValueError(f'it answered {shorten(answer)} without "rewards"')
        return answer["rewards"]

    return ask
