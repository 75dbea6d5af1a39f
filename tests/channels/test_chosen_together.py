"""What was chosen beside what, as the item order reads it."""

import numpy as np
import polars as pl
import pytest
from scipy import sparse

from genrecall.bundle import open_bundle
from genrecall.channels import chosen_together
from genrecall.channels.base import Request
from genrecall.channels.chosen_together import ChosenTogether
from genrecall.channels.config import GenerativeConfig
from genrecall.channels.generative import GenerativeChannel
from genrecall.channels.learned_order import (
    TOGETHER,
    UNCHOSEN,
    LearnedOrder,
    OrderFit,
)
from genrecall.data.shoppers import Shopper
from genrecall.foundation.artifact import open_artifact, writing


def drawn(shoppers=60, items=25, seed=0):
    """Who chose what, columns of length one; the last item was chosen by nobody."""
    chosen = (np.random.default_rng(seed).random((shoppers, items)) < 0.15).astype(np.float32)
    chosen[:, -1] = 0
    return sparse.csr_array(chosen / np.maximum(np.sqrt(chosen.sum(axis=0)), 1))


def by_hand(by_shopper, chosen, rows):
    cosines = (by_shopper.T @ by_shopper).toarray()
    who = (by_shopper.toarray() > 0).astype(int)
    cosines[who.T @ who < 3] = 0
    np.fill_diagonal(cosines, 0)
    return cosines[chosen][:, rows].sum(axis=0)


@pytest.mark.parametrize("chosen", [[3], [0, 7, 11], [24], []])
def test_cosines_are_those_of_all_pairs(chosen, monkeypatch):
    monkeypatch.setattr(chosen_together, "_AT_ONCE", 7)
    by_shopper = drawn()
    together = ChosenTogether.of(by_shopper)
    rows = np.array([4, 0, 24, 11, 3], dtype=np.int32)
    chosen = np.array(chosen, dtype=np.int32)
    np.testing.assert_allclose(
        together.cosines(chosen, rows), by_hand(by_shopper, chosen, rows), atol=1e-5
    )


def test_nothing_is_told_of_one_or_two_shoppers():
    alone = np.zeros((9, 4), dtype=np.float32)
    alone[0, [0, 1]] = alone[:2, [2]] = alone[:2, [3]] = 1
    together = ChosenTogether.of(sparse.csr_array(alone))
    assert not together.cosines(np.arange(4), np.arange(4)).any()


def test_the_nearest_are_kept(monkeypatch):
    monkeypatch.setattr(chosen_together, "_MOST", 2)
    by_shopper = drawn()
    exact = by_hand(by_shopper, np.array([3]), np.arange(25))
    kept = ChosenTogether.of(by_shopper).cosines(np.array([3], np.int32), np.arange(25))
    assert np.count_nonzero(kept) == 2
    assert kept.sum() == pytest.approx(np.sort(exact)[-2:].sum())


def test_what_is_saved_says_the_same_and_later_items_nothing(tmp_path):
    together = ChosenTogether.of(drawn())
    with writing(tmp_path / "made", kind="made") as folder:
        together.save(folder)
    read = ChosenTogether.load(open_artifact(tmp_path / "made", kind="made"))
    chosen, rows = np.array([3, 8, 40], dtype=np.int32), np.array([30, 1, 2], dtype=np.int32)
    assert (read.cosines(chosen, rows) == together.cosines(chosen, rows)).all()
    assert read.cosines(chosen, rows)[0] == 0


def test_nobody_chose_anything():
    together = ChosenTogether.of(sparse.csr_array((0, 5)))
    assert not together.cosines(np.array([1, 2]), np.arange(5)).any()


@pytest.fixture(scope="module")
def parts(shop_run):
    return open_bundle(shop_run.bundle)


def ordered(parts, weights, history):
    """Items of one search where only some parts count."""
    fitted = parts._fitted_order
    channel = parts.generative()
    evidence = channel.learned.parts
    assert evidence.names[-2:] == [TOGETHER, UNCHOSEN]
    every = dict.fromkeys(evidence.names, 0.0) | weights
    assert evidence.together is fitted.together
    learned = LearnedOrder(evidence, OrderFit(every))
    channel = GenerativeChannel(channel.generator, GenerativeConfig(), learned=learned)
    (ranking,) = channel.rank([Request("red lamp", Shopper(history=history))], 50)
    return ranking


def test_what_was_chosen_may_stand_last(parts):
    history = ("item-3", "item-7")
    ranking = ordered(parts, {UNCHOSEN: 1.0}, history)
    rows = [parts.items.catalog.row_of[item] for item in history]
    among = np.isin(ranking.rows, rows)
    assert not among[: (~among).sum()].any()


def test_what_was_chosen_together_stands_first(parts):
    together = parts._fitted_order.together
    rows = np.argsort(-np.diff(together._offsets), kind="stable")[:2]  # they have neighbours
    history = tuple(parts.items.catalog.item_ids[row] for row in rows.tolist())
    ranking = ordered(parts, {TOGETHER: 1.0}, history)
    cosines = together.cosines(rows, ranking.rows)
    assert cosines.max() > 0
    assert (np.diff(cosines) <= 1e-6).all()


def test_without_a_history_nothing_of_it_counts(parts):
    plain, counted = (ordered(parts, weights, ()) for weights in ({}, {TOGETHER: 3.0, UNCHOSEN: 2}))
    assert plain.rows.tolist() == counted.rows.tolist()
    assert (plain.scores == counted.scores).all()


@pytest.mark.parametrize("history", [(), ("item-3", "item-7")])
def test_what_was_fitted_on_is_what_is_served(parts, history):
    """Also for a shopper of whom nothing is known: shares would be off for all of them."""
    channel = parts.generative()
    evidence = channel.learned.parts
    (read,) = channel.read([Request("red lamp", Shopper(history=history))])
    rows, asked = np.arange(60, dtype=np.int32), read.asked(0)
    items, logprob = channel.items.views, -np.arange(60, dtype=np.float32)
    weights = dict(zip(evidence.names, np.linspace(0.1, 1.5, len(evidence.names)), strict=True))
    said = evidence.of(asked, items, rows, logprob)
    served = LearnedOrder(evidence, OrderFit(weights)).scores(asked, items, rows, logprob)
    np.testing.assert_allclose(served, np.array(list(weights.values())) @ said, rtol=1e-4)


def test_a_bundle_holds_what_was_fitted_with_it(parts):
    weights = parts._fitted_order.served.weights
    assert weights.keys() >= {TOGETHER, UNCHOSEN}
    row = parts.items.catalog.frame.head(1).with_columns(item_id=pl.lit("new"))
    grown = parts.with_items(row)
    assert grown.generative().recall("red lamp", user=Shopper(history=("new", "item-3")), k=3)


def test_what_the_shopper_has_chosen_can_be_left_out(parts):
    served = parts.generative()
    first = [hit.item_id for hit in served.recall("drill", k=12)]
    user = {"history": first[:3]}
    config = served._config.model_copy(update={"leave_out_chosen": True})
    without = GenerativeChannel(
        served.generator, config, reader=served.reader, learned=served.learned
    )
    hits = without.recall("drill", user=user, k=12)
    assert len(hits) == 12
    assert not {hit.item_id for hit in hits} & set(first[:3])
    nobody = without.recall("drill", k=12)
    assert nobody == served.recall("drill", k=12)
