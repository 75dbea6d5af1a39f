"""What stage `embed` has made, ready to use."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrecall.embed.encoder import Encoder, load_encoder
from genrecall.foundation.artifact import Artifact
from genrecall.foundation.progress import RunLog


class Embedded(NamedTuple):
    """Texts as vectors.

    Attributes:
        encoder: of titles and queries.
        item_vectors: of the catalog, unit vectors, float32 `[N, D]`.
    """

    encoder: Encoder
    item_vectors: NDArray[np.float32]


def load_embedded(artifact: Artifact, *, log: RunLog | None = None) -> Embedded:
    """Read what the stage wrote.

    Args:
        artifact: of the stage, or that part of a bundle.
        log: where long encodings report to; None for nowhere.

    Raises:
        ConfigError: a pretrained encoder needs a library that is not installed.
    """
    vectors = np.load(artifact.file("item_vectors.npy"), allow_pickle=False)
    return Embedded(load_encoder(artifact, log=log), vectors)
