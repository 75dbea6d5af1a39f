"""Settings of the encoder."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from genrecall.embed.word_vectors import find_static
from genrecall.foundation.artifact import Json
from genrecall.foundation.settings import ModelName, Section


class EmbedConfig(Section):
    """The subword tokenizer and the encoder: the in-domain two-tower one, or a pretrained one.

    The paper takes item and query embeddings as given; the in-domain encoder is ours, so that a
    shop needs no pretrained model.
    """

    pretrained: ModelName | None = None
    """Directory of a sentence-transformers model, or its name on the model hub, from which it is
    then downloaded once: it encodes titles and queries, on a GPU where there is one. Null trains
    the in-domain encoder. With a pretrained one, only the settings of the subwords (`vocabulary`,
    `pair_buckets`, `stemmer`) and those up to `pretrained_batch` are read; the others are of
    training."""

    static: ModelName | None = None
    """A second view of all texts: word vectors that nobody trained on this shop, which know what
    words mean in general. `wordllama` takes those of the package of that name, which knows English
    best; a directory is one with `tokenizer.json` and one `.safetensors`, as model2vec saves them.
    Whether they help differs by shop: see docs/decisions/views.md."""

    static_dim: int = Field(default=128, ge=8)
    """Numbers of that view at most: it is turned so that the shop's titles need few."""

    query_prefix: str | None = None
    """What the pretrained model was trained to see before a query, such as `"query: "`; null takes
    what the model's own files prescribe, which is often nothing."""

    item_prefix: str | None = None
    """The same before a title, such as `"passage: "`."""

    pretrained_batch: int = Field(default=64, ge=1)
    """Texts that the pretrained model reads together; fewer need less memory."""

    vocabulary: int = Field(default=16_000, ge=256)
    """Subwords learned at most from the shop's titles and training queries."""

    pair_buckets: int = Field(default=65_536, ge=0)
    """Rows for hashed pairs of neighbouring words, which tell `lock for door` from `door lock`."""

    stemmer: Literal["plural", "none"] = "plural"
    """`plural` takes English plural endings off words; `none` leaves words as they stand, for shops
    in other languages."""

    width: int = Field(default=256, ge=8)
    """Size of a feature's embedding."""

    dim: int = Field(default=128, ge=8)
    """Size `D` of item and query vectors."""

    steps: int = Field(default=3000, ge=1)
    """Optimizer steps."""

    batch: int = Field(default=1024, ge=2)
    """Query–item pairs per step; the other items of the batch are the negatives."""

    temperature: float = Field(default=0.05, gt=0)
    """Temperature of the in-batch softmax, in units of cosine similarity."""

    logged_share: float = Field(default=0.55, ge=0, le=1)
    """Share of pairs that come from logged or judged searches; the others pair words of a title
    with its item. Without a log all pairs do."""

    word_dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of a title's words left out in training, so that no single word carries an item."""

    learning_rate: float = Field(default=2e-3, gt=0)
    """Peak rate of the dense weights, falling linearly to 5 % of it."""

    embedding_learning_rate: float = Field(default=1e-2, gt=0)
    """Peak rate of the embedding table, whose sparse gradients touch a row rarely."""

    def content(self) -> dict[str, Json]:
        """See `Section.content`: the word vectors themselves count, not what they are called.

        Raises:
            ConfigError: those that are asked for are not there.
        """
        found = find_static(self.static)
        return super().content() | {"static": None if found is None else found.content()}
