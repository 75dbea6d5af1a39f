import numpy as np
import pytest
from scipy.stats import binomtest

from genrecall.evaluate.bootstrap import Bootstrap


def test_same_seed_same_interval():
    values = np.random.default_rng(0).random(50)
    first, second = (Bootstrap(50, seed=3).mean(values) for _ in range(2))
    assert first == second
    assert first != Bootstrap(50, seed=4).mean(values)


def test_mean_interval_is_the_normal_one_for_many_searches():
    values = np.random.default_rng(0).normal(2.0, 1.0, size=1500)
    estimate = Bootstrap(1500, seed=1).mean(values)
    half = 1.96 * values.std() / np.sqrt(1500)
    assert estimate.value == pytest.approx(values.mean())
    assert estimate.lo == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert estimate.hi == pytest.approx(values.mean() + half, abs=0.1 * half)
    assert estimate.n == 1500


def test_a_number_of_things_that_is_always_the_same_has_no_spread():
    assert Bootstrap(7).mean(np.full(7, 0.25)) == (0.25, 0.25, 0.25, 7)


@pytest.mark.parametrize("n", [1, 11, 40])
@pytest.mark.parametrize("k", [0, 1])
def test_where_all_values_are_0_or_all_are_1_the_interval_is_the_exact_binomial_one(n, k):
    lo, hi = binomtest(k * n, n).proportion_ci(0.95, "exact")
    estimate = Bootstrap(n).share(np.full(n, float(k)))
    assert estimate == (k, pytest.approx(lo), pytest.approx(hi), n)


def test_a_difference_that_is_never_there_is_not_certainly_zero():
    """By hand: 1 − 0.025^(1/30) of the queries may differ, each by at most 1."""
    estimate = Bootstrap(30).difference(np.full(30, 0.5), np.full(30, 0.5))
    assert estimate.value == 0
    assert (estimate.lo, estimate.hi) == (
        pytest.approx(-0.1157, abs=1e-4),
        pytest.approx(0.1157, abs=1e-4),
    )


def test_many_searches_of_few_queries_are_few():
    many = Bootstrap(1000, groups=np.arange(1000) % 5).share(np.ones(1000))
    assert many[:3] == pytest.approx(Bootstrap(5).share(np.ones(5))[:3])


def test_few_queries_leave_room_for_what_was_not_seen():
    values = np.tile([0.0, 1.0], 10)
    few, enough = Bootstrap(10).share(values[:10]), Bootstrap(20).share(values)
    alone = Bootstrap(10).mean(values[:10])
    unseen = 1 - 0.025 ** (1 / 10)
    assert few.lo == pytest.approx((1 - unseen) * alone.lo)
    assert few.hi == pytest.approx((1 - unseen) * alone.hi + unseen)
    assert enough == Bootstrap(20).mean(values)


@pytest.mark.parametrize("truth", [0.9, 0.99])
def test_intervals_of_few_searches_hold_the_truth(truth):
    """In 400 samples of 15 searches; the resamples alone hold 0.99 in one of seven."""
    random = np.random.default_rng(0)
    drawn = (random.random((400, 15)) < truth).astype(float)
    estimates = [Bootstrap(15, resamples=300).share(values) for values in drawn]
    held = np.mean([estimate.lo <= truth <= estimate.hi for estimate in estimates])
    assert held >= 0.95


