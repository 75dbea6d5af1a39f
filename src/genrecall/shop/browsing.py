"""How shoppers read what is shown to them: at what they look, what they click and buy.

Two models from Craswell et al., An Experimental Comparison of Click Position-Bias Models, WSDM
2008. `position` is their examination hypothesis: a click takes an item that appeals and a look at
it, which depends on the position alone. `cascade` is their cascade model, a reader who goes from
the top down, with several clicks as in the dependent click model of Guo et al., Efficient
Multiple-Click Models in Web Search, WSDM 2009. There the reader goes on after a click with a
probability of the position, and always after an item that was passed over. Here it is one
probability for each of the two at all positions, and a purchase ends the search.

The appeal of an item is the probability that a shopper clicks it who looks at it; it is 0 at empty
positions. Shapes: `n` searches, `k` positions.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrecall.shop.catalog import Floats
from genrecall.shop.config import ShopConfig

PURCHASE: Final = 0.2
"""Probability that a click on a fully relevant item to the shopper's taste ends in a purchase."""


class Chance(NamedTuple):
    """What decides, drawn evenly between 0 and 1.

    Attributes:
        click: whether an item is clicked, `[n, k]`.
        buy: whether a click is a purchase, `[n, k]`.
        go_on: whether the shopper reads on behind an item, `[n, k]`; None where the model does not
            ask.
    """

    click: Floats
    buy: Floats
    go_on: Floats | None = None


class Browsed(NamedTuple):
    """What shoppers did.

    Attributes:
        clicked: which items were clicked, `[n, k]`.
        bought: which were bought, always clicked ones, `[n, k]`.
    """

    clicked: NDArray[np.bool_]
    bought: NDArray[np.bool_]


def browse(appeal: Floats, chance: Chance, config: ShopConfig) -> Browsed:
    """What shoppers click and buy of what they are shown.

    Args:
        appeal: of each item to the shopper who sees it, `[n, k]`.
        chance: what decides.
        config: how shoppers read.
    """
    if config.shopper_model == "cascade":
        return browse_cascade(
            appeal, chance, patience=config.patience, after_click=config.after_click
        )
    return browse_by_position(appeal, chance, position_bias=config.position_bias)


def click_chance(appeal: Floats, config: ShopConfig) -> Floats:
    """Probability that each item is clicked, before the shopper begins to read: `[n, k]`.

    Args:
        appeal: of each item to the shopper who sees it, `[n, k]`.
        config: how shoppers read.
    """
    if config.shopper_model == "cascade":
        looks = looks_cascade(appeal, patience=config.patience, after_click=config.after_click)
    else:
        looks = looks_by_position(appeal.shape[1], position_bias=config.position_bias)
    return looks * appeal


def buys(appeal: Floats) -> Floats:
    """Probability that a click is a purchase, of the same shape as the appeal."""
    chance: Floats = PURCHASE * np.sqrt(appeal)
    return chance


def looks_by_position(k: int, *, position_bias: float) -> Floats:
    """Probability that a shopper looks at each position, whatever is there: `[k]`.

    >>> looks_by_position(4, position_bias=0.5)[[0, 3]].tolist()
    [1.0, 0.5]
    """
    chance: Floats = np.power(np.arange(1, k + 1), -position_bias)
    return chance


def browse_by_position(appeal: Floats, chance: Chance, *, position_bias: float) -> Browsed:
    """Look at every position with a probability of its own, and click what appeals.

    Args:
        appeal: of each item, `[n, k]`.
        chance: what decides; `go_on` is not asked.
        position_bias: see `ShopConfig`.
    """
    looks = looks_by_position(appeal.shape[1], position_bias=position_bias)
    clicked = chance.click < looks * appeal
    return Browsed(clicked, clicked & (chance.buy < buys(appeal)))


def looks_cascade(appeal: Floats, *, patience: float, after_click: float) -> Floats:
    """Probability that a shopper reads down to each position: `[n, k]`.

    The first item is read, and each one behind an item of appeal `a` if the shopper goes on, with
    `(1 - a) * patience + a * (1 - buys(a)) * after_click`.

    Args:
        appeal: of each item, `[n, k]`.
        patience: probability to read on after an item that was not clicked.
        after_click: the same after a click without a purchase.

    >>> looks_cascade(np.zeros((1, 3)), patience=0.5, after_click=0.1).tolist()
    [[1.0, 0.5, 0.25]]
    """
    goes_on = (1 - appeal) * patience + appeal * (1 - buys(appeal)) * after_click
    chance = np.ones_like(appeal)
    chance[:, 1:] = np.cumprod(goes_on[:, :-1], axis=1)
    return chance


def browse_cascade(
    appeal: Floats, chance: Chance, *, patience: float, after_click: float
) -> Browsed:
    """Read from the top, click what appeals, and stop after a purchase or when it is enough.

    Args:
        appeal: of each item, `[n, k]`.
        chance: what decides, `go_on` too.
        patience: probability to read on after an item that was not clicked.
        after_click: the same after a click without a purchase.

    Raises:
        ValueError: `chance` does not say who goes on.
    """
    if chance.go_on is None:
        raise ValueError("the cascade asks who reads on: give `Chance` the draws `go_on`.")
    would_click = chance.click < appeal
    would_buy = would_click & (chance.buy < buys(appeal))
    goes_on = ~would_buy & (chance.go_on < np.where(would_click, after_click, patience))
    reads = np.ones(appeal.shape, dtype=bool)
    reads[:, 1:] = np.logical_and.accumulate(goes_on[:, :-1], axis=1)
    return Browsed(reads & would_click, reads & would_buy)
