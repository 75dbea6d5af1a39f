"""Semantic cluster IDs: the only place where codes, tokens and strings meet.

A SID is three codes `(c1, c2, c3)`: a category code and two residual codes (CQ-SID,
arXiv 2605.14434, §3.1). `SidSpace` holds the codebook sizes and is frozen before the generator is
trained; `SidTable` says which SID each catalog row has.

Shapes: `N` items, `S` distinct SIDs.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrecall.foundation.errors import ArtifactError

LEVELS: Final = 3
"""Codes per SID. Always three: one query costs one prefill and two decode passes."""

Codes = NDArray[np.int32]
"""SID codes, one row a SID: int32 `[..., 3]`."""

_TOKEN = re.compile(r"<c1_(\d+)><c2_(\d+)><c3_(\d+)>", re.ASCII)


class Sid(NamedTuple):
    """One semantic cluster ID.

    >>> str(Sid(12, 3, 4))
    '<c1_12><c2_3><c3_4>'
    >>> Sid.parse("<c1_12><c2_3><c3_4>")
    Sid(c1=12, c2=3, c3=4)
    """

    c1: int
    c2: int
    c3: int

    def __str__(self) -> str:
        return f"<c1_{self.c1}><c2_{self.c2}><c3_{self.c3}>"

    @classmethod
    def parse(cls, text: str) -> Sid:
        """Read the string form back.

        Raises:
            ValueError: `text` is not three SID tokens.
        """
        match = _TOKEN.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not a SID; expected the form '<c1_12><c2_3><c3_4>'.")
        return cls(*(int(code) for code in match.groups()))


@dataclass(frozen=True)
class SidSpace:
    """The three codebook sizes `(K1, K2, K3)`.

    Level 3 includes the codes that cluster size control added. Two artifacts fit together only if
    their spaces have the same `digest`.

    >>> space = SidSpace((10, 4, 8))
    >>> space.pack(np.array([[1, 0, 2]], dtype=np.int32))
    array([34])
    >>> space.unpack(np.array([34]))
    array([[1, 0, 2]], dtype=int32)
    >>> space.token(level=1, code=3)   # level-1 tokens follow the ten of level 0
    13
    """

    sizes: tuple[int, int, int]

    def __post_init__(self) -> None:
        if len(self.sizes) != LEVELS or min(self.sizes) < 1:
            raise ValueError(
                f"a SID space needs {LEVELS} positive codebook sizes, not {self.sizes}."
            )

    @property
    def digest(self) -> str:
        """Hash that names this space in manifests."""
        return hashlib.sha256(repr(self.sizes).encode()).hexdigest()[:16]

    @property
    def n_tokens(self) -> int:
        """How many tokens a generator needs for all codes."""
        return sum(self.sizes)

    def token(self, *, level: int, code: int) -> int:
        """Token number of a code, counted over the levels in order."""
        return sum(self.sizes[:level]) + code

    def pack(self, codes: Codes) -> NDArray[np.int64]:
        """Number SIDs so that they sort like their codes: `[..., 3]` to `[...]`."""
        _, k2, k3 = self.sizes
        wide = codes.astype(np.int64)
        return (wide[..., 0] * k2 + wide[..., 1]) * k3 + wide[..., 2]

    def unpack(self, packed: NDArray[np.int64]) -> Codes:
        """Undo `pack`: `[...]` to `[..., 3]`."""
        _, k2, k3 = self.sizes
        levels = [packed // (k2 * k3), packed // k3 % k2, packed % k3]
        return np.stack(levels, axis=-1).astype(np.int32)


@dataclass(frozen=True, eq=False)
class SidTable:
    """Which SID each catalog row has.

    Args:
        space: the codebook sizes.
        codes: int32 `[N, 3]`, row `i` belongs to catalog row `i`.

    Raises:
        ArtifactError: a code lies outside the space.
    """

    space: SidSpace
    codes: Codes

    def __post_init__(self) -> None:
        shape, sizes = self.codes.shape, self.space.sizes
        if len(shape) != 2 or shape[1] != LEVELS or not self._inside(self.codes).all():
            raise ArtifactError(
                f"SID codes of shape {shape} do not fit the space {sizes}; the table was written "
                "for another SID space. Run the quantize stage again."
            )

    def _inside(self, codes: Codes) -> NDArray[np.bool_]:
        """Which codes lie inside the space: `[..., 3]` to `[...]`."""
        fits = (codes >= 0) & (codes < np.array(self.space.sizes))
        inside: NDArray[np.bool_] = np.logical_and.reduce(fits, axis=-1)
        return inside

    @cached_property
    def _unique(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        packed, of_item = np.unique(self.space.pack(self.codes), return_inverse=True)
        return packed, of_item

    @property
    def packed(self) -> NDArray[np.int64]:
        """The distinct SIDs as sorted numbers, int64 `[S]`."""
        return self._unique[0]

    @property
    def sids(self) -> Codes:
        """The distinct SIDs in sorted order, int32 `[S, 3]`."""
        return self.space.unpack(self.packed)

    @property
    def sid_of_item(self) -> NDArray[np.int64]:
        """Position of each item's SID in `sids`, int64 `[N]`."""
        return self._unique[1]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """How many items each distinct SID has, int64 `[S]`."""
        return np.bincount(self.sid_of_item, minlength=len(self.packed))

    def names(self, rows: Sequence[int]) -> list[str]:
        """The SIDs of catalog rows as strings."""
        return [str(Sid(*codes)) for codes in self.codes[list(rows)].tolist()]

    def find(self, codes: Codes) -> NDArray[np.int64]:
        """Positions of `codes` in `sids`, -1 for a SID without an item: `[..., 3]` to `[...]`."""
        packed = self.space.pack(codes)
        at = np.minimum(np.searchsorted(self.packed, packed), len(self.packed) - 1)
        return np.where(self._inside(codes) & (self.packed[at] == packed), at, -1)


def sids_within(
    mask: NDArray[np.bool_], sid_of_item: NDArray[np.int64], n_sids: int
) -> NDArray[np.bool_]:
    """Which SIDs have an item within a mask: bool and int64 `[N]` to bool `[S]`."""
    within = np.zeros(n_sids, dtype=np.bool_)
    within[sid_of_item[mask]] = True
    return within
