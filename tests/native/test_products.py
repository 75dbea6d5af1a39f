import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrecall.native import products
from genrecall.native.library import library
from genrecall.native.products import row_products

WAYS = [pytest.param(True, marks=pytest.mark.skipif(not library(), reason="not built")), False]


@pytest.fixture(params=WAYS)
def built(request, monkeypatch):
    if not request.param:
        monkeypatch.setattr(products, "library", lambda: None)


@given(st.integers(0, 70), st.integers(1, 70), st.integers(0, 2**20))
def test_products_equal_those_in_full_precision(n, dim, seed):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(50, dim)).astype(np.float32)
    rows, vector = rng.integers(0, 50, n), rng.normal(size=dim)
    vector = vector.astype(np.float32)
    found = row_products(matrix, rows, vector)
    assert (found.dtype, found.shape) == (np.float32, (n,))
    expected = matrix[rows].astype(np.float64) @ vector
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.usefixtures("built")
def test_a_product_is_the_same_whoever_stands_beside_its_row():
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(300, 33)).astype(np.float32)
    vector = rng.normal(size=33).astype(np.float32)
    every = row_products(matrix, np.arange(300, dtype=np.int32), vector)
    some = rng.permutation(300)[:17].astype(np.int32)
    assert (row_products(matrix, some, vector) == every[some]).all()
    assert (row_products(matrix, some[:1], vector) == every[some[:1]]).all()


@pytest.mark.usefixtures("built")
def test_what_is_not_contiguous_is_read_as_it_is():
    matrix = np.arange(40, dtype=np.float32).reshape(8, 5).T
    rows, vector = np.array([4, 0, 0], dtype=np.int64)[::2], np.ones(16, dtype=np.float32)[::2]
    expected = (matrix[rows] @ vector).tolist()
    assert row_products(matrix, rows.astype(np.int32), vector).tolist() == expected


@pytest.mark.usefixtures("built")
def test_strided_rows_and_vectors_are_read_as_they_are():
    matrix = np.arange(40, dtype=np.float32).reshape(5, 8)
    rows, vector = np.array([4, 0, 0, 1])[::2], np.arange(16, dtype=np.float32)[::2]
    assert row_products(matrix, rows, vector).tolist() == (matrix[rows] @ vector).tolist()
    assert row_products(matrix.astype(np.float64), rows, vector).tolist() == (
        (matrix[rows] @ vector).tolist()
    )


@pytest.mark.usefixtures("built")
def test_rows_that_are_not_there_are_refused():
    with pytest.raises(IndexError):
        row_products(np.ones((3, 2), np.float32), np.array([0, 3]), np.ones(2, np.float32))
