"""The layers of a language model in C: `native/layers.c`, `blocks.c` and `matrices.c`."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import partial
from typing import Final, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from genrecall.decode.lm.eight_bits import rounded_rows
from genrecall.decode.lm.forward import Appended, ReadPrompt
from genrecall.decode.lm.weights import LmWeights
from genrecall.foundation.sid import LEVELS
from genrecall.generator.lm.model import LmModel
from genrecall.native.arrays import size as size_of

_LANES: Final = 16
"""Numbers that attention computes side by side."""

_COLUMNS: Final = 32
"""Of a matrix that lie together."""

_LONGEST: Final = 2048
"""Tokens of a prompt: products with one head's keys lie on the stack."""


# Structures as `native/layers.h` has them.
class _Matrix(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("panels", "bias", "scale", "zeros")),
        *((name, ctypes.c_int64) for name in ("columns", "rows")),
    )


class _Prompt(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int64) for name in ("rows", "length")),
        *((name, ctypes.c_void_p) for name in ("turns", "keys", "values")),
    )


class _Model(ctypes.Structure):
    _fields_ = (
        *(
            (name, ctypes.c_int64)
            for name in ("layers", "heads", "groups", "size", "width", "inner")
        ),
        ("matrices", ctypes.c_void_p),
        ("least", ctypes.c_float),
    )


