"""What is trained: the arms of each table, as changes of the settings that all share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from genrecall.evaluate.alignment import STAGE_3
from genrecall.generator.align_config import ARMS, AlignConfig, Arm


@dataclass(frozen=True)
class Cell:
    """One training from stage 3 on.

    Attributes:
        name: in tables.
        settings: of the alignment.
    """

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    def config(self, base: Mapping[str, Any]) -> AlignConfig:
        """The settings in full; those of `base` win."""
        return AlignConfig.model_validate(dict(self.settings) | dict(base))


EQUAL_TIME: Final[Mapping[Arm, Mapping[str, Any]]] = {"more_sft": {"anchor_searches": 800}}
"""Cross entropy for the time of EG-GRPO: without groups a step takes so many searches; the tables
show the seconds."""

CHOSEN: Final[Mapping[Arm, Mapping[str, Any]]] = {
    "more_sft": {"learning_rate": 1e-4, "embedding_learning_rate": 5e-4}
}
"""Where the search on validation searches of the first world and seed found other settings for an
arm than for those with groups, whose rates are the defaults."""

_RATES: Final[Sequence[Mapping[str, Any]]] = (
    {"learning_rate": 1e-4, "embedding_learning_rate": 5e-4},
    {"learning_rate": 4e-4, "embedding_learning_rate": 2e-3},
)

_TRIED: Final[Sequence[Mapping[str, Any]]] = (
    *_RATES,
    {"kl_weight": 0.03},
    {"kl_weight": 0.3},
    {"temperature": 1.5},
    {"anchor": 0.5},
)
"""Of rate, divergence, temperature and anchor other values than the defaults."""

_TRIED_WITHOUT_GROUPS: Final[Sequence[Mapping[str, Any]]] = (
    *_RATES,
    {"learning_rate": 5e-5, "embedding_learning_rate": 2.5e-4},
    {"history_dropout": 0.0},
    {"history_dropout": 0.5},
    {"shopper_dropout": 0.0},
)
"""As many for the arm that has no groups."""


def _arm(name: Arm) -> Mapping[str, Any]:
    return {**ARMS[name], **EQUAL_TIME.get(name, {})}


def _tried(name: Arm) -> Sequence[Mapping[str, Any]]:
    return _TRIED_WITHOUT_GROUPS if name == "more_sft" else _TRIED


def _says(changes: Mapping[str, Any]) -> str:
    name, value = next(iter(changes.items()))
    return f"{name} {value:g}"


SEARCH: Final = tuple(
    Cell(" ".join([name, *map(_says, changes)]), {**_arm(name), **dict(*changes)})
    for name in ARMS
    for changes in ((), *((tried,) for tried in _tried(name)))
)
"""As many tries for every arm."""


def _final(name: Arm) -> Mapping[str, Any]:
    return {**_arm(name), **CHOSEN.get(name, {})}


PAPER: Final = (
    *(Cell(name, _final(name)) for name in ARMS),
    *(
        Cell(f"{name} anchor 0", {**_final(name), "anchor": 0.0})
        for name in ("grpo_k0", "eg_grpo_k2")
    ),
)
"""The table of the paper and its controls. The arms have an anchor, and the paper's has none: so
plain GRPO is K = 0 without one."""

_CHANGES: Final[Mapping[str, Mapping[str, Any]]] = {
    "expert_ratio one": {"expert_ratio": "one", "inner_steps": 2},
    "expert_ratio old_policy": {"expert_ratio": "old_policy", "inner_steps": 2},
    "expert_ratio behaviour_one": {"expert_ratio": "behaviour_one", "inner_steps": 2},
    "expert_ratio gbpo": {"expert_ratio": "gbpo", "inner_steps": 2},
    "baseline on_policy": {"baseline": "on_policy"},
    "baseline leave_one_out": {"baseline": "leave_one_out"},
    "scale none": {"scale": "none"},
    "group_size enlarged": {"group_size": "enlarged"},
    "inject when_no_hit": {"inject": "when_no_hit"},
    "expert_negative zero": {"expert_negative": "zero"},
    "distinct": {"distinct": True},
    "anchor 0": {"anchor": 0.0},
    "kl k3": {"kl": "k3"},
    "redraw_flat": {"redraw_flat": True},
}

OPTIONS: Final = (
    Cell("eg_grpo_k2", ARMS["eg_grpo_k2"]),
    *(Cell(name, {**ARMS["eg_grpo_k2"], **changes}) for name, changes in _CHANGES.items()),
)
"""EG-GRPO, and each option alone. Two of the ratios differ only from a second step on the same
groups on, so those four take two, and are to be compared with `expert_ratio old_policy`."""

TABLES: Final = {"search": SEARCH, "paper": PAPER, "options": OPTIONS}

START: Final = STAGE_3

SECOND: Final = "eg_grpo_k2"
"""What is compared with every other one."""
