"""Settings of the generator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, assert_never

from pydantic import Field, ValidationInfo, field_validator, model_validator

from genrecall.data.shoppers import HISTORY
from genrecall.foundation.settings import BundleFolder, Section
from genrecall.generator.align_config import AlignConfig
from genrecall.generator.lm.config import LmConfig


class StageConfig(Section):
    """One supervised stage.

    As a part of `GeneratorConfig`, what is not set is what suits the family and the stage.
    """

    steps: int = Field(ge=0)
    """Optimizer steps; 0 skips the stage. The paper trains stage 1 for 2,000 and stage 2 for 2,500
    steps of a language model; a compact model needs about as many of larger batches."""

    batch: int = Field(default=1024, ge=1)
    """Prompts per step. By default 1,024 for `compact`, 512 in stage 3: large batches make a small
    model fast on CPUs. For `lm` from scratch 256 to 1,024 by its size. For a pretrained one the
    paper's: 128, 256 and 64."""

    learning_rate: float = Field(default=1.5e-3, gt=0)
    """Peak rate of the dense weights, falling linearly to 5 % of it. By default 1.5e-3 for
    `compact`, 5e-4 in stage 3. For `lm` from scratch 2e-3 to 3e-4 by its size, falling with it. For
    a pretrained one the paper's: 1e-4, 4e-5 and 4e-5."""

    embedding_learning_rate: float = Field(default=8e-3, gt=0)
    """Peak rate of the subword embeddings, whose sparse gradients touch a row rarely; 1e-3 by
    default in stage 3. Only for family `compact`: in `lm` they learn at `learning_rate`."""


_COMPACT: Final[Mapping[str, Mapping[str, Any]]] = {
    "item_to_sid": {},
    "query_to_sid": {},
    "user_query_to_sid": {"batch": 512, "learning_rate": 5e-4, "embedding_learning_rate": 1e-3},
}
"""Where a stage of `compact` differs from the defaults of `StageConfig`."""


class DistillConfig(Section):
    """A teacher whose distribution over SIDs is learned beside the log."""

    teacher: BundleFolder
    """A bundle with the same SIDs, as a rule of family `lm`: made from the same data with the same
    settings up to the generator."""

    prompts: int = Field(default=50_000, ge=1)
    """Prompts that the teacher answers before training; at most half of them logged queries, the
    rest pseudo-queries."""

    beam: int = Field(default=32, ge=1)
    """SIDs kept of each answer."""

    share: float = Field(default=0.5, gt=0, le=1)
    """Share of stage-2 prompts with the teacher's targets; the other sources share the rest."""


Family = Literal["compact", "lm"]

TRAINED_BY_SEVERAL: Final[tuple[Family, ...]] = ("lm",)
"""Families that several processes can train together."""


