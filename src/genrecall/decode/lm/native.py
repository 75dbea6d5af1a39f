"""What stands between the matrix products of a language model, in C: `native/blocks.c`."""

from __future__ import annotations

import ctypes

import torch
from torch import Tensor

from genrecall.decode.lm.plain import Attended, Blocks, PlainBlocks
from genrecall.decode.lm.weights import Heads
from genrecall.native.arrays import size as size_of
from genrecall.native.library import library

_LANES = 16
"""Numbers that C computes side by side."""

_LONGEST = 2048
"""Tokens of a prompt: products with one head's keys lie on the stack."""


def blocks_of(heads: Heads, *, longest: int, native: bool = True) -> Blocks:
    """In C where it was built and the sizes fit, else in torch.

    Args:
        heads: of the attention.
        longest: tokens of a prompt at most.
        native: whether C is wanted.
    """
    found = library() if native else None
    if found is None or heads.size % _LANES or longest > _LONGEST:
        return PlainBlocks(heads)
    return NativeBlocks(heads, found)


class NativeBlocks:
    """In C; see `Blocks`. What it reads lies row after row, in floats.

    Args:
        heads: of the attention; their size is a multiple of 16.
        found: what `library` gave.
    """

    def __init__(self, heads: Heads, found: ctypes.CDLL) -> None:
        self._library = found
        self._heads, self._width = heads, heads.queries * heads.size
        self._sizes = tuple(map(size_of, heads))

    def attend_prompt(self, made: Tensor, turns: Tensor, *, start: int) -> Attended:
        """See `Blocks.attend_prompt`; keys are `[G, d, L]`, filled up to a multiple of 16."""
        length, (_, groups, size) = len(made), self._heads
        padded = -(-length // _LANES) * _LANES
        keys, values = torch.empty(groups, size, padded), torch.empty(groups, length, size)
        seen = torch.empty(length - start, self._width)
        self._library.attend_prompt(
            at(made),
            size_of(length),
            *self._sizes,
            at(turns),
            at(keys),
            at(values),
            size_of(start),
            at(seen),
        )
        return Attended(keys, values, seen)

    def attend_prefixes(
        self, made: Tensor, turns: Tensor, prompt: tuple[Tensor, Tensor], earlier: Tensor | None
    ) -> Tensor:
        """See `Blocks.attend_prefixes`."""
        (keys, values), n = prompt, len(made)
        seen = torch.empty(n, self._width)
        self._library.attend_prefixes(
            at(made),
            size_of(n),
            *self._sizes,
            at(turns),
            at(keys),
            at(values),
            size_of(values.shape[1]),
            None if earlier is None else at(earlier),
            size_of(0 if earlier is None else earlier.shape[1]),
            at(seen),
        )
        return seen

    def add_normed(self, hidden: Tensor, more: Tensor | None, least: float) -> Tensor:
        """See `Blocks.add_normed`."""
        normed = torch.empty_like(hidden)
        self._library.add_normed(
            at(hidden),
            None if more is None else at(more),
            size_of(len(hidden)),
            size_of(hidden.shape[1]),
            ctypes.c_float(least),
            at(normed),
        )
        return normed

    def gated(self, both: Tensor) -> Tensor:
        """See `Blocks.gated`."""
        n, width = len(both), both.shape[1] // 2
        passed = torch.empty(n, width)
        self._library.gated(at(both), size_of(n), size_of(width), at(passed))
        return passed


def at(numbers: Tensor) -> ctypes.c_void_p:
    """Where numbers lie, without a gap."""
    assert numbers.is_contiguous()
    return ctypes.c_void_p(numbers.data_ptr())
