"""What a decoder is: a reading in, the best valid SIDs of each prompt out.

Shapes: `Q` prompts, `B` beams, `S` SIDs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from genrecall.foundation.errors import RequestError
from genrecall.generator.base import Reading


@dataclass(frozen=True, eq=False)
class Beams:
    """The best SIDs of each prompt, best first; or those of one prompt, without the first axis.

    Attributes:
        leaves: position of each SID among the trie's SIDs, int64 `[Q, B]`; -1 where a prompt has
            fewer than `B` valid SIDs.
        logprob: the generator's log-probability, float32 `[Q, B]`; -inf where there is no SID.
    """

    leaves: NDArray[np.int64]
    logprob: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.leaves)

    def __iter__(self) -> Iterator[Beams]:
        return (self[prompt] for prompt in range(len(self)))

    def __getitem__(self, prompt: int) -> Beams:
        return Beams(self.leaves[prompt], self.logprob[prompt])

    @property
    def width(self) -> int:
        """Beams `B` of a prompt, with padding."""
        return int(self.leaves.shape[-1])

    @property
    def found(self) -> int:
        """Beams without padding."""
        return int((self.leaves >= 0).sum())

    @classmethod
    def join(cls, parts: Sequence[Beams], width: int) -> Beams:
        """The beams of all parts, one after another, each `[…, width]`."""
        return cls(
            np.concatenate([np.empty((0, width), np.int64), *(part.leaves for part in parts)]),
            np.concatenate([np.empty((0, width), np.float32), *(part.logprob for part in parts)]),
        )


class Engine(Protocol):
    """Searches what a generator has read."""

    def search(
        self,
        reading: Reading[Any],
        *,
        beam: int,
        rows: NDArray[np.int64] | None = None,
        valid: NDArray[np.bool_] | None = None,
        min_level1: int = 1,
    ) -> Beams:
        """The `beam` most probable valid SIDs of each prompt.

        Args:
            reading: of the generator that the engine decodes.
            beam: beams `B` kept per prompt and level.
            rows: which of its prompts to search, int64 `[Q]`; None for all, in their order.
            valid: SIDs that may be generated, bool `[S]`, or `[Q, S]` for one set a prompt; None
                for all.
            min_level1: of how many first codes the best prefix stays alive whatever its score, so
                that an ambiguous query keeps several categories.

        Raises:
            RequestError: `beam` or `min_level1` is below 1, or `min_level1` above `beam`.
            ValueError: `valid` does not fit the trie and the prompts.
        """


def check_beams(beam: int, min_level1: int) -> None:
    """Refuse numbers of beams that no search can keep.

    Raises:
        RequestError: see `Engine.search`.
    """
    if not 1 <= min_level1 <= beam:
        raise RequestError(
            f"beam={beam}, min_level1={min_level1}; needed is 1 <= min_level1 <= beam. "
            "Widen the beam or keep fewer first codes."
        )


def check_valid(valid: NDArray[np.bool_] | None, n_sids: int, n_prompts: int) -> None:
    """Refuse a mask of SIDs that fits nothing.

    Raises:
        ValueError: see `Engine.search`.
    """
    fitting = ((n_sids,), (1, n_sids), (n_prompts, n_sids))
    if valid is None:
        return
    if valid.shape not in fitting:
        raise ValueError(
            f"`valid` of shape {valid.shape} does not fit {n_sids} SIDs and {n_prompts} prompts."
        )
    if valid.dtype != np.bool_:
        raise ValueError(f"`valid` is of {valid.dtype}; give bool, True for a SID that is valid.")
