import numpy as np
import pytest

from genrecall.foundation.halves import to_halves
from genrecall.foundation.ragged import make_bags
from genrecall.index.item_views import ItemViews

RNG = np.random.default_rng(3)
FIRST = RNG.normal(size=(20, 5)).astype(np.float32)
OWN = RNG.normal(size=(20, 3)).astype(np.float32)


@pytest.mark.parametrize("kept", [np.asarray, to_halves])
def test_parts_are_one_matrix(kept):
    views = ItemViews((kept(FIRST), kept(OWN)), (0.8, 0.6))
    parts = [part.astype(np.float32) for part in views.parts]
    whole = np.concatenate([parts[0] * np.float32(0.8), parts[1] * np.float32(0.6)], axis=1)
    assert (views.shape, len(views)) == ((20, 8), 20)
    np.testing.assert_array_equal(views[:], whole)
    rows, vector = np.array([3, 3, 19, 0]), RNG.normal(size=8).astype(np.float32)
    np.testing.assert_array_equal(views[rows], whole[rows])
    np.testing.assert_allclose(views.products(rows, vector), whole[rows] @ vector, atol=1e-5)
    means = views.means(make_bags([[0, 1, 2], [], [7]]))
    np.testing.assert_allclose(means[0], whole[:3].mean(axis=0), atol=1e-6)
    assert not means[1].any()
    np.testing.assert_array_equal(means[2], whole[7])


def test_what_is_taken_may_be_changed():
    views = ItemViews.alone(FIRST)
    views[:][0] = 0
    assert FIRST[0].any()


def test_a_further_part_stands_beside_the_others():
    views = ItemViews((FIRST,), (0.8,))
    more = views.beside(OWN)
    assert more.shape == (20, 8)
    np.testing.assert_array_equal(more[:], np.concatenate([views[:], OWN], axis=1))