def test_memory_does_not_grow_with_the_searches():
    random = np.random.default_rng(0)
    n = 60_000
    group = random.permutation(np.arange(n) // 2)
    values = random.random(n // 2)[group]
    bootstrap = Bootstrap(n, groups=group, resamples=400)
    assert bootstrap.clusters == n // 2
    assert bootstrap._counts.nbytes <= 400 * 5000 * 4
    estimate = bootstrap.share(values)
    half = 1.96 * np.sqrt(np.sum(np.bincount(group, weights=values - values.mean()) ** 2)) / n
    assert estimate.value == pytest.approx(values.mean())
    assert estimate.hi - estimate.lo == pytest.approx(2 * half, rel=0.15)


def test_resamples_without_anything_to_count_say_nothing():
    parts, wholes = np.array([1.0, 0.0, 0.0]), np.array([2.0, 0.0, 0.0])
    assert Bootstrap(3).ratio(parts, wholes) == (0.5, 0.5, 0.5, 3)


def test_ratio_weighs_searches_by_their_targets():
    estimate = Bootstrap(3).ratio(np.array([1, 0, 8]), np.array([1, 1, 8]))
    assert estimate.value == 0.9
    assert 0 <= estimate.lo <= 0.9 <= estimate.hi == 1.0


def test_paired_difference_is_narrower_than_its_parts():
    random = np.random.default_rng(0)
    hard = random.random(400)
    a, b = hard + 0.05, hard + random.normal(0, 0.01, 400)
    bootstrap = Bootstrap(400)
    difference = bootstrap.difference(a, b)
    assert difference.value == pytest.approx((a - b).mean())
    assert 0.04 < difference.lo < difference.hi < 0.06
    alone = bootstrap.mean(a)
    assert difference.hi - difference.lo < 0.2 * (alone.hi - alone.lo)


def test_quantile_is_one_of_the_values():
    values = np.arange(1.0, 101.0)[::-1]
    bootstrap = Bootstrap(100)
    assert bootstrap.quantile(values, 0.5).value == 50.0
    p99 = bootstrap.quantile(values, 0.99)
    assert p99.value == 99.0
    assert p99.lo < 99.0 < p99.hi == 100.0
    assert Bootstrap(10).quantile(np.arange(10.0), 0.3).value == 2.0


def test_single_search():
    assert Bootstrap(1).mean(np.array([0.5])) == (0.5, 0.5, 0.5, 1)


def test_nothing_to_resample_is_refused():
    with pytest.raises(ValueError, match="of 0 searches"):
        Bootstrap(0)


def test_measure_of_other_searches_is_refused():
    with pytest.raises(ValueError, match=r"shape \(2,\) do not fit the 3 searches"):
        Bootstrap(3).mean(np.array([1.0, 2.0]))
    with pytest.raises(ValueError, match=r"shape \(2,\) do not fit the 3 searches"):
        Bootstrap(3, groups=np.array([0, 1]))


def test_where_all_queries_differ_it_is_the_plain_bootstrap():
    values = np.random.default_rng(0).random(60)
    plain, by_query = Bootstrap(60), Bootstrap(60, groups=np.arange(60) * 3 + 5)
    assert by_query.mean(values) == plain.mean(values)
    assert by_query.quantile(values, 0.5) == plain.quantile(values, 0.5)


def test_repeating_every_search_narrows_nothing():
    values = np.random.default_rng(0).random(300)
    once, repeated = Bootstrap(300), np.repeat(values, 4)
    by_query = Bootstrap(1200, groups=np.repeat(np.arange(300), 4))
    for measure in (Bootstrap.mean, lambda b, v: b.quantile(v, 0.9)):
        true, found = measure(once, values), measure(by_query, repeated)
        assert found[:3] == pytest.approx(true[:3])
        assert found.n == 1200
    naive, found = Bootstrap(1200).mean(repeated), by_query.mean(repeated)
    assert found.value == naive.value
    assert (found.hi - found.lo) / (naive.hi - naive.lo) == pytest.approx(np.sqrt(4), rel=0.1)


def test_interval_is_the_cluster_robust_one_for_queries_of_unequal_frequency():
    random = np.random.default_rng(0)
    group = random.permutation(np.repeat(np.arange(900), random.integers(1, 6, 900)))
    values = random.random(900)[group] + random.normal(0, 0.1, len(group))
    estimate = Bootstrap(len(group), groups=group).mean(values)
    sums = np.bincount(group, weights=values - values.mean())
    half = 1.96 * np.sqrt(np.sum(sums**2)) / len(group)
    assert estimate.value == pytest.approx(values.mean())
    assert estimate.hi - estimate.lo == pytest.approx(2 * half, rel=0.1)
