"""Beam search against exhaustive scoring and against a plain beam search in Python."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from table_generator import TableGenerator

from genrecall.decode.reference import ReferenceEngine
from genrecall.foundation.errors import RequestError
from genrecall.foundation.sid import SidSpace, SidTable
from genrecall.foundation.trie import Trie
from genrecall.generator.prompts import Prompt


@dataclass(frozen=True)
class Case:
    """A catalog's SIDs and a generator for them."""

    generator: TableGenerator
    trie: Trie
    sids: list[tuple[int, int, int]]
    valid: np.ndarray  # (Q, S)

    @property
    def prompts(self):
        return [Prompt(str(i)) for i in range(len(self.valid))]

    def search(self, beam, *, prompts=None, **options):
        reading = self.generator.read(self.prompts if prompts is None else prompts)
        return ReferenceEngine(self.generator).search(reading, beam=beam, **options)

    def logprob(self, prompt, prefix):
        """Score of a prefix, added up level by level in float32."""
        total = np.float32(0.0)
        for level in range(len(prefix)):
            total += self.generator.scores[level][(prompt, *prefix[: level + 1])]
        return total


@st.composite
def cases(draw, prompts=2):
    """Scores are small whole numbers, so that many of them tie, or any numbers below 0."""
    space = SidSpace(draw(st.tuples(*[st.integers(1, 4)] * 3)))
    one = st.tuples(*[st.integers(0, size - 1) for size in space.sizes])
    sids = sorted(draw(st.sets(one, min_size=1, max_size=16)))
    number = draw(st.sampled_from([st.integers(-3, 0).map(float), st.floats(-50, 0, width=32)]))
    scores = tuple(
        draw(arrays(np.float32, (prompts, *space.sizes[: level + 1]), elements=number))
        for level in range(3)
    )
    valid = draw(arrays(np.bool_, (prompts, len(sids))))
    trie = Trie(space, SidTable(space, np.array(sids, dtype=np.int32)).packed)
    return Case(TableGenerator(scores, trie), trie, sids, valid)


def naive(case, prompt, allowed, *, beam, min_level1=1):
    """Beam search over tuples: `(sid, logprob)`, best first."""
    prefixes = [()]
    for length in (1, 2, 3):
        grown = {sid[:length] for sid in allowed if sid[: length - 1] in prefixes}
        ranked = sorted(grown, key=lambda prefix: (-case.logprob(prompt, prefix), prefix))
        first_codes = list(dict.fromkeys(prefix[0] for prefix in ranked))[:min_level1]
        leaders = [next(p for p in ranked if p[0] == code) for code in first_codes]
        others = [prefix for prefix in ranked if prefix not in leaders]
        kept = set((leaders + others)[:beam])
        prefixes = [prefix for prefix in ranked if prefix in kept]
    return [(sid, case.logprob(prompt, sid)) for sid in prefixes]


def found(case, beams, prompt):
    """What a search gave one prompt: `(sid, logprob)`, best first, without padding."""
    leaves, logprob = beams.leaves[prompt], beams.logprob[prompt]
    n = int((leaves >= 0).sum())
    assert (leaves[n:] == -1).all()
    assert (logprob[n:] == -np.inf).all()
    return [(case.sids[leaf], score) for leaf, score in zip(leaves[:n], logprob[:n], strict=True)]


@given(cases(), st.integers(0, 5))
def test_a_wide_beam_equals_exhaustive_scoring(case, more):
    beam = max(case.trie.n_nodes) + more
    beams = case.search(beam)
    assert beams.leaves.shape == beams.logprob.shape == (2, beam)
    assert (beams.leaves.dtype, beams.logprob.dtype) == (np.int64, np.float32)
    for prompt in range(2):
        scored = [(sid, case.logprob(prompt, sid)) for sid in case.sids]
        assert found(case, beams, prompt) == sorted(scored, key=lambda one: (-one[1], one[0]))


@settings(max_examples=200)
@given(cases(), st.integers(1, 6), st.data())
def test_any_beam_equals_a_plain_search(case, beam, data):
    min_level1 = data.draw(st.integers(1, beam))
    beams = case.search(beam, min_level1=min_level1)
    for prompt in range(2):
        expected = naive(case, prompt, case.sids, beam=beam, min_level1=min_level1)
        assert found(case, beams, prompt) == expected


@settings(max_examples=200)
@given(cases(), st.integers(1, 6), st.data())
def test_only_what_is_valid_for_its_prompt_is_generated(case, beam, data):
    min_level1 = data.draw(st.integers(1, beam))
    beams = case.search(beam, valid=case.valid, min_level1=min_level1)
    for prompt, valid in enumerate(case.valid):
        allowed = [sid for sid, ok in zip(case.sids, valid, strict=True) if ok]
        expected = naive(case, prompt, allowed, beam=beam, min_level1=min_level1)
        assert found(case, beams, prompt) == expected


