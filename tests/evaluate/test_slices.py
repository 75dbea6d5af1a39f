import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from genrecall.evaluate.slices import SLICES, frequency_slices

queries = st.lists(st.sampled_from("abcdefg"), max_size=40)


def names_of(queries, training):
    slices = frequency_slices(queries, training)
    return [next(name for name in SLICES if slices[name][i]) for i in range(len(queries))]


def test_thirds_of_the_training_searches():
    training = ["a"] * 40 + ["b"] * 30 + ["c"] * 10 + ["d"] * 9 + ["e"] * 8 + ["f", "g", "h"]
    found = names_of(["a", "b", "c", "d", "e", "f", "new"], training)
    assert found == ["head", "torso", "tail", "tail", "tail", "tail", "unseen"]


def test_queries_of_equal_frequency_stay_together():
    training = ["a", "b", "c", "d"] * 5
    assert set(names_of(["a", "b", "c", "d"], training)) == {"head"}


def test_query_searched_once_is_tail():
    assert names_of(["a"], ["a"]) == ["tail"]
    assert names_of(["a", "b"], ["a", "b"]) == ["tail", "tail"]


def test_without_training_every_query_is_unseen():
    assert names_of(["a", "b"], []) == ["unseen", "unseen"]


@given(queries, queries)
def test_every_search_is_in_one_slice(queries, training):
    slices = frequency_slices(queries, training)
    assert np.sum(list(slices.values()), axis=0).tolist() == [1] * len(queries)
    assert all(mask.dtype == np.bool_ for mask in slices.values())
    unseen = [query not in training for query in queries]
    assert slices["unseen"].tolist() == unseen
