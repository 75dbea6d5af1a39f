"""What can be done about unhealthy SIDs with the settings that a run has.

A remedy that is in use already, or that the settings rule out, is not advised.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from genrecall.quantize.config import QuantizeConfig


def _anew(config: QuantizeConfig) -> bool:
    """Whether codes are made anew: of kept ones neither number nor meaning changes."""
    return config.warm_start is None


def _trains(config: QuantizeConfig) -> bool:
    epochs = config.training.epochs if _anew(config) else config.warm.epochs
    return epochs > 0


def _penalizes(config: QuantizeConfig) -> bool:
    return config.use_category and config.category_penalty is not None


def _always(_: QuantizeConfig) -> bool:
    return True


REMEDIES: Final[Mapping[str, Callable[[QuantizeConfig], bool]]] = {
    "make the SIDs anew, without quantize.warm_start": lambda config: not _anew(config),
    "check that the item vectors differ": _always,
    "give finer categories": _always,
    "look at `far` in examples.json for items whose text says little": _always,
    "map the category column in data.items": _always,
    "turn on quantize.use_category": lambda config: not config.use_category,
    "raise quantize.category_penalty": _penalizes,
    "set quantize.category_penalty to null, which forces categories": _penalizes,
    "raise quantize.depth": lambda config: config.depth is not None and _anew(config),
    "raise quantize.min_items": _anew,
    "lower quantize.min_items": lambda config: config.min_items > 1,
    "lower quantize.reserve": lambda config: config.reserve != 1 and _anew(config),
    "raise quantize.items_per_sid": _always,
    "lower quantize.items_per_sid": lambda config: config.items_per_sid > 1,
    "raise quantize.k2 and quantize.k3": _anew,
    "lower quantize.k2 and quantize.k3": _anew,
    "lower quantize.k2": _anew,
    "lower quantize.k3": _anew,
    "raise quantize.clusters.g_max": _always,
    "raise quantize.clusters.merge_below": _always,
    "raise quantize.training.restart_below": lambda config: _anew(config) and _trains(config),
    "lower quantize.training.learning_rate": _trains,
    "lower quantize.training.commitment_weight": lambda config: (
        _trains(config) and config.training.commitment_weight > 0
    ),
    "set quantize.training.epochs to 0": lambda config: _anew(config) and _trains(config),
    "set quantize.warm.epochs to 0": lambda config: not _anew(config) and _trains(config),
}
"""Each with the settings under which it can be taken."""


def advise(config: QuantizeConfig, *remedies: str, ending: str = "") -> str:
    """A sentence of those remedies that can be taken, with a blank before it; "" without any.

    Args:
        config: of the run.
        remedies: some of `REMEDIES`, the best first.
        ending: of the sentence.

    >>> advise(QuantizeConfig(), "turn on quantize.use_category", "lower quantize.items_per_sid")
    ' Lower quantize.items_per_sid.'
    """
    possible = [remedy for remedy in remedies if REMEDIES[remedy](config)]
    if not possible:
        return ""
    *others, last = possible
    text = last if not others else f"{', '.join(others)}{',' * (len(others) > 1)} or {last}"
    return f" {text[0].upper()}{text[1:]}{ending}."
