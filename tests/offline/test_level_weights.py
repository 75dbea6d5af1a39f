"""How much heads and look-ahead weigh: what is fitted, against the generator's own scores."""

import dataclasses

import numpy as np
import polars as pl
import pytest
import torch
from decoding import look_ahead_of
from trained import load_trained

from genrecall.channels.base import Request
from genrecall.channels.config import GenerativeConfig
from genrecall.channels.generative import GenerativeChannel
from genrecall.data.splits import fold_of_query
from genrecall.data.tables import Catalog
from genrecall.generator.compact.weights import BOTH, HEADS, LOOK_AHEAD, LevelWeights
from genrecall.generator.prompts import Prompt
from genrecall.offline.level_weights import fit_levels, level_choices

QUERIES = [f"{color} {kind}" for color in ("red", "blue", "green") for kind in ("drill", "lamp")]


@pytest.fixture(scope="module")
def trained(shop_run):
    return load_trained(shop_run)


@pytest.fixture(scope="module")
def generator(trained):
    return trained.with_random_weights()


@pytest.fixture(scope="module")
def choices(generator):
    """Each query with two relevant items; the last one is of no known word."""
    sid_of_item = generator.items.table.sid_of_item
    sids = [sid_of_item[[3 * n, 3 * n + 50]] for n in range(len(QUERIES) + 1)]
    requests = [Request(query) for query in (*QUERIES, "☂")]
    return level_choices([GenerativeChannel(generator, GenerativeConfig())], requests, sids)[0]


@pytest.fixture(scope="module")
def plain(choices):
    """Choices where no prior is tried."""
    return {0.0: choices}


def all_available(items):
    catalog = Catalog(items.catalog.frame.with_columns(available=pl.lit(True)))
    return dataclasses.replace(items, catalog=catalog)


def log_likelihood(choices, level, heads, look_ahead):
    """Mean over prefixes of the mean log-softmax of the chosen codes, one code after another."""
    of_level, found = choices[level], []
    for prefix, chosen in enumerate(of_level.chosen):
        if len(chosen) == 0:
            continue
        inside = of_level.candidates.search == prefix
        said = of_level.candidates.parts[:, inside].astype(np.float64)
        logits = heads * said[0] + look_ahead * said[1]
        probability = np.exp(logits - logits.max())
        probability /= probability.sum()
        rows = of_level.candidates.rows[inside].tolist()
        found.append(np.mean([np.log(probability[rows.index(code)]) for code in chosen.tolist()]))
    return float(np.mean(found))


def test_what_is_said_along_a_sid_adds_up_to_its_log_probability(generator, choices):
    weights = LevelWeights((0.7, 0.2, 1.3), (0.5, 0.9, 0.4))
    served, trie = generator.weighed(weights), generator.items.trie
    reading = served.read([Prompt(query) for query in QUERIES])
    state, step = served.policy.rooted(reading.state), reading.step
    for level in range(3):
        of_level = choices[level]
        kept = of_level.search < len(QUERIES)
        assert len(state.node) == int(kept.sum())
        for prefix in np.flatnonzero(kept).tolist():
            inside = of_level.candidates.search == prefix
            said = of_level.candidates.parts[:, inside]
            logits = weights.heads[level] * said[0] + weights.look_ahead[level] * said[1]
            known = torch.log_softmax(torch.from_numpy(logits), 0).numpy()
            of_prefix = step.reshape(-1).numpy()[np.flatnonzero(inside)]
            np.testing.assert_allclose(of_prefix, known, atol=1e-4)
        if level < 2:
            rows = np.repeat(
                np.arange(len(of_level.chosen)), [len(nodes) for nodes in of_level.chosen]
            )
            nodes = np.concatenate(of_level.chosen)
            state, step = served.advance(state, torch.from_numpy(rows), torch.from_numpy(nodes))
    assert trie.space == served.space


