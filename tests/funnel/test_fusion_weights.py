import numpy as np
import pytest
from scipy.optimize import OptimizeResult, minimize

from genrecall.channels.base import Ranking
from genrecall.evaluate.measures import recall, target_ranks
from genrecall.foundation.errors import DataError
from genrecall.funnel.config import FusionConfig
from genrecall.funnel.fusion import fuse, gather
from genrecall.funnel.weights import cross_fitted_fusion, fit_weights
from genrecall.learning.likelihood import _Likelihood, likeliest_weights

N, K = 300, 100
CONFIGS = [FusionConfig(method="scores"), FusionConfig(method="rrf")]


def noisy_channel(positives, noise, seed):
    """A channel that lifts the relevant items by 1 in noise of the given size."""
    random = np.random.default_rng(seed)
    rankings = []
    for relevant in positives:
        scores = random.normal(0, noise, N).astype(np.float32)
        scores[relevant] += 1
        rows = np.argsort(-scores, kind="stable")[:K].astype(np.int32)
        rankings.append(Ranking(rows=rows, scores=scores[rows]))
    return rankings


@pytest.fixture(scope="module")
def positives():
    random = np.random.default_rng(0)
    return [random.choice(N, 3, replace=False).astype(np.int32) for _ in range(120)]


@pytest.fixture(scope="module")
def channels(positives):
    return {
        "good": noisy_channel(positives, 0.5, seed=1),
        "fair": noisy_channel(positives, 0.6, seed=2),
        "useless": noisy_channel([np.empty(0, np.int32)] * len(positives), 1.0, seed=3),
    }


def mean_recall(rankings, positives, k):
    return recall(target_ranks([r.rows for r in rankings], positives), k).mean()


@pytest.mark.parametrize("config", CONFIGS)
def test_weights_follow_the_worth_of_the_channels(channels, positives, config):
    weights = fit_weights(channels, positives, K, config=config)
    assert sum(weights.values()) == pytest.approx(1.0)
    assert weights["good"] > weights["fair"] > 0.2
    assert weights["useless"] < 0.05


@pytest.mark.parametrize("config", CONFIGS)
def test_cross_fitted_fusion_beats_equal_weights_and_every_channel(channels, positives, config):
    fitted = cross_fitted_fusion(channels, positives, K, config=config).rankings
    equal = fuse(channels, K, config=config)
    for k in (3, 10):
        ours = mean_recall(fitted, positives, k)
        assert ours > mean_recall(equal, positives, k)
        assert ours > max(mean_recall(lists, positives, k) for lists in channels.values())


def test_harmful_channel_gets_weight_zero(positives, channels):
    backwards = []
    for relevant, lists in zip(positives, channels["good"], strict=True):
        rows = np.append(np.setdiff1d(lists.rows, relevant)[: K - 3], relevant).astype(np.int32)
        backwards.append(Ranking(rows=rows, scores=-np.arange(len(rows), dtype=np.float32)))
    mixed = {"good": channels["good"], "backwards": backwards}
    weights = fit_weights(mixed, positives, K, config=FusionConfig())
    assert weights == {"good": 1.0, "backwards": 0.0}


def test_own_relevant_items_do_not_move_a_search(channels, positives):
    config = FusionConfig(folds=3)
    before = cross_fitted_fusion(channels, positives, K, config=config, seed=7)
    changed = [*positives]
    changed[5] = np.array([0], dtype=np.int32)
    after = cross_fitted_fusion(channels, changed, K, config=config, seed=7)
    assert before.rankings[5].rows.tolist() == after.rankings[5].rows.tolist()
    assert len(before.weights) == 3
    assert sum(a == b for a, b in zip(before.weights, after.weights, strict=True)) == 1


def test_a_query_is_never_on_both_sides_of_a_fold(channels, positives):
    config, groups = FusionConfig(folds=3), np.arange(len(positives)) % 40
    before = cross_fitted_fusion(channels, positives, K, config=config, groups=groups)
    changed = [*positives]
    for search in np.flatnonzero(groups == 5).tolist():
        changed[search] = np.array([0], dtype=np.int32)
    after = cross_fitted_fusion(channels, changed, K, config=config, groups=groups)
    for search in np.flatnonzero(groups == 5).tolist():
        assert before.rankings[search].scores.tolist() == after.rankings[search].scores.tolist()
    assert sum(a == b for a, b in zip(before.weights, after.weights, strict=True)) == 1


def test_without_groups_every_search_is_its_own_query(channels, positives):
    config, own = FusionConfig(folds=3), np.arange(len(positives))
    given = cross_fitted_fusion(channels, positives, K, config=config, groups=own)
    assert given.weights == cross_fitted_fusion(channels, positives, K, config=config).weights
    with pytest.raises(ValueError, match=r"groups of shape \(3,\) do not fit 120 searches"):
        cross_fitted_fusion(channels, positives, K, config=config, groups=own[:3])


