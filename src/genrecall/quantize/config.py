"""Settings of the quantize stage: CQ-SID (arXiv 2605.14434, §3.1)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from genrecall.foundation.settings import BundleKind, Section


class TrainingConfig(Section):
    """Training of the RQ-VAE."""

    hidden: int = Field(default=256, ge=1)
    """Width of the hidden layer of encoder and decoder. The paper's is not known."""

    latent: int | None = Field(default=None, ge=1)
    """Width of the latents; null for the width of the item vectors, with which the encoder starts
    as the identity. The paper's is not known."""

    epochs: int = Field(default=10, ge=0)
    """Passes over the catalog, each item once a pass. 0 leaves residual k-means: the start without
    training."""

    batch_size: int = Field(default=1024, ge=2)
    """Items per step. Paper: 128, at 37.5 M samples; larger batches hold more negatives and are
    faster on a CPU."""

    learning_rate: float = Field(default=3e-4, gt=0)
    """First learning rate of AdamW, falling linearly to a hundredth. The paper's is not known."""

    commitment_weight: float = Field(default=0.1, ge=0)
    """β, weight of the commitment loss. Paper: 1.0, which pulls latents that already fit the
    queries together: nearest items by latent then find fewer relevant items."""

    contrastive_weight: float = Field(default=0.1, ge=0)
    """γ, weight of the query-item InfoNCE. Paper: 0.001, for losses of another scale; our squared
    errors of vectors of length 1 stay below 2, and at 0.001 the term changes nothing."""

    temperature: float = Field(default=0.1, gt=0)
    """τ of the InfoNCE. Paper: 0.1."""

    ema_decay: float = Field(default=0.99, gt=0, lt=1)
    """λ: share of a code that stays at each step. Paper: 0.99."""

    restart_below: float = Field(default=0.1, ge=0)
    """A code whose running mean is fewer items than this per pass over the catalog has died and
    restarts at a random residual; 0 turns it off. The paper restarts dead codes but does not say
    when."""


class ClusterConfig(Section):
    """Cluster size control, once after training.

    `method` changes level 3 only; `merge_below` and `refine` are ours and move items between SIDs
    of one category.
    """

    t_max: int | None = Field(default=None, ge=1)
    """T_max, most items of a SID; null for 3/2 of `items_per_sid`,
    rounded down. Paper: 50, for a catalog of 21 M
    items and an answer of 1,000."""

    g_max: int = Field(default=100, ge=1)
    """G_max, most groups that a SID is split into; beyond `t_max · g_max` items it stays larger.
    Paper: 100."""

    method: Literal["kmeans", "random", "overflow"] = "kmeans"
    """What happens to a SID that is too large. `random`: the paper's, random groups; `kmeans`:
    groups by balanced k-means of the latents; `overflow`: it keeps its nearest `t_max` items and
    the others take the next nearest code of level 3 with room."""

    merge_below: int | None = Field(default=None, ge=0)
    """A SID with fewer items joins the nearest SID of its category with room; null for half of
    `items_per_sid`, rounded up; 0 for never. Not in the paper: a beam spent on one item is a beam
    wasted."""

    refine: int = Field(default=3, ge=0)
    """Rounds in which every item moves to the nearest SID of its category with room, as an item
    that arrives later would. Not in the paper."""


class WarmConfig(Section):
    """What happens to the SIDs of `warm_start`. Not in the paper."""

    epochs: int = Field(default=2, ge=0)
    """Passes over the catalog in which the old weights and codes follow the new items; takes the
    place of `training: epochs`."""

    margin: float = Field(default=0.2, ge=0, le=1)
    """An item keeps its SID unless another one of its category is nearer by this share of the
    distance; 1 for always."""


class QuantizeConfig(Section):
    """The quantize stage. With `use_category` and `use_query_item` off it is a plain RQ-VAE."""

    use_category: bool = True
    """Level 1 is the item's category code, or one that `category_penalty` lets it take; off: the
    nearest code, like the other levels."""

    category_penalty: float | None = Field(default=0.05, ge=0)
    """Squared distance that level 1 pays for a code other than the item's category's. Latents have
    length 1, so 0 takes the nearest code and 4 or more always the category's; null forces it. The
    paper forces it; on our data a small penalty finds more: an item whose neighbours are in another
    category may join them."""

    use_query_item: bool = True
    """Train with the query-item InfoNCE."""

    min_items: int = Field(default=20, ge=1)
    """A category with fewer items rolls up to its parent. The paper uses leaf categories."""

    max_categories: int = Field(default=2048, ge=1)
    """Most categories of level 1. Paper: K1 = 2048, for about 1,711 categories in use."""

    depth: int | None = Field(default=None, ge=1)
    """How many steps of a category path count; null for all."""

    reserve: int | None = Field(default=None, ge=1)
    """Level-1 codes without a category, for items whose category is unknown or new; null for as
    many as those items fill at the mean size of a category. Paper: about 337."""

    items_per_sid: int = Field(default=5, ge=1)
    """Wanted items per SID: sets K2, K3, `t_max` and `merge_below` unless they are given. Small for
    a small catalog, where 100 beams should hold about 500 items."""

    k2: int | None = Field(default=None, ge=1)
    """Codes of level 2; null for the rule of `codebook_sizes`. Paper: 1024."""

    k3: int | None = Field(default=None, ge=1)
    """Codes of level 3 before cluster size control; null for the rule. Paper: 1024."""

    training: TrainingConfig = TrainingConfig()
    """Training of the RQ-VAE."""

    clusters: ClusterConfig = ClusterConfig()
    """Cluster size control."""

    warm_start: Annotated[Path, BundleKind(("data", "quantize"))] | None = None
    """A bundle of an earlier catalog whose SIDs are to be kept: items that it holds keep theirs,
    new items take those that are there, and the SID space only grows. It must not lie in the folder
    that the run replaces. The text encoder may have been trained anew, with the same `dim`: a SID
    is known by its items. `min_items` counts for new categories only; `k2`, `k3`, `reserve`,
    `depth` and the widths stay as they were. Null makes the SIDs anew."""

    warm: WarmConfig = WarmConfig()
    """How SIDs of `warm_start` are kept."""

    @property
    def t_max(self) -> int:
        """Most items of a SID, given or by the rule."""
        return self.clusters.t_max or 3 * self.items_per_sid // 2

    @property
    def merge_below(self) -> int:
        """Size below which a SID joins another, given or by the rule."""
        given = self.clusters.merge_below
        return -(-self.items_per_sid // 2) if given is None else given