def test_no_other_weights_make_what_was_chosen_likelier(choices, plain):
    """But for the searches that the usual weights are worth, and for what keeps them finite."""
    n = len(QUERIES)  # the one without a known word says nothing
    fitted = fit_levels(plain, np.zeros(n + 1, dtype=np.int64), 1, head_weight=0.3)[BOTH].served
    best = [
        np.array([heads, look_ahead]) * (n + 20) / n - np.array([0.3, 1.0]) * 20 / n
        for heads, look_ahead in zip(*fitted[:2], strict=True)
    ]
    random = np.random.default_rng(0)
    for level, weights in enumerate(best):
        most = log_likelihood(choices, level, *weights)
        for step in random.normal(0, 0.2, (30, 2)):
            other = np.maximum(weights + step, 0.0)
            assert log_likelihood(choices, level, *other) <= most + 1e-2


def test_a_query_without_a_known_word_says_nothing(choices):
    for level in choices:
        assert all(
            len(codes) == 0
            for search, codes in zip(level.search.tolist(), level.chosen, strict=True)
            if search == len(QUERIES)
        )


def test_each_way_leaves_out_the_other_part(plain):
    n = len(QUERIES) + 1
    ways = fit_levels(plain, np.arange(n) % 2, 2, head_weight=0.3)
    assert ways[HEADS].served.look_ahead == (0.0, 0.0, 0.0)
    assert ways[LOOK_AHEAD].served.heads == (0.0, 0.0, 0.0)
    assert min(ways[HEADS].served.heads) > 0
    assert len(ways[BOTH].folds) == 2


def test_own_relevant_items_do_not_move_the_weights_of_a_fold(generator, plain):
    """What was chosen after the queries of a fold changes the weights of the others only."""
    n = len(QUERIES) + 1
    fold = np.arange(n) % 3
    sid_of_item = generator.items.table.sid_of_item
    sids = [sid_of_item[[3 * k, 3 * k + 50]] for k in range(n)]
    changed = [sid_of_item[[119]] if fold[k] == 1 else sids[k] for k in range(n)]
    channel = GenerativeChannel(generator, GenerativeConfig())
    requests = [Request(query) for query in (*QUERIES, "☂")]
    before = fit_levels(plain, fold, 3, head_weight=0.3)
    after = fit_levels(
        {0.0: level_choices([channel], requests, changed)[0]}, fold, 3, head_weight=0.3
    )
    for way in (BOTH, HEADS, LOOK_AHEAD):
        np.testing.assert_allclose(after[way].folds[1][:2], before[way].folds[1][:2], atol=1e-4)
    assert after[BOTH].folds[0] != before[BOTH].folds[0]
    assert after[BOTH].served != before[BOTH].served


def test_without_a_search_the_usual_weights_serve(generator):
    channel = GenerativeChannel(generator, GenerativeConfig())
    choices = dict.fromkeys((0.0, 2.0), level_choices([channel], [], [])[0])
    ways = fit_levels(choices, np.empty(0, dtype=np.int64), 5, head_weight=0.3)
    assert ways[BOTH].served == LevelWeights((0.3,) * 3, (1.0,) * 3)
    assert ways[HEADS].served == LevelWeights((1.0,) * 3, (0.0,) * 3)


def test_a_query_is_in_the_fold_of_its_twin():
    assert fold_of_query("drill bits", 5) == fold_of_query("Drill bit", 5)


@pytest.mark.parametrize("way", [HEADS, LOOK_AHEAD])
def test_a_part_alone_is_the_generator_without_the_other(generator, way):
    """By hand: the other part's numbers are taken away before the softmax."""
    alone = generator.weighed(LevelWeights.usual(way))
    reading = alone.read([Prompt(query) for query in QUERIES])
    said = generator.policy.next_codes(generator.read([Prompt(query) for query in QUERIES]).state)
    part = said.heads if way == HEADS else said.look_ahead
    for prompt in range(len(QUERIES)):
        inside = said.prefix == prompt
        expected = torch.log_softmax(torch.from_numpy(part[inside]), 0).numpy()
        np.testing.assert_allclose(
            reading.step[prompt].numpy()[said.node[inside]], expected, atol=1e-4
        )


def test_rereading_is_reading(generator):
    prompts = [Prompt(query) for query in QUERIES]
    other = generator.weighed(LevelWeights((2.0, 0.1, 0.5), (0.3, 0.3, 0.3)))
    again = other.reread(generator.read(prompts))
    assert torch.equal(again.step, other.read(prompts).step)


