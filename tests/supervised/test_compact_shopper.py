"""What stage user+query→SID of the compact family learns from."""

import numpy as np
import pytest
import torch
from trained import load_trained

from genrecall.foundation.ragged import Bags
from genrecall.foundation.sid import SidSpace
from genrecall.foundation.trie import Trie
from genrecall.generator.compact.ahead import Ahead
from genrecall.generator.compact.context import ShopItems
from genrecall.generator.compact.look_ahead import LookAhead, log_sizes
from genrecall.generator.prompts import Prompt
from genrecall.index.prefixes import mean_vectors
from genrecall.supervised.compact import shopper as compact_shopper
from genrecall.supervised.compact.shopper import FirstViews, SidDistribution
from genrecall.supervised.prompt_sets import title_prompts
from genrecall.supervised.shoppers import KnownShoppers
from genrecall.supervised.sources import Source

RNG = np.random.default_rng(0)
N_SIDS = 40


def unit(*shape):
    vectors = RNG.normal(size=shape).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


ITEMS = ShopItems(sid_of_item=RNG.permutation(np.arange(200) ** 2 % N_SIDS), views=unit(200, 6))
ITEMS.sid_of_item[:N_SIDS] = np.arange(N_SIDS)
VIEWS = torch.from_numpy(unit(5, 6))
LEAVES = torch.from_numpy(RNG.integers(0, N_SIDS, (5, 2)))


def test_the_distribution_is_that_of_the_look_ahead():
    space = SidSpace((4, 4, 4))
    trie = Trie(space, np.sort(RNG.permutation(64)[:N_SIDS]))
    sizes = np.bincount(ITEMS.sid_of_item)
    means = mean_vectors(ITEMS.sid_of_item, ITEMS.views, N_SIDS)
    look_ahead = LookAhead(trie, means, log_sizes(sizes), None, temperature=0.2)
    served = Ahead.of_queries(look_ahead, VIEWS).of_sids()  # (Q, S)
    expected = -torch.log_softmax(served, dim=1).gather(1, LEAVES).mean()
    loss = SidDistribution(ITEMS, N_SIDS, temperature=0.2).loss(VIEWS, LEAVES, RNG)
    torch.testing.assert_close(loss, expected)


def test_drawn_sids_stand_for_those_that_are_not_compared(monkeypatch):
    whole = SidDistribution(ITEMS, N_SIDS, temperature=0.2).loss(VIEWS, LEAVES, RNG)
    monkeypatch.setattr(compact_shopper, "_COMPARED", 20)
    sids = SidDistribution(ITEMS, N_SIDS, temperature=0.2)
    drawn = torch.stack([sids.loss(VIEWS, LEAVES, RNG) for _ in range(300)])
    assert drawn.std() > 0
    # The logarithm of an unbiased sum is a little low.
    assert whole.item() - 0.15 < drawn.mean().item() < whole.item() + 0.02


def test_of_very_many_prompts_those_that_are_drawn_are_encoded(shop_run, monkeypatch):
    parts = load_trained(shop_run).parts
    texts, tokenizer = parts.items.catalog.titles, parts.encoder.tokenizer
    source = Source(title_prompts(tokenizer, tokenizer.words(texts), texts), 1.0)
    chosen = np.array([5, 0, 5, 119])
    expected = FirstViews(parts.encoder, [source])(0, chosen)
    monkeypatch.setattr(compact_shopper, "_MOST_ENCODED", 10)
    found = FirstViews(parts.encoder, [source])(0, chosen)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.fixture
def known():
    offsets = np.arange(0, 4001, 10)
    return KnownShoppers(
        searches=None,
        histories=Bags(RNG.integers(0, 200, 4000), offsets),
        profiles=Bags(np.tile([0, 1], 400), np.arange(0, 801, 2)),
        pairs=(("gender", "female"), ("age_band", "25-34")),
    )


def test_histories_and_profiles_are_left_out_apart_and_items_of_the_rest(known):
    searches = np.arange(400)
    histories, profiles = known.draw(searches, RNG, withheld=0.25, forgotten=0.3)
    kept = np.diff(histories.offsets)
    told = np.diff(profiles.offsets)
    assert set(told.tolist()) == {0, 2}
    assert (told == 0).mean() == pytest.approx(0.25, abs=0.07)
    assert kept.mean() == pytest.approx(0.75 * 7, abs=0.5)
    assert np.corrcoef(kept == 0, told == 0)[0, 1] < 0.2
    for search in (0, 7, 399):
        whole = known.histories.ids[10 * search : 10 * search + 10].tolist()
        part = histories.ids[histories.offsets[search] : histories.offsets[search + 1]].tolist()
        rest = iter(whole)
        assert all(row in rest for row in part)  # in the same order


def test_nothing_left_out_is_told_as_it_is(known):
    searches = np.array([3, 3, 0])
    told = known.draw(searches, RNG, withheld=0.0, forgotten=0.0)
    prompts = known.personalise([Prompt("saw")] * 3, *told)
    assert prompts[0] == prompts[1]
    assert prompts[2].history == tuple(known.histories.ids[:10].tolist())
    assert prompts[2].profile == known.pairs
