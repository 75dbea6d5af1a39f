"""Who searches: interests that choose the searches, taste that chooses the clicks.

Shapes: `U` shoppers, `G` groups of product types, `B` brands, `C` colours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from genrecall.shop.assortment import DEPARTMENTS
from genrecall.shop.catalog import Floats, Numbers, ShopCatalog
from genrecall.shop.config import ShopConfig
from genrecall.shop.products import BRANDS

GENDERS: Final = ("female", "male")
AGE_BANDS: Final = ("18-24", "25-34", "35-44", "45-54", "55+")
_AGE_SHARES: Final = (0.16, 0.28, 0.24, 0.18, 0.14)

FAVOURITE: Final = 1.6
"""What a favourite brand or colour adds to the log-odds of a click."""

AUDIENCE_FIT: Final = np.array(
    # "",  Women's, Men's, Kids'
    [[0.0, 0.4, -2.5, -0.8], [0.0, -2.5, 0.4, -0.8]]
)
"""What an item's audience adds to the log-odds of a click, for each of `GENDERS`."""

BASE: Final = -1.6
"""Log-odds of a click on an average item that is what was wanted and is looked at."""


@dataclass(frozen=True, eq=False)
class Shoppers:
    """All shoppers; `user_ids`, membership, and gender if `tells_gender`, are on record.

    Args:
        gender: position in `GENDERS`, `[U]`.
        tells_gender: whether the shop knows it, `[U]`.
        age_band: position in `AGE_BANDS`, `[U]`.
        member: whether they pay for a membership, `[U]`.
        activity: how much they search, `[U]`, sums to 1.
        interest: how likely they search in each group, `[U, G]`, rows sum to 1.
        brand_taste: what a brand adds to the log-odds of a click, `[U, B]`.
        colour_taste: the same of a colour, `[U, C + 1]`; the last column is "no colour".
        price_level: price that they like best, as `ShopCatalog.price_level`, `[U]`.
    """

    gender: Numbers
    tells_gender: NDArray[np.bool_]
    age_band: Numbers
    member: NDArray[np.bool_]
    activity: Floats
    interest: Floats
    brand_taste: Floats
    colour_taste: Floats
    price_level: Floats

    def __len__(self) -> int:
        return len(self.gender)

    @property
    def user_ids(self) -> list[str]:
        """Name of each shopper, `[U]`."""
        return [f"u{number:05d}" for number in range(len(self))]

    def attraction(self, catalog: ShopCatalog, users: Numbers, rows: Numbers) -> Floats:
        """Probability that a shopper clicks an item that is what was wanted and is looked at.

        Args:
            catalog: the shop's items.
            users: who, of any shape that broadcasts against `rows`.
            rows: catalog rows.
        """
        chance: Floats = 1 / (1 + np.exp(-self.log_odds(catalog, users, rows)))
        return chance

    def log_odds(self, catalog: ShopCatalog, users: Numbers, rows: Numbers) -> Floats:
        """Log-odds of `attraction`."""
        off_price = catalog.price_level[rows] - self.price_level[users]
        log_odds: Floats = (
            BASE
            + 0.6 * catalog.attractiveness[rows]
            + self.brand_taste[users, catalog.brand_of[rows]]
            + self.colour_taste[users, catalog.colour_of[rows]]
            - 0.35 * off_price**2
            + AUDIENCE_FIT[self.gender[users], catalog.audience_of[rows]]
        )
        return log_odds


def make_shoppers(catalog: ShopCatalog, config: ShopConfig, rng: np.random.Generator) -> Shoppers:
    """Draw the shoppers."""
    n = config.shoppers
    gender = rng.integers(0, 2, n)
    age_band = rng.choice(len(AGE_BANDS), n, p=_AGE_SHARES)
    member = rng.random(n) < 0.3
    activity = rng.lognormal(0, 1, n)
    return Shoppers(
        gender=gender,
        tells_gender=rng.random(n) >= 0.15,
        age_band=age_band,
        member=member,
        activity=activity / activity.sum(),
        interest=_interests(gender, age_band, rng),
        brand_taste=_brand_taste(n, rng),
        colour_taste=_colour_taste(n, len(catalog.colours), rng),
        price_level=0.25 * (age_band - 2) + 0.5 * member + rng.normal(-0.1, 0.6, n),
    )


def _interests(gender: Numbers, age_band: Numbers, rng: np.random.Generator) -> Floats:
    """Everybody likes a few groups; people of one gender or age like somewhat the same ones."""
    n_groups = sum(len(department.groups) for department in DEPARTMENTS)
    by_gender = rng.normal(0, 0.5, (len(GENDERS), n_groups))
    by_age = rng.normal(0, 0.5, (len(AGE_BANDS), n_groups))
    own = rng.normal(0, 1.3, (len(gender), n_groups))
    weight = np.exp(own + by_gender[gender] + by_age[age_band])
    share: Floats = weight / weight.sum(1, keepdims=True)
    return share


def _brand_taste(n: int, rng: np.random.Generator) -> Floats:
    """Two favourite brands in each department, the others nearly alike."""
    taste: Floats = rng.normal(0, 0.35, (n, len(BRANDS)))
    first = 0
    for department in DEPARTMENTS:
        count = len(department.brands)
        favourites = first + np.argsort(rng.random((n, count)), axis=1)[:, :2]
        np.put_along_axis(taste, favourites, FAVOURITE, axis=1)
        first += count
    return taste


def _colour_taste(n: int, n_colours: int, rng: np.random.Generator) -> Floats:
    taste: Floats = rng.normal(0, 0.4, (n, n_colours + 1))
    favourites = np.argsort(rng.random((n, n_colours)), axis=1)[:, : max(n_colours // 8, 1)]
    np.put_along_axis(taste, favourites, FAVOURITE, axis=1)
    taste[:, -1] = 0
    return taste
