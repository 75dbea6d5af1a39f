"""The forward pass: prompts to keys and values, then prefixes that share those of their prompt.

Tokens of several texts are rows of one matrix, without padding, for all but the attention. A
prefix attends to its prompt's keys, of which there is one copy, and to those of its own codes.

Shapes: `n` prefixes of all prompts together, `E` codes of a prefix; else as in
`decode/lm/weights.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from torch import Tensor


class ReadPrompt(NamedTuple):
    """A prompt that was read.

    Attributes:
        length: its tokens `L`.
        keys: of all layers, as who read it keeps them.
        values: likewise.
        first: log-probabilities of all first codes, `[K_0]`.
    """

    length: int
    keys: Tensor
    values: Tensor
    first: Tensor


class Appended(NamedTuple):
    """Codes of prefixes.

    Attributes:
        before: rows of `earlier` that the prefixes continue, int64 `[n]`.
        earlier: keys and values of earlier codes, `[layers, n', E, 2, G, d]`; None where there are
            none.
        newest: int64 `[n]`.
    """

    before: Tensor
    earlier: Tensor | None
    newest: Tensor


class Forward(Protocol):
    """Computes a language model."""

    def read(self, prompts: Sequence[Sequence[int]]) -> list[ReadPrompt]:
        """Read prompts, given as token ids."""

    def append(
        self, prompts: Sequence[ReadPrompt], counts: Sequence[int], codes: Appended, level: int
    ) -> tuple[Tensor | None, Tensor]:
        """Append a code to prefixes.

        Args:
            prompts: of the prefixes.
            counts: prefixes of each, at least one, which stand in the order of the prompts.
            codes: of the prefixes, the newest of the level before.
            level: of the next codes.

        Returns:
            Keys and values of all codes of the prefixes, `[layers, n, E + 1, 2, G, d]`, or None if
            nothing follows the next codes; and log-probabilities of all of these, `[n, K_level]`.
        """
