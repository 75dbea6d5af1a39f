"""What a generator is: prompts in, log-probabilities over one level's codes out.

Scores are a log-softmax over all codes of a level; the decoder masks what the catalog does not hold
and does not renormalize. So a beam's log-probability is the same
whatever else is in the catalog or excluded by a filter.

Shapes: `Q` prompts, `R` prefixes (beams of all prompts), `K_l` codes of level `l`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from torch import Tensor

from genrecall.foundation.sid import SidSpace
from genrecall.generator.prompts import Prompt

State = TypeVar("State")
"""What a family carries along a prefix, such as hidden states; opaque to the decoder."""


class Generator(Protocol[State]):
    """A family of generators. A query costs one `prefill` and two `advance`."""

    @property
    def space(self) -> SidSpace:
        """The SID space it was trained for."""

    def prefill(self, prompts: Sequence[Prompt]) -> tuple[State, Tensor]:
        """Read the prompts.

        Returns:
            The state with one row per prompt, and log-probabilities of the first codes,
            float32 `[Q, K_1]`.
        """

    def advance(self, state: State, rows: Tensor, codes: Tensor) -> tuple[State, Tensor]:
        """Append one code to each of `R` chosen prefixes.

        Args:
            state: as returned before.
            rows: which row of `state` each new prefix continues, int64 `[R]`.
            codes: the code appended to it, int64 `[R]`.

        Returns:
            The state with one row per new prefix, and log-probabilities of the next codes,
            float32 `[R, K_next]`.
        """
