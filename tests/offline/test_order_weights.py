"""The item order that is learned: what it reads, how it is fitted, and who keeps to it."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from trained import open_whole

from genrecall.channels.base import Request
from genrecall.channels.config import GenerativeConfig
from genrecall.channels.generative import GenerativeChannel
from genrecall.channels.learned_order import (
    LOGPROB,
    ORDER_FILE,
    PRIOR,
    SCORE,
    FittedOrder,
    LearnedOrder,
    OrderFit,
    OrderParts,
    standing_of,
)
from genrecall.data.load import load_shop
from genrecall.data.tables import SEARCHES, Searches
from genrecall.data.texts import TITLE
from genrecall.foundation.progress import SilentLog
from genrecall.foundation.work import Work
from genrecall.generator.compact.weights import BOTH, LevelWeights
from genrecall.learning.likelihood import Choices
from genrecall.offline import calibrate
from genrecall.offline.exact import ExactSearch
from genrecall.offline.folds import FoldedChannel
from genrecall.offline.generated import GeneratedAnswers
from genrecall.offline.order_weights import (
    fit_order,
    item_prior,
    order_choices,
    usual_order,
)


@pytest.fixture(scope="module")
def parts(shop_run):
    return open_whole(shop_run)


@pytest.fixture(scope="module")
def channel(parts):
    return parts.unfitted("query_to_sid")


@pytest.fixture(scope="module")
def evidence(parts, channel):
    prior = np.linspace(0, 1, len(parts.items)).astype(np.float32)
    return OrderParts(
        channel.generator.views, parts.words.fields, standing_of(prior, parts.items.efficiency)
    )


def asked_of(channel, query):
    (read,) = channel.read([Request(query)])
    return read.asked(0)


def test_parts_are_cosines_words_and_priors(channel, evidence, parts):
    query, rows = asked_of(channel, "red cordless drill"), np.array([3, 1, 7], dtype=np.int32)
    items, logprob = channel.items.views, np.array([-1, -2, -3], dtype=np.float32)
    said = evidence.of(query, items, rows, logprob)
    assert said.shape == (len(evidence.names), 3)
    by_name = dict(zip(evidence.names, said, strict=True))
    first = parts.encoder.encode([query.text])[0]
    near = parts.items.vectors[rows].astype(np.float32) @ first
    np.testing.assert_allclose(by_name["in_domain"], near, atol=1e-4)
    assert np.abs(by_name["own"]).max() <= 1 + 1e-5
    assert (by_name[LOGPROB] == logprob).all()
    assert (by_name[PRIOR] == evidence.standing[PRIOR][rows]).all()
    assert (by_name[TITLE] == parts.words.fields[TITLE].scores(query.text, rows)).all()


def test_scores_are_the_weighted_parts(channel, evidence):
    query, rows = asked_of(channel, "blue hammer"), np.arange(40, dtype=np.int32)
    items, logprob = channel.items.views, -np.arange(40, dtype=np.float32)
    weights = dict(zip(evidence.names, (0.7, 0.2, 0.1, 2.0, 0.5, 0.3, 0.4), strict=True))
    said = evidence.of(query, items, rows, logprob)
    expected = np.array(list(weights.values())) @ said
    found = LearnedOrder(evidence, OrderFit(weights)).scores(query, items, rows, logprob)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_the_usual_weights_are_the_order_dense(channel, evidence):
    weights = usual_order(evidence, beam_weight=0.02)
    learned = LearnedOrder(evidence, OrderFit(weights))
    other = GenerativeChannel(channel.generator, GenerativeConfig(), learned=learned)
    for query in ("red cordless drill", "hammer", "lamp"):
        (one,), (two,) = channel.rank([Request(query)], 20), other.rank([Request(query)], 20)
        assert one.rows.tolist() == two.rows.tolist()
        np.testing.assert_allclose(one.scores, two.scores, atol=1e-5)


def test_choices_hold_the_log_probability_of_each_items_beam(channel, evidence):
    requests = [Request("red cordless drill"), Request("日本"), Request("hammer")]
    (choices,) = order_choices([channel], requests, evidence)
    assert set(choices.search.tolist()) == {0, 2}
    (ranking,) = channel.rank([requests[2]], 500)
    mine = choices.search == 2
    assert choices.rows[mine].tolist() == sorted(ranking.rows.tolist())
    leaves = ranking.beams.leaves.tolist()
    sid = channel.items.table.sid_of_item[choices.rows[mine]]
    expected = [ranking.beams.logprob[leaves.index(one)] for one in sid]
    found = choices.parts[evidence.names.index(LOGPROB), mine]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_choices_of_other_weights_are_those_of_a_channel_that_has_them(parts, evidence):
    requests = [Request("red cordless drill"), Request("hammer"), Request("blue lamp")]
    usual = LevelWeights.usual(head_weight=0.3)
    other = LevelWeights((0.1, 0.8, 0.0), (0.3, 0.5, 0.9))
    channels = parts.weighed("query_to_sid", [usual, other])
    together = order_choices(channels, requests, evidence)
    for channel, choices in zip(channels, together, strict=True):
        (alone,) = order_choices([channel], requests, evidence)
        assert (choices.search == alone.search).all()
        assert (choices.rows == alone.rows).all()
        np.testing.assert_allclose(choices.parts, alone.parts, atol=1e-5)
    logprob = evidence.names.index(LOGPROB)
    assert not np.array_equal(together[0].parts[logprob], together[1].parts[logprob])


def test_each_fold_is_fitted_on_beams_of_its_own_weights(parts, shop_run, tmp_path, monkeypatch):
    asked = []

    def listening(channels, requests, evidence):
        asked.extend(channel.generator.serving.weights for channel in channels)
        return order_choices(channels, requests, evidence)

    monkeypatch.setattr(calibrate, "order_choices", listening)
    shop = load_shop(shop_run.open_stage("data"))
    calibrate.run(parts, shop, Work(tmp_path / "calibrate", "", 0, SilentLog()))
    fitted = parts.weights[parts.trained[-1]][BOTH]
    assert asked == list(dict.fromkeys((fitted.served, *fitted.folds)))


def test_exact_search_orders_as_many_as_the_beams_should_hold(parts):
    """And so answers with items that are not among its nearest `k`."""
    channel = parts.generative()
    requests = [Request("red cordless drill"), Request("hammer"), Request("blue lamp")]
    generated = GeneratedAnswers(FoldedChannel([channel]), 4, {3: requests})
    k = 4
    assert channel.depth(k) == 6
    vectors = generated.encode(requests)
    exact = ExactSearch(generated).rank(requests, k)
    for request, vector, ranking in zip(requests, vectors, exact, strict=True):
        views = channel.items.views
        similar = np.where(channel.items.mask({}), views[:] @ vector, -2)
        nearest = np.sort(np.argsort(-similar, kind="stable")[: channel.depth(k)])
        no_beam = np.zeros(len(nearest), dtype=np.float32)
        query = generated.asked(request)
        scores = channel.learned.scores(query, views, nearest, no_beam)
        expected = nearest[np.argsort(-scores, kind="stable")][:k]
        assert ranking.rows.tolist() == expected.tolist()


def often_chosen(items):
    """Some of the items, whose SIDs the look-ahead then goes to whatever the query."""
    prior = np.zeros(len(items), dtype=np.float32)
    prior[np.flatnonzero(items.available)[::9]] = 40.0
    return prior


def test_exact_search_counts_the_prior_as_the_look_ahead_does(parts):
    prior = often_chosen(parts.items)
    weights = LevelWeights((0.0,) * 3, (1.0,) * 3, prior=4.0)
    views = parts.generative().generator.views
    evidence = OrderParts(views, parts.words.fields, {PRIOR: prior})
    learned = LearnedOrder(evidence, OrderFit(dict.fromkeys(evidence.names, 0.0)))
    (weighed,) = parts.weighed("query_to_sid", [weights], prior)
    channel = GenerativeChannel(weighed.generator, GenerativeConfig(), learned=learned)
    requests = [Request("red cordless drill"), Request("☂")]
    generated = GeneratedAnswers(FoldedChannel([channel]), 4, {3: requests})
    exact, nothing = ExactSearch(generated).rank(requests, 4)
    assert set(exact.rows.tolist()) <= set(np.flatnonzero(prior))
    assert not len(nothing.rows)


@pytest.mark.parametrize("order", ["dense", "beam"])
def test_exact_search_counts_the_prior_whatever_the_order(parts, order):
    """The look-ahead does."""
    prior = often_chosen(parts.items)
    weights = LevelWeights((0.0,) * 3, (1.0,) * 3, prior=4.0)
    (weighed,) = parts.weighed("query_to_sid", [weights], prior)
    channel = GenerativeChannel(weighed.generator, GenerativeConfig(order=order))
    requests = [Request("red cordless drill")]
    (exact,) = ExactSearch(GeneratedAnswers(FoldedChannel([channel]), 4, {3: requests})).rank(
        requests, 4
    )
    assert set(exact.rows.tolist()) <= set(np.flatnonzero(prior))


def test_what_tells_relevant_items_weighs_more(evidence):
    random = np.random.default_rng(0)
    n, width = 200, 30
    said = random.normal(size=(len(evidence.names), n * width)).astype(np.float32)
    positives = [np.array([search % width], dtype=np.int32) for search in range(n)]
    relevant = np.arange(n) * width + np.arange(n) % width
    said[evidence.names.index(TITLE), relevant] += 3
    choices = Choices(
        np.repeat(np.arange(n), width), np.tile(np.arange(width), n).astype(np.int32), said
    )
    weights = fit_order(
        choices, positives, evidence, usual=usual_order(evidence, beam_weight=0.02)
    ).weights
    assert max(weights, key=weights.get) == TITLE
    half = fit_order(
        choices.of(np.arange(0, n, 2)),
        positives[::2],
        evidence,
        usual=usual_order(evidence, beam_weight=0.02),
    )
    assert half.weights[TITLE] == pytest.approx(weights[TITLE], rel=0.5)


def test_nothing_is_learned_of_nothing(evidence):
    usual = usual_order(evidence, beam_weight=0.02)
    nothing = Choices(
        np.empty(0, dtype=np.int64),
        np.empty(0, dtype=np.int32),
        np.empty((len(evidence.names), 0), dtype=np.float32),
    )
    assert fit_order(nothing, [], evidence, usual=usual) is None
    assert fit_order(nothing, [np.array([1])], evidence, usual=usual) is None


def searches(shown):
    rows = [
        {"positives": [0, 1], "impressions": [0, 1, 2] if shown else []},
        {"positives": [0], "impressions": [0, 2] if shown else []},
    ]
    return Searches(pl.DataFrame(rows, schema={name: SEARCHES[name] for name in rows[0]}))


def test_pages_without_a_choice_have_shown_their_items(shop_run, parts, tmp_path):
    shop = load_shop(shop_run.open_stage("data"))
    frame = shop.searches.frame
    nothing = [pl.lit([], frame.schema[name]).alias(name) for name in ("positives", "gains")]
    seen = frame.filter(pl.col("split") == "train").head(60).with_columns(nothing)
    searches = Searches(pl.concat([frame, seen]))
    more = replace(shop, searches=searches)
    made = calibrate.run(parts, more, Work(tmp_path / "calibrate", "", 0, SilentLog()))
    prior = FittedOrder.load(made).prior
    np.testing.assert_array_equal(prior, item_prior(searches.told("train"), len(prior)))
    assert (prior != item_prior(searches.of("train"), len(prior))).any()


def test_where_an_item_stands_by_the_score_of_the_shop_is_a_part(channel, parts):
    random = np.random.default_rng(0)
    efficiency = random.lognormal(size=len(parts.items))
    efficiency[3] = np.nan
    standing = standing_of(np.zeros(len(efficiency), dtype=np.float32), efficiency)
    scored = OrderParts(channel.generator.views, parts.words.fields, standing)
    assert scored.names[-2:] == [PRIOR, SCORE]
    query, rows = asked_of(channel, "red drill"), np.arange(9, dtype=np.int32)
    logprob = np.zeros(9, dtype=np.float32)
    said = scored.of(query, channel.items.views, rows, logprob)[-1]
    assert said[3] == 0.5
    others = rows[rows != 3]
    assert (np.argsort(said[others]) == np.argsort(efficiency[others])).all()
    weights = dict.fromkeys(scored.names, 0.0) | {SCORE: 2.0}
    learned = LearnedOrder(scored, OrderFit(weights))
    scores = learned.scores(query, channel.items.views, rows, logprob)
    np.testing.assert_allclose(scores, 2.0 * said, atol=1e-6)


def test_the_prior_counts_choices_and_what_was_never_shown_is_average():
    np.testing.assert_allclose(item_prior(searches(False), 4), np.log([3, 2, 1, 1]), rtol=1e-6)
    average = 3 / 5
    expected = [(2 + 10 * average) / 12, (1 + 10 * average) / 11, 10 * average / 12, average]
    np.testing.assert_allclose(item_prior(searches(True), 4), np.log(expected), rtol=1e-6)


def test_a_bundle_keeps_to_what_was_fitted(parts):
    fitted = parts._fitted_order
    assert isinstance(fitted, FittedOrder)
    assert len(fitted.folds) == 5
    assert parts.generative().learned.fit == fitted.served
    assert [channel.learned.fit for channel in parts.of_folds()] == list(fitted.folds)
    assert parts.unfitted(parts.trained[-1]).learned is None
    plain = replace(
        parts,
        channels=parts.channels.model_copy(
            update={"generative": parts.channels.generative.model_copy(update={"order": "dense"})}
        ),
    )
    assert plain.generative().learned is None


def test_where_nothing_is_fitted_the_order_that_is_set_serves(shop_run, parts, tmp_path):
    shop = load_shop(shop_run.open_stage("data"))
    training = Searches(shop.searches.frame.filter(pl.col("split") == "train"))
    nothing = replace(shop, searches=training)
    made = calibrate.run(parts, nothing, Work(tmp_path / "calibrate", "", 0, SilentLog()))
    assert ORDER_FILE not in made.files
    channels = parts.channels.model_copy(
        update={"generative": parts.channels.generative.model_copy(update={"beam_weight": 5.0})}
    )
    bundle = replace(parts, stages={**parts.stages, "calibrate": made}, channels=channels)
    dense = GenerativeChannel(
        bundle.generative().generator,
        channels.generative.model_copy(update={"order": "dense"}),
        reader=bundle.reader,
    )
    assert bundle.generative().recall("red drill") == dense.recall("red drill")
