"""Gradients that are the same with one thread and with two; torch's own are not."""

import pytest
import torch
from torch import nn

from genrecall.foundation.steady import LayerNorm, for_columns, rows_of

ROWS, WIDTH = 3000, 64  # so many that torch shares the work


@pytest.fixture
def gradients():
    """The gradients of weights with one thread and with two."""

    def of(compute, *weights):
        found = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            for weight in weights:
                weight.grad = None
            compute().backward(noise(ROWS, WIDTH, seed=9))
            found.append([weight.grad.clone() for weight in weights])
        return found

    yield of
    torch.set_num_threads(1)


def noise(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def assert_equal(found):
    for one, two in zip(*found, strict=True):
        assert torch.equal(one, two)


def test_a_norm_is_torchs_with_steady_gradients(gradients):
    ours, theirs, x = LayerNorm(WIDTH), nn.LayerNorm(WIDTH), noise(ROWS, WIDTH, seed=0)
    for norm in (ours, theirs):
        with torch.no_grad():
            norm.weight.copy_(noise(WIDTH, seed=1))
            norm.bias.copy_(noise(WIDTH, seed=2))
    torch.testing.assert_close(ours(x), theirs(x))
    one, _ = steady = gradients(lambda: ours(x), ours.weight, ours.bias)
    assert_equal(steady)
    for mine, torchs in zip(
        one, gradients(lambda: theirs(x), *theirs.parameters())[0], strict=True
    ):
        torch.testing.assert_close(mine, torchs, rtol=1e-4, atol=1e-4)


def test_rows_that_are_read_often_have_steady_gradients(gradients):
    x = noise(7, WIDTH, seed=0).requires_grad_()
    at = torch.randint(7, (ROWS,), generator=torch.Generator().manual_seed(1))
    assert torch.equal(rows_of(x, at), x[at])
    assert_equal(gradients(lambda: rows_of(x, at), x))


def test_one_weight_for_all_numbers_has_a_steady_gradient(gradients):
    weight, x = torch.tensor(0.7, requires_grad=True), noise(ROWS, WIDTH, seed=0)
    assert torch.equal(for_columns(weight, x) * x, weight * x)
    assert_equal(gradients(lambda: for_columns(weight, x) * x, weight))
