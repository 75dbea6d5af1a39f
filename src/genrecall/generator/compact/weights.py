"""How much heads and look-ahead weigh at each level when trained weights are served.

What both say of the next code is added up, `w · head + a · look-ahead`, before the softmax over the
codes of a level. Both have learned the same shop, so that a sum of both in full is too sure of
itself; how much of each is right differs by level, and is fitted on searches that nothing was
trained on (`offline/calibrate.py`). In the look-ahead an item counts `exp(p · prior)`, `prior`
being how often it was chosen before on a logarithmic scale: what is never chosen draws nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from genrecall.foundation.artifact import Json

Levels = tuple[float, float, float]
"""A number for each level."""

BOTH: Final = "both"
HEADS: Final = "heads"
LOOK_AHEAD: Final = "look_ahead"
WAYS: Final = (BOTH, HEADS, LOOK_AHEAD)
"""What decodes: heads and look-ahead as served, and each alone, as controls."""


class LevelWeights(NamedTuple):
    """The weights of one generator.

    Attributes:
        heads: of the learned heads.
        look_ahead: of the look-ahead.
        prior: how much it counts in the look-ahead how often items were chosen, `p`; at 0 all items
            count the same.
    """

    heads: Levels
    look_ahead: Levels
    prior: float = 0.0

    @classmethod
    def usual(cls, way: str = BOTH, *, head_weight: float = 1.0) -> LevelWeights:
        """What serves where nothing was fitted: the look-ahead in full, and so much of the heads.

        Args:
            way: one of `WAYS`; what it leaves out weighs nothing.
            head_weight: of the heads; 1 where they decode alone.
        """
        match way:
            case "heads":
                return cls((1.0,) * 3, (0.0,) * 3)
            case "look_ahead":
                return cls((0.0,) * 3, (1.0,) * 3)
            case _:
                return cls((head_weight,) * 3, (1.0,) * 3)

    def to_json(self) -> dict[str, Json]:
        """As in `weights.json`."""
        return {
            "heads": list(self.heads),
            "look_ahead": list(self.look_ahead),
            "prior": self.prior,
        }

    @classmethod
    def of_json(cls, values: Mapping[str, Any]) -> LevelWeights:
        """What `to_json` made."""
        return cls(_levels(values["heads"]), _levels(values["look_ahead"]), values["prior"])


class Fitted(NamedTuple):
    """Weights that were fitted on searches.

    Attributes:
        served: on all of them.
        folds: for the searches of each fold, on those of the others.
    """

    served: LevelWeights
    folds: tuple[LevelWeights, ...]

    def to_json(self) -> dict[str, Json]:
        """As in `weights.json`."""
        folds: list[Json] = [of_fold.to_json() for of_fold in self.folds]
        return {"served": self.served.to_json(), "folds": folds}

    @classmethod
    def of_json(cls, values: Mapping[str, Any]) -> Fitted:
        """What `to_json` made."""
        of_json = LevelWeights.of_json
        return cls(of_json(values["served"]), tuple(map(of_json, values["folds"])))


def _levels(values: list[float]) -> Levels:
    first, second, third = values
    return first, second, third
