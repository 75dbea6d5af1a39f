"""The engine of the `lm` family on a CPU: few operations, and no copy of a prompt for its beams.

It gives what the reference gives, up to the rounding of a float. Prefixes are expanded in the order
of their log-probabilities, in two rounds: what cannot have a child among the beams that the first
has left takes no part in the second, since a child is never likelier than its parent.

Shapes: `Q` prompts, `B` beams, `S` SIDs, `R` prefixes, `C` their children.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genrecall.decode.base import Beams, check_beams, check_valid
from genrecall.decode.lm.forward import ReadPrompt, append_codes, logprobs, read_prompts
from genrecall.decode.lm.weights import LmWeights
from genrecall.decode.prefixes import Prefixes, alive_nodes, as_beams, best, expand, join
from genrecall.foundation.errors import RequestError
from genrecall.foundation.sid import LEVELS
from genrecall.generator.base import Reading
from genrecall.generator.lm.generator import LmGenerator, LmRead

_AT_ONCE: Final = 256
"""Tokens that are computed together at least, if there are as many; more fill the caches."""

_CLOSE: Final = 3.0
"""Prefixes less than so far below the best are expanded at once, in the first round."""

_FEW: Final = 16
"""As many are in any case: fewer would take hardly less time."""


class LmEngine:
    """Searches what a language model has read; see `Engine`.

    The weights may not change once the engine is made.

    Args:
        generator: whose model `is_known`.
    """

    def __init__(self, generator: LmGenerator) -> None:
        self._trie = generator.trie
        self._weights = LmWeights.of(generator.lm)

    def search(
        self,
        reading: Reading[LmRead],
        *,
        beam: int,
        rows: NDArray[np.int64] | None = None,
        valid: NDArray[np.bool_] | None = None,
        min_level1: int = 1,
    ) -> Beams:
        """See `Engine.search`."""
        check_beams(beam, min_level1)
        searched = np.arange(len(reading)) if rows is None else rows  # (Q,)
        check_valid(valid, len(self._trie), len(searched))
        at_once, parts = max(_AT_ONCE // beam, 1), []
        with torch.inference_mode():
            read = self._read(reading.state, searched.tolist())
            for start in range(0, len(read), at_once):
                some = slice(start, start + at_once)
                own = valid if valid is None or valid.ndim == 1 or len(valid) == 1 else valid[some]
                parts.append(self._search(read[some], own, beam=beam, min_level1=min_level1))
        return Beams.join(parts, beam)

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
            read = read_prompts(self._weights, [state.tokens[row] for row in some])
            kept.update(zip(some, read, strict=True))
        return [kept[row] for row in rows]

    def _search(
        self,
        prompts: Sequence[ReadPrompt],
        valid: NDArray[np.bool_] | None,
        *,
        beam: int,
        min_level1: int,
    ) -> Beams:
        trie = self._trie
        alive = alive_nodes(trie, valid, len(prompts))
        first = torch.stack([prompt.first for prompt in prompts])
        step = _numbers(first[:, torch.from_numpy(trie.codes[0])].flatten())
        prefixes = expand(Prefixes.roots(len(prompts)), trie, 0, alive[0], step)
        prefixes = best(prefixes, beam=beam, min_level1=min_level1)
        earlier: Tensor | None = None
        for level in range(1, LEVELS):
            found: Prefixes | None = None
            kept: list[Tensor] = []
            expanded = 0
            for part in _rounds(prefixes, one=min_level1 > 1):
                if found is not None:
                    part = part[_may_matter(prefixes.take(part), found, len(prompts), beam)]
                if not len(part):
                    continue
                some = prefixes.take(part)
                own, step = self._append(prompts, level, some, earlier)
                kept.append(own)
                grown = expand(some, trie, level, alive[level], step)
                grown = grown._replace(parent=grown.parent + expanded)
                expanded += len(part)
                found = grown if found is None else join(found, grown)
                found = best(found, beam=beam, min_level1=min_level1)
            if found is None:
                return as_beams(None, len(prompts), beam)
            prefixes, earlier = found, torch.cat(kept, dim=3) if len(kept) > 1 else kept[0]
        return as_beams(prefixes, len(prompts), beam)

    def _append(
        self,
        prompts: Sequence[ReadPrompt],
        level: int,
        prefixes: Prefixes,
        earlier: Tensor | None,
    ) -> tuple[Tensor, NDArray[np.float32]]:
        """Keys and values of prefixes, and log-probabilities of their children `[C]`."""
        counts = np.bincount(prefixes.prompt, minlength=len(prompts)).tolist()
        if earlier is not None:
            earlier = earlier.index_select(3, torch.from_numpy(prefixes.parent))
        codes = self._trie.codes[level - 1][prefixes.node] + self._weights.first[level - 1]
        own, hidden = append_codes(self._weights, prompts, counts, torch.from_numpy(codes), earlier)
        parent, _, code = self._trie.children(level, prefixes.node)
        every: Tensor = logprobs(self._weights, level, hidden)
        return own, _numbers(every[torch.from_numpy(parent), torch.from_numpy(code)])


def _rounds(prefixes: Prefixes, *, one: bool) -> list[NDArray[np.int64]]:
    """Which prefixes are expanded together: those that surely matter, then the others."""
    every = np.arange(len(prefixes.node))
    if one:
        # The best of a first code stays whatever its score, so nothing can be left out.
        return [every]
    starts = np.searchsorted(prefixes.prompt, prefixes.prompt)  # of its prompt, which is the best
    close = prefixes.logprob >= prefixes.logprob[starts] - _CLOSE
    now = close | (every - starts < _FEW)
    return [every[now], every[~now]]


def _may_matter(
    prefixes: Prefixes, found: Prefixes, n_prompts: int, beam: int
) -> NDArray[np.bool_]:
    """Whether prefixes can have a child among the beams, beside those that are found."""
    ends = np.searchsorted(found.prompt, np.arange(n_prompts), side="right")
    full = np.bincount(found.prompt, minlength=n_prompts) == beam
    worst = np.full(n_prompts, -np.inf, dtype=np.float32)
    worst[full] = found.logprob[ends[full] - 1]
    # Of equal scores the first SID stays, which may be a child of these.
    return prefixes.logprob >= worst[prefixes.prompt]


def _numbers(logprob: Tensor) -> NDArray[np.float32]:
    """Log-probabilities in an array.

    Raises:
        RequestError: one of them is no number.
    """
    numbers: NDArray[np.float32] = logprob.numpy()
    if np.isnan(numbers).any():
        raise RequestError(
            "a query was read as something that is no number. The weights of the bundle are "
            "damaged: make it again."
        )
    return numbers