def test_the_gradient_is_that_of_the_loss(channels, positives):
    candidates = gather(list(channels.values()), K, FusionConfig())
    likelihood = _Likelihood(candidates, positives, np.ones(3))
    weights, step = np.array([2.0, 1.0, 0.3]), 1e-4
    _, gradient = likelihood(weights)
    for c in range(3):
        to = np.eye(3)[c] * step
        (up, _), (down, _) = likelihood(weights + to), likelihood(weights - to)
        assert gradient[c] == pytest.approx((up - down) / (2 * step), abs=1e-5)


@pytest.mark.parametrize("config", CONFIGS)
def test_no_other_weights_make_the_relevant_items_likelier(channels, positives, config):
    candidates = gather(list(channels.values()), K, config)
    spread = candidates.parts.std(axis=1, dtype=np.float64)
    likelihood, fitted = (
        _Likelihood(candidates, positives, spread),
        likeliest_weights(candidates, positives, list(channels)),
    )
    least, gradient = likelihood(fitted * spread)
    assert np.abs(gradient[fitted > 0]).max() < 1e-7
    assert (gradient[fitted == 0] > 0).all()
    for random in np.random.default_rng(0).normal(0, 0.05, (20, 3)):
        assert likelihood(np.maximum(fitted * spread + random, 0.0))[0] > least


@pytest.mark.parametrize("score", [np.inf, np.nan])
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_scores_that_no_weights_fit_are_refused(channels, positives, score):
    first = channels["good"][0]
    scores = np.where(np.arange(len(first.rows)) == 0, score, first.scores).astype(np.float32)
    lists = [Ranking(rows=first.rows, scores=scores), *channels["good"][1:]]
    broken = {"fair": channels["fair"], "broken": lists}
    with pytest.raises(DataError, match=r"fitted to the scores of fair, broken.*finite.*rrf"):
        fit_weights(broken, positives, K, config=FusionConfig())
    assert fit_weights(broken, positives, K, config=FusionConfig(method="rrf"))["broken"] > 0


@pytest.mark.parametrize(("steps", "enough"), [(100, True), (2, False)])
def test_a_search_that_ends_early_counts_where_little_is_left(
    channels, positives, monkeypatch, steps, enough
):
    def ends_early(*args, options, **others):
        found = minimize(*args, options=options | {"maxiter": steps}, **others)
        return OptimizeResult(found, success=False, message="ABNORMAL")

    expected = fit_weights(channels, positives, K, config=FusionConfig())
    monkeypatch.setattr("genrecall.learning.likelihood.minimize", ends_early)
    if enough:
        assert fit_weights(channels, positives, K, config=FusionConfig()) == expected
        return
    with pytest.raises(DataError, match="ended with 'ABNORMAL', at a slope of"):
        fit_weights(channels, positives, K, config=FusionConfig())


def test_searches_times_items_may_be_more_than_an_int32_holds():
    """2,100 searches of a shop of 1.08 million items; only the last channel is of use."""
    last = 1_080_000
    config, n = FusionConfig(), 2100
    useless = Ranking(np.array([3, last], np.int32), np.array([2.0, 1.0], np.float32))
    good = Ranking(np.array([last, 7], np.int32), np.array([2.0, 1.0], np.float32))
    lists = {"useless": [useless] * n, "good": [good] * n}
    positives = [np.array([last], dtype=np.int32)] * n
    weights = fit_weights(lists, positives, 2, config=config)
    assert weights["good"] == 1.0
    fused = fuse(lists, 2, config=config, weights=weights)
    assert [ranking.rows[0] for ranking in fused] == [last] * n


@pytest.mark.parametrize("n", [0, 1, 5])
def test_where_nothing_relevant_is_found_channels_weigh_the_same(channels, n):
    lists = {name: channels[name][:n] for name in ("good", "fair")}
    nowhere = [np.array([N + 7], dtype=np.int32)] * n
    weights = fit_weights(lists, nowhere, K, config=FusionConfig())
    assert weights == {"good": 0.5, "fair": 0.5}


def test_empty_lists_weigh_the_same():
    empty = Ranking(rows=np.empty(0, np.int32), scores=np.empty(0, np.float32))
    lists = {"a": [empty] * 2, "b": [empty] * 2}
    positives = [np.array([1])] * 2
    assert fit_weights(lists, positives, K, config=FusionConfig()) == {"a": 0.5, "b": 0.5}
    assert len(cross_fitted_fusion(lists, positives, K, config=FusionConfig()).rankings) == 2


def test_a_single_search_can_be_fused():
    lists = {"a": [Ranking(np.array([3], np.int32), np.array([1.0], np.float32))]}
    fitted = cross_fitted_fusion(lists, [np.array([3])], K, config=FusionConfig())
    assert fitted.rankings[0].rows.tolist() == [3]


def test_perfect_channels_have_finite_weights():
    top = Ranking(np.array([3, 4], np.int32), np.array([2.0, 1.0], np.float32))
    lists = {"a": [top] * 4, "b": [top] * 4}
    weights = fit_weights(lists, [np.array([3])] * 4, K, config=FusionConfig())
    assert weights == pytest.approx({"a": 0.5, "b": 0.5})


def test_other_number_of_searches_is_refused(channels, positives):
    for fit in (fit_weights, cross_fitted_fusion):
        with pytest.raises(ValueError, match="119 searches do not fit the numbers of rankings"):
            fit(channels, positives[1:], K, config=FusionConfig())
