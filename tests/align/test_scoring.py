"""Scores with gradients against those of the decoders, on a trained generator."""

import numpy as np
import pytest
import torch
from tiny_lm import as_generator, make_prompts
from trained import TEXTS, load_trained

from genrecall.align.compact import CompactLearner
from genrecall.align.scoring import score
from genrecall.decode.reference import ReferenceEngine
from genrecall.decode.sample import sample
from genrecall.generator.load import QUERY_TO_SID, USER_QUERY_TO_SID
from genrecall.generator.prompts import Prompt

ANONYMOUS = [Prompt(text) for text in TEXTS]
SHOPPERS = [Prompt(text, history=(7, 3, 50)[: n % 4]) for n, text in enumerate(TEXTS)]
UNKNOWN = [3, 4]  # of TEXTS, those without a known word
CASES = {
    "anonymous": (QUERY_TO_SID, ANONYMOUS),
    "anonymous to one that reads shoppers": (USER_QUERY_TO_SID, ANONYMOUS),
    "shoppers": (USER_QUERY_TO_SID, SHOPPERS),
}


@pytest.fixture(scope="module", params=CASES)
def case(request, shop_run):
    stage, prompts = CASES[request.param]
    return load_trained(shop_run, stage=stage), prompts


def assert_scored_alike(trained, prompts, beams, generator=None):
    generator = generator or trained.generator
    scored = score(generator.policy, prompts, beams.leaves)
    assert scored.logprob.shape == beams.leaves.shape
    there = torch.from_numpy(beams.leaves >= 0)
    expected = torch.from_numpy(np.where(beams.leaves >= 0, beams.logprob, 0.0))
    torch.testing.assert_close(scored.logprob.detach(), expected, atol=1e-4, rtol=0)
    assert scored.place.tolist() == there.flatten().nonzero()[:, 0].tolist()
    return scored


def test_a_wide_beam_has_the_same_logprobs(case):
    trained, prompts = case
    beams = trained.search(prompts, beam=max(trained.trie.n_nodes) + 2)
    assert (beams.leaves[:, -2:] == -1).all()
    scored = assert_scored_alike(trained, prompts, beams)
    # All SIDs together are certain, but for what a code without a SID takes.
    total = scored.logprob[:, :-2].exp().sum(dim=1)
    torch.testing.assert_close(total.detach(), torch.ones(len(prompts)), atol=1e-4, rtol=0)


def test_heads_that_say_something_are_scored_alike(case):
    trained, prompts = case
    other = trained.with_random_weights()
    beams = trained.search(prompts, other, beam=10)
    assert_scored_alike(trained, prompts, beams, other)


@pytest.mark.parametrize("distinct", [False, True])
def test_what_is_drawn_has_the_same_logprobs(case, distinct):
    trained, prompts = case
    reading = trained.generator.read(prompts)
    rng = np.random.default_rng(3)
    drawn = sample(trained.generator, reading, size=8, rng=rng, distinct=distinct)
    assert (drawn.leaves >= 0).all()
    assert_scored_alike(trained, prompts, drawn)


