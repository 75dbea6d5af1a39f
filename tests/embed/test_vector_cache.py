import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrecall.embed.cache import VectorCache, with_cache


class Counting:
    """An encoder of letters that keeps what it was asked to encode."""

    dim = 3

    def __init__(self):
        self.asked = []

    def encode_items(self, texts):
        self.asked += texts
        rows = [[len(text), sum(map(ord, text)), 1] for text in texts]
        return np.array(rows, dtype=np.float32).reshape(-1, self.dim)


@pytest.fixture
def encoder():
    return Counting()


def test_only_texts_not_seen_before_are_encoded(tmp_path, encoder):
    cache = VectorCache(tmp_path, "one encoder")
    first = cache.encode(encoder.encode_items, ["b", "a", "b"])
    assert sorted(encoder.asked) == ["a", "b"]
    second = cache.encode(encoder.encode_items, ["c", "a", "b", "c"])
    assert sorted(encoder.asked) == ["a", "b", "c"]
    assert first.tolist() == Counting().encode_items(["b", "a", "b"]).tolist()
    assert second.tolist() == Counting().encode_items(["c", "a", "b", "c"]).tolist()
    VectorCache(tmp_path, "one encoder").encode(encoder.encode_items, ["a", "b", "c"])
    assert len(encoder.asked) == 3


@settings(max_examples=30)
@given(st.lists(st.lists(st.text(max_size=3), max_size=8), max_size=4))
def test_vectors_equal_those_of_the_encoder(tmp_path_factory, batches):
    cache = VectorCache(tmp_path_factory.mktemp("cache"), "one encoder")
    for texts in batches:
        vectors = cache.encode(Counting().encode_items, texts)
        assert vectors.shape == (len(texts), 3)
        assert vectors.dtype == np.float32
        assert vectors.tolist() == Counting().encode_items(texts).tolist()


def test_another_encoder_sees_nothing_of_it(tmp_path, encoder):
    VectorCache(tmp_path, "one encoder").encode(encoder.encode_items, ["a"])
    VectorCache(tmp_path, "two encoders").encode(encoder.encode_items, ["a"])
    assert encoder.asked == ["a", "a"]


@pytest.mark.parametrize("place", [0, 30, 100, 0.5, -60, -1])
def test_a_damaged_cache_is_made_again(tmp_path, encoder, place):
    cache = VectorCache(tmp_path, "one encoder")
    expected = cache.encode(encoder.encode_items, ["a", "b"])
    (path,) = tmp_path.iterdir()
    damaged = bytearray(path.read_bytes())
    damaged[place if isinstance(place, int) else int(place * len(damaged))] ^= 0xFF
    path.write_bytes(damaged)
    assert cache.encode(encoder.encode_items, ["a", "b"]).tolist() == expected.tolist()
    asked = len(encoder.asked)
    assert cache.encode(encoder.encode_items, ["a", "b"]).tolist() == expected.tolist()
    assert len(encoder.asked) == asked


@pytest.mark.parametrize("length", [0, 10, 200])
def test_a_cut_off_cache_is_made_again(tmp_path, encoder, length):
    cache = VectorCache(tmp_path, "one encoder")
    expected = cache.encode(encoder.encode_items, ["a", "b"])
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:length])
    assert cache.encode(encoder.encode_items, ["a", "b"]).tolist() == expected.tolist()
    assert len(encoder.asked) == 4


def test_a_reader_with_a_cache_reads_no_title_twice(tmp_path):
    reader = Counting()
    cached = with_cache(reader, VectorCache(tmp_path, "one encoder"))
    first = cached.encode_items(["a", "b"])
    assert cached.encode_items(["b", "a", "b"]).tolist() == first[[1, 0, 1]].tolist()
    assert sorted(reader.asked) == ["a", "b"]
    assert with_cache(reader, None) is reader
