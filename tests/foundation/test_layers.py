"""Layers in NumPy against those of torch."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from genrecall.foundation import layers
from genrecall.foundation.layers import gelu, layer_norm, linear, two_layers
from genrecall.foundation.unit import scale_to_unit

X = np.random.default_rng(0).normal(size=(7, 12)).astype(np.float32)


def weights_of(module):
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_()
    return {f"it.{name}": of.detach().numpy() for name, of in module.state_dict().items()}


def assert_same(found, expected):
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected.detach().numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("bias", [True, False])
def test_linear(bias):
    module = nn.Linear(12, 5, bias=bias)
    assert_same(linear(X, weights_of(module), "it"), module(torch.from_numpy(X)))


@pytest.mark.parametrize("rows", [X, np.zeros_like(X), 1e4 * X])
def test_layer_norm(rows):
    module = nn.LayerNorm(12)
    assert_same(layer_norm(rows, weights_of(module), "it"), module(torch.from_numpy(rows)))


@pytest.mark.parametrize("built", [True, False])
def test_gelu(built, monkeypatch):
    if not built:
        monkeypatch.setattr(layers, "library", lambda: None)
    assert_same(gelu(3 * X), F.gelu(torch.from_numpy(3 * X)))


def test_two_layers():
    module = nn.Sequential(nn.Linear(12, 9), nn.GELU(), nn.Linear(9, 4))
    weights = weights_of(module)
    assert_same(two_layers(X, weights, "it.0", "it.2"), module(torch.from_numpy(X)))


def test_unit_rows():
    rows = np.concatenate([X, np.zeros((1, 12), np.float32)])
    expected = F.normalize(torch.from_numpy(rows.copy()), dim=1)
    scale_to_unit(rows)
    assert_same(rows, expected)