def test_in_the_look_ahead_an_item_counts_what_the_prior_says(generator):
    random = np.random.default_rng(3)
    prior = random.normal(size=len(generator.items)).astype(np.float32)
    drawn = generator.weighed(LevelWeights((0.0,) * 3, (1.0,) * 3, prior=1.5), prior)
    plain = generator.weighed(LevelWeights((0.0,) * 3, (1.0,) * 3))
    prompts = [Prompt(query) for query in QUERIES]
    one, other = (
        each.policy.rooted(each.read(prompts).state).ahead.of_sids().numpy()
        for each in (drawn, plain)
    )
    items, sid = generator.items.table.sizes, generator.items.table.sid_of_item
    available = generator.items.available
    told = np.where(available, prior, prior[available].mean())
    worth = np.array([np.exp(1.5 * told[sid == leaf]).sum() for leaf in range(len(items))])
    expected = other + np.log(worth / items)
    expected -= expected.max(axis=1, keepdims=True)
    np.testing.assert_allclose(one - one.max(axis=1, keepdims=True), expected, atol=1e-3)
    again = plain.weighed(drawn.serving.weights, prior).weighed(plain.serving.weights)
    assert torch.equal(again.read(prompts).step, plain.read(prompts).step)
    assert torch.equal(drawn.reread(plain.read(prompts)).step, drawn.read(prompts).step)


def test_what_nobody_gets_draws_nobody(generator):
    """However often an item was chosen: as long as it is sold out, it counts as the average one."""
    sold_out = np.flatnonzero(~generator.items.available)
    prior = np.zeros(len(generator.items), dtype=np.float32)
    prior[sold_out] = 3.0
    weights = LevelWeights((0.0,) * 3, (1.0,) * 3, prior=4.0)
    prompts = [Prompt(query) for query in QUERIES]
    one, other = (
        look_ahead_of(generator.weighed(of, prior), prompts)
        for of in (weights, weights._replace(prior=0.0))
    )
    np.testing.assert_allclose(one, other, atol=1e-4, rtol=0)


def test_a_prior_is_fitted_where_it_tells_what_is_chosen(generator):
    """Relevant are one rare SID of many for all queries, so no text tells it."""
    sid_of_item = generator.items.table.sid_of_item
    wanted = np.arange(0, len(sid_of_item), 7)
    requests = [Request(query) for query in QUERIES] * 8
    sids = [sid_of_item[[wanted[n % len(wanted)]]] for n in range(len(requests))]
    chosen = np.zeros(len(sid_of_item), dtype=np.float32)
    chosen[wanted] = 2.0
    tried = (0.0, 1.0, 3.0)
    usual = LevelWeights.usual(head_weight=0.3)

    def fitted(prior):
        channels = [
            GenerativeChannel(
                generator.weighed(usual._replace(prior=weight), prior), GenerativeConfig()
            )
            for weight in tried
        ]
        found = level_choices(channels, requests, sids)
        ways = fit_levels(
            dict(zip(tried, found, strict=True)), np.arange(len(requests)) % 2, 2, head_weight=0.3
        )
        assert len({ways[way].served.prior for way in ways}) == 1
        return ways[BOTH]

    assert fitted(chosen).served.prior > 0
    assert min(fold.prior for fold in fitted(chosen).folds) > 0
    assert fitted(-chosen).served.prior == 0


def test_what_is_never_chosen_still_differs_in_how_little_it_counts(generator):
    sid = generator.items.table.sid_of_item
    prior = np.where(sid % 2, -10.0, -14.0).astype(np.float32)
    prior[sid == 0] = 8.0
    generator = generator.over(all_available(generator.items))
    weights = LevelWeights((0.0,) * 3, (1.0,) * 3, prior=4.0)
    drawn, plain = (
        look_ahead_of(generator.weighed(of, prior), [Prompt(QUERIES[0])])[0]
        for of in (weights, weights._replace(prior=0.0))
    )
    moved = drawn - plain
    np.testing.assert_allclose(moved[2::2] - moved[1], -16.0, atol=1e-2)
