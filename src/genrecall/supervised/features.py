"""Prompts as the compact family reads them: texts cut into features, each distinct one once.

Shapes: `n` prompts, `d` distinct texts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrecall.foundation.ragged import Bags, take_bags
from genrecall.supervised.prompt_sets import PromptSet
from genrecall.text.subwords import SubwordTokenizer


class CutTexts(NamedTuple):
    """The distinct texts of a prompt set.

    Attributes:
        texts: in the order in which they first occur, `[d]`.
        bags: their features.
        place: which of them each prompt has, int64 `[n]`.
    """

    texts: list[str]
    bags: Bags
    place: NDArray[np.int64]


class PromptFeatures:
    """Features of the prompts of any number of sets.

    Args:
        tokenizer: cuts texts.
    """

    def __init__(self, tokenizer: SubwordTokenizer) -> None:
        self._tokenizer = tokenizer
        self._cut: dict[PromptSet, CutTexts] = {}

    def cut(self, prompts: PromptSet) -> CutTexts:
        """The distinct texts of a set, cut when they are first asked for."""
        if prompts not in self._cut:
            number: dict[str, int] = {}
            place = np.array(
                [number.setdefault(text, len(number)) for text in prompts.texts], dtype=np.int64
            )
            texts = list(number)
            self._cut[prompts] = CutTexts(texts, self._tokenizer.bags(texts), place)
        return self._cut[prompts]

    def of(self, prompts: PromptSet, chosen: NDArray[np.int64]) -> Bags:
        """Features of some prompts of a set, `[B]`."""
        cut = self.cut(prompts)
        return take_bags(cut.bags, cut.place[chosen])
