"""Settings of the generator."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from genrecall.generator.lm.config import LmConfig
from genrecall.settings import Section


class StageConfig(Section):
    """One supervised stage."""

    steps: int = Field(ge=0)
    """Optimizer steps; 0 skips the stage. The paper trains stage 1 for 2,000 and stage 2 for 2,500
    steps of a language model; a compact model needs about as many of larger batches."""

    batch: int = Field(default=1024, ge=1)
    """Prompts per step. Paper: 128 and 256. Large batches make a small model fast on CPUs."""

    learning_rate: float = Field(default=1.5e-3, gt=0)
    """Peak rate of the dense weights, falling linearly to 5 % of it. Paper: 1e-4 and 4e-5, for a
    pretrained model; ours starts small and from scratch."""

    embedding_learning_rate: float = Field(default=8e-3, gt=0)
    """Peak rate of the subword embeddings, whose sparse gradients touch a row rarely."""


class DistillConfig(Section):
    """A teacher whose distribution over SIDs is learned beside the log."""

    teacher: Path
    """A bundle with the same SIDs, as a rule of family `lm`: made from the same data with the same
    settings up to the generator."""

    prompts: int = Field(default=50_000, ge=1)
    """Prompts that the teacher answers before training; at most half of them logged queries, the
    rest pseudo-queries."""

    beam: int = Field(default=32, ge=1)
    """SIDs kept of each answer."""

    share: float = Field(default=0.5, gt=0, le=1)
    """Share of stage-2 prompts with the teacher's targets; the other sources share the rest."""


class GeneratorConfig(Section):
    """The generator and its supervised stages."""

    family: Literal["compact", "lm"] = "compact"
    """`compact`: a subword encoder with an autoregressive head over the three codes. `lm`: a causal
    language model, as in the paper; needs `pip install 'genrecall[lm]'`."""

    lm: LmConfig = LmConfig()
    """Only for family `lm`: its backbone and how it is trained."""

    width: int = Field(default=256, ge=8)
    """Size of the hidden state; only for family `compact`."""

    item_to_sid: StageConfig = StageConfig(steps=200)
    """Stage 1: a title generates its item's SID."""

    query_to_sid: StageConfig = StageConfig(steps=2000)
    """Stage 2: a query generates the SIDs of its good items."""

    user_query_to_sid: StageConfig = StageConfig(
        steps=2000, batch=512, learning_rate=5e-4, embedding_learning_rate=1e-3
    )
    """Stage 3: a query and its shopper's profile and history generate the SIDs of what this shopper
    chose. Skipped where the log does not tell who searched and when. `compact` trains in it what
    reads the shopper and nothing else. Fewer steps where `shopper_passes` ends it. Paper: 5,000
    steps of 64."""

    shopper_passes: float = Field(default=4.0, gt=0)
    """Stage 3 ends when it has read its searches so many times: in a small log, what single
    shoppers did is soon learned by heart."""

    history: int = Field(default=20, ge=0)
    """Items of a shopper's history that the generator reads, the latest; 0 for none."""

    related_categories: int = Field(default=0, ge=0)
    """Of so many categories related to the query a history's items are read; 0 for all. The paper
    reads related categories only. Off by default: `compact` attends with the query, and histories
    are seldom longer than what is read. For `lm`, whose prompt holds what is read, a quarter of the
    first codes in use is a start."""

    profile: bool = True
    """Whether the generator reads gender, age band and further fields of the users table."""

    shopper_share: float = Field(default=0.8, ge=0, le=1)
    """Share of stage-3 prompts that are searches with their shopper. The rest are those of stage 2,
    so that a shopper of whom nothing is known is answered, too."""

    shopper_dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of the stage-3 prompts from which the history is withheld, and, independently, of those
    from which the profile is."""

    history_dropout: float = Field(default=0.3, ge=0, le=0.5)
    """Share of the items left out of a stage-3 prompt's history; of one prompt's more, of another's
    less, up to twice as many. Whole histories would be learned by heart."""

    targets: int = Field(default=2, ge=1)
    """SIDs drawn per prompt and step from its good items. Paper: up to three; a prompt that comes
    back draws others."""

    logged_share: float = Field(default=0.5, ge=0, le=1)
    """Share of stage-2 prompts that are logged or judged queries; pseudo-queries take their place
    in a shop without a log. With logged queries alone a small log is learned by heart."""

    title_share: float = Field(default=0.1, ge=0, le=1)
    """Share of stage-2 prompts that are titles, so that stage 1 is not forgotten. The rest are
    pseudo-queries made of title words."""

    word_dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of a title's words left out where it is matched with a prompt."""

    match_temperature: float = Field(default=0.05, gt=0)
    """Temperature of the softmax that matches prompts and titles, in units of cosine similarity."""

    pseudo_queries: int = Field(default=200_000, ge=0)
    """Pseudo-queries made once before stage 2, spread evenly over the items."""

    teacher_items: int = Field(default=32, ge=1)
    """Soft targets of a pseudo-query: the dense channel's best items, that many."""

    teacher_temperature: float = Field(default=0.04, gt=0)
    """Temperature of the softmax over those items, in units of cosine similarity."""

    own_item_weight: float = Field(default=0.3, ge=0, le=1)
    """Share of a pseudo-query's target that stays on the item whose title it was made of."""

    distill: DistillConfig | None = None
    """Whose answers stage 2 learns from, too; None for nobody's."""

    checkpoint_every: int = Field(default=200, ge=1, exclude=True)
    """Steps between checkpoints, from which an interrupted run resumes exactly; no result
    depends on it."""

    @model_validator(mode="after")
    def _check(self) -> GeneratorConfig:
        if self.logged_share + self.title_share > 1:
            raise ValueError(
                f"logged_share {self.logged_share} and title_share {self.title_share} are more "
                "than a whole batch; together they may be at most 1."
            )
        return self
