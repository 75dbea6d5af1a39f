"""A trained generator, ready to score; the inference half of the stage."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from genrecall.artifact import Artifact
from genrecall.embed.encoder import TextEncoder
from genrecall.generator.compact import CompactGenerator, CompactModel
from genrecall.generator.config import GeneratorConfig
from genrecall.generator.features import LookAhead, mean_vectors
from genrecall.sid import SidTable
from genrecall.trie import Trie

ITEM_TO_SID: Final = "item_to_sid"
QUERY_TO_SID: Final = "query_to_sid"
STAGES: Final = (ITEM_TO_SID, QUERY_TO_SID)
"""Supervised stages in order; the last one serves."""


def make_look_ahead(
    config: GeneratorConfig, table: SidTable, item_vectors: NDArray[np.float32]
) -> LookAhead:
    """Look-ahead features of a catalog."""
    return LookAhead(
        Trie(table.space, table.packed),
        mean_vectors(table.sid_of_item, item_vectors, len(table.packed)),
        table.sizes,
        temperature=config.look_ahead_temperature,
    )


def load_generator(
    artifact: Artifact, stage: str, *, encoder: TextEncoder, look_ahead: LookAhead
) -> CompactGenerator:
    """The generator as it was after a stage."""
    model = CompactModel.load(artifact.part(stage), space=look_ahead.trie.space)
    return CompactGenerator(model, encoder, look_ahead)