class GeneratorConfig(Section):
    """The generator and its supervised stages."""

    family: Family = "compact"
    """`compact`: a subword encoder with an autoregressive head over the three codes. `lm`: a causal
    language model, as in the paper; needs `pip install 'genrecall[lm]'`."""

    lm: LmConfig = LmConfig()
    """Only for family `lm`: its backbone and how it is trained."""

    dim: int = Field(default=128, ge=8)
    """Size of the vectors that a `compact` generator makes of texts itself."""

    width: int = Field(default=256, ge=8)
    """Size of the hidden state; only for family `compact`."""

    item_to_sid: StageConfig = Field(default=StageConfig(steps=200), validate_default=True)
    """Stage 1: a title generates its item's SID."""

    query_to_sid: StageConfig = Field(default=StageConfig(steps=2000), validate_default=True)
    """Stage 2: a query generates the SIDs of its relevant items."""

    user_query_to_sid: StageConfig = Field(default=StageConfig(steps=2000), validate_default=True)
    """Stage 3: a query and its shopper's profile and history generate the SIDs of what this shopper
    chose. Skipped where the log does not tell who searched and when. `compact` trains in it what
    reads the shopper and nothing else. Fewer steps where `shopper_passes` ends it. Paper: 5,000
    steps."""

    shopper_passes: float = Field(default=4.0, gt=0)
    """Stage 3 ends when it has read its searches so many times: in a small log, what single
    shoppers did is soon learned by heart."""

    history: int = Field(default=20, ge=0, le=HISTORY)
    """Items of a shopper's history that the generator reads, the latest; 0 for none, 200 at most:
    of a longer history no more is looked through."""

    related_categories: int = Field(default=0, ge=0)
    """Of so many categories related to the query a history's items are read; 0 for all. The paper
    reads related categories only. Off by default: `compact` attends with the query, and histories
    are seldom longer than what is read. For `lm`, whose prompt holds what is read, a quarter of the
    first codes in use is a start."""

    profile: bool = True
    """Whether the generator reads gender, age band and further fields of the users table."""

    profile_shoppers: int = Field(default=5, ge=1)
    """A value of those fields is learned if at least so many shoppers of the training searches have
    it. What only single shoppers have would tell who they are, its weight would be learned by
    heart, and it would stand in the bundle."""

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
    """SIDs drawn per prompt and step from its relevant items. Paper: up to three; a prompt that
    comes back draws others."""

    logged_share: float = Field(default=0.5, ge=0, le=1)
    """Share of stage-2 prompts that are logged or judged queries; pseudo-queries take their place
    in a shop without a log. With logged queries alone a small log is learned by heart. What titles
    and queries leave of a batch are pseudo-queries made of title words."""

    title_share: float = Field(default=0.1, ge=0, le=1)
    """Share of stage-2 prompts that are titles, so that stage 1 is not forgotten."""

    unlabelled_share: float = Field(default=0.2, ge=0, le=1)
    """Share of stage-2 prompts that are queries of which nobody knows what is relevant, those of
    `data.unlabelled` and of training searches in which nothing was chosen; of those no more are
    taken than there are pseudo-queries. Less where titles and logged queries leave less, and where
    they are so few that one would be drawn more often than a logged query, or without a log fifty
    times as often as a pseudo-query."""

    word_dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of a title's words left out where it is matched with a prompt."""

    temperature: float = Field(default=0.05, gt=0)
    """Only for family `compact`: temperature of the softmax that matches prompts and titles, of the
    one over SIDs in stage 3, and of the look-ahead that serves what they learn; in units of cosine
    similarity. That of the encoder's training is the natural choice."""

    pseudo_queries: int = Field(default=200_000, ge=0)
    """Pseudo-queries made once before stage 2, spread evenly over the items."""

    slips: float = Field(default=0.1, ge=0, le=1)
    """Share of the words of pseudo-queries that are mistyped."""

    teacher_items: int = Field(default=32, ge=1)
    """Soft targets of pseudo-queries and unlabelled queries: the dense channel's best items, that
    many. Of more than 131,072 items they are looked for in lists, which miss a few."""

    teacher_temperature: float = Field(default=0.04, gt=0)
    """Temperature of the softmax over those items, in units of cosine similarity."""

    own_item_weight: float = Field(default=0.3, ge=0, le=1)
    """Share of a pseudo-query's target that stays on the item whose title it was made of."""

    distill: DistillConfig | None = None
    """Whose answers stage 2 learns from, too; None for nobody's."""

    align: AlignConfig = Field(default=AlignConfig(), validate_default=True)
    """Stage 4: EG-GRPO. Off unless it has steps."""

    @field_validator("align")
    @classmethod
    def _suit_align(cls, align: AlignConfig, info: ValidationInfo) -> AlignConfig:
        """Fill in the rate that suits the family; see `_suit`."""
        given = align.model_fields_set
        if not {"family", "lm"} <= info.data.keys() or "learning_rate" in given:
            return align
        rate = AlignConfig.model_fields["learning_rate"].default
        if info.data["family"] == "lm":
            rate = info.data["lm"].training("user_query_to_sid").learning_rate / 10
        values = dict(align) | {"learning_rate": rate}
        return AlignConfig.model_construct(_fields_set=set(given), **values)

    @field_validator("item_to_sid", "query_to_sid", "user_query_to_sid")
    @classmethod
    def _suit(cls, stage: StageConfig, info: ValidationInfo) -> StageConfig:
        """Fill in what suits the family and the stage.

        It does not count as set, so that a stage validated for another family takes what suits it.
        """
        if not {"family", "lm"} <= info.data.keys():
            return stage  # one of them was refused
        assert info.field_name is not None
        family: Family = info.data["family"]
        match family:
            case "compact":
                usual = _COMPACT[info.field_name]
            case "lm":
                usual = info.data["lm"].training(info.field_name)._asdict()
            case _:
                assert_never(family)
        given = stage.model_dump(exclude_unset=True)
        return StageConfig.model_construct(_fields_set=set(given), **{**usual, **given})

    @model_validator(mode="after")
    def _check(self) -> GeneratorConfig:
        if self.logged_share + self.title_share > 1:
            raise ValueError(
                f"logged_share {self.logged_share} and title_share {self.title_share} are more "
                "than a whole batch; together they may be at most 1."
            )
        return self

    @property
    def trained_by_several(self) -> bool:
        """Whether several processes can train the family together."""
        return self.family in TRAINED_BY_SEVERAL
