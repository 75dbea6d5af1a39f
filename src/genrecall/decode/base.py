"""What a decoder is: a reading in, the best valid SIDs of each prompt out.

Shapes: `Q` prompts, `B` beams, `S` SIDs.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isnan
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


@dataclass(frozen=True)
class BeamRule:
    """How many beams a search keeps, by how sure the generator is of the first code.

    Not in the paper, which names three widths (20, 50 and 100) and no rule.

    Attributes:
        widths: in ascending order.
        entropies: of the first code in nats, in ascending order, one less than widths: below the
            first the narrowest width is enough, from the last on the widest is kept.

    Raises:
        RequestError: no widths, others than in ascending order, or as many entropies.
    """

    widths: tuple[int, ...]
    entropies: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        ordered = list(self.entropies) == sorted(self.entropies)
        ordered = ordered and not any(map(isnan, self.entropies))
        ascending = list(self.widths) == sorted(set(self.widths))
        if len(self.widths) != len(self.entropies) + 1 or not (ordered and ascending):
            raise RequestError(
                f"widths={self.widths}, entropies={self.entropies}; needed are widths in ascending "
                "order and between them entropies in ascending order, one less."
            )

    @classmethod
    def of(cls, beam: int | BeamRule) -> BeamRule:
        """Of a width for all searches, or a rule as it is."""
        return beam if isinstance(beam, BeamRule) else cls((beam,))

    @property
    def widest(self) -> int:
        """What a search keeps at most."""
        return self.widths[-1]

    def width(self, entropy: float) -> int:
        """Of a search by the entropy of its first code.

        >>> rule = BeamRule((20, 50, 100), (1.0, 2.5))
        >>> [rule.width(entropy) for entropy in (0.3, 1.0, 4.0)]
        [20, 50, 100]
        """
        return self.widths[bisect_right(self.entropies, entropy)]

    def at_least(self, width: int) -> BeamRule:
        """The same rule with no width below this one.

        >>> BeamRule((20, 50, 100), (1.0, 2.5)).at_least(60)
        BeamRule(widths=(60, 100), entropies=(2.5,))
        """
        narrow = sum(each <= width for each in self.widths)
        if not narrow:
            return self
        return BeamRule((width, *self.widths[narrow:]), self.entropies[narrow - 1 :])


class Engine(Protocol):
    """Searches what a generator has read."""

    def search(
        self,
        reading: Reading[Any],
        *,
        beam: int | BeamRule,
        rows: NDArray[np.int64] | None = None,
        valid: NDArray[np.bool_] | None = None,
        min_level1: int = 1,
    ) -> Beams:
        """The `beam` most probable valid SIDs of each prompt.

        Args:
            reading: of the generator that the engine decodes.
            beam: beams `B` kept per prompt and level, or a rule for the first code's entropy; then
                `B` is the widest.
            rows: which of its prompts to search, int64 `[Q]`; None for all, in their order.
            valid: SIDs that may be generated, bool `[S]`, or `[Q, S]` for one set a prompt; None
                for all.
            min_level1: of how many first codes the best prefix stays alive whatever its score, so
                that an ambiguous query keeps several categories.

        Raises:
            RequestError: `beam` or `min_level1` is below 1, or `min_level1` above `beam`.
            ValueError: `valid` does not fit the trie and the prompts.
        """


def check_beams(rule: BeamRule, min_level1: int) -> None:
    """Refuse numbers of beams that no search can keep.

    Raises:
        RequestError: see `Engine.search`.
    """
    beam = rule.widths[0]
    if not 1 <= min_level1 <= beam:
        raise RequestError(
            f"beam={beam}, min_level1={min_level1}; needed is 1 <= min_level1 <= beam. "
            "Widen the beam or keep fewer first codes."
        )


def damaged_weights() -> RequestError:
    """The error about what was read as something that is no number."""
    return RequestError(
        "what is computed of a query, or a part of the model, is no number. The weights of the "
        "bundle are damaged: make it again."
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
