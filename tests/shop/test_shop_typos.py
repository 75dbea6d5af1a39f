"""Typos look like those of people."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from genrecall.shop.typos import mistype

WORDS = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=12)
QUERIES = st.lists(WORDS, min_size=1, max_size=4).map(" ".join)


@given(query=QUERIES, seed=st.integers(0, 2**32 - 1))
@settings(max_examples=300, deadline=None)
def test_a_typo_is_one_small_change_in_one_place(query: str, seed: int) -> None:
    wrong = mistype(query, np.random.default_rng(seed))
    same_start = next(
        (i for i, (a, b) in enumerate(zip(query, wrong, strict=False)) if a != b),
        min(len(query), len(wrong)),
    )
    rest, wrong_rest = query[same_start:], wrong[same_start:]
    same_end = next(
        (i for i, (a, b) in enumerate(zip(rest[::-1], wrong_rest[::-1], strict=False)) if a != b),
        min(len(rest), len(wrong_rest)),
    )
    assert len(rest) - same_end <= 3
    assert len(wrong_rest) - same_end <= 3
    assert abs(len(wrong) - len(query)) <= 1


def test_words_are_mistyped_in_many_ways() -> None:
    rng = np.random.default_rng(0)
    found = {mistype("sneakers", rng) for _ in range(500)}
    assert {"snaekers", "sneekers", "snekers", "sneakrs", "snneakers"} <= found
    assert "sneakers" not in found
    assert all(word.startswith("s") for word in found)


def test_numbers_and_short_words_are_left_alone() -> None:
    rng = np.random.default_rng(0)
    assert mistype("dx-4120 18v", rng) == "dx-4120 18v"
    assert all(mistype("18 v drill", rng).startswith("18 v ") for _ in range(100))
