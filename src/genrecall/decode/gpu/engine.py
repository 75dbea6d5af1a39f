"""The engine of the `lm` family on a GPU: prompts of many queries in one batch of fixed shapes.

It gives what the reference gives, up to the rounding of `dtype`. A batch is read and searched
without a word to the host, so that a GPU replays it as a graph; there is one for each shape, and
shapes are rounded up to few. All but the graphs runs on any device of torch.

Shapes: `Q` prompts of a batch, `n` their tokens, `L` those of the longest, `B` beams, `S` SIDs.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genrecall.decode.base import BeamRule, Beams, check_beams, check_valid, damaged_weights
from genrecall.decode.gpu.forward import GpuForward, Prompts
from genrecall.decode.gpu.graphs import Graphs
from genrecall.decode.gpu.trie import GpuTrie, widths_of
from genrecall.foundation.sid import LEVELS
from genrecall.generator.base import Reading
from genrecall.generator.lm.generator import LmGenerator, LmRead

_AT_ONCE: Final = 32
"""Prompts of a batch at most; with 50 beams their products fill a large GPU."""

_STEP: Final = 16
"""Lengths are rounded up to multiples of so many tokens."""


class Shape(NamedTuple):
    """What a graph is for.

    Attributes:
        prompts: `Q`.
        tokens: `n`.
        longest: `L`.
        rule: of the beams.
        min_level1: see `Engine.search`.
        filters: rows of the filter: 0 without one, 1 of one for all, `Q` of one a prompt.
    """

    prompts: int
    tokens: int
    longest: int
    rule: BeamRule
    min_level1: int
    filters: int


class GpuEngine:
    """Searches what a language model has read; see `Engine`.

    It computes where the weights are, which may not change once the engine is made.

    Args:
        generator: whose model `is_known`.
        dtype: in which layers multiply.
        at_once: prompts of a batch at most.
    """

    def __init__(
        self,
        generator: LmGenerator,
        *,
        dtype: torch.dtype = torch.float32,
        at_once: int = _AT_ONCE,
    ) -> None:
        device = generator.lm.device
        with torch.inference_mode():
            self._forward = GpuForward(generator.lm, dtype)
            self._tree = GpuTrie(generator.trie, device)
        self._n_sids, self._at_once = len(generator.trie), at_once
        self._graphs = Graphs(device)
        self._one_at_a_time = threading.Lock()

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
        searched = np.arange(len(reading)) if rows is None else rows
        check_valid(valid, self._n_sids, len(searched))
        prompts = [reading.state.tokens[row] for row in searched.tolist()]
        # Prompts of like lengths leave little room between them.
        order = np.argsort([len(prompt) for prompt in prompts], kind="stable")
        leaves = np.full((len(prompts), rule.widest), -1, dtype=np.int64)
        logprob = np.full((len(prompts), rule.widest), -np.inf, dtype=np.float32)
        valid = None if valid is None else np.atleast_2d(valid)
        for start in range(0, len(order), self._at_once):
            some = order[start : start + self._at_once]
            own = valid[some] if valid is not None and len(valid) > 1 else valid
            found, scores = self._batch([prompts[row] for row in some], own, rule, min_level1)
            leaves[some, : found.shape[1]] = found
            logprob[some, : found.shape[1]] = scores
        if np.isnan(logprob).any():
            raise damaged_weights()
        return Beams(leaves, logprob)

    def _batch(
        self,
        prompts: Sequence[Sequence[int]],
        valid: NDArray[np.bool_] | None,
        rule: BeamRule,
        min_level1: int,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """SIDs and log-probabilities of a batch, `[Q, B]`, or fewer where there are fewer SIDs."""
        lengths = [len(prompt) for prompt in prompts]
        # Those that fill a batch up have one token.
        room = min(1 << (len(prompts) - 1).bit_length(), self._at_once)
        lengths += [1] * (room - len(prompts))
        longest = min(_rounded(max(lengths), _STEP), self._forward.positions)
        filters = 0 if valid is None else room if len(valid) > 1 else 1
        # A quarter more or less of all that a batch can hold.
        tokens = _rounded(sum(lengths), max(room * longest // 4, _STEP))
        shape = Shape(room, tokens, longest, rule, min_level1, filters)
        ids = torch.zeros(tokens, dtype=torch.int64)
        ids[: sum(map(len, prompts))] = torch.tensor([token for of in prompts for token in of])
        inputs = {"tokens": ids, "lengths": torch.tensor(lengths)}
        if valid is not None:
            padded = np.zeros((filters, self._n_sids), dtype=np.bool_)
            padded[: len(valid)] = valid
            inputs["valid"] = torch.from_numpy(padded)
        with self._one_at_a_time, torch.inference_mode():
            found = self._graphs.run(shape, partial(self._compute, shape), inputs).cpu()
        nodes, scores = found[: len(prompts)].unbind(-1)
        logprob = scores.float().numpy()
        return np.where(logprob == -np.inf, -1, nodes.long().numpy()), logprob

    def _compute(
        self, shape: Shape, *, tokens: Tensor, lengths: Tensor, valid: Tensor | None = None
    ) -> Tensor:
        """SIDs and their log-probabilities, float64 `[Q, B, 2]`, which holds both exactly."""
        tree, alive = self._tree, self._tree.alive(valid)
        every, scores = self._forward.read(Prompts(tokens, lengths, shape.longest))
        widths = widths_of(shape.rule, scores[:, tree.codes[0]])
        scores, kept, earlier = scores[:, None], tree.roots(shape.prompts), None
        for level in range(LEVELS):
            if level:
                codes = tree.codes[level - 1][kept.node]
                if earlier is not None:
                    rows = torch.arange(shape.prompts, device=codes.device)[:, None]
                    earlier = earlier[:, rows, kept.parent]
                earlier, scores = self._forward.append(every, lengths, codes, earlier, level)
            kept = tree.best(
                kept,
                level,
                scores,
                alive[level],
                widths=widths,
                beam=shape.rule.widest,
                min_level1=shape.min_level1,
            )
        return torch.stack([kept.node.double(), kept.logprob.double()], dim=-1)


def _rounded(number: int, step: int) -> int:
    """Up to a multiple of a step."""
    return -(-number // step) * step
