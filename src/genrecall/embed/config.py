"""Settings of stage `embed`: the views of a shop's texts, and each one's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from genrecall.embed.names import IN_DOMAIN, PRETRAINED, STATIC, ViewName
from genrecall.embed.word_vectors import find_static
from genrecall.foundation.artifact import Json
from genrecall.foundation.libraries import EXPORTING, missing_of
from genrecall.foundation.settings import ModelKind, ModelName, Section


@dataclass(frozen=True)
class WordVectorsKind(ModelKind):
    """Word vectors of a package or a directory: they count themselves, not what they are called."""

    def content(self, value: str, setting: str) -> Json:  # noqa: ARG002
        """See `PathKind.content`; None where the package is not installed.

        Raises:
            ConfigError: a directory holds none.
        """
        found = find_static(value)
        return None if found is None else found.content()


class SubwordConfig(Section):
    """How text is cut: for the in-domain view and the generator."""

    vocabulary: int = Field(default=16_000, ge=256)
    """Subwords learned at most from the shop's titles and training queries."""

    pair_buckets: int = Field(default=65_536, ge=0)
    """Rows for hashed pairs of neighbouring words, which tell `lock for door` from `door lock`."""

    run_buckets: int = Field(default=50_000, ge=0)
    """Rows for hashed runs of three letters of a query's words, so that a word that is spelt
    otherwise, or written together with another, is read much like what the shop knows; 0 for
    none."""

    stemmer: Literal["plural", "none"] = "plural"
    """`plural` takes English plural endings off words; `none` leaves words as they stand, for shops
    in other languages."""


class InDomainConfig(Section):
    """The two-tower encoder that is trained on the shop's own titles and log.

    The paper takes item and query embeddings as given; this one is ours, so that a shop needs no
    pretrained model.
    """

    width: int = Field(default=256, ge=8)
    """Size of a feature's embedding."""

    dim: int = Field(default=128, ge=8)
    """Size of item and query vectors."""

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

    slips: float = Field(default=0.1, ge=0, le=1)
    """Share of the words of queries, logged ones and those made of titles, that are mistyped in
    training: then a word's parts tell what it means, too."""

    learning_rate: float = Field(default=2e-3, gt=0)
    """Peak rate of the dense weights, falling linearly to 5 % of it."""

    embedding_learning_rate: float = Field(default=1e-2, gt=0)
    """Peak rate of the embedding table, whose sparse gradients touch a row rarely."""


class StaticConfig(Section):
    """Word vectors that nobody trained on this shop, which know what words mean in general."""

    source: Annotated[str, WordVectorsKind()] = "wordllama"
    """`wordllama` takes those of the package of that name, which knows English best; a directory is
    one with `tokenizer.json` and one `.safetensors`, as model2vec saves them."""

    dim: int = Field(default=128, ge=8)
    """Numbers at most: they are turned so that the shop's titles need few."""


class FineTuneConfig(Section):
    """How a pretrained model learns from the log, by low-rank adapters (LoRA)."""

    steps: int = Field(default=0, ge=0)
    """Optimizer steps; 0 leaves the model as it came. On a GPU thousands take minutes."""

    batch: int = Field(default=64, ge=2)
    """Logged pairs per step; the other items of the batch are the negatives."""

    rank: int = Field(default=16, ge=1)
    """Of the adapters."""

    alpha: int = Field(default=32, ge=1)
    """How strongly they count: `alpha / rank` times."""

    learning_rate: float = Field(default=2e-4, gt=0)
    """Peak rate, falling linearly to 5 % of it."""

    temperature: float = Field(default=0.05, gt=0)
    """Temperature of the in-batch softmax, in units of cosine similarity."""


class PretrainedConfig(Section):
    """A sentence-transformers model, as it comes or fine-tuned; on a GPU where there is one."""

    model: ModelName | None = None
    """Its directory, or its name on the model hub, from which it is then downloaded once."""

    dim: int | None = Field(default=None, ge=8)
    """Numbers at most: vectors are turned so that the shop's titles need few. Null keeps them as
    they are."""

    query_prefix: str | None = None
    """What the model was trained to see before a query, such as `"query: "`; null takes what the
    model's own files prescribe, which is often nothing."""

    item_prefix: str | None = None
    """The same before a title, such as `"passage: "`."""

    batch: int = Field(default=64, ge=1)
    """Texts that the model reads together; fewer need less memory."""

    fine_tune: FineTuneConfig = FineTuneConfig()
    """How it learns from the log; needs `pip install 'genrecall[lm]'`. Off unless it has steps."""

    int8: bool = True
    """Whether an int8 copy of the model reads queries, on the CPU by ONNX Runtime and several times
    as fast, if it finds as much. Needs `pip install 'genrecall[onnx]'`, and is left out without."""

    def content(self) -> dict[str, Json]:
        """See `Section.content`: a copy that cannot be made counts as one that is not asked for."""
        return super().content() | {"int8": self.int8 and not missing_of(EXPORTING)}


class EmbedConfig(Section):
    """Which views read a shop's texts; their vectors stand side by side."""

    views: tuple[ViewName, ...] = Field(default=(IN_DOMAIN, STATIC), min_length=1)
    """`in_domain` is trained on the shop, `static` and `pretrained` know general language. How much
    each counts is fitted on training searches that no view was trained on. `static` is left out
    where its package is not installed."""

    fields: tuple[Literal["brand", "attributes", "description"], ...] = (
        "brand",
        "attributes",
        "description",
    )
    """Texts of items that are read beside their titles, as far as the catalog has them; of
    attributes the values. How much they count is fitted as the weights of the views are."""

    subwords: SubwordConfig = SubwordConfig()
    """How text is cut."""

    in_domain: InDomainConfig = InDomainConfig()
    """The view that is trained on the shop."""

    static: StaticConfig = StaticConfig()
    """The view by word vectors."""

    pretrained: PretrainedConfig = PretrainedConfig()
    """The view by a pretrained model."""

    learn_maps: bool = True
    """Whether `static` and `pretrained` learn from the log which queries mean which titles, by a
    map of each side; without, they are as they come."""

    @model_validator(mode="after")
    def _check_views(self) -> Self:
        if len(set(self.views)) < len(self.views):
            raise ValueError(f"views names one twice: {', '.join(self.views)}. Name each once.")
        if PRETRAINED in self.views and self.pretrained.model is None:
            raise ValueError(
                "views has pretrained, and no pretrained.model says which. Give its directory or "
                "its name on the model hub, or take it from the views."
            )
        if PRETRAINED not in self.views and self.pretrained.model is not None:
            raise ValueError(
                f"pretrained.model is given, but views names only {', '.join(self.views)}. Add "
                "pretrained, beside the others or alone."
            )
        return self

    def content(self) -> dict[str, Json]:
        """See `Section.content`: of views that are not used no setting counts."""
        unused = {IN_DOMAIN, STATIC, PRETRAINED} - set(self.views)
        return {name: value for name, value in super().content().items() if name not in unused}
