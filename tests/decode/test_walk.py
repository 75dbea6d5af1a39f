"""The walk, in C and in NumPy, against the reference."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from drawn_generator import WEIGHTS, drawn_generator, drawn_reading, round_heads
from hypothesis import given, settings
from hypothesis import strategies as st

from genrecall.decode.base import BeamRule, Beams
from genrecall.decode.engines import engine_of
from genrecall.decode.reference import ReferenceEngine
from genrecall.decode.walk.engine import WalkEngine
from genrecall.foundation.errors import RequestError
from genrecall.generator.compact.weights import LevelWeights
from genrecall.native.library import library

ATOL = 4e-4  # log-probabilities of one SID differ by the rounding of floats, and of queries

SHAPES = {
    "few": ((3, 2, 4), 30),
    "usual": ((40, 8, 16), 1500),
    "many first codes": ((600, 3, 4), 3000),
    "many SIDs under one prefix": ((2, 2, 500), 1200),
    "one SID": ((1, 1, 1), 3),
    "a space with one huge cluster": ((30, 4, 6000), 900),
}
ALONE = {
    "heads": LevelWeights((1.0, 1.0, 1.0), (0.0, 0.0, 0.0)),
    "look-ahead": LevelWeights((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "heads at the first level": LevelWeights((0.5, 0.0, 0.0), (0.5, 1.0, 1.0)),
    "nothing": LevelWeights((0.0,) * 3, (0.0,) * 3),
}
NATIVE = [False, pytest.param(True, marks=pytest.mark.skipif(not library(), reason="not built"))]


@pytest.fixture(scope="module", params=SHAPES)
def generator(request):
    return drawn_generator(*SHAPES[request.param])


def assert_same(found, expected):
    """Equal but for the order of SIDs whose scores are equal up to rounding."""
    assert found.leaves.dtype == expected.leaves.dtype
    np.testing.assert_array_equal(found.leaves < 0, expected.leaves < 0)
    np.testing.assert_allclose(found.logprob, expected.logprob, atol=ATOL)
    for one, other, scores in zip(found.leaves, expected.leaves, expected.logprob, strict=True):
        differ = np.flatnonzero(one != other)
        last = scores[scores > -np.inf][-1:]
        for place in differ:
            near = np.abs(scores - scores[place]) < ATOL
            assert near.sum() > 1 or scores[place] - last < ATOL


@pytest.mark.skipif(library() is None, reason="no compiler was there when this was installed")
def test_the_library_is_used_where_it_is_built():
    engine = engine_of(drawn_generator(*SHAPES["few"]))
    assert type(engine._walk).__name__ == "NativeWalk"


@pytest.mark.parametrize("native", NATIVE)
@pytest.mark.parametrize("beam", [1, 7, 100])
def test_the_walk_finds_what_the_reference_finds(generator, native, beam):
    reading = drawn_reading(generator, 20)
    expected = ReferenceEngine(generator).search(reading, beam=beam)
    assert_same(WalkEngine(generator, native=native).search(reading, beam=beam), expected)


@pytest.mark.parametrize("native", NATIVE)
@pytest.mark.parametrize("weights", ALONE.values(), ids=ALONE)
def test_parts_may_weigh_nothing(native, weights):
    generator = drawn_generator(*SHAPES["usual"], weights=weights)
    reading = drawn_reading(generator, 10)
    expected = ReferenceEngine(generator).search(reading, beam=30)
    assert_same(WalkEngine(generator, native=native).search(reading, beam=30), expected)


@pytest.mark.parametrize("native", NATIVE)
@settings(max_examples=40)
@given(st.data())
def test_only_what_is_valid_is_generated_and_first_codes_are_kept(native, data):
    generator = drawn_generator((6, 3, 5), 60, seed=data.draw(st.integers(0, 20)))
    reading, n_sids = drawn_reading(generator, 3), len(generator.trie)
    rng = np.random.default_rng(data.draw(st.integers(0, 2**20)))
    share = data.draw(st.sampled_from([0.0, 0.05, 0.5, 1.0]))
    shape = data.draw(st.sampled_from([(n_sids,), (1, n_sids), (3, n_sids)]))
    beam = data.draw(st.integers(1, 20))
    options = {
        "beam": beam,
        "valid": rng.random(shape) < share,
        "min_level1": data.draw(st.integers(1, min(beam, 8))),
    }
    expected = ReferenceEngine(generator).search(reading, **options)
    assert_same(WalkEngine(generator, native=native).search(reading, **options), expected)


@pytest.mark.parametrize("native", NATIVE)
def test_some_of_what_was_read_are_searched_like_each_alone(generator, native):
    reading, engine = drawn_reading(generator, 9), WalkEngine(generator, native=native)
    every = engine.search(reading, beam=12)
    rows = np.array([7, 0, 7, 3])
    some = engine.search(reading, beam=12, rows=rows)
    np.testing.assert_array_equal(some.leaves, every.leaves[rows])
    np.testing.assert_array_equal(some.logprob, every.logprob[rows])
    assert len(engine.search(reading, beam=12, rows=rows[:0])) == 0


@pytest.mark.parametrize("native", NATIVE)
def test_what_cannot_be_searched_is_refused(native):
    generator = drawn_generator(*SHAPES["few"])
    engine, reading = WalkEngine(generator, native=native), drawn_reading(generator, 2)
    for beam, min_level1 in ((0, 1), (3, 4), (3, 0)):
        with pytest.raises(RequestError, match="needed is 1 <= min_level1 <= beam"):
            engine.search(reading, beam=beam, min_level1=min_level1)
    with pytest.raises(ValueError, match="does not fit"):
        engine.search(reading, beam=3, valid=np.ones((3, len(generator.trie)), dtype=np.bool_))


@pytest.mark.parametrize("native", NATIVE)
def test_threads_search_at_once(native):
    generator = drawn_generator(*SHAPES["usual"], weights=WEIGHTS)
    engine, reading = WalkEngine(generator, native=native), drawn_reading(generator, 40)
    expected = engine.search(reading, beam=50)
    with ThreadPoolExecutor(4) as pool:
        widths = [50, 3, 50, 120] * 4
        found = list(pool.map(lambda beam: engine.search(reading, beam=beam), widths))
    for beam, beams in zip(widths, found, strict=True):
        if beam == 50:
            np.testing.assert_array_equal(beams.leaves, expected.leaves)
            np.testing.assert_array_equal(beams.logprob, expected.logprob)


@pytest.mark.parametrize("native", NATIVE)
def test_a_query_of_zeros_is_searched_by_what_is_usual(native):
    generator = drawn_generator(*SHAPES["usual"])
    reading = drawn_reading(generator, 2)
    reading.state.queries[:] = 0
    reading.state.hidden[:] = 0
    expected = ReferenceEngine(generator).search(reading, beam=20)
    assert_same(WalkEngine(generator, native=native).search(reading, beam=20), expected)


@pytest.mark.parametrize("native", NATIVE)
@pytest.mark.parametrize("of", [np.asfortranarray, lambda mask: np.repeat(mask, 2, axis=1)[:, ::2]])
def test_masks_may_lie_in_memory_as_they_like(native, of):
    generator = drawn_generator(*SHAPES["many first codes"])
    reading = drawn_reading(generator, 5)
    valid = of(np.random.default_rng(3).random((5, len(generator.trie))) < 0.3)
    expected = ReferenceEngine(generator).search(reading, beam=20, valid=valid)
    assert_same(
        WalkEngine(generator, native=native).search(reading, beam=20, valid=valid), expected
    )


def test_masks_of_numbers_are_refused():
    generator = drawn_generator(*SHAPES["few"])
    for engine in (WalkEngine(generator), ReferenceEngine(generator)):
        with pytest.raises(ValueError, match="is of int64; give bool"):
            engine.search(
                drawn_reading(generator, 1), beam=3, valid=np.ones(len(generator.trie), np.int64)
            )


@pytest.mark.parametrize("native", NATIVE)
def test_weights_are_those_of_when_the_engine_was_made(native):
    policy = drawn_generator(*SHAPES["usual"]).policy
    generator = policy.generator  # its weights are those that are trained
    reading, engine = drawn_reading(generator, 5), WalkEngine(generator, native=native)
    before = engine.search(reading, beam=20)
    with torch.no_grad():
        for parameter in policy.model.parameters():
            parameter.mul_(1.5).add_(0.3)
    round_heads(policy.model)
    after = engine.search(reading, beam=20)
    np.testing.assert_array_equal(before.logprob, after.logprob)
    fresh = drawn_reading(generator, 5)
    expected = ReferenceEngine(policy).search(fresh, beam=20)
    assert_same(WalkEngine(generator, native=native).search(fresh, beam=20), expected)


@pytest.mark.parametrize("native", NATIVE)
@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_queries_that_are_no_numbers_are_refused(native, broken):
    generator = drawn_generator(*SHAPES["few"])
    reading = drawn_reading(generator, 2)
    reading.state.hidden[1, 0] = broken
    with pytest.raises(RequestError, match="bundle are damaged"):
        WalkEngine(generator, native=native).search(reading, beam=3)


@pytest.mark.parametrize("engine", ["in C", "NumPy", "reference"])
@pytest.mark.parametrize("name", ["head.0.weight", "head.1.weight", "head.1.bias", "code.0.weight"])
def test_weights_that_are_no_numbers_are_refused(engine, name):
    generator = drawn_generator(*SHAPES["few"])
    arrays = dict(generator.weights.arrays)
    arrays[name] = np.full_like(arrays[name], np.nan)
    damaged = generator.with_weights(replace(generator.weights, arrays=arrays))
    reading = damaged.reread(drawn_reading(generator, 2))
    with pytest.raises(RequestError, match="bundle are damaged"):
        if engine == "reference":
            ReferenceEngine(damaged).search(reading, beam=3)
        WalkEngine(damaged, native=engine == "in C").search(reading, beam=3)


RULE = BeamRule((2, 9, 40), (1.2, 2.4))


def test_a_rule_chooses_by_the_entropy_of_the_first_code(generator):
    reading = drawn_reading(generator, 40)
    entropy = -(reading.step.exp() * reading.step).sum(dim=1).numpy()
    ordered = np.sort(entropy)
    middle = [float(ordered[place : place + 2].mean()) for place in (12, 25)]
    rule = BeamRule((2, 9, 40), tuple(middle))
    expected = ReferenceEngine(generator).search(reading, beam=rule)
    assert expected.leaves.shape == (40, 40)
    for row, of in enumerate(entropy.tolist()):
        alone = ReferenceEngine(generator).search(
            reading, beam=rule.width(of), rows=np.array([row])
        )
        assert expected.leaves[row, : alone.width].tolist() == alone.leaves[0].tolist()
        assert (expected.leaves[row, alone.width :] < 0).all()
    near = np.abs(entropy[:, None] - middle).min(axis=1) < 1e-3  # rounding may choose otherwise
    kept = np.flatnonzero(~near)
    for native in (False, True):
        found = WalkEngine(generator, native=native).search(reading, beam=rule, rows=kept)
        chosen = Beams(expected.leaves[kept], expected.logprob[kept])
        assert_same(found, chosen)


@pytest.mark.parametrize("native", NATIVE)
def test_a_rule_searches_under_a_filter_as_without(native):
    generator = drawn_generator(*SHAPES["usual"])
    reading, valid = drawn_reading(generator, 6), np.arange(len(generator.trie)) % 3 == 0
    options = {"beam": RULE, "valid": valid, "min_level1": 2}
    expected = ReferenceEngine(generator).search(reading, **options)
    assert_same(WalkEngine(generator, native=native).search(reading, **options), expected)


@pytest.mark.parametrize(
    ("widths", "entropies"),
    [((), ()), ((5, 2), (1.0,)), ((2, 2), (1.0,)), ((2, 5), (1.0, 2.0)), ((2, 5), (np.nan,))],
)
def test_widths_that_are_no_rule_are_refused(widths, entropies):
    with pytest.raises(RequestError, match="needed are widths in ascending order"):
        BeamRule(widths, entropies)
