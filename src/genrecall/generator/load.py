"""A trained generator, ready to score; the inference half of the stage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from genrecall.artifact import Artifact
from genrecall.embed.encoder import TextEncoder
from genrecall.generator.compact import CompactGenerator, CompactModel, join_views, read_bags
from genrecall.generator.features import LookAhead, mean_vectors
from genrecall.sid import SidTable
from genrecall.trie import Trie

ITEM_TO_SID: Final = "item_to_sid"
QUERY_TO_SID: Final = "query_to_sid"
STAGES: Final = (ITEM_TO_SID, QUERY_TO_SID)
"""Supervised stages in order; the last one serves."""


OWN_VECTORS: Final = "own_vectors.npy"
"""The generator's own vectors of the items."""

_AT_ONCE: Final = 8192  # titles encoded together: bounds the memory


def load_generator(
    artifact: Artifact,
    stage: str,
    *,
    encoder: TextEncoder,
    titles: Sequence[str],
    item_vectors: NDArray[np.float32],
    table: SidTable,
    head_weight: float,
    temperature: float,
) -> tuple[CompactGenerator, NDArray[np.float32]]:
    """The generator as it was after a stage.

    Args:
        artifact: of the generator stage.
        stage: one of `STAGES`.
        encoder: the two-tower encoder.
        titles: of the items, `[N]`: those that the stage has read, and behind them others, which
            are encoded now.
        item_vectors: its vectors of the items, float32 `[N, D]`.
        table: the SID of each item.
        head_weight: of the learned heads against the look-ahead.
        temperature: of the look-ahead, in units of cosine similarity.

    Returns:
        The generator, and both views of the items as one unit vector each, float32 `[N, 2D]`.
    """
    part = artifact.part(stage)
    model = CompactModel.load(part, space=table.space)
    own = np.load(part.file(OWN_VECTORS), allow_pickle=False)
    added = [
        read_bags(model, encoder.tokenizer.bags(titles[start : start + _AT_ONCE]))[1]
        for start in range(len(own), len(titles), _AT_ONCE)
    ]
    views = join_views(item_vectors, np.concatenate([own, *added]))
    look_ahead = LookAhead(
        Trie(table.space, table.packed),
        mean_vectors(table.sid_of_item, views, len(table.packed)),
        table.sizes,
        temperature=temperature,
    )
    generator = CompactGenerator(model, encoder, look_ahead, head_weight=head_weight)
    return generator, views
