"""What the generator learns from: which prompts, which targets, how often."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trained import load_trained

from genrecall.data.pairs import LoggedPairs
from genrecall.foundation.ragged import ragged_offsets, take_bags
from genrecall.generator.config import GeneratorConfig
from genrecall.supervised.prompt_sets import (
    logged_prompts,
    make_targets,
    pseudo_prompts,
    title_prompts,
)
from genrecall.text.subwords import SubwordTokenizer

DRAWS = 20_000


@pytest.fixture(scope="module")
def parts(shop_run):
    return load_trained(shop_run).parts


@pytest.fixture(scope="module")
def titles(parts):
    return parts.encoder.tokenizer.words(parts.items.catalog.titles)


def rng():
    return np.random.default_rng(0)


def targets_of(targets, prompt):
    """Weight of each item that a prompt should generate."""
    span = slice(targets.offsets[prompt], targets.offsets[prompt + 1])
    weights = np.diff(targets.cumulative)[span]
    found = {}
    for item, weight in zip(targets.items[span].tolist(), weights, strict=True):
        found[item] = found.get(item, 0.0) + weight
    return found


def test_targets_are_drawn_by_weight():
    targets = make_targets(
        np.array([5, 7, 9, 4]), np.array([1.0, 3.0, 0.0, 2.0]), ragged_offsets([3, 1])
    )
    drawn = targets.draw(np.array([0, 1]), DRAWS, rng())
    assert drawn.shape == (2, DRAWS)
    assert set(drawn[1].tolist()) == {4}
    assert set(drawn[0].tolist()) == {5, 7}
    assert np.mean(drawn[0] == 7) == pytest.approx(0.75, abs=0.02)


weights = st.lists(st.lists(st.floats(0.01, 10), min_size=1, max_size=5), min_size=1, max_size=6)


@given(weights, st.integers(0, 2**32))
def test_each_prompt_draws_its_own_targets(per_prompt, seed):
    flat = [weight for part in per_prompt for weight in part]
    counts = [len(part) for part in per_prompt]
    targets = make_targets(np.arange(len(flat)), np.array(flat), ragged_offsets(counts))
    drawn = targets.draw(np.arange(len(counts)), 50, np.random.default_rng(seed))
    for prompt, items in enumerate(drawn):
        assert items.min() >= targets.offsets[prompt]
        assert items.max() < targets.offsets[prompt + 1]


def test_a_title_generates_its_own_item(parts, titles):
    prompts = title_prompts(parts.encoder.tokenizer, titles, parts.items.catalog.titles)
    assert len(prompts) == len(titles)
    for row in range(len(titles)):
        assert targets_of(prompts.targets, row) == {row: 1.0}
    drawn = prompts.draw(DRAWS, rng())
    shares = np.bincount(drawn, minlength=len(titles)) / DRAWS
    assert shares == pytest.approx(1 / len(titles), rel=0.5)


def test_a_query_generates_its_relevant_items_and_comes_by_the_root_of_its_gains(parts):
    pairs = LoggedPairs(
        query=np.array([1, 0, 1, 2]), item=np.array([3, 8, 4, 4]), weight=np.array([9.0, 1, 7, 4])
    )
    queries = ["drill", "red saw", "lamp"]
    prompts = logged_prompts(parts.encoder.tokenizer, queries, pairs)
    assert prompts.texts == queries
    assert targets_of(prompts.targets, 0) == {8: 1.0}
    assert targets_of(prompts.targets, 1) == {3: 9.0, 4: 7.0}
    drawn = np.bincount(prompts.draw(DRAWS, rng())) / DRAWS
    assert drawn == pytest.approx([1 / 7, 4 / 7, 2 / 7], abs=0.02)


def make_pseudo(parts, titles, seed=0, **settings):
    config = GeneratorConfig(
        **({"pseudo_queries": 300, "teacher_items": 8, "slips": 0.0} | settings)
    )
    return pseudo_prompts(
        parts.encoder,
        titles,
        texts=parts.items.catalog.titles,
        item_vectors=parts.items.vectors.astype(np.float32),
        config=config,
        rng=np.random.default_rng(seed),
    )


def test_targets_of_a_pseudo_query_sum_to_one_and_hold_its_own_item(parts, titles):
    prompts = make_pseudo(parts, titles, own_item_weight=0.3)
    alone = make_pseudo(parts, titles, own_item_weight=1.0)
    for prompt in range(300):
        targets = targets_of(prompts.targets, prompt)
        assert sum(targets.values()) == pytest.approx(1.0)
        own = [item for item, weight in targets_of(alone.targets, prompt).items() if weight > 0]
        assert len(own) == 1
        assert targets[own[0]] >= 0.3 - 1e-6
        # All words are of the item's title, and neighbours in it or not: compare subwords only.
        tokenizer = parts.encoder.tokenizer
        title = tokenizer.bags([parts.items.catalog.titles[own[0]]]).ids.tolist()
        features = tokenizer.bags([prompts.texts[prompt]]).ids.tolist()
        words = [feature for feature in features if feature < tokenizer.n_subwords]
        assert words
        assert set(words) <= set(title)


def test_soft_targets_are_a_softmax_over_the_nearest_items(parts, titles):
    prompts = make_pseudo(parts, titles, own_item_weight=0.0, teacher_temperature=0.1)
    vectors = parts.encoder.encode(prompts.texts)
    for prompt in range(0, 300, 7):
        similarity = parts.items.vectors.astype(np.float32) @ vectors[prompt]
        best = np.argsort(-similarity)[:8]
        soft = np.exp(similarity[best] / 0.1)
        found = sorted(targets_of(prompts.targets, prompt).values(), reverse=True)
        found = [weight for weight in found if weight > 0]
        np.testing.assert_allclose(found, np.sort(soft / soft.sum())[::-1], rtol=1e-3)


def test_pseudo_queries_are_spread_evenly_over_the_items(parts, titles):
    prompts = make_pseudo(parts, titles, own_item_weight=1.0)
    own = [max(targets_of(prompts.targets, p).items(), key=lambda t: t[1])[0] for p in range(300)]
    assert set(np.bincount(own, minlength=120).tolist()) == {2, 3}
    shares = np.bincount(prompts.draw(DRAWS, rng()), minlength=300) / DRAWS
    assert shares.max() < 3 / 300


def test_the_same_chance_gives_the_same_pseudo_queries(parts, titles):
    one, again, other = (make_pseudo(parts, titles, seed=seed) for seed in (1, 1, 2))
    assert one.texts == again.texts != other.texts
    assert one.targets.cumulative.tolist() == again.targets.cumulative.tolist()


def test_more_teacher_items_than_items_are_no_error(parts, titles):
    prompts = make_pseudo(parts, titles, teacher_items=1000, pseudo_queries=5)
    assert all(len(targets_of(prompts.targets, prompt)) == 120 for prompt in range(5))


def test_features_of_chosen_prompts_are_those_of_their_texts(parts, titles):
    tokenizer, texts = parts.encoder.tokenizer, parts.items.catalog.titles
    prompts = title_prompts(tokenizer, titles, texts)
    chosen = np.array([5, 0, 5, 119])
    expected = tokenizer.bags([texts[row] for row in chosen])
    for bags in (prompts.bags_of(chosen), take_bags(prompts.bags, chosen)):
        np.testing.assert_array_equal(bags.ids, expected.ids)
        np.testing.assert_array_equal(bags.offsets, expected.offsets)


def test_prompts_are_cut_once_and_only_where_features_are_read(parts):
    calls = []
    pairs = LoggedPairs(query=np.arange(2), item=np.arange(2), weight=np.ones(2))
    prompts = dataclasses.replace(
        logged_prompts(parts.encoder.tokenizer, ["lamp", "saw"], pairs),
        cut=lambda: calls.append(1) or parts.encoder.tokenizer.bags(["lamp", "saw"]),
    )
    prompts.draw(3, rng())
    assert calls == []
    prompts.bags_of(np.array([0]))
    prompts.bags_of(np.array([1]))
    assert calls == [1]


def test_pseudo_queries_have_the_features_of_the_words_of_their_titles(parts, titles):
    """Here those of their texts, too; elsewhere `25` and `foot` may become `25 ft` in a text."""
    prompts = make_pseudo(parts, titles)
    bags = parts.encoder.tokenizer.bags(prompts.texts, typed=True)
    np.testing.assert_array_equal(bags.offsets, prompts.bags.offsets)
    np.testing.assert_array_equal(bags.ids, prompts.bags.ids)


def test_the_words_of_pseudo_queries_are_known(parts, titles):
    """So their texts are cut into the features of the title's words."""
    prompts = make_pseudo(parts, titles)
    assert all(parts.encoder.tokenizer.known_words([t]) == t.split() for t in prompts.texts)