class Packed:
    """A matrix `[out, in]` and its bias as C multiplies with them; see `LayOut`.

    Args:
        weight: the matrix; in eight bits, `in` is a multiple of 4.
        bias: `[out]`, if it has one.
        found: what `library` gave.
        int8: whether in eight bits, with a scale for each row of the matrix and of what it reads,
            which `found` can if it `reads_bytes`.
    """

    def __init__(
        self, weight: Tensor, bias: Tensor | None, *, found: ctypes.CDLL, int8: bool
    ) -> None:
        self._library = found
        self.rows, self.columns = weight.shape
        weight, scale = rounded_rows(weight.detach()) if int8 else (weight.detach(), None)
        missing, deep = -self.rows % _COLUMNS, 4 if int8 else 1
        filled = F.pad(weight, (0, 0, 0, missing))
        panels = filled.view(-1, _COLUMNS, self.columns // deep, deep).transpose(1, 2).contiguous()
        bias = torch.zeros(self.rows) if bias is None else bias.detach()
        self._kept = [panels, F.pad(bias, (0, missing))]
        if scale is not None:
            zeros = 128 * filled.sum(dim=1, dtype=torch.int32)
            self._kept += [F.pad(scale, (0, missing)), zeros]
        places = [at(of) for of in self._kept] + [None] * (4 - len(self._kept))
        self.matrix = _Matrix(*places, self.columns, self.rows)

    def __call__(self, numbers: Tensor) -> Tensor:
        """`[n, in]` to `[n, out]`."""
        n = len(numbers)
        made, steps = torch.empty(n, self.rows), torch.empty(n)
        read = torch.empty(n, self.columns, dtype=torch.uint8)
        self._library.matrix_products(
            ctypes.byref(self.matrix), at(numbers), size_of(n), at(read), at(steps), at(made)
        )
        return made


def fits(lm: LmModel) -> bool:
    """Whether C computes models of these sizes; else torch does."""
    config = lm.causal.config
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return bool(
        size % _LANES == 0
        and config.intermediate_size % _COLUMNS == 0
        and config.hidden_size % 4 == 0
        and lm.max_tokens <= _LONGEST
    )


class NativeForward:
    """In C; see `Forward`. A row gives the same, to the bit, whatever it is computed with.

    Args:
        lm: a model that `is_known` and `fits`.
        found: what `library` gave.
        int8: whether layers multiply in eight bits; see `Packed`.
    """

    def __init__(self, lm: LmModel, found: ctypes.CDLL, *, int8: bool) -> None:
        self._library = found
        lay_out = partial(Packed, found=found, int8=int8)
        self._weights = weights = LmWeights.of(lm, lay_out=lay_out)
        packed = [cast("Packed", linear) for layer in weights.layers for linear in layer]
        self._matrices = (_Matrix * len(packed))(*(of.matrix for of in packed))
        width, inner = weights.embedding.shape[1], packed[3].columns
        self._model = _Model(
            len(weights.layers),
            *weights.heads,
            width,
            inner,
            ctypes.addressof(self._matrices),
            weights.least,
        )
        self._scratch = found.scratch_floats(ctypes.byref(self._model))
        self._scored = [Packed(of, None, found=found, int8=False) for of in weights.codes]
        # What the first layer makes of a code does not depend on what stands before it.
        self._begun = [self._of_codes(level) for level in range(LEVELS - 1)]

    def read(self, prompts: Sequence[Sequence[int]]) -> list[ReadPrompt]:
        """See `Forward.read`; keys are `[layers, G, d, L]`, filled up to a multiple of 16."""
        weights, lengths = self._weights, [len(ids) for ids in prompts]
        layers, (_, groups, size) = len(weights.layers), weights.heads
        hidden = F.embedding(
            torch.tensor([token for ids in prompts for token in ids]), weights.embedding
        )
        keys = [torch.empty(layers, groups, size, -(-n // _LANES) * _LANES) for n in lengths]
        values = [torch.empty(layers, groups, n, size) for n in lengths]
        given = (_Prompt * len(prompts))(
            *(
                _Prompt(n, n, at(weights.turns), at(of), at(those))
                for n, of, those in zip(lengths, keys, values, strict=True)
            )
        )
        scratch = torch.empty(len(hidden), self._scratch)
        ends = torch.empty(len(prompts), hidden.shape[1])
        self._library.read_prompts(
            ctypes.byref(self._model),
            given,
            size_of(len(prompts)),
            at(hidden),
            at(scratch),
            at(ends),
        )
        first = self._logprobs(0, ends)
        return [ReadPrompt(*of) for of in zip(lengths, keys, values, first, strict=True)]

    def append(
        self, prompts: Sequence[ReadPrompt], counts: Sequence[int], codes: Appended, level: int
    ) -> tuple[Tensor | None, Tensor]:
        """See `Forward.append`."""
        weights, n = self._weights, len(codes.newest)
        depth = 0 if codes.earlier is None else codes.earlier.shape[2]
        turns = [at(weights.turns[prompt.length + depth]) for prompt in prompts]
        given = (_Prompt * len(prompts))(
            *(
                _Prompt(count, of.length, turn, at(of.keys), at(of.values))
                for of, count, turn in zip(prompts, counts, turns, strict=True)
            )
        )
        hidden = F.embedding(codes.newest + weights.first[level - 1], weights.embedding)
        _, groups, size = weights.heads
        own = None
        if level < LEVELS - 1:
            own = torch.empty(len(weights.layers), n, depth + 1, 2, groups, size)
        scratch = torch.empty(n, self._scratch)
        ends = torch.empty(n, hidden.shape[1])
        self._library.append_codes(
            ctypes.byref(self._model),
            given,
            size_of(len(prompts)),
            at(hidden),
            at(self._begun[level - 1]),
            at(codes.newest),
            _address(codes.earlier),
            size_of(0 if codes.earlier is None else codes.earlier.shape[1]),
            at(codes.before),
            size_of(depth),
            _address(own),
            at(scratch),
            at(ends),
        )
        return own, self._logprobs(level, ends)

    def _logprobs(self, level: int, ends: Tensor) -> Tensor:
        return F.log_softmax(self._scored[level](ends), dim=-1)

    @torch.inference_mode()
    def _of_codes(self, level: int) -> Tensor:
        """Queries, keys and values that the first layer makes of a level's codes."""
        weights = self._weights
        tokens = torch.arange(len(weights.codes[level])) + weights.first[level]
        hidden = F.embedding(tokens, weights.embedding)
        length = torch.linalg.vector_norm(hidden, dim=-1, keepdim=True)
        return weights.layers[0].attend(hidden / torch.hypot(length, torch.tensor(weights.least)))


def at(numbers: Tensor) -> ctypes.c_void_p:
    """Where numbers lie, without a gap."""
    assert numbers.is_contiguous()
    return ctypes.c_void_p(numbers.data_ptr())


def _address(numbers: Tensor | None) -> ctypes.c_void_p | None:
    return None if numbers is None else at(numbers)
