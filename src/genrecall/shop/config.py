"""How large the synthetic shop is and how its shoppers behave."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from genrecall.foundation.settings import Section


class ShopConfig(Section):
    """The synthetic shop. The same config gives the same bytes."""

    seed: int = Field(default=1, ge=0)
    """Decides everything that is drawn at random."""
    log_seed: int | None = Field(default=None, ge=0)
    """Decides the chance of the log alone, for another log of the same items, shoppers and queries:
    who searches what and when, which queries the words of the engine understand, what is shown and
    clicked. None for what follows from `seed`."""
    items: int = Field(default=8_000, ge=100, le=200_000)
    """Items in the catalog, variants counted apart. A small shop sells fewer product types: one
    for every `ITEMS_PER_TYPE` items. The paper's pool has 21 million; 8,000 fit a demo."""
    searches: int = Field(default=40_000, ge=100)
    """Searches in the log. The paper's log of one month has about 90 million."""
    shoppers: int = Field(default=2_000, ge=10)
    """Shoppers behind the searches."""
    days: int = Field(default=30, ge=2, le=3_650)
    """Length of the log in days."""
    start: int = Field(default=1_740_787_200, ge=0)
    """First second of the log, in seconds since 1970 (UTC); by default 1 March 2025."""
    new_items_per_day: float = Field(default=0.005, ge=0, le=0.1)
    """Items that enter on each day of the log, as a share of the catalog; at most half of the
    catalog enters during the log."""
    sold_out: float = Field(default=0.02, ge=0, le=0.5)
    """Share of the items that leave the shelves within the first three quarters of the log."""
    without_category: float = Field(default=0.08, ge=0, le=1)
    """Share of the items whose category is unknown."""
    distinct_queries: int = Field(default=12_000, ge=50)
    """Distinct queries that shoppers choose from, at most."""
    zipf_exponent: float = Field(default=1.0, ge=0, le=3)
    """How unequal queries are: the `r`-th most frequent one has a share proportional to
    `(r + zipf_offset) ** -zipf_exponent`."""
    zipf_offset: float = Field(default=8.0, ge=0)
    """Flattens the very head, as measured in logs of real shops: the most frequent query gets
    about 1 % of the searches."""
    misspelled: float = Field(default=0.18, ge=0, le=1)
    """Probability that a query is mistyped when it is thought up. Mistyped queries are rarely the
    same twice, so they are more of the distinct queries and live in the tail."""
    anonymous: float = Field(default=0.25, ge=0, le=1)
    """Share of the searches whose shopper the log does not know."""
    impressions: int = Field(default=20, ge=1, le=1_000)
    """Items shown in answer to a search, at most."""
    shopper_model: Literal["position", "cascade"] = "position"
    """How shoppers read what is shown: `position`, every position with a probability of its own;
    `cascade`, from the top until they have had enough or bought. See `browsing.py`."""
    personal_ranking: float = Field(default=0.0, ge=0, le=2)
    """How much the shop's ranker knows and follows the shopper's taste: what one unit of the
    log-odds of a click weighs in its order, beside a match between 0 and 1. At 0 all shoppers are
    shown the same; at 0.1 an item of a favourite brand comes as if it matched 0.16 better."""
    position_bias: float = Field(default=0.6, ge=0, le=3)
    """`position`: a shopper looks at position `p` (from 1) with probability
    `p ** -position_bias`."""
    patience: float = Field(default=0.85, ge=0, le=1)
    """`cascade`: probability that a shopper reads on after an item that was not clicked."""
    after_click: float = Field(default=0.7, ge=0, le=1)
    """`cascade`: probability that a shopper reads on after a click without a purchase. With these
    two a page of 10 gets about as many clicks as by `position`: 0.95 and 1.00 a search, and in
    both models at least one in 61 % of the searches."""
