"""The loss terms against sums written out by hand and torch's cross entropy."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from genrecall.quantize.training.losses import (
    commitment_loss,
    contrastive_loss,
    quantize_loss,
    reconstruction_loss,
)

torch.set_num_threads(1)


def vectors(seed: int, n: int = 5, d: int = 3) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def contrast(items, queries, item_ids, query_ids, temperature=0.1):
    return contrastive_loss(
        items,
        queries,
        item_ids=torch.tensor(item_ids),
        query_ids=torch.tensor(query_ids),
        temperature=temperature,
    )


def test_reconstruction_is_the_squared_distance():
    x = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    decoded = torch.tensor([[0.0, 2.0], [0.0, 1.0]])
    assert reconstruction_loss(decoded, x).item() == pytest.approx((5 + 1) / 2)


def test_commitment_sums_over_levels_and_does_not_move_the_codes():
    z = torch.tensor([[1.0, 1.0]], requires_grad=True)
    code = torch.tensor([[0.0, 1.0]], requires_grad=True)
    loss = commitment_loss([z, z - code], [code, torch.zeros(1, 2)])
    assert loss.item() == pytest.approx(1 + 1)
    commitment_loss([z], [code]).backward()
    assert code.grad is None
    assert z.grad.tolist() == [[2.0, 0.0]]


def test_contrastive_loss_of_two_pairs_by_hand():
    items = torch.tensor([[2.0, 0.0], [0.0, 3.0]])  # cosine: lengths do not matter
    queries = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    s = 1 / math.sqrt(2)
    logits = [[1 / 0.5, s / 0.5], [0.0, s / 0.5]]
    rows = [math.log(sum(map(math.exp, row))) - row[i] for i, row in enumerate(logits)]
    columns = [
        math.log(math.exp(logits[0][i]) + math.exp(logits[1][i])) - logits[i][i] for i in (0, 1)
    ]
    expected = (sum(rows) / 2 + sum(columns) / 2) / 2
    loss = contrast(items, queries, [0, 1], [0, 1], temperature=0.5)
    assert loss.loss.item() == pytest.approx(expected, rel=1e-5)
    assert loss.n_pairs == 2


def test_contrastive_loss_is_cross_entropy_in_both_directions():
    items, queries = vectors(0), vectors(1)
    logits = F.normalize(items) @ F.normalize(queries).T / 0.1
    target = torch.arange(5)
    expected = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
    assert torch.allclose(contrast(items, queries, range(5), range(5)).loss, expected)


def test_items_without_a_query_take_no_part():
    items, queries = vectors(0), vectors(1)
    whole = contrast(items, queries, range(5), [0, -1, 2, -1, 4])
    kept = [0, 2, 4]
    part = contrast(items[kept], queries[kept], kept, kept)
    assert torch.equal(whole.loss, part.loss)
    assert whole.n_pairs == 3


def test_a_batch_without_a_query_has_no_loss_and_a_gradient_of_zero():
    items = vectors(0).requires_grad_()
    result = contrast(items, vectors(1), range(5), [-1] * 5)
    result.loss.backward()
    assert result == (0, 0)
    assert items.grad.abs().sum() == 0


@pytest.mark.parametrize(
    ("item_ids", "query_ids"), [([0, 0, 2], [0, 1, 2]), ([0, 1, 2], [0, 0, 2])]
)
def test_the_same_item_or_query_is_no_negative(item_ids, query_ids):
    items, queries = vectors(0, n=3), vectors(1, n=3)
    logits = F.normalize(items) @ F.normalize(queries).T / 0.1
    logits[0, 1] = logits[1, 0] = -math.inf
    target = torch.arange(3)
    expected = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
    assert torch.allclose(contrast(items, queries, item_ids, query_ids).loss, expected)


def test_the_weights_are_those_of_the_terms():
    one, two, three = torch.tensor(1.0), torch.tensor(2.0), torch.tensor(3.0)
    loss = quantize_loss(
        reconstruction=one,
        commitment=two,
        contrastive=three,
        commitment_weight=0.5,
        contrastive_weight=0.25,
    )
    assert loss.total.item() == 1 + 1 + 0.75
    assert loss[1:] == (one, two, three)
