"""What stage `embed` has made, ready to use."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, NamedTuple

from numpy.typing import NDArray

from genrecall.embed.frozen import FrozenView, Maps, Reader
from genrecall.embed.in_domain import InDomainView
from genrecall.embed.names import IN_DOMAIN, STATIC
from genrecall.embed.static import StaticVectors
from genrecall.embed.views import Beside, View, Views
from genrecall.foundation.artifact import Artifact
from genrecall.foundation.files import write_json
from genrecall.foundation.halves import map_rows
from genrecall.foundation.progress import RunLog
from genrecall.text.subwords import SUBWORDS, SubwordTokenizer

ITEM_VECTORS: Final = "item_vectors.npy"
"""Of the catalog, as all views together read it."""

_VIEWS: Final = "views.json"


class Embedded(NamedTuple):
    """Texts as vectors.

    Attributes:
        encoder: of titles and queries.
        item_vectors: of the catalog, unit vectors, `[N, D]`.
    """

    encoder: Views
    item_vectors: NDArray[Any]


def load_embedded(artifact: Artifact, *, log: RunLog | None = None) -> Embedded:
    """Read what the stage wrote.

    Args:
        artifact: of the stage, or that part of a bundle.
        log: where long encodings report to; None for nowhere.

    Raises:
        ConfigError: a pretrained model needs a library that is not installed.
    """
    vectors = map_rows(artifact.file(ITEM_VECTORS))
    return Embedded(load_views(artifact, log=log), vectors)


def save_views(views: Views, folder: Path) -> None:
    """Write tokenizer and weights of views, each of which has a folder there already."""
    views.tokenizer.save(folder / SUBWORDS)
    cut = {
        "pair_buckets": views.tokenizer.pair_buckets,
        "run_buckets": views.tokenizer.run_buckets,
        "stemmer": views.tokenizer.stemmer,
    }
    listed = [{"name": name, "weight": weight} for name, weight in views.shares.items()]
    beside = {"fields": list(views.beside.fields), "weights": dict(views.beside.weights)}
    write_json(folder / _VIEWS, {"tokenizer": cut, "views": listed, "beside": beside})


def load_views(artifact: Artifact, *, log: RunLog | None = None) -> Views:
    """Read the views of an artifact of stage `embed`.

    Args:
        artifact: of the stage, or that part of a bundle.
        log: where long encodings report to; None for nowhere.

    Raises:
        ConfigError: a pretrained model needs a library that is not installed.
    """
    told = artifact.read_json(_VIEWS)
    tokenizer = SubwordTokenizer.load(artifact.file(SUBWORDS), **told["tokenizer"])
    weights = {view["name"]: view["weight"] for view in told["views"]}
    views = {name: _load_view(name, artifact.part(name), log) for name in weights}
    beside = Beside(tuple(told["beside"]["fields"]), told["beside"]["weights"])
    return Views(tokenizer, views, weights, beside)


def _load_view(name: str, artifact: Artifact, log: RunLog | None) -> View:
    if name == IN_DOMAIN:
        return InDomainView.load(artifact)
    reader: Reader
    if name == STATIC:
        reader = StaticVectors.load(artifact)
    else:
        # A bundle without one does not wait for it.
        from genrecall.embed.pretrained import PretrainedModel

        reader = PretrainedModel.load(artifact, log=log)
    return FrozenView(reader, Maps.load(artifact))
