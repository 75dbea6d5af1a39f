"""The rival of our engines for language models: valid SIDs, with the scores of transformers."""

import numpy as np
import pytest
import torch
from tiny_lm import TRIE, as_generator, make_lm, make_prompts

from genrecall.offline.generate import GenerateEngine


@pytest.fixture(scope="module")
def generator():
    return as_generator(make_lm(seed=5))


@pytest.fixture(scope="module")
def reading(generator):
    return generator.read(make_prompts(4))


def score(lm, tokens, leaf):
    """Log-probability of a SID's tokens, each among all of the vocabulary."""
    codes = [int(lm.token(level, torch.tensor(int(TRIE.sids[leaf][level])))) for level in range(3)]
    with torch.no_grad():
        logits = lm.causal(torch.tensor([[*tokens, *codes]])).logits[0]
    logprob = logits.log_softmax(-1)
    return sum(float(logprob[len(tokens) - 1 + level, code]) for level, code in enumerate(codes))


def test_it_finds_sids_with_the_scores_of_the_whole_vocabulary(generator, reading):
    beams = GenerateEngine(generator).search(reading, beam=5)
    assert beams.leaves.shape == (4, 5)
    for row, (leaves, logprob) in enumerate(zip(beams.leaves, beams.logprob, strict=True)):
        assert len(set(leaves.tolist())) == 5 and leaves.min() >= 0
        assert (np.diff(logprob) <= 0).all()
        expected = [score(generator.lm, reading.state.tokens[row], leaf) for leaf in leaves]
        np.testing.assert_allclose(logprob, expected, atol=1e-4)


def test_it_keeps_to_what_is_valid(generator, reading):
    valid = np.zeros((4, len(TRIE)), dtype=np.bool_)
    valid[:, 3:6] = True
    valid[1, 3:] = False
    valid[1, 9] = True
    beams = GenerateEngine(generator).search(reading, beam=6, valid=valid)
    assert [sorted(set(of.tolist()) - {-1}) for of in beams.leaves] == [
        [3, 4, 5],
        [9],
        *2 * ([3, 4, 5],),
    ]
    assert ((beams.leaves < 0) == (beams.logprob == -np.inf)).all()
    one = GenerateEngine(generator).search(reading, beam=2, valid=valid[1], rows=np.array([2]))
    assert one.leaves.tolist() == [[9, -1]]