@given(cases(), st.integers(1, 6))
def test_one_set_of_valid_sids_serves_all_prompts(case, beam):
    shared = case.search(beam, valid=case.valid[0])
    each = case.search(beam, valid=np.stack([case.valid[0]] * 2))
    assert shared.leaves.tolist() == each.leaves.tolist()
    assert shared.logprob.tolist() == each.logprob.tolist()


@given(cases(prompts=3), st.integers(1, 6))
def test_a_batch_is_answered_like_each_prompt_alone(case, beam):
    together = case.search(beam, valid=case.valid)
    for number, prompt in enumerate(case.prompts):
        alone = case.search(beam, prompts=[prompt], valid=case.valid[number])
        assert together.leaves[number].tolist() == alone.leaves[0].tolist()
        assert together.logprob[number].tolist() == alone.logprob[0].tolist()


@given(cases(prompts=3), st.integers(1, 6), st.lists(st.integers(0, 2), max_size=4))
def test_some_of_what_was_read_are_searched_like_each_alone(case, beam, rows):
    chosen = np.array(rows, dtype=np.int64)
    beams = case.search(beam, rows=chosen, valid=case.valid[chosen])
    alone = case.search(beam, valid=case.valid)
    assert beams.leaves.tolist() == alone.leaves[chosen].tolist()
    assert beams.logprob.tolist() == alone.logprob[chosen].tolist()


@given(cases(), st.integers(1, 6))
def test_masks_do_not_change_the_scores_of_what_is_left(case, beam):
    everything = dict(found(case, case.search(max(case.trie.n_nodes)), 0))
    left = found(case, case.search(beam, valid=case.valid), 0)
    assert all(everything[sid] == score for sid, score in left)


def flat_case(*, sids, prompts=1, scores=0.0):
    """All scores alike."""
    space = SidSpace((3, 3, 3))
    table = SidTable(space, np.array(sids, dtype=np.int32))
    shapes = [(prompts, *space.sizes[: level + 1]) for level in range(3)]
    trie = Trie(space, table.packed)
    generator = TableGenerator(tuple(np.full(s, scores, np.float32) for s in shapes), trie)
    return Case(generator, trie, sorted(sids), np.ones((prompts, len(sids))))


SIDS = [(0, 0, 0), (0, 1, 2), (0, 2, 2), (1, 0, 0), (2, 0, 1), (2, 1, 1)]


def test_equal_scores_are_ordered_by_sid():
    case = flat_case(sids=SIDS)
    assert [sid for sid, _ in found(case, case.search(4), 0)] == SIDS[:4]
    assert [sid for sid, _ in found(case, case.search(9), 0)] == SIDS


def test_missing_sids_are_padded():
    beams = flat_case(sids=SIDS[:2]).search(4)
    assert beams.leaves.tolist() == [[0, 1, -1, -1]]
    assert (beams.width, beams[0].found) == (4, 2)
    assert beams.logprob.tolist() == [[0.0, 0.0, -np.inf, -np.inf]]


def test_ambiguous_queries_keep_several_first_codes():
    case = flat_case(sids=SIDS)
    case.generator.scores[0][0] = [0.0, -5.0, -9.0]
    for min_level1, expected in [(1, {0}), (2, {0, 1}), (3, {0, 1, 2})]:
        kept = found(case, case.search(3, min_level1=min_level1), 0)
        assert {sid[0] for sid, _ in kept} == expected
        assert len(kept) == 3
        assert [score for _, score in kept] == sorted((s for _, s in kept), reverse=True)


def test_no_valid_sid_leaves_only_padding():
    case = flat_case(sids=SIDS, prompts=2)
    nothing = case.search(3, valid=np.zeros(len(SIDS), dtype=bool), min_level1=2)
    assert nothing.leaves.tolist() == [[-1] * 3] * 2
    assert nothing.logprob.tolist() == [[-np.inf] * 3] * 2
    valid = np.array([[False] * 6, [False] * 5 + [True]])
    for_one = case.search(3, valid=valid)
    assert for_one.leaves.tolist() == [[-1, -1, -1], [5, -1, -1]]


def test_no_prompt_gives_no_beam():
    case = flat_case(sids=SIDS)
    beams = case.search(3, prompts=[])
    assert beams.leaves.shape == beams.logprob.shape == (0, 3)


@pytest.mark.parametrize(("beam", "min_level1"), [(0, 1), (-1, 1), (3, 0), (3, 4)])
def test_impossible_widths_are_refused(beam, min_level1):
    with pytest.raises(
        RequestError,
        match=f"beam={beam}, min_level1={min_level1}; needed is 1 <= min_level1 <= beam. Widen",
    ):
        flat_case(sids=SIDS).search(beam, min_level1=min_level1)


@pytest.mark.parametrize("shape", [(5,), (7,), (3, 6), (2, 5), (6, 2)])
def test_valid_must_fit_the_sids_and_prompts(shape):
    with pytest.raises(ValueError, match="does not fit 6 SIDs and 2 prompts"):
        flat_case(sids=SIDS, prompts=2).search(2, valid=np.ones(shape, dtype=bool))
