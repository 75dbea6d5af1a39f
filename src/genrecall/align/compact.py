"""Alignment of the compact family: all that reads the prompt is trained, the items stay.

A gradient flows through the heads, and through the look-ahead into the query's own view; subword
table, encoder, codes and what reads the shopper take part. The vectors of items and of the encoder
of stage `embed`, which the dense channel answers with, are as before.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from genrecall.generator.align_config import AlignConfig
from genrecall.generator.compact.generator import CompactGenerator
from genrecall.generator.compact.model import CompactModel
from genrecall.generator.compact.policy import CompactPolicy
from genrecall.learning.optim import LinearDecay, SparseDenseAdam

_COMPARED: Final = 2**26  # searches times SIDs in a tensor with gradients: 256 MiB


class CompactLearner:
    """See `Learner`.

    Args:
        generator: after its last supervised stage; it stays as it is.
    """

    def __init__(self, generator: CompactGenerator) -> None:
        self.reference = generator.policy
        self.weights = CompactModel.of(generator.weights, space=generator.space)
        self.policy = CompactPolicy(generator, self.weights)

    @property
    def at_once(self) -> int:
        """See `Learner.at_once`: the look-ahead compares each with every SID."""
        return max(_COMPARED // len(self.policy.items.trie), 1)

    def optimizer(self, config: AlignConfig) -> SparseDenseAdam:
        """See `Learner.optimizer`."""
        return SparseDenseAdam(
            self.weights,
            dense=LinearDecay(config.learning_rate, config.steps),
            sparse=LinearDecay(config.embedding_learning_rate, config.steps),
        )

    def save(self, folder: Path) -> None:
        """See `Learner.save`; the vectors of items are those of the stage before."""
        self.weights.weights.save(folder, space=self.policy.space)
