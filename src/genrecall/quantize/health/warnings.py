"""What is wrong with a SID table: what was found, what it does to recall, which setting helps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from genrecall.foundation.sid import LEVELS
from genrecall.quantize.config import QuantizeConfig
from genrecall.quantize.health.advice import advise
from genrecall.quantize.health.figures import Health

ENOUGH_USED: Final = 0.9
"""Share of a level's codes that a healthy table uses."""

_SIDS_PER_CODE: Final = 3
"""So many SIDs for each code use 95 % of the codes wherever they fall: 1 − e⁻³."""

_UNEVEN: Final = 4
"""Codes or SIDs that count like a quarter of their number, by perplexity, have collapsed."""

_MOST_SINGLETONS: Final = 0.3
"""`merge_below` leaves about 1 %."""

_LEAST_PURITY: Final = 0.8

_MOST_FAR: Final = 0.1
"""4 % of a shop with 50,000 items of all kinds, none of a synthetic one."""

_ENOUGH_SIDS: Final = 20
"""Few SIDs can be no better than none."""

_ANEW: Final = ("make the SIDs anew, without quantize.warm_start",)

_LARGE_SHOP: Final = 1_000

_LARGE_CATEGORY: Final = 20_000
"""Items of a mean category; the paper has 12,000."""


def find_warnings(health: Health, config: QuantizeConfig) -> list[str]:
    """Advice for each thing that looks wrong; empty for a healthy table.

    Args:
        health: the figures of the table.
        config: what it was made with; nothing is advised that is so already.
    """
    return [
        *_sids_in_trouble(health, config),
        *_levels_in_trouble(health, config),
        *_categories_in_trouble(health, config),
    ]


def _sids_in_trouble(health: Health, config: QuantizeConfig) -> Iterator[str]:
    sizes, t_max = health.items_per_sid, health.wanted.t_max
    if health.perplexity < health.sids / _UNEVEN or (health.sids == 1 and health.items > t_max):
        yield (
            f"the SIDs have collapsed: {health.sids:,} of them hold the items like "
            f"{health.perplexity:,.0f} equally large ones, so a few large SIDs fill most answers."
        ) + advise(
            config,
            "check that the item vectors differ",
            "lower quantize.training.learning_rate",
            "set quantize.training.epochs to 0",
            "set quantize.warm.epochs to 0",
        )
    if health.oversized:
        yield (
            f"{health.oversized:,} SIDs hold more than t_max={t_max:,} items, the largest "
            f"{sizes.max:,}: one beam on it fills the answer, and quantize.clusters.g_max binds."
        ) + advise(config, "raise quantize.clusters.g_max", "raise quantize.k2 and quantize.k3")
    if health.singletons > _MOST_SINGLETONS:
        yield (
            f"{health.singletons:.0%} of the SIDs hold one item: the codebooks are too large for "
            "the catalog, and a beam spent on one item is wasted."
        ) + advise(
            config,
            "raise quantize.items_per_sid",
            "raise quantize.clusters.merge_below",
            "lower quantize.k2 and quantize.k3",
        )
    if health.distance.far > _MOST_FAR and health.sids >= _ENOUGH_SIDS:
        yield (
            f"{health.distance.far:.0%} of the items are no nearer to the others of their SID "
            "than to any items of the catalog: a beam on their SID brings items that do not "
            "belong together."
        ) + advise(
            config,
            "lower quantize.items_per_sid",
            "raise quantize.k2 and quantize.k3",
            "look at `far` in examples.json for items whose text says little",
        )
    if health.category_purity < _LEAST_PURITY:
        yield (
            f"category purity is {health.category_purity:.2f}: {health.mixed:,} of {health.sids:,} "
            "SIDs mix categories, so a beam brings items of categories that were not asked for."
        ) + advise(
            config,
            "turn on quantize.use_category",
            "raise quantize.category_penalty",
            "lower quantize.items_per_sid",
        )


def _levels_in_trouble(health: Health, config: QuantizeConfig) -> Iterator[str]:
    for number, level in enumerate(health.levels, start=1):
        share = f"level {number} uses {level.used:,} of its {level.codes:,} codes"
        if number == LEVELS:
            share += ", the groups of a split SID counted once"
        fewer = f"lower quantize.k{number}" if number > 1 else "raise quantize.min_items"
        if level.used + level.waiting >= ENOUGH_USED * level.codes:
            # The sizes of categories are what they are.
            free = number > 1 or health.wanted.reserve == level.codes
            if free and level.perplexity < level.used / _UNEVEN:
                yield (
                    f"{share}, but so unevenly that they count like {level.perplexity:,.0f}: "
                    "unlike items share codes."
                ) + advise(config, "lower quantize.training.learning_rate", fewer, *_ANEW)
        elif number == 1 and level.dead > health.wanted.reserve:
            yield (
                f"{share}: categories have lost their items to the codes of others, as with a "
                "large commitment weight."
            ) + advise(
                config,
                "raise quantize.category_penalty",
                "set quantize.category_penalty to null, which forces categories",
                "lower quantize.training.commitment_weight",
                *_ANEW,
            )
        elif number == 1 and health.wanted.reserve < level.codes:
            yield (
                f"{share}: there are more reserve codes than items without a category need. "
                "They cost recall nothing but make the generator larger."
            ) + advise(config, "lower quantize.reserve", *_ANEW)
        elif health.sids < _SIDS_PER_CODE * level.codes:
            fitting = f" to about {max(health.sids // _SIDS_PER_CODE, 1):,}"
            yield (
                f"{share}: its codebook is larger than {health.sids:,} SIDs can fill. That costs "
                "recall nothing but makes the generator larger."
            ) + (
                advise(config, fewer, ending=fitting if number > 1 else "")
                or advise(config, *_ANEW)
            )
        else:
            yield (
                f"{share}: the others have died in training or lost their items to other SIDs, "
                "and unlike items share what is left."
            ) + advise(
                config,
                "raise quantize.training.restart_below",
                "lower quantize.training.learning_rate",
                fewer,
                *_ANEW,
            )


def _categories_in_trouble(health: Health, config: QuantizeConfig) -> Iterator[str]:
    if not config.use_category:  # level 1 has nothing to do with them
        return
    found = health.categories
    if found.unknown > 0.5:
        yield (
            f"{found.unknown:.0%} of the items have no category with a code of its own: level "
            "1 takes the nearest reserve code for them, and recall lacks what categories give."
        ) + advise(config, "map the category column in data.items", "lower quantize.min_items")
    elif health.items >= _LARGE_SHOP and found.largest > 0.5:
        yield (
            f"one category holds {found.largest:.0%} of the items: level 1 says nothing about "
            "them, and two levels must tell them apart."
        ) + advise(config, "give finer categories", "raise quantize.depth")
    elif found.n and health.items * (1 - found.unknown) > _LARGE_CATEGORY * found.n:
        yield (
            f"{found.n:,} categories for {health.items:,} items: level 1 narrows a search down "
            "little, and two levels must tell the items of a category apart."
        ) + advise(
            config, "give finer categories", "raise quantize.depth", "lower quantize.min_items"
        )
