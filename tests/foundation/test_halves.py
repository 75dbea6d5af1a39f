import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from genrecall.foundation.errors import ConfigError
from genrecall.foundation.halves import append_rows, map_rows, map_weights, to_halves, with_halves
from genrecall.native import bags, products

FLOATS = st.lists(st.floats(-60000, 60000, width=32), max_size=40)


@given(FLOATS)
def test_a_number_is_rounded_and_none_is_smaller_than_a_normal_half(numbers):
    given_numbers = np.array(numbers, dtype=np.float32)
    halves = to_halves(given_numbers)
    assert halves.dtype == np.float16
    near = np.abs(given_numbers - halves.astype(np.float32))
    assert (near <= np.maximum(np.abs(given_numbers) * 2**-11, np.finfo(np.float16).tiny)).all()
    small = np.abs(halves[halves != 0])
    assert not len(small) or small.min() >= np.finfo(np.float16).tiny


@pytest.mark.parametrize("broken", [np.nan, np.inf, 1e6])
def test_what_is_no_number_of_16_bits_is_refused(broken):
    with pytest.raises(ConfigError, match=r"no finite number of 16 bits.*Lower the learning rates"):
        to_halves(np.array([1.0, broken]))


def test_weights_are_mapped_as_they_were_saved(tmp_path):
    rng = np.random.default_rng(0)
    weights = {
        "table.weight": rng.normal(size=(30, 7)).astype(np.float32),
        "norm.bias": rng.normal(size=5).astype(np.float32),
        "one": np.array(2.5, dtype=np.float32),
    }
    halved = with_halves(weights, ["table.weight"])
    save_file(dict(halved), tmp_path / "w.safetensors")
    mapped, read = map_weights(tmp_path / "w.safetensors"), load_file(tmp_path / "w.safetensors")
    assert mapped.keys() == read.keys() == weights.keys()
    for name, of in read.items():
        assert (mapped[name].dtype, mapped[name].shape) == (of.dtype, of.shape)
        np.testing.assert_array_equal(mapped[name], of)
        assert not mapped[name].flags.writeable
    assert mapped["table.weight"].dtype == np.float16


def test_more_rows_are_kept_as_those_before_them(tmp_path):
    rows, more = np.ones((3, 2), dtype=np.float32), np.full((1, 2), 0.1, dtype=np.float32)
    np.save(tmp_path / "rows.npy", to_halves(rows))
    mapped = map_rows(tmp_path / "rows.npy")
    assert type(mapped) is np.ndarray and isinstance(mapped.base, np.memmap)
    assert append_rows(mapped, more[:0]) is mapped
    assert append_rows(mapped, more).dtype == np.float16
    assert append_rows(rows, more)[3].tolist() == more[0].tolist()


def test_the_library_reads_every_half_as_numpy_does(monkeypatch):
    """All that `to_halves` makes: zeros and normal numbers of both signs."""
    bits = np.arange(2**16, dtype=np.uint16)
    numbers = to_halves(np.nan_to_num(bits.view(np.float16), nan=0, posinf=0, neginf=0))
    table, every = numbers[:, None], np.arange(2**16)
    found = [
        bags.bag_means(table, every, np.arange(2**16 + 1))[:, 0],
        products.row_products(table, every, np.ones(1, dtype=np.float32)),
    ]
    monkeypatch.setattr(bags, "library", lambda: None)
    monkeypatch.setattr(products, "library", lambda: None)
    plain = [
        bags.bag_means(table, every, np.arange(2**16 + 1))[:, 0],
        products.row_products(table, every, np.ones(1, dtype=np.float32)),
    ]
    for of in (*found, *plain):
        np.testing.assert_array_equal(of, numbers.astype(np.float32))
