import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrecall.foundation.ragged import make_bags
from genrecall.native import bags as module
from genrecall.native.bags import bag_means

lists = st.lists(st.lists(st.integers(0, 9), max_size=6), max_size=8)


@given(lists, st.integers(1, 40))
def test_means_equal_a_loop_with_and_without_the_library(rows, width):
    table = np.random.default_rng(width).normal(size=(10, width)).astype(np.float32)
    bags = make_bags(rows)
    found = bag_means(table, *bags)
    expected = np.array([table[row].mean(0) if row else np.zeros(width) for row in rows])
    np.testing.assert_allclose(found, expected.reshape(len(rows), width), atol=1e-5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "library", lambda: None)
        np.testing.assert_allclose(bag_means(table, *bags), found, atol=1e-6)
