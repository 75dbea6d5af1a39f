"""Settings of the alignment: EG-GRPO, towards what the ranker shows and shoppers choose."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import Field, ValidationError, model_validator

from genrecall.foundation.settings import Section

Arm = Literal["more_sft", "grpo_k0", "eg_grpo_k1", "eg_grpo_k2", "eg_grpo_k4", "experts_only"]
"""A way to train on from stage 3, by its name in `metrics.json`."""

ARMS: Final[dict[Arm, dict[str, Any]]] = {
    "more_sft": {"learn_from": "clicks"},
    "grpo_k0": {"learn_from": "groups", "experts": 0},
    "eg_grpo_k1": {"learn_from": "groups", "experts": 1},
    "eg_grpo_k2": {"learn_from": "groups", "experts": 2},
    "eg_grpo_k4": {"learn_from": "groups", "experts": 4},
    "experts_only": {"learn_from": "experts"},
}
"""What an arm changes in the settings that all share."""


class RewardConfig(Section):
    """What a generated SID is worth in a search: the first of these that applies.

    The ladder of EG-GRPO (arXiv 2605.14434, §3.3): an item behind the SID was bought, clicked, or
    only shown; or the SID at least exists.
    """

    bought: float = 1.0
    """An item of the SID was bought. Paper: 1.0."""

    clicked: float = 1.0
    """An item was clicked. Paper: 1.0."""

    exposed: float = 0.5
    """An item was shown. Paper: 0.5."""

    valid: float = 0.1
    """The SID exists. Paper: 0.1."""

    invalid: float = 0.0
    """It does not. Paper: 0. The decoder never generates such a SID."""

    gmv: float = Field(default=0.0, ge=0, le=1)
    """Share of `bought` that counts by money: at 1 a purchase at twice the mean price of all
    purchases is worth twice `bought`. Needs prices."""

    function: str | None = Field(default=None, pattern=r"^[\w.]+:\w+$")
    """A Python function that rewards SIDs instead of the ladder, as `module:function`; see
    `align/scorers.py`. A change of its code does not run the stage again."""

    url: str | None = Field(default=None, pattern=r"^https?://")
    """An HTTP service that does."""

    timeout: float = Field(default=5.0, gt=0)
    """Seconds that the service at `url` may be silent; a function has all the time it takes."""

    @property
    def own(self) -> str | None:
        """What rewards instead of the ladder, by its name."""
        return self.function or self.url

    @model_validator(mode="after")
    def _check(self) -> RewardConfig:
        if not (self.own or self.gmv) and self.bought == self.clicked == self.exposed == self.valid:
            raise ValueError(
                f"bought, clicked, exposed and valid are all {self.valid:g}: no SID is worth more "
                "than another, and nothing can be learned. Give what was chosen a higher reward."
            )
        if self.function is not None and self.url is not None:
            raise ValueError("both function and url are given; SIDs are rewarded by one of them.")
        if self.gmv and (self.function or self.url):
            raise ValueError("gmv is part of the ladder, and function or url stands in its place.")
        return self


class AlignConfig(Section):
    """EG-GRPO: reinforcement learning with injected ground truth.

    Groups of generated SIDs, some of them the search's own (experts), are rewarded by what the
    search's page showed and its shopper chose; see `docs/alignment.md`.
    """

    steps: int = Field(default=0, ge=0)
    """Steps; 0, the default, aligns nothing. Paper: 1,000. Only where a log has impressions."""

    searches: int = Field(default=128, ge=1)
    """Searches of a step, each with a group. Paper: 512 rollouts, which are 64 groups of 8; twice
    as many bring less noise into the first place."""

    group: int = Field(default=8, ge=2)
    """SIDs `G` of a group. Paper: 8."""

    experts: int = Field(default=2, ge=0)
    """SIDs `K` of the search that are injected into a group as if generated: of what was bought,
    then clicked, then shown. Paper: 2 is best; 0, without an anchor, is plain GRPO."""

    group_size: Literal["fixed", "enlarged"] = "fixed"
    """`fixed`: experts take places of generated SIDs, so a group has `group` members; `enlarged`:
    they stand beside `group` generated ones. Readers of the paper disagree which it means."""

    inject: Literal["always", "when_no_hit"] = "always"
    """`when_no_hit`: only into a group in which no generated SID was chosen; of a search without a
    choice, none was shown. Paper: always."""

    expert_ratio: Literal["old_policy", "one", "behaviour_one", "gbpo"] = "old_policy"
    """Importance ratio of an expert, which the paper does not state; see `align/objective.py`."""

    expert_negative: Literal["keep", "zero"] = "keep"
    """`zero`: an expert whose advantage is negative, such as one that was only shown where others
    were clicked, is not pushed down."""

    baseline: Literal["group", "on_policy", "leave_one_out"] = "group"
    """What a reward is compared with: the mean of the group (paper), of its generated members, or
    of all other members."""

    scale: Literal["std", "none"] = "std"
    """Whether advantages are divided by the standard deviation of the rewards (paper)."""

    clip_low: float = Field(default=0.2, gt=0, lt=1)
    """A ratio below `1 - clip_low` earns nothing more."""

    clip_high: float = Field(default=0.28, gt=0)
    """A ratio above `1 + clip_high` earns nothing more; larger than `clip_low` by DAPO."""

    inner_steps: int = Field(default=1, ge=1)
    """Optimizer steps on each batch of groups; ratios leave 1 in the second."""

    kl_weight: float = Field(default=0.1, ge=0)
    """Weight β of the divergence from stage 3. Paper: 1.0, for a rate of 1e-6; with ours that
    holds the model where it is."""

    kl: Literal["exact", "k3"] = "exact"
    """`exact`: over all that may follow each visited prefix; `k3`: estimated from the members."""

    anchor: float = Field(default=1.0, ge=0)
    """Weight of the cross entropy of SIDs that were chosen, beside the objective. Paper: none.
    Without it clicks are traded for exposures, which are ten times as many."""

    anchor_searches: int = Field(default=512, ge=1)
    """Searches of a step whose choices the anchor takes, beside those of the groups; they cost a
    fraction of a group."""

    redraw_flat: bool = False
    """Replace groups whose rewards are all equal, which teach nothing, by groups of other searches
    (DAPO's dynamic sampling)."""

    learn_from: Literal["groups", "experts", "clicks"] = "groups"
    """`experts`: generated members are compared with and not learned from; `clicks`: no groups,
    only the cross entropy of what was chosen. Both are controls."""

    temperature: float = Field(default=1.0, gt=0)
    """At which SIDs are generated. The policy itself has 1: at another temperature rare SIDs weigh
    more, or less, than the gradient of the expected reward gives them."""

    distinct: bool = False
    """Whether the generated SIDs of a group are all different, drawn without replacement, so that
    a group resembles the beams that serve. Rare SIDs then weigh as much as frequent ones."""

    shopper_dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of the prompts that are anonymous though the shopper is known: without history and
    profile."""

    history_dropout: float = Field(default=0.3, ge=0, le=0.5)
    """Share of the items left out of a prompt's history; of one more, of another less, up to twice
    as many. Of what is left the generator reads the latest."""

    learning_rate: float = Field(default=2e-4, gt=0)
    """Peak rate of the dense weights, falling linearly to 5 % of it. By default 2e-4 for `compact`,
    and for `lm` a tenth of that of stage 3: 2e-4 to 3e-5 from scratch, 4e-6 for a pretrained one.
    Paper: 1e-6, for half a billion weights."""

    embedding_learning_rate: float = Field(default=1e-3, gt=0)
    """Peak rate of the subword embeddings; only for family `compact`."""

    rewards: RewardConfig = RewardConfig()
    """What SIDs are worth."""

    validate_every: int = Field(default=100, ge=1)
    """Steps between two measurements on validation searches, the best of which is kept."""

    validation_searches: int = Field(default=2000, ge=1)
    """Validation searches that are measured, drawn evenly where there are more."""

    controls: tuple[Arm, ...] = ()
    """Further arms that are trained from the same start with the same settings, and measured."""

    @property
    def batch(self) -> int:
        """SIDs that a step generates, or learns from where it generates none."""
        if self.learn_from == "clicks":
            return self.anchor_searches
        return self.searches * self.group

    @property
    def name(self) -> str:
        """What these settings are called in `metrics.json`."""
        if self.learn_from != "groups":
            return {"clicks": "more_sft", "experts": "experts_only"}[self.learn_from]
        return f"eg_grpo_k{self.experts}" if self.experts else "grpo_k0"

    def arm(self, name: Arm) -> AlignConfig:
        """The settings of a control.

        Raises:
            ValidationError: it cannot be trained with the others of these settings.
        """
        return AlignConfig.model_validate(self.model_dump() | {"controls": ()} | ARMS[name])

    @model_validator(mode="after")
    def _check(self) -> AlignConfig:
        if self.group_size == "fixed" and self.experts >= self.group:
            raise ValueError(
                f"experts {self.experts} leave no place for a generated SID in a group of "
                f"{self.group}. Give fewer experts, a larger group, or group_size: enlarged."
            )
        if self.learn_from == "experts" and not self.experts:
            raise ValueError("learn_from: experts, and experts is 0: there is nothing to learn.")
        names = (self.name, *self.controls)
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(
                f"{', '.join(repeated)} would be trained twice. Name each control once, and not "
                f"{self.name}, which is what these settings train anyway."
            )
        for name in self.controls:
            try:
                self.arm(name)
            except ValidationError as error:
                cause = error.errors()[0]["msg"].removeprefix("Value error, ")
                raise ValueError(f"controls: {name} cannot be trained: {cause}") from error
        return self