def test_levels_are_those_on_the_way_to_each_sid(case):
    trained, prompts = case
    leaves = np.array([[2, -1, 0], [-1, -1, -1], [5, 5, 1], *[[-1, 3, -1]] * 3])
    scored = score(trained.generator.policy, prompts, leaves)
    assert scored.logprob[torch.from_numpy(leaves < 0)].eq(0.0).all()
    assert scored.place.tolist() == [0, 2, 6, 7, 8, 10, 13, 16]
    trie = trained.trie
    path = trie.path(leaves[leaves >= 0])  # nodes on the way to each
    places = scored.place.tolist()
    parents = [
        [(place // 3, *nodes[:level]) for place, nodes in zip(places, path.tolist(), strict=True)]
        for level in (1, 2)
    ]
    distinct = [sorted(set(of_level)) for of_level in parents]
    children = [
        trie.n_children(level, np.array([of[-1] for of in distinct[level - 1]])) for level in (1, 2)
    ]
    assert [of.shape for of in scored.levels] == [
        (len(prompts) * trie.n_nodes[0],),
        (children[0].sum(),),
        (children[1].sum(),),
    ], "SIDs that begin alike share a prefix"
    assert [of.tolist() for of in scored.lengths] == [
        [trie.n_nodes[0]] * len(prompts),
        *(of.tolist() for of in children),
    ]
    for row, (place, nodes) in enumerate(zip(places, path.tolist(), strict=True)):
        total = 0.0
        for level, node in enumerate(nodes):
            before = scored.lengths[level][: scored.rows[level][row]].sum()
            first = 0 if level == 0 else trie.offsets[level][nodes[level - 1]]
            total += scored.levels[level][before + node - first]
        assert total.item() == pytest.approx(scored.logprob[divmod(place, 3)].item(), abs=1e-5)
    alone = score(trained.generator.policy, [prompts[2]], leaves[2:3])
    torch.testing.assert_close(alone.logprob[0], scored.logprob[2], atol=1e-5, rtol=0)


def test_no_place_is_taken(case):
    trained, prompts = case
    scored = score(trained.generator.policy, prompts, np.full((len(prompts), 2), -1))
    assert scored.logprob.tolist() == [[0.0, 0.0]] * len(prompts)
    assert [len(of) for of in scored.lengths] == [len(prompts), 0, 0]
    assert [len(of) for of in scored.levels[1:]] == [0, 0]


def gradients(trained, prompts):
    """Of the mean log-probability of some SIDs, by the weights of a learner."""
    learner = CompactLearner(trained.generator)
    n_sids = len(trained.trie)
    leaves = np.arange(len(prompts) * 4).reshape(-1, 4) * 5 % n_sids
    score(learner.policy, prompts, leaves).logprob.mean().backward()
    assert all(weight.grad is None for weight in trained.generator.policy.model.parameters())
    return {
        name: weight.grad.to_dense()
        for name, weight in learner.weights.named_parameters()
        if weight.grad is not None
    }


def reached(found):
    return {name.split(".")[0] for name, grad in found.items() if grad.abs().max() > 0}


PARTS = {"embedding", "norm", "encoder", "code", "head", "project"}


def test_gradients_reach_all_that_reads_a_prompt(case):
    trained, prompts = case
    found = gradients(trained, prompts)
    assert all(torch.isfinite(grad).all() for grad in found.values())
    shopper = {"shopper"} if trained.generator.weights.reads_shoppers else set()
    assert reached(found) == PARTS | shopper
    for level in range(3):
        assert found[f"head.{level}.weight"].abs().max() > 0
    for level in range(2):
        assert found[f"code.{level}.weight"].abs().max() > 0


def test_a_history_reaches_the_weights_that_read_it(shop_run):
    trained = load_trained(shop_run, stage=USER_QUERY_TO_SID)
    by_history = gradients(trained, [Prompt("coffee maker", history=(7, 3)), Prompt("lamp")])
    moved = {name for name, grad in by_history.items() if grad.abs().max() > 0}
    assert {"shopper.leaf.weight", "shopper.item.weight"} <= moved
    assert by_history["shopper.leaf.weight"].ne(0).any(dim=1).sum() <= 2  # of what was chosen


def test_the_own_view_learns_through_the_look_ahead_alone(shop_run):
    trained = load_trained(shop_run)
    found = gradients(trained, [Prompt("red cordless drill")])
    assert found["project.weight"].abs().max() > 0


@pytest.mark.parametrize("stage", [QUERY_TO_SID, USER_QUERY_TO_SID])
def test_queries_without_a_known_word_have_finite_scores_and_gradients(shop_run, stage):
    trained = load_trained(shop_run, stage=stage)
    prompts = [SHOPPERS[n] for n in UNKNOWN]
    leaves = np.array([[0, 1], [2, -1]])
    assert torch.isfinite(score(trained.generator.policy, prompts, leaves).logprob).all()
    found = gradients(trained, prompts)
    assert all(torch.isfinite(grad).all() for grad in found.values())
    assert {"head", "code"} <= reached(found)
    assert "project" not in reached(found)  # of no word it has no view


@pytest.mark.parametrize("distinct", [False, True])
def test_a_language_model_scores_and_draws_as_it_decodes(trained, distinct):
    generator = as_generator(trained)
    prompts = [*make_prompts(5), Prompt(""), Prompt("☂☂☂")]
    reading = generator.read(prompts)
    beams = ReferenceEngine(generator).search(reading, beam=12)
    rng = np.random.default_rng(4)
    drawn = sample(generator, reading, size=6, rng=rng, distinct=distinct)
    for found in (beams, drawn):
        scored = score(generator, prompts, found.leaves)
        expected = torch.from_numpy(np.where(found.leaves >= 0, found.logprob, 0.0))
        torch.testing.assert_close(scored.logprob.detach(), expected, atol=1e-4, rtol=0)
    (gradient,) = torch.autograd.grad(scored.logprob.sum(), [trained.embedding])
    assert gradient.isfinite().all()
    assert gradient.ne(0).any()
