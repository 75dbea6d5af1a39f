"""What is trained: the arms of each table, as changes of the settings that all share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from genrecall.evaluate.alignment import STAGE_3
from genrecall.generator.align_config import ARMS, AlignConfig

BASE: Final[Mapping[str, Any]] = {}
"""What differs from the defaults of `AlignConfig` for all arms."""


@dataclass(frozen=True)
class Cell:
    """One training from stage 3 on.

    Attributes:
        name: in tables and on disk.
        settings: of the alignment.
        clicks_kept: one click in so many searches stays in the training log.
    """

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    clicks_kept: int = 1

    def config(self, base: Mapping[str, Any]) -> AlignConfig:
        """The settings in full."""
        return AlignConfig.model_validate({"steps": 400} | dict(base) | dict(self.settings))


EQUAL_TIME: Final = {"anchor_searches": 800}
"""More of stage 3 for the time of EG-GRPO: without groups a step takes so many searches; the table
shows the seconds."""

PAPER: Final = tuple(
    Cell(name, {**settings, **(EQUAL_TIME if name == "more_sft" else {})})
    for name, settings in ARMS.items()
)
"""The table of the paper and its controls."""

SPARSITY: Final = tuple(
    Cell(
        f"1 click in {kept}, {name}",
        {**ARMS[name], **(EQUAL_TIME if name == "more_sft" else {})},
        clicks_kept=kept,
    )
    for kept in (5, 20, 100)
    for name in ("grpo_k0", "eg_grpo_k1", "eg_grpo_k2", "eg_grpo_k4", "more_sft")
)
"""The same with fewer clicks; `PAPER` has them all."""

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

TABLES: Final = {"paper": PAPER, "sparsity": SPARSITY, "options": OPTIONS}

START: Final = STAGE_3

SECOND: Final = "eg_grpo_k2"
"""What is compared with every other one."""
