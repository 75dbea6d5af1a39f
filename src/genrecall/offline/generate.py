"""What transformers itself makes of a language model: the rival of our engines for such models."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from genrecall.decode.base import BeamRule, Beams
from genrecall.foundation.sid import LEVELS
from genrecall.generator.base import Reading
from genrecall.generator.lm.generator import LmGenerator, LmRead

Tokens = tuple[int, ...]


class GenerateEngine:
    """Beam search of `transformers.generate`, held to the SIDs by a prefix function; an `Engine`.

    It scores the whole vocabulary, so its log-probabilities, and with them its beams, are others
    than those of our engines. Prompts are searched one by one, as wide as a rule is at most.

    Args:
        generator: of the `lm` family.
    """

    def __init__(self, generator: LmGenerator) -> None:
        self._lm = generator.lm
        sids = generator.trie.sids.astype(np.int64)
        levels = [self._lm.token(level, torch.from_numpy(of)) for level, of in enumerate(sids.T)]
        self._sids: list[Tokens] = list(zip(*(of.tolist() for of in levels), strict=True))
        self._leaf = {sid: leaf for leaf, sid in enumerate(self._sids)}
        self._made: tuple[NDArray[np.bool_] | None, dict[Tokens, list[int]]] | None = None

    def search(
        self,
        reading: Reading[LmRead],
        *,
        beam: int | BeamRule,
        rows: NDArray[np.int64] | None = None,
        valid: NDArray[np.bool_] | None = None,
        min_level1: int = 1,  # noqa: ARG002
    ) -> Beams:
        """See `Engine.search`; `min_level1` is not kept."""
        searched = range(len(reading)) if rows is None else rows.tolist()
        width, found = BeamRule.of(beam).widest, []
        for place, row in enumerate(searched):
            own = valid if valid is None or valid.ndim == 1 else valid[place % len(valid)]
            found.append(self._search(reading.state.tokens[row], self._allowed(own), width))
        return Beams.join(found, width)

    def _search(self, tokens: Sequence[int], allowed: dict[Tokens, list[int]], width: int) -> Beams:
        ids, length = torch.tensor([list(tokens)], device=self._lm.device), len(tokens)
        # What no SID begins with has the score -inf already, and needs some token nevertheless.
        other = [self._sids[0][0]]
        with torch.inference_mode():
            out = self._lm.causal.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                prefix_allowed_tokens_fn=lambda _, seen: allowed.get(
                    tuple(seen[length:].tolist()), other
                ),
                num_beams=width,
                num_return_sequences=width,
                min_new_tokens=LEVELS,
                max_new_tokens=LEVELS,
                do_sample=False,
                length_penalty=0.0,
                return_dict_in_generate=True,
                output_scores=True,
            )
        sids = map(tuple, out.sequences[:, length:].tolist())
        leaves = np.array([[self._leaf.get(sid, -1) for sid in sids]])
        logprob = out.sequences_scores.cpu().numpy()[None]
        # Beams beyond the valid SIDs hold what happened to be there.
        gone = (leaves < 0) | ~(logprob > np.finfo(np.float32).min / 2)
        return Beams(np.where(gone, -1, leaves), np.where(gone, -np.inf, logprob))

    def _allowed(self, valid: NDArray[np.bool_] | None) -> dict[Tokens, list[int]]:
        """Tokens behind each prefix of valid SIDs; kept until another filter is asked for."""
        if self._made is not None and self._made[0] is valid:
            return self._made[1]
        allowed: dict[Tokens, dict[int, None]] = {}
        for leaf, sid in enumerate(self._sids):
            if valid is None or valid[leaf]:
                for level in range(LEVELS):
                    allowed.setdefault(sid[:level], {})[sid[level]] = None
        self._made = valid, {prefix: list(of) for prefix, of in allowed.items()}
        return self._made[1]
