"""Settings of what follows recall: how the lists of several channels become one answer."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from genrecall.foundation.settings import Section


class FusionConfig(Section):
    """How the lists of several channels become one. The paper hands the union to its rankers."""

    method: Literal["scores", "rrf"] = "scores"
    """What a channel says of an item: `scores`, its score between those of the last and the first
    item of the list; `rrf`, one over its rank plus `rrf_k`. Scores keep what ranks lose: how far
    apart items are, and that BM25 often has ties."""
    rrf_k: int = Field(default=60, ge=0)
    """Added to ranks, which are counted from 1; larger values make the head of a list matter
    less. 60 is what Cormack et al. use. Only for `rrf`."""
    folds: int = Field(default=2, ge=2)
    """Parts into which searches are cut to fit weights and report on the same split: each search is
    fused with weights fitted on the other parts."""


class FunnelConfig(Section):
    """From the channels' lists to one answer."""

    fusion: FusionConfig = FusionConfig()
    """How the lists become one."""
