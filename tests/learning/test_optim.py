"""The two optimizers as one: against torch's own, and continued from a saved state."""

import copy

import pytest
import torch
from torch import nn

from genrecall.learning.optim import LinearDecay, SparseDenseAdam

DENSE, SPARSE = LinearDecay(0.1, 8), LinearDecay(0.2, 8)


class Model(nn.Module):
    """A bag of embeddings and a linear layer."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.bag = nn.EmbeddingBag(6, 4, mode="mean", sparse=True)
        self.out = nn.Linear(4, 3)

    def loss(self, step):
        ids = torch.tensor([step % 3, (step + 1) % 3, 3])  # rows 4 and 5 are never read
        return self.out(self.bag(ids[None])).pow(2).sum()


def train(model, optimizer, steps):
    for step in steps:
        optimizer.step([model.loss(step)], step)


def weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def equal(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


def test_the_rate_falls_linearly_to_five_percent():
    rates = [LinearDecay(2.0, 4).at(step) for step in range(5)]
    assert rates == pytest.approx([2.0, 1.525, 1.05, 0.575, 0.1])
    assert LinearDecay(2.0, 0).at(0) == 2.0


def test_it_equals_the_optimizers_of_torch():
    ours, theirs = Model(), Model()
    train(ours, SparseDenseAdam(ours, dense=DENSE, sparse=SPARSE), range(8))
    dense = torch.optim.AdamW(theirs.out.parameters(), lr=DENSE.peak)
    sparse = torch.optim.SparseAdam(theirs.bag.parameters(), lr=SPARSE.peak)
    for step in range(8):
        for optimizer, rate in ((dense, DENSE), (sparse, SPARSE)):
            optimizer.param_groups[0]["lr"] = rate.at(step)
            optimizer.zero_grad()
        theirs.loss(step).backward()
        dense.step()
        sparse.step()
    assert equal(weights(ours), weights(theirs))


def test_rows_that_no_batch_reads_stay():
    model = Model()
    before = weights(model)["bag.weight"]
    train(model, SparseDenseAdam(model, dense=DENSE, sparse=SPARSE), range(3))
    changed = (weights(model)["bag.weight"] != before).any(dim=1)
    assert changed.tolist() == [True, True, True, True, False, False]


def test_a_saved_state_continues_bit_for_bit():
    whole = Model()
    train(whole, SparseDenseAdam(whole, dense=DENSE, sparse=SPARSE), range(8))
    first = Model()
    stopped = SparseDenseAdam(first, dense=DENSE, sparse=SPARSE)
    train(first, stopped, range(5))
    second = Model()
    second.load_state_dict(first.state_dict())
    resumed = SparseDenseAdam(second, dense=DENSE, sparse=SPARSE)
    resumed.load_state_dict(copy.deepcopy(stopped.state_dict()))
    train(second, resumed, range(5, 8))
    assert equal(weights(second), weights(whole))


def test_a_fresh_state_would_not_continue():
    whole, second = Model(), Model()
    train(whole, SparseDenseAdam(whole, dense=DENSE, sparse=SPARSE), range(8))
    train(second, SparseDenseAdam(second, dense=DENSE, sparse=SPARSE), range(5))
    train(second, SparseDenseAdam(second, dense=DENSE, sparse=SPARSE), range(5, 8))
    assert not equal(weights(second), weights(whole))
