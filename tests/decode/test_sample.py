"""Drawn SIDs against exhaustive scoring, and their frequencies against probabilities."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from table_generator import TableGenerator

from genrecall.decode.reference import ReferenceEngine
from genrecall.decode.sample import sample
from genrecall.foundation.errors import RequestError
from genrecall.foundation.sid import SidSpace, SidTable
from genrecall.foundation.trie import Trie
from genrecall.generator.prompts import Prompt


class Case:
    """SIDs in use and a generator for them."""

    def __init__(self, space, sids, logits):
        exps = [np.exp(of_level.astype(np.float64)) for of_level in logits]
        probs = [e / e.sum(axis=-1, keepdims=True) for e in exps]
        self.tables = tuple(np.log(p).astype(np.float32) for p in probs)
        self.sids = sorted(sids)
        self.trie = Trie(space, SidTable(space, np.array(self.sids, dtype=np.int32)).packed)
        self.generator = TableGenerator(self.tables, self.trie)
        self.n_prompts = len(logits[0])

    def read(self):
        return self.generator.read([Prompt(str(number)) for number in range(self.n_prompts)])

    def draw(self, size, seed=0, **options):
        rng = np.random.default_rng(seed)
        return sample(self.generator, self.read(), size=size, rng=rng, **options)

    def repeat(self, times, size, prompt=0, **options):
        """Many draws of one prompt: `[times, size]`."""
        reading = self.generator.read([Prompt(str(prompt))] * times)
        valid = options.pop("valid", None)
        if valid is not None:
            options["valid"] = [valid[prompt]] * times
        rng = np.random.default_rng(5)
        return sample(self.generator, reading, size=size, rng=rng, **options).leaves

    def logprob(self, prompt, sid):
        """Added up level by level in float32."""
        total = np.float32(0.0)
        for level in range(3):
            total += self.tables[level][(prompt, *sid[: level + 1])]
        return total

    def chance(self, prompt, valid=None, temperature=1.0):
        """Of each SID to be drawn, in plain Python: each level shared among what may follow."""
        valid = np.ones(len(self.sids), dtype=bool) if valid is None else valid
        allowed = [sid for sid, ok in zip(self.sids, valid, strict=True) if ok]
        chances = []
        for sid in self.sids:
            chance = 1.0 if sid in allowed else 0.0
            for level in range(3):
                row = self.tables[level][(prompt, *sid[:level])].astype(np.float64)
                weight = np.exp(row / temperature)
                follow = {other[level] for other in allowed if other[:level] == sid[:level]}
                chance *= weight[sid[level]] / max(sum(weight[code] for code in follow), 1e-300)
            chances.append(chance)
        return np.array(chances)


@st.composite
def cases(draw, prompts=2):
    space = SidSpace(draw(st.tuples(*[st.integers(1, 4)] * 3)))
    one = st.tuples(*[st.integers(0, size - 1) for size in space.sizes])
    sids = draw(st.sets(one, min_size=1, max_size=12))
    number = st.floats(-8, 8, width=32)
    shapes = [(prompts, *space.sizes[: level + 1]) for level in range(3)]
    logits = [draw(arrays(np.float32, shape, elements=number)) for shape in shapes]
    return Case(space, sids, logits)


SPACE = SidSpace((3, 2, 3))
SIDS = [(0, 0, 0), (0, 0, 2), (0, 1, 1), (1, 0, 1), (1, 1, 0), (1, 1, 2), (2, 0, 1)]


def fixed_case(prompts=2, seed=3):
    rng = np.random.default_rng(seed)
    shapes = [(prompts, *SPACE.sizes[: level + 1]) for level in range(3)]
    return Case(SPACE, SIDS, [rng.normal(0, 0.8, shape).astype(np.float32) for shape in shapes])


VALID = np.array([[True] * 7, [True, False, True, False, True, True, False]])


def assert_frequencies(drawn, chances):
    """Within four standard errors of each probability."""
    share = np.bincount(drawn, minlength=len(chances)) / len(drawn)
    error = np.sqrt(chances * (1 - chances) / len(drawn))
    assert (np.abs(share - chances) <= 4 * error).all(), (share, chances)


@given(cases(), st.integers(1, 5), st.booleans(), st.sampled_from([0.5, 1.0, 3.0]))
def test_logprobs_are_those_of_beam_search_and_exhaustive_scoring(
    case, size, distinct, temperature
):
    drawn = case.draw(size, distinct=distinct, temperature=temperature)
    engine = ReferenceEngine(case.generator)
    beams = engine.search(case.read(), beam=max(case.trie.n_nodes))
    for prompt in range(2):
        found = dict(zip(beams.leaves[prompt].tolist(), beams.logprob[prompt], strict=True))
        for leaf, logprob in zip(drawn.leaves[prompt], drawn.logprob[prompt], strict=True):
            if leaf < 0:
                assert logprob == -np.inf
            else:
                assert logprob == found[leaf] == case.logprob(prompt, case.sids[leaf])


@settings(max_examples=200)
@given(cases(), st.integers(1, 6), st.booleans(), st.data())
def test_only_what_is_valid_for_its_prompt_is_drawn(case, size, distinct, data):
    valid = data.draw(arrays(np.bool_, (2, len(case.sids))))
    drawn = case.draw(size, distinct=distinct, valid=list(valid))
    assert drawn.leaves.shape == drawn.logprob.shape == (2, size)
    assert (drawn.leaves.dtype, drawn.logprob.dtype) == (np.int64, np.float32)
    for leaves, logprob, allowed in zip(drawn.leaves, drawn.logprob, valid, strict=True):
        n = int((leaves >= 0).sum())
        assert (leaves[n:] == -1).all()
        assert (logprob[n:] == -np.inf).all()
        assert allowed[leaves[:n]].all()
        if distinct:
            assert n == len(set(leaves[:n].tolist())) == min(size, allowed.sum())
        else:
            assert n == (size if allowed.any() else 0)


@pytest.mark.parametrize("temperature", [1.0, 0.5, 2.0])
@pytest.mark.parametrize("prompt", [0, 1])
def test_with_replacement_frequencies_are_probabilities(prompt, temperature):
    case = fixed_case()
    drawn = case.repeat(500, 60, prompt, temperature=temperature, valid=VALID)
    chances = case.chance(prompt, VALID[prompt], temperature)
    np.testing.assert_allclose(chances.sum(), 1.0)
    assert_frequencies(drawn.ravel(), chances)


def assert_fits(counts, chances):
    """Chi-square: its mean is the degrees of freedom, its variance twice that."""
    expected = counts.sum() * chances
    rare = expected < 10  # counted together, so that the approximation holds
    counts = np.append(counts[~rare], counts[rare].sum())
    expected = np.append(expected[~rare], expected[rare].sum())
    filled = expected > 0
    statistic = ((counts - expected)[filled] ** 2 / expected[filled]).sum()
    free = filled.sum() - 1
    assert statistic < free + 4 * np.sqrt(2 * free), (statistic, free)


def test_a_temperature_acts_on_each_level_and_not_on_the_whole_sid():
    case = fixed_case()
    chances = case.chance(0, temperature=0.5)
    squared = np.exp([2.0 * case.logprob(0, sid) for sid in case.sids])
    assert np.abs(chances - squared / squared.sum()).max() > 0.02


def test_members_of_a_group_are_independent():
    case = fixed_case()
    first, second = case.repeat(30_000, 2).T
    chances = case.chance(0)
    assert_frequencies(first * 7 + second, np.outer(chances, chances).ravel())


def in_turn(chances, count):
    """Probability of each sequence of `count` distinct SIDs, drawn one after another."""
    found = {}
    for order in itertools.permutations(range(len(chances)), count):
        left, chance = 1.0, 1.0
        for leaf in order:
            chance *= chances[leaf] / left
            left -= chances[leaf]
        found[order] = chance
    return found


@pytest.mark.parametrize("temperature", [1.0, 0.5])
@pytest.mark.parametrize("prompt", [0, 1])
def test_without_replacement_sids_come_in_the_order_of_drawing_in_turn(prompt, temperature):
    case = fixed_case()
    drawn = case.repeat(20_000, 3, prompt, distinct=True, temperature=temperature, valid=VALID)
    chances = case.chance(prompt, VALID[prompt], temperature)
    assert_frequencies(drawn[:, 0], chances)
    orders = {key: value for key, value in in_turn(chances, 3).items() if value > 0}
    number = {order: at for at, order in enumerate(orders)}
    seen = np.array([number[tuple(row)] for row in drawn.tolist()])
    expected = np.array(list(orders.values()))
    assert_fits(np.bincount(seen, minlength=len(orders)), expected)
    for place in (1, 2):
        at_place = np.zeros(len(chances))
        for order, chance in orders.items():
            at_place[order[place]] += chance
        assert_frequencies(drawn[:, place], at_place)


def test_few_valid_sids_are_all_drawn():
    drawn = fixed_case().draw(9, distinct=True, valid=list(VALID))
    assert sorted(drawn.leaves[0].tolist()) == [-1, -1, 0, 1, 2, 3, 4, 5, 6]
    assert sorted(drawn.leaves[1].tolist()) == [-1] * 5 + [0, 2, 4, 5]


@pytest.mark.parametrize("distinct", [False, True])
def test_a_prompt_without_a_valid_sid_has_none(distinct):
    valid = [np.zeros(7, dtype=bool), np.arange(7) == 3]
    drawn = fixed_case().draw(3, distinct=distinct, valid=valid)
    assert drawn.leaves.tolist() == [[-1] * 3, [3, -1, -1] if distinct else [3] * 3]
    assert drawn.logprob[0].tolist() == [-np.inf] * 3
    nothing = fixed_case().draw(3, distinct=distinct, valid=[valid[0]] * 2)
    assert nothing.leaves.tolist() == [[-1] * 3] * 2


@pytest.mark.parametrize("valid", [None, []])
@pytest.mark.parametrize("distinct", [False, True])
def test_no_prompt_draws_nothing(distinct, valid):
    case = fixed_case(prompts=0)
    drawn = case.draw(3, distinct=distinct, valid=valid)
    assert drawn.leaves.shape == drawn.logprob.shape == (0, 3)


@given(cases(), st.booleans())
def test_the_same_chance_draws_the_same(case, distinct):
    one, other = (case.draw(4, seed=9, distinct=distinct) for _ in range(2))
    assert one.leaves.tolist() == other.leaves.tolist()
    assert one.logprob.tolist() == other.logprob.tolist()


def test_other_chance_draws_others():
    case = fixed_case()
    assert case.draw(20, seed=1).leaves.tolist() != case.draw(20, seed=2).leaves.tolist()


@pytest.mark.parametrize(("distinct", "rows"), [(False, [5, 8]), (True, [6, 10])])
def test_one_reading_and_two_passes_serve_all_members(distinct, rows):
    case = fixed_case()
    case.draw(32, distinct=distinct)
    assert case.generator.passes == [2, *rows]


@pytest.mark.parametrize("distinct", [False, True])
def test_a_sid_that_is_nearly_certain_and_one_that_nearly_never_comes(distinct):
    logits = [np.zeros((1, *SPACE.sizes[: level + 1]), np.float32) for level in range(3)]
    logits[0][0] = [0.0, -60.0, -60.0]
    logits[2][0, 0, 0] = [0.0, -60.0, -80.0]
    case = Case(SPACE, [(0, 0, 0), (0, 0, 1), (0, 0, 2), (2, 0, 1)], logits)
    drawn = case.draw(4, distinct=distinct)
    assert drawn.leaves[0, 0] == 0
    assert np.isfinite(drawn.logprob).all()
    if distinct:
        assert sorted(drawn.leaves[0].tolist()) == [0, 1, 2, 3]


@pytest.mark.parametrize(("size", "temperature"), [(0, 1.0), (-1, 1.0), (2, 0.0), (2, -1.0)])
def test_impossible_draws_are_refused(size, temperature):
    with pytest.raises(
        RequestError, match=f"size={size}, temperature={temperature}; at least one SID is drawn"
    ):
        fixed_case().draw(size, temperature=temperature)
