"""Each fault is warned of where a table has it, and nowhere else."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from genrecall.foundation.sid import SidSpace, SidTable
from genrecall.quantize.config import QuantizeConfig, TrainingConfig
from genrecall.quantize.health import warnings as warnings_module
from genrecall.quantize.health.advice import REMEDIES, advise
from genrecall.quantize.health.figures import Wanted, measure_health
from genrecall.quantize.health.warnings import find_warnings

SPACE = (8, 4, 4)


def grid(k1=SPACE[0], k2=SPACE[1], k3=SPACE[2], *, each=4):
    """`each` items in every SID."""
    codes = np.stack(np.meshgrid(*map(np.arange, (k1, k2, k3)), indexing="ij"), axis=-1)
    return np.repeat(codes.reshape(-1, 3), each, axis=0).astype(np.int32)


def warnings(codes, *, sizes=SPACE, categories=None, latents=None, reserve=1, t_max=5, **settings):
    space = tuple(np.maximum(sizes, codes.max(0) + 1).tolist())
    table = SidTable(SidSpace(space), codes)
    if latents is None:  # every SID in a place of its own
        latents = np.random.default_rng(0).normal(size=(len(table.packed), 16))[table.sid_of_item]
    found = measure_health(
        table,
        codes[:, 0] if categories is None else np.asarray(categories),
        latents=latents.astype(np.float32),
        wanted=Wanted(sizes, reserve=reserve, items_per_sid=4, t_max=t_max),
    )
    return find_warnings(found, QuantizeConfig(**settings))


def one(codes, **given):
    """The only warning."""
    (warning,) = warnings(codes, **given)
    return warning


def test_a_healthy_table_has_no_warning():
    assert warnings(grid()) == []


def test_split_sids_have_no_warning():
    codes = grid()
    codes[::2, 2] += SPACE[2]
    assert warnings(codes) == []


def test_categories_of_unlike_size_have_no_warning():
    codes = np.concatenate([grid(each=4), grid(2, each=2)])
    assert warnings(codes, t_max=6) == []


def test_a_reserve_code_that_waits_has_no_warning():
    assert warnings(grid(), sizes=(9, 4, 4)) == []


@pytest.mark.parametrize("n", [1, 3, 10])
def test_a_few_items_have_no_collapse(n):
    assert not any("collapsed" in text for text in warnings(np.zeros((n, 3), np.int32), t_max=10))


def test_collapse():
    codes = np.concatenate([grid(each=1), np.zeros((9_000, 3), np.int32)])
    found = warnings(codes, categories=np.arange(len(codes)) % 8, t_max=10_000)
    assert found[0] == (
        "the SIDs have collapsed: 128 of them hold the items like 1 equally large ones, so a few "
        "large SIDs fill most answers. Check that the item vectors differ, lower "
        "quantize.training.learning_rate, or set quantize.training.epochs to 0."
    )
    assert "the SIDs have collapsed" in warnings(np.zeros((20, 3), np.int32))[0]


def test_oversized_sids():
    codes = np.concatenate([grid(), grid(1, 1, 2, each=3)])
    assert one(codes) == (
        "2 SIDs hold more than t_max=5 items, the largest 7: one beam on it fills the answer, "
        "and quantize.clusters.g_max binds. Raise quantize.clusters.g_max or raise quantize.k2 and "
        "quantize.k3."
    )


def test_singletons():
    assert one(grid(each=1)).startswith("100% of the SIDs hold one item: the codebooks are too")


def test_items_far_from_their_sid():
    codes = grid()
    noise = np.random.default_rng(1).normal(size=(len(codes), 16))
    text = one(codes, latents=noise)
    assert "% of the items are no nearer to the others of their SID than to any items" in text
    assert "raise quantize.k2 and quantize.k3" in text


def test_mixed_sids():
    codes = grid()
    text = one(codes, categories=np.arange(len(codes)) % 2)
    assert text == (
        "category purity is 0.50: 128 of 128 SIDs mix categories, so a beam brings items of "
        "categories that were not asked for. Raise quantize.category_penalty or lower "
        "quantize.items_per_sid."
    )


@pytest.mark.parametrize("level", [2, 3])
def test_dead_codes(level):
    sizes = [8, 4, 4]
    sizes[level - 1] = 8
    groups = ", the groups of a split SID counted once" if level == 3 else ""
    assert one(grid(), sizes=tuple(sizes)) == (
        f"level {level} uses 4 of its 8 codes{groups}: the others have died in training or lost "
        "their items to other SIDs, and unlike items share what is left. Raise "
        "quantize.training.restart_below, lower quantize.training.learning_rate, or lower "
        f"quantize.k{level}."
    )


def test_dead_codes_of_level_1_without_categories():
    text = one(grid(), sizes=(16, 4, 4), reserve=16, categories=grid()[:, 0], use_category=False)
    assert text.startswith("level 1 uses 8 of its 16 codes: the others have died in training")
    assert text.endswith("or raise quantize.min_items.")


def test_groups_of_a_split_sid_do_not_hide_dead_codes():
    codes = grid(k3=2)
    codes[::2, 2] += 4  # third codes 0, 1, 4, 5 are groups of 0 and 1
    assert "level 3 uses 2 of its 4 codes" in one(codes, t_max=9)


def test_a_level_that_is_used_unevenly():
    codes = np.concatenate([grid(2, 32, 4), np.repeat([[0, 0, 0], [1, 0, 0]], 9_000, axis=0)])
    found = warnings(codes, sizes=(2, 32, 4), t_max=10_000)
    assert "level 2 uses 32 of its 32 codes, but so unevenly that they count like 1" in found[1]


def test_a_codebook_that_is_too_large():
    codes = grid(k2=2)
    assert one(codes, sizes=(8, 64, 4)) == (
        "level 2 uses 2 of its 64 codes: its codebook is larger than 64 SIDs can fill. That costs "
        "recall nothing but makes the generator larger. Lower quantize.k2 to about 21."
    )


def test_categories_that_lost_their_items():
    codes = grid()
    categories = np.where(np.arange(len(codes)) % 9 == 0, codes[:, 0] + 8, codes[:, 0])
    text = one(codes, sizes=(16, 4, 4), reserve=1, categories=categories)
    assert text.startswith("level 1 uses 8 of its 16 codes: categories have lost their items to")
    assert text.endswith("which forces categories, or lower quantize.training.commitment_weight.")


def test_more_reserve_codes_than_needed():
    codes = grid()
    categories = np.where(codes[:, 0] == 7, -1, codes[:, 0])
    text = one(codes, sizes=(16, 4, 4), reserve=9, categories=categories)
    assert text.startswith("level 1 uses 8 of its 16 codes: there are more reserve codes than")
    assert text.endswith("Lower quantize.reserve.")


def test_unknown_categories():
    codes = grid()
    text = one(codes, categories=np.where(codes[:, 0] < 6, -1, codes[:, 0]))
    assert text.startswith("75% of the items have no category with a code of its own")
    assert "quantize.min_items" in text


def test_a_category_that_holds_most_items():
    codes = np.concatenate([grid(each=4), grid(1, 16, 16, each=4)])
    text = one(codes, sizes=(8, 16, 16), t_max=8)
    assert text.startswith("one category holds 71% of the items: level 1 says nothing about them")


def test_few_categories_for_many_items():
    codes = grid(2, 128, 64, each=4)
    assert one(codes, sizes=(2, 128, 64)).startswith("2 categories for 65,536 items: level 1")


def test_what_is_so_already_is_not_advised():
    mixed, unknown = np.arange(512) % 2, np.full(512, -1)
    forced = one(grid(), categories=mixed, category_penalty=None)
    assert forced.endswith("were not asked for. Lower quantize.items_per_sid.")
    off = one(grid(), categories=mixed, use_category=False)
    assert off.endswith(". Turn on quantize.use_category or lower quantize.items_per_sid.")
    fewest = one(grid(), categories=unknown, min_items=1)
    assert fewest.endswith("what categories give. Map the category column in data.items.")
    assert warnings(grid(), categories=unknown, use_category=False) == []
    dead = one(grid(), sizes=(8, 8, 4), training=TrainingConfig(epochs=0))
    assert dead.endswith("share what is left. Lower quantize.k2.")
    kept = one(grid(), sizes=(8, 8, 4), warm_start="before")
    assert kept.endswith(
        "what is left. Lower quantize.training.learning_rate or make the SIDs anew, without "
        "quantize.warm_start."
    )


@pytest.mark.parametrize(
    ("remedy", "settings", "possible"),
    [
        ("turn on quantize.use_category", {}, False),
        ("turn on quantize.use_category", {"use_category": False}, True),
        ("raise quantize.category_penalty", {"use_category": False}, False),
        ("raise quantize.category_penalty", {"category_penalty": None}, False),
        ("raise quantize.depth", {}, False),
        ("raise quantize.depth", {"depth": 2}, True),
        ("raise quantize.depth", {"depth": 2, "warm_start": "before"}, False),
        ("lower quantize.reserve", {"reserve": 1}, False),
        ("lower quantize.reserve", {"reserve": 2}, True),
        ("lower quantize.items_per_sid", {"items_per_sid": 1}, False),
        ("lower quantize.k2", {"warm_start": "before"}, False),
        ("set quantize.training.epochs to 0", {"training": {"epochs": 0}}, False),
        ("set quantize.training.epochs to 0", {"warm_start": "before"}, False),
        ("set quantize.warm.epochs to 0", {"warm_start": "before"}, True),
        ("set quantize.warm.epochs to 0", {"warm_start": "before", "warm": {"epochs": 0}}, False),
        (
            "lower quantize.training.commitment_weight",
            {"training": {"commitment_weight": 0}},
            False,
        ),
    ],
)
def test_a_remedy_is_advised_where_it_can_be_taken(remedy, settings, possible):
    expected = f" {remedy[0].upper()}{remedy[1:]}." if possible else ""
    assert advise(QuantizeConfig(**settings), remedy) == expected


def test_every_remedy_names_a_setting_that_there_is_and_is_used():
    source = Path(warnings_module.__file__).read_text("utf-8")
    for remedy in REMEDIES:
        for setting in re.findall(r"quantize\.([\w.]+\w)", remedy):
            section = QuantizeConfig
            for name in setting.split("."):
                field = section.model_fields[name]
                section = field.annotation
        assert remedy in source or remedy.startswith("lower quantize.k")