def test_only_the_titles_that_pseudo_queries_are_made_of_are_spelled(parts, titles, monkeypatch):
    spelled, known_words = [], SubwordTokenizer.known_words

    def spell(tokenizer, texts):
        spelled.extend(texts)
        return known_words(tokenizer, texts)

    monkeypatch.setattr(SubwordTokenizer, "known_words", spell)
    prompts = make_pseudo(parts, titles, pseudo_queries=5)
    every = parts.items.catalog.titles
    assert spelled == [every[row] for row in sorted(prompts.made_of.tolist())]
    for text, row in zip(prompts.texts, prompts.made_of.tolist(), strict=True):
        assert set(text.split()) <= set(known_words(parts.encoder.tokenizer, [every[row]]))


def test_what_is_mistyped_means_what_is_right(parts, titles):
    """Texts have slips, targets are those of the words as they are."""
    right, typed = (make_pseudo(parts, titles, slips=share) for share in (0.0, 0.5))
    assert typed.targets.cumulative.tolist() == right.targets.cumulative.tolist()
    assert typed.targets.items.tolist() == right.targets.items.tolist()
    words = [
        (a, b)
        for one, other in zip(right.texts, typed.texts, strict=True)
        for a, b in zip(one.split(), other.split(), strict=True)
    ]
    assert 0.2 < np.mean([a != b for a, b in words if len(a) >= 4 and a.isalpha()]) < 0.6
    assert all(a == b for a, b in words if len(a) < 4)
    expected = parts.encoder.tokenizer.bags(typed.texts, typed=True)
    np.testing.assert_array_equal(typed.bags.ids, expected.ids)
