"""The walk in C: `native/walk.c`."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrecall.decode.base import BeamRule
from genrecall.decode.walk.plain import Alive, Nodes
from genrecall.decode.walk.tables import Floats, WalkTables
from genrecall.foundation.eight_bits import EightBits
from genrecall.foundation.sid import LEVELS
from genrecall.generator.compact.look_ahead import Told
from genrecall.native.arrays import at, plain, size

_POINTER: Final = ctypes.c_void_p
_THREE: Final = _POINTER * LEVELS
_BESIDE: Final = 8  # bytes of a vector's scale and bias
_USUAL: Final = 1024  # codes of a level of which all are asked; as many as a codebook has


class Work(NamedTuple):
    """What a search has done.

    Attributes:
        vectors: of nodes that a query was multiplied with.
        codes: of which heads were asked.
        products: of two numbers, in all.
        n_bytes: of these vectors, with a scale and a bias of each.
        scratch: bytes that it needs to write in.
    """

    vectors: int
    codes: int
    products: int
    n_bytes: int
    scratch: int


class _Told(ctypes.Structure):
    _fields_ = [(name, _POINTER) for name in ("steps", "scale", "bias", "offsets")]


class _Tables(ctypes.Structure):
    """As in `walk.c`."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in ("dim", "width", "closely", "longest", "most")),
        ("n_nodes", ctypes.c_int64 * LEVELS),
        ("n_usual", ctypes.c_int64 * LEVELS),
        ("children", _THREE),
        ("codes", _THREE),
        ("whole", _Told),
        ("levels", _Told * LEVELS),
        ("heads", _Told * LEVELS),
        ("constant", _THREE),
        ("head_weight", ctypes.c_float * LEVELS),
        ("ahead_weight", ctypes.c_float * LEVELS),
    ]


class NativeWalk:
    """Searches one prompt after another; several threads may do so at once.

    Args:
        tables: of a generator.
        found: what `library` gave.
    """

    def __init__(self, tables: WalkTables, found: ctypes.CDLL) -> None:
        self._library, self._kept = found, list[NDArray[Any]]()
        trie = tables.trie
        longest = max(int(np.diff(offsets).max()) for offsets in trie.offsets)
        assert isinstance(tables.whole.kept, EightBits)
        assert isinstance(tables.heads[0].kept, EightBits)
        self._tables = _Tables(
            dim=tables.whole.kept.steps.shape[1],
            width=tables.heads[0].kept.steps.shape[1],
            closely=tables.closely,
            longest=longest,
            most=max(_most_groups(tables)),
            n_nodes=(ctypes.c_int64 * LEVELS)(*trie.n_nodes),
            n_usual=(ctypes.c_int64 * LEVELS)(*_usual_codes(tables)),
            children=self._each(trie.offsets, np.int64),
            codes=self._each(trie.codes, np.int64),
            whole=self._told(tables.whole),
            levels=(_Told * LEVELS)(*map(self._told, tables.levels)),
            heads=(_Told * LEVELS)(*map(self._told, tables.heads)),
            constant=self._each(tables.constant, np.float32),
            head_weight=(ctypes.c_float * LEVELS)(*tables.weights.heads),
            ahead_weight=(ctypes.c_float * LEVELS)(*tables.weights.look_ahead),
        )
        self._scratch = threading.local()

    def search(
        self, query: Floats, hidden: Floats, *, alive: Alive, rule: BeamRule, min_level1: int
    ) -> tuple[Nodes, Floats]:
        """See `PlainWalk.search`."""
        room: _Room | None = getattr(self._scratch, "room", None)
        if room is None or room.beam < rule.widest:
            wanted = self._library.scratch_bytes(ctypes.byref(self._tables), size(rule.widest))
            room = self._scratch.room = _Room(rule.widest, wanted)
        visited = None
        if alive is not None:
            alive = [plain(level, np.bool_) for level in alive]
            visited = _THREE(*(level.ctypes.data for level in alive))
        query, hidden = plain(query, np.float32), plain(hidden, np.float32)
        n = self._library.search(
            ctypes.byref(self._tables),
            at(query),
            at(hidden),
            visited,
            (ctypes.c_int64 * len(rule.widths))(*rule.widths),
            (ctypes.c_float * len(rule.widths))(*rule.entropies),
            size(len(rule.widths)),
            size(min_level1),
            room.scratch_at,
            room.leaves_at,
            room.logprob_at,
            room.n_read_at,
        )
        return room.leaves[:n].copy(), room.logprob[:n].copy()

    @property
    def work(self) -> Work:
        """What this thread's last search has done."""
        room: _Room = self._scratch.room
        vectors, codes = room.n_read.tolist()
        sizes = self._tables.dim, self._tables.width
        each = sum(n * (size + _BESIDE) for n, size in zip((vectors, codes), sizes, strict=True))
        products = vectors * sizes[0] + codes * sizes[1]
        return Work(vectors, codes, products, each, room.n_bytes)

    def _told(self, told: Told) -> _Told:
        assert isinstance(told.kept, EightBits)
        return _Told(
            steps=self._at(told.kept.steps, np.int8),
            scale=self._at(told.kept.scale, np.float32),
            bias=self._at(told.bias, np.float32),
            offsets=self._at(told.offsets, np.int64),
        )

    def _each(self, arrays: Any, dtype: Any) -> Any:
        return _THREE(*(self._at(array, dtype) for array in arrays))

    def _at(self, array: NDArray[Any], dtype: Any) -> int:
        """Where an array lies, which is kept there."""
        self._kept.append(plain(array, dtype))
        return int(self._kept[-1].ctypes.data)


class _Room:
    """What a thread needs for its searches, made once."""

    def __init__(self, beam: int, n_bytes: int) -> None:
        self.beam = beam
        self._scratch = np.empty(n_bytes // 8 + 8, dtype=np.int64)
        self.leaves, self.logprob = np.empty(beam, np.int64), np.empty(beam, np.float32)
        self.n_read = np.zeros(2, np.int64)
        self.scratch_at, self.leaves_at, self.logprob_at, self.n_read_at = (
            at(of) for of in (self._scratch, self.leaves, self.logprob, self.n_read)
        )

    @property
    def n_bytes(self) -> int:
        """Of the scratch."""
        return self._scratch.nbytes


def _most_groups(tables: WalkTables) -> Iterator[int]:
    """Vectors of the nodes of each level that are told at once."""
    for children, told in zip(tables.trie.offsets, tables.levels, strict=True):
        yield int(np.diff(told.offsets[children]).max())


def _usual_codes(tables: WalkTables) -> Iterator[int]:
    """Codes of each level of which a search asks at once what heads say.

    All first codes; of others those up to the last that stands below more than one prefix. Where a
    huge cluster was split there are many behind them, which few searches need.
    """
    yield len(tables.heads[0].bias)
    for codes in tables.trie.codes[1:]:
        again = np.flatnonzero(np.bincount(codes) > 1)
        yield min(int(again.max(initial=-1)) + 1, _USUAL)
