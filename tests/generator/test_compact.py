"""The compact family: its probabilities, its beams, its files."""

import numpy as np
import pytest
import torch
from trained import TEXTS, load_trained

from genrecall.decode.reference import search
from genrecall.foundation.errors import ArtifactError
from genrecall.foundation.sid import SidSpace, SidTable
from genrecall.generator.prompts import Prompt

PROMPTS = [Prompt(text) for text in TEXTS]


@pytest.fixture(scope="module")
def trained(shop_run):
    return load_trained(shop_run)


@pytest.fixture(scope="module", params=["trained", "random"])
def generator(request, trained):
    return trained.generator if request.param == "trained" else trained.with_random_weights()


def advance(generator, state, rows, codes):
    return generator.advance(state, torch.tensor(rows), torch.tensor(codes))


def score_all(generator, trie, prompt):
    """Log-probability of every SID, one prefix after another: float32 `[S]`."""
    scores = []
    for c1, c2, c3 in trie.sids.tolist():
        state, first = generator.prefill([prompt])
        state, second = advance(generator, state, [0], [c1])
        _, third = advance(generator, state, [0], [c2])
        scores.append((first[0, c1] + second[0, c2] + third[0, c3]).item())
    return np.array(scores, dtype=np.float32)


def test_probabilities_of_a_level_sum_to_one(generator, trained):
    sids = trained.trie.sids
    state, logprobs = generator.prefill(PROMPTS)
    for level, size in enumerate(generator.space.sizes):
        assert logprobs.shape[1] == size
        assert logprobs.dtype == torch.float32
        np.testing.assert_allclose(logprobs.exp().sum(dim=1), 1.0, atol=1e-5)
        if level < 2:
            rows = np.arange(len(sids)) % len(logprobs) if level == 0 else np.arange(len(sids))
            state, logprobs = advance(generator, state, rows.tolist(), sids[:, level].tolist())
    assert len(logprobs) == len(sids)


def test_nearly_nothing_is_left_for_codes_without_an_item(trained):
    state, first = trained.generator.prefill(PROMPTS)
    used = np.unique(trained.trie.sids[:, 0])
    assert (first.exp()[:, used].sum(dim=1) > 0.999).all()
    _, second = advance(trained.generator, state, [0] * len(used), used.tolist())
    for code, row in zip(used, second.exp(), strict=True):
        below = np.unique(trained.trie.sids[trained.trie.sids[:, 0] == code, 1])
        assert row[below].sum() > 0.999


def test_a_prefix_of_no_sid_has_probabilities_too(generator, trained):
    used = set(trained.trie.sids[:, 1].tolist())
    unused = next(code for code in range(generator.space.sizes[1]) if code not in used)
    state, _ = generator.prefill(PROMPTS[:1])
    state, _ = advance(generator, state, [0], [trained.trie.sids[0, 0]])
    _, third = advance(generator, state, [0], [unused])
    assert torch.isfinite(third).all()
    assert third.exp().sum().item() == pytest.approx(1.0, abs=1e-5)


def test_a_wide_beam_equals_exhaustive_scoring(generator, trained):
    beam = max(trained.trie.n_nodes)
    beams = search(generator, trained.trie, PROMPTS, beam=beam)
    for leaves, logprob, prompt in zip(beams.leaves, beams.logprob, PROMPTS, strict=True):
        scores = score_all(generator, trained.trie, prompt)
        assert sorted(leaves[: len(scores)].tolist()) == list(range(len(scores)))
        np.testing.assert_allclose(logprob[: len(scores)], scores[leaves[: len(scores)]], atol=1e-3)
        assert (np.diff(logprob[: len(scores)]) <= 0).all()


def test_a_narrow_beam_finds_sids_of_the_table_only(generator, trained):
    in_use = {tuple(codes) for codes in trained.parts.table.codes.tolist()}
    beams = search(generator, trained.trie, PROMPTS, beam=5, min_level1=2)
    assert (beams.leaves >= 0).all()
    assert {tuple(sid) for sid in trained.trie.sids[beams.leaves].reshape(-1, 3).tolist()} <= in_use


def test_a_batch_is_answered_like_each_prompt_alone(generator, trained):
    together = search(generator, trained.trie, PROMPTS, beam=8)
    for number, prompt in enumerate(PROMPTS):
        alone = search(generator, trained.trie, [prompt], beam=8)
        assert together.leaves[number].tolist() == alone.leaves[0].tolist()
        np.testing.assert_allclose(together.logprob[number], alone.logprob[0], atol=1e-4)


def test_it_goes_on_where_nothing_is_left(generator, trained):
    nothing = np.zeros(len(trained.trie), dtype=bool)
    beams = search(generator, trained.trie, PROMPTS, beam=3, valid=nothing)
    assert (beams.leaves == -1).all()


def test_it_learned_which_titles_belong_to_which_sid(trained):
    titles = trained.parts.catalog.titles
    beams = search(trained.generator, trained.trie, [Prompt(t) for t in titles], beam=5)
    own = trained.parts.table.sid_of_item[:, None]
    assert (beams.leaves == own).any(axis=1).mean() > 0.8


def test_what_was_loaded_twice_generates_equally(shop_run, trained):
    again = search(load_trained(shop_run).generator, trained.trie, PROMPTS, beam=8)
    beams = search(trained.generator, trained.trie, PROMPTS, beam=8)
    assert again.leaves.tolist() == beams.leaves.tolist()
    assert again.logprob.tolist() == beams.logprob.tolist()


def test_the_stages_differ(shop_run, trained):
    first = load_trained(shop_run, stage="item_to_sid")
    one, other = (g.prefill(PROMPTS)[1] for g in (first.generator, trained.generator))
    assert not torch.equal(one, other)


def test_another_sid_space_is_refused(shop_run, trained):
    one, two, three = trained.generator.space.sizes
    table = SidTable(SidSpace((one, two, three + 1)), trained.parts.table.codes)
    with pytest.raises(
        ArtifactError,
        match=r"was trained for another SID space than the catalog's \(.*\)\. Run the generator",
    ):
        load_trained(shop_run, table=table)


def test_its_vectors_of_the_items_are_those_of_their_titles(trained):
    encoded = trained.generator.encode([Prompt(title) for title in trained.parts.catalog.titles])
    np.testing.assert_allclose(encoded, trained.views, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(trained.views, axis=1), 1.0, atol=1e-5)
