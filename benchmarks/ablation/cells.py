"""The cells of the ablation: each changes the settings of `quantize` and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.command import changed
from genrecall.config import Config

REFERENCE = "cq_sid"
BASELINE = "rq_vae"

_NO_CATEGORY = {"use_category": False, "category_penalty": None}
_NO_QUERY_ITEM = {"use_query_item": False}
_RQ_VAE = _NO_CATEGORY | _NO_QUERY_ITEM
_KMEANS = _RQ_VAE | {"training": {"epochs": 0}}
# Algorithm 1 of the paper: SIDs are split at random and nothing is merged or moved.
_RANDOM = {"method": "random", "merge_below": 0, "refine": 0}


@dataclass(frozen=True)
class Cell:
    """A setting to try.

    Attributes:
        name: of the cell, as in `metrics.json`.
        group: the table it stands in.
        quantize: changed settings of the section `quantize`.
        says: what it is, for the table.
    """

    name: str
    group: str
    quantize: Mapping[str, Any]
    says: str

    def applied_to(self, config: Config) -> Config:
        """The config of the cell."""
        return changed(config, {"quantize": self.quantize})


CELLS: tuple[Cell, ...] = (
    Cell("cq_sid", "parts", {}, "CQ-SID, as `genrecall run` makes it"),
    Cell("no_category", "parts", _NO_CATEGORY, "without the category level"),
    Cell("no_query_item", "parts", _NO_QUERY_ITEM, "without query-item contrast"),
    Cell("rq_vae", "parts", _RQ_VAE, "plain RQ-VAE: without both"),
    Cell("hard_category", "parts", {"category_penalty": None}, "the category forced (paper)"),
    Cell("residual_kmeans", "parts", _KMEANS, "residual k-means (FAISS), not trained"),
    Cell("soft_0.02", "category", {"category_penalty": 0.02}, "category penalty 0.02"),
    Cell("soft_0.1", "category", {"category_penalty": 0.1}, "category penalty 0.1"),
    Cell("soft_0.2", "category", {"category_penalty": 0.2}, "category penalty 0.2"),
    Cell("depth_1", "category", {"depth": 1}, "only the root of a category path"),
    Cell("min_items_100", "category", {"min_items": 100}, "categories of 100 items at least"),
    Cell("gamma_paper", "contrast", {"training": {"contrastive_weight": 0.001}}, "γ = 0.001"),
    Cell("gamma_1", "contrast", {"training": {"contrastive_weight": 1.0}}, "γ = 1"),
    Cell(
        "loss_paper",
        "contrast",
        {"training": {"commitment_weight": 1.0, "contrastive_weight": 0.001}},
        "β = 1, γ = 0.001 (paper)",
    ),
    Cell("codes_16x8", "codebooks", {"k2": 16, "k3": 8}, "K2 × K3 = 16 × 8"),
    Cell("codes_64x64", "codebooks", {"k2": 64, "k3": 64}, "K2 × K3 = 64 × 64"),
    Cell("items_2", "codebooks", {"items_per_sid": 2}, "2 items per SID wanted"),
    Cell("items_10", "codebooks", {"items_per_sid": 10}, "10 items per SID wanted"),
    Cell("split_random", "sizes", {"clusters": _RANDOM}, "random split at T_max, no merging"),
    Cell(
        "split_paper",
        "sizes",
        {"clusters": _RANDOM | {"t_max": 50}},
        "random split at T_max = 50 (paper), no merging",
    ),
    Cell(
        "split_overflow",
        "sizes",
        {"clusters": {"method": "overflow", "merge_below": 0, "refine": 0}},
        "overflow to the next nearest code, no merging",
    ),
    Cell(
        "split_kmeans",
        "sizes",
        {"clusters": {"merge_below": 0, "refine": 0}},
        "balanced k-means split, no merging",
    ),
    Cell("no_refine", "sizes", {"clusters": {"refine": 0}}, "k-means split and merging only"),
    Cell("random", "sizes", {"clusters": {"method": "random"}}, "random split, then merging"),
    Cell("overflow", "sizes", {"clusters": {"method": "overflow"}}, "overflow, then merging"),
    Cell(
        "rq_vae_split_random",
        "sizes",
        _RQ_VAE | {"clusters": _RANDOM},
        "plain RQ-VAE, random split, no merging",
    ),
)
