"""Settings of the generator."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from genrecall.settings import Section


class StageConfig(Section):
    """One supervised stage."""

    steps: int = Field(ge=0)
    """Optimizer steps; 0 skips the stage. The paper trains stage 1 for 2,000 and stage 2 for 2,500
    steps of a language model; a compact model needs about as many of larger batches."""

    batch: int = Field(default=1024, ge=1)
    """Prompts per step. Paper: 128 and 256. Large batches make a small model fast on CPUs."""

    learning_rate: float = Field(default=1e-3, gt=0)
    """Peak rate of the dense weights, falling linearly to 5 % of it. Paper: 1e-4 and 4e-5, for a
    pretrained model; ours starts small and from scratch."""

    embedding_learning_rate: float = Field(default=2e-3, gt=0)
    """Peak rate of the subword embeddings, whose sparse gradients touch a row rarely."""


class GeneratorConfig(Section):
    """The generator and its supervised stages."""

    family: Literal["compact"] = "compact"
    """`compact`: a subword encoder with an autoregressive head over the three codes."""

    width: int = Field(default=256, ge=8)
    """Size of the hidden state."""

    look_ahead_temperature: float = Field(default=0.05, gt=0)
    """Temperature of the look-ahead features, in units of cosine similarity; the two-tower
    encoder's own temperature is the natural choice."""

    item_to_sid: StageConfig = StageConfig(steps=400)
    """Stage 1: a title generates its item's SID."""

    query_to_sid: StageConfig = StageConfig(steps=1500)
    """Stage 2: a query generates the SIDs of its good items."""

    targets: int = Field(default=3, ge=1)
    """SIDs drawn per prompt and step from its good items, as in the paper (up to three)."""

    logged_share: float = Field(default=0.5, ge=0, le=1)
    """Share of stage-2 prompts that are logged or judged queries; the others are pseudo-queries
    made of title words. Ignored where the shop has no log. With logged queries alone a small log is
    learned by heart."""

    pseudo_queries: int = Field(default=200_000, ge=0)
    """Pseudo-queries made once before stage 2, spread evenly over the items."""

    teacher_items: int = Field(default=32, ge=1)
    """Soft targets of a pseudo-query: the dense channel's best items, that many."""

    teacher_temperature: float = Field(default=0.04, gt=0)
    """Temperature of the softmax over those items, in units of cosine similarity."""

    own_item_weight: float = Field(default=0.3, ge=0, le=1)
    """Share of a pseudo-query's target that stays on the item whose title it was made of."""

    checkpoint_every: int = Field(default=200, ge=1)
    """Steps between checkpoints, from which an interrupted run resumes exactly."""
