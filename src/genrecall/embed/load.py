"""What stage `embed` has made, ready to use."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrecall.embed.encoder import Encoder, TextEncoder
from genrecall.embed.pretrained import SETTINGS as PRETRAINED
from genrecall.embed.pretrained import PretrainedEncoder
from genrecall.embed.static import StaticVectors
from genrecall.embed.views import Views
from genrecall.foundation.artifact import Artifact
from genrecall.foundation.progress import RunLog

STATIC: Final = "static"
"""Folder of the static view, where there is one."""


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


def load_encoder(artifact: Artifact, *, log: RunLog | None = None) -> Encoder:
    """Read the encoder of an artifact of stage `embed`, with all views of the shop's texts.

    Args:
        artifact: of the stage, or that part of a bundle.
        log: where long encodings report to; None for nowhere.

    Raises:
        ConfigError: a pretrained encoder needs a library that is not installed.
    """
    own: Encoder
    if PRETRAINED in artifact.files:
        own = PretrainedEncoder.load(artifact, log=log)
    else:
        own = TextEncoder.load(artifact)
    static = artifact.parts.get(STATIC)
    return own if static is None else Views(own, StaticVectors.load(static))
