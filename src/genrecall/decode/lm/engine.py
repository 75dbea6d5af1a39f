"""The engine of the `lm` family on a CPU: few operations, and no copy of a prompt for its beams.

It gives what the reference gives, up to the rounding of a float. All prefixes of a level are
expanded at once: a second pass over the weights costs more than what could be left out of it.

Shapes: `Q` prompts, `B` beams, `S` SIDs, `R` prefixes, `C` their children.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genrecall.decode.base import BeamRule, Beams, check_beams, check_valid, damaged_weights
from genrecall.decode.lm.eight_bits import in_int8
from genrecall.decode.lm.forward import Appended, Forward, ReadPrompt
from genrecall.decode.lm.native import NativeForward, fits
from genrecall.decode.lm.plain import PlainForward
from genrecall.decode.lm.weights import LmWeights, in_fp32
from genrecall.decode.prefixes import Prefixes, alive_nodes, as_beams, best, expand, widths_of
from genrecall.foundation.sid import LEVELS
from genrecall.generator.base import Reading
from genrecall.generator.lm.generator import LmGenerator, LmRead
from genrecall.generator.lm.model import LmModel
from genrecall.native.library import library

_AT_ONCE: Final = 256
"""Tokens that are computed together at least, if there are as many; more fill the caches."""


class LmEngine:
    """Searches what a language model has read; see `Engine`.

    The weights may not change once the engine is made.

    Args:
        generator: whose model `is_known`.
        int8: whether layers multiply in eight bits, which is not quite the same, and faster where
            the processor has VNNI.
        native: whether the library in C computes the layers, if it was built.
    """

    def __init__(self, generator: LmGenerator, *, int8: bool = False, native: bool = True) -> None:
        self._trie = generator.trie
        self._forward = _forward_of(generator.lm, int8=int8, native=native)

    def search(
        self,
        reading: Reading[LmRead],
        *,
        beam: int | BeamRule,
        rows: NDArray[np.int64] | None = None,
        valid: NDArray[np.bool_] | None = None,
        min_level1: int = 1,
    ) -> Beams:
        """See `Engine.search`."""
        rule = BeamRule.of(beam)
        check_beams(rule, min_level1)
        searched = np.arange(len(reading)) if rows is None else rows  # (Q,)
        check_valid(valid, len(self._trie), len(searched))
        at_once, parts = max(_AT_ONCE // rule.widest, 1), []
        with torch.inference_mode():
            read = self._read(reading.state, searched.tolist())
            for start in range(0, len(read), at_once):
                some = slice(start, start + at_once)
                own = valid if valid is None or valid.ndim == 1 or len(valid) == 1 else valid[some]
                parts.append(self._search(read[some], own, rule, min_level1=min_level1))
        return Beams.join(parts, rule.widest)

    def _read(self, state: LmRead, rows: Sequence[int]) -> list[ReadPrompt]:
        """Prompts, read once whatever is asked of them afterwards."""
        kept: dict[int, ReadPrompt] = state.kept.setdefault(self, {})
        missing = [row for row in dict.fromkeys(rows) if row not in kept]
        while missing:
            some: list[int] = []
            tokens = 0
            while missing and (not some or tokens + len(state.tokens[missing[0]]) <= _AT_ONCE):
                some.append(missing.pop(0))
                tokens += len(state.tokens[some[-1]])
            read = self._forward.read([state.tokens[row] for row in some])
            kept.update(zip(some, read, strict=True))
        return [kept[row] for row in rows]

    def _search(
        self,
        prompts: Sequence[ReadPrompt],
        valid: NDArray[np.bool_] | None,
        rule: BeamRule,
        *,
        min_level1: int,
    ) -> Beams:
        trie = self._trie
        alive = alive_nodes(trie, valid, len(prompts))
        first = torch.stack([prompt.first for prompt in prompts])
        step = _numbers(first[:, torch.from_numpy(trie.codes[0])].flatten())
        prefixes = expand(Prefixes.roots(len(prompts)), trie, 0, alive[0], step)
        widths = widths_of(rule, step.reshape(len(prompts), -1))
        prefixes = best(prefixes, widths, min_level1=min_level1)
        earlier: Tensor | None = None
        for level in range(1, LEVELS):
            if not len(prefixes.node):
                break
            earlier, step = self._append(prompts, level, prefixes, earlier)
            prefixes = expand(prefixes, trie, level, alive[level], step)
            prefixes = best(prefixes, widths, min_level1=min_level1)
        return as_beams(prefixes, len(prompts), rule.widest)

    def _append(
        self,
        prompts: Sequence[ReadPrompt],
        level: int,
        prefixes: Prefixes,
        earlier: Tensor | None,
    ) -> tuple[Tensor | None, NDArray[np.float32]]:
        """Keys and values of prefixes if they go on; log-probabilities of their children `[C]`."""
        present, counts = np.unique(prefixes.prompt, return_counts=True)
        codes = Appended(
            before=torch.from_numpy(prefixes.parent),
            earlier=earlier,
            newest=torch.from_numpy(self._trie.codes[level - 1][prefixes.node]),
        )
        own, every = self._forward.append(
            [prompts[row] for row in present], counts.tolist(), codes, level
        )
        parent, _, code = self._trie.children(level, prefixes.node)
        return own, _numbers(every[torch.from_numpy(parent), torch.from_numpy(code)])


def _forward_of(lm: LmModel, *, int8: bool, native: bool) -> Forward:
    found = library() if native else None
    if found is None or not fits(lm) or (int8 and not found.reads_bytes()):
        return PlainForward(LmWeights.of(lm, lay_out=in_int8 if int8 else in_fp32))
    return NativeForward(lm, found, int8=int8)


def _numbers(logprob: Tensor) -> NDArray[np.float32]:
    """Log-probabilities in an array.

    Raises:
        RequestError: one of them is no number.
    """
    numbers: NDArray[np.float32] = logprob.numpy()
    if np.isnan(numbers).any():
        raise damaged_weights()
    return numbers
