"""Settings of the `lm` family."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from pydantic import Field, model_validator

from genrecall.foundation.settings import ModelName, Section

Size = Literal["nano", "tiny", "small", "base", "large"]


class Shape(NamedTuple):
    """Sizes of a transformer.

    Attributes:
        layers: transformer blocks.
        width: size of the hidden state.
        heads: attention heads.
    """

    layers: int
    width: int
    heads: int


SHAPES: Final[dict[Size, Shape]] = {
    "nano": Shape(layers=2, width=128, heads=2),
    "tiny": Shape(layers=4, width=256, heads=4),
    "small": Shape(layers=8, width=512, heads=8),
    "base": Shape(layers=12, width=1024, heads=16),
    "large": Shape(layers=24, width=1024, heads=16),
}
"""The sizes from scratch: 0.4, 3, 25, 151 and 302 million weights beside the embeddings."""


class Training(NamedTuple):
    """What a stage trains with unless its settings say otherwise.

    Attributes:
        batch: prompts per step.
        learning_rate: its peak.
    """

    batch: int
    learning_rate: float


BY_SIZE: Final[Mapping[Size, Training]] = {
    "nano": Training(256, 2e-3),
    "tiny": Training(256, 1.5e-3),
    "small": Training(512, 1e-3),
    "base": Training(1024, 6e-4),
    "large": Training(1024, 3e-4),
}
"""All stages of a model from scratch. A rate ten times that of a pretrained one is right, falling
with the width; small models take small batches, since the time is short and steps are what they
lack, large ones those that fill a GPU."""

PRETRAINED: Final[Mapping[str, Training]] = {
    "item_to_sid": Training(128, 1e-4),
    "query_to_sid": Training(256, 4e-5),
    "user_query_to_sid": Training(64, 4e-5),
}
"""The stages of a pretrained model: the paper's, for all weights of half a billion."""


class LoraConfig(Section):
    """Low-rank adapters on all linear layers; SID tokens are trained in full beside them."""

    rank: int = Field(default=16, ge=1)
    """Rank of the adapters."""

    alpha: float = Field(default=32.0, gt=0)
    """The adapters' output counts `alpha / rank`."""

    dropout: float = Field(default=0.05, ge=0, lt=1)
    """Share of an adapter's inputs left out in training."""


class LmConfig(Section):
    """A causal language model as the generator."""

    pretrained: ModelName | None = None
    """Where the backbone comes from: a local directory, or a name on the model hub, which
    transformers downloads unless it is in its cache. Paper: Qwen2.5-0.5B. None, our default, starts
    from scratch, with a vocabulary of the shop's own words: no download, and small enough for a
    CPU."""

    size: Size = "nano"
    """Size of a model from scratch; `pretrained` brings its own. Paper: 0.5 billion weights, a
    little more than `large`."""

    vocabulary: int = Field(default=8192, ge=512)
    """Subwords of a model from scratch, learned from the shop's texts."""

    max_tokens: int = Field(default=128, ge=4)
    """Subwords of a prompt. Of a longer one the end is kept, where the query stands."""

    row_tokens: int = Field(default=64, ge=1)
    """Tokens of a packed row: that many tokens of several prompts and their SIDs stand side by side
    without padding, and do not see each other. Short rows waste less attention, long ones waste
    less room. It changes no result but by rounding."""

    micro_tokens: int = Field(default=16_384, ge=1)
    """Tokens computed at once; a batch of more is cut into parts whose gradients are added up, in
    alignment as if every prompt had `max_tokens`. Lower it when memory runs out. It changes no
    result but by rounding."""

    checkpointing: bool = False
    """Compute the activations of each layer again in the backward pass instead of keeping them: a
    third more work for a fraction of the memory. Not in alignment, whose passes share a cache."""

    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Precision of the matrix products; weights and optimizer stay in fp32. `auto` is bf16 on a GPU
    that has it, and fp32 elsewhere."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train; `auto` is a GPU where there is one. Whoever loads the model later may have
    another machine, so it decodes on a GPU wherever there is one, each of several processes on its
    own; an empty `CUDA_VISIBLE_DEVICES` keeps it on the CPU."""

    warmup: float = Field(default=0.05, ge=0, lt=1)
    """Share of the steps over which the learning rate rises from zero."""

    weight_decay: float = Field(default=0.01, ge=0)
    """AdamW's decay of the matrices of the layers; embeddings, norms and biases have none."""

    clip_norm: float = Field(default=1.0, gt=0)
    """Longest gradient of a step; a longer one is cut to it."""

    lora: LoraConfig | None = None
    """Train low-rank adapters instead of all weights; they are merged when the stage ends, so the
    saved model is a plain one. Paper: all weights."""

    def training(self, stage: str) -> Training:
        """What suits a stage of this model."""
        return BY_SIZE[self.size] if self.pretrained is None else PRETRAINED[stage]

    @model_validator(mode="after")
    def _check(self) -> LmConfig:
        if self.lora is not None and self.pretrained is None:
            raise ValueError(
                "lora adapts a pretrained model, and `pretrained` is not set: a model from scratch "
                "has nothing to adapt. Name a model in `pretrained` or leave lora out."
            )
        return self
