import numpy as np
import pytest

from genrecall.foundation import text_encoder
from genrecall.foundation.halves import to_halves
from genrecall.foundation.ragged import make_bags
from genrecall.foundation.text_encoder import TABLE, Layers, TextEncoder
from genrecall.native.library import library

BAGS = [[1, 2, 3], [], [7], [0, 0, 9, 4]]


def drawn(width, dim, *, inner, kept=np.asarray):
    rng = np.random.default_rng(width)
    sizes = {"project": (dim, width), "first": (width, width), "second": (width, width)}
    weights = {f"{name}.weight": rng.normal(size=size) / 4 for name, size in sizes.items()}
    for name in ("norm", "inner", "first", "second"):
        weights.setdefault(f"{name}.weight", 1 + rng.normal(size=width) / 4)
        weights[f"{name}.bias"] = rng.normal(size=width) / 4
    weights = {name: of.astype(np.float32) for name, of in weights.items()}
    weights[TABLE] = kept(rng.normal(size=(10, width)).astype(np.float32))
    return TextEncoder(weights, Layers("inner" if inner else None, "first", "second"))


@pytest.mark.skipif(library() is None, reason="not built")
@pytest.mark.parametrize("inner", [True, False])
@pytest.mark.parametrize("kept", [np.asarray, to_halves])
@pytest.mark.parametrize(("width", "dim"), [(1, 1), (12, 5), (64, 33)])
def test_few_texts_are_encoded_as_many(monkeypatch, inner, kept, width, dim):
    encoder = drawn(width, dim, inner=inner, kept=kept)
    few = encoder(make_bags(BAGS))
    monkeypatch.setattr(text_encoder, "_FEW", 0)
    many = encoder(make_bags(BAGS))
    for one, other in zip(few, many, strict=True):
        assert (one.dtype, one.shape) == (np.float32, other.shape)
        np.testing.assert_allclose(one, other, atol=2e-5)
    assert encoder.dim == dim
    np.testing.assert_allclose(np.linalg.norm(few[1], axis=1), 1.0, atol=1e-5)


def test_weights_are_read_where_they_are():
    encoder = drawn(12, 5, inner=True)
    before = encoder(make_bags(BAGS))[1]
    encoder._weights["project.weight"][:] *= -1
    np.testing.assert_allclose(encoder(make_bags(BAGS))[1], -before, atol=1e-6)


def test_no_text_has_no_vector():
    hidden, vectors = drawn(12, 5, inner=False)(make_bags([]))
    assert (hidden.shape, vectors.shape) == ((0, 12), (0, 5))
