"""The layers of a language model in C: their parts against torch, and against formulas."""

import copy
import ctypes

import numpy as np
import pytest
import torch
from tiny_lm import make_lm
from torch.nn import functional as F

from genrecall.decode.lm.eight_bits import in_int8, rounded_rows
from genrecall.decode.lm.native import Packed, _Model, _Prompt, at, fits
from genrecall.decode.lm.plain import attend_prefixes, attend_prompt
from genrecall.decode.lm.weights import Heads
from genrecall.native.arrays import size
from genrecall.native.library import library

FOUND = library()
built = pytest.mark.skipif(FOUND is None, reason="not built")
vnni = pytest.mark.skipif(FOUND is None or not FOUND.reads_bytes(), reason="without VNNI")
EIGHT_BITS = [False, pytest.param(True, marks=vnni)]

HEADS = [Heads(4, 4, 64), Heads(6, 2, 16), Heads(3, 1, 48)]


class Codes(ctypes.Structure):
    """As `native/layers.h` has it."""

    _fields_ = (
        ("earlier", ctypes.c_void_p),
        ("parents", ctypes.c_void_p),
        ("codes", ctypes.c_int64),
    )


def drawn(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape).astype(np.float32))


def turns_of(length, heads):
    angle = drawn(length, 1, heads.size // 2, seed=9)
    return torch.polar(torch.ones_like(angle), angle)


def prompt_in_c(heads, made, turns, start):
    """Keys and values as C keeps them, and what tokens saw."""
    length, model = len(made), _Model(1, *heads, 0, 0, None, 0)
    keys = torch.empty(heads.keys, heads.size, -(-length // 16) * 16)
    values = torch.empty(heads.keys, length, heads.size)
    seen = torch.empty(length - start, heads.queries * heads.size)
    prompt = _Prompt(length, length, at(turns), at(keys), at(values))
    FOUND.attend_prompt(
        ctypes.byref(model), ctypes.byref(prompt), size(0), at(made), size(start), at(seen)
    )
    return keys, values, seen


def prefixes_in_c(heads, made, turns, shared, earlier, parents):
    (keys, values), model = shared, _Model(1, *heads, 0, 0, None, 0)
    prompt = _Prompt(len(made), values.shape[1], at(turns), at(keys), at(values))
    codes = Codes(None if earlier is None else at(earlier), at(parents), 0)
    codes.codes = 0 if earlier is None else earlier.shape[1]
    seen = torch.empty(len(made), heads.queries * heads.size)
    FOUND.attend_prefixes(
        ctypes.byref(model), ctypes.byref(prompt), size(0), at(made), codes, at(seen)
    )
    return seen


@built
@pytest.mark.parametrize("heads", HEADS)
@pytest.mark.parametrize("length", [1, 5, 16, 33])
@pytest.mark.parametrize("codes", [0, 1, 2])
def test_attention_in_c_equals_that_in_torch(heads, length, codes):
    width, turns = heads.queries + 2 * heads.keys, turns_of(length + 1, heads)
    made = [drawn(length, width, heads.size) for _ in range(3)]
    plain = attend_prompt(heads, made[0], turns[:length], start=0)
    keys, values, seen = prompt_in_c(heads, made[1], turns, 0)
    torch.testing.assert_close(seen, plain.seen, atol=2e-5, rtol=1e-5)
    last = prompt_in_c(heads, made[2], turns, length - 1)[2]
    torch.testing.assert_close(last, seen[-1:], atol=0, rtol=0)

    newest = [drawn(7, width, heads.size, seed=1) for _ in range(2)]
    earlier = drawn(5, codes, 2, heads.keys, heads.size, seed=2) if codes else None
    parents = torch.tensor([4, 0, 0, 3, 1, 2, 4])
    of_each = None if earlier is None else earlier[parents]
    shared = plain.keys, plain.values
    expected = attend_prefixes(heads, newest[0], turns[-1:], shared, of_each)
    found = prefixes_in_c(heads, newest[1], turns[-1:], (keys, values), earlier, parents)
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-5)
    torch.testing.assert_close(newest[1], newest[0], atol=2e-5, rtol=1e-5)


@built
def test_gates_equal_those_in_torch():
    ends = torch.tensor([-1e30, -1e4, -88, -87, 0, 87, 88, 1e4])
    gates, numbers = torch.cat([ends, 30 * drawn(56)]), drawn(64, seed=1)
    expected = F.silu(gates) * numbers
    FOUND.gated(at(gates), at(numbers), size(64))
    torch.testing.assert_close(gates, expected, atol=1e-6, rtol=1e-5)


@built
@pytest.mark.parametrize("width", [1, 16, 37, 704])
def test_norms_are_the_length_by_formula(width):
    rows, normed = drawn(5, width), torch.empty(5, width)
    FOUND.normed(at(rows), size(5), size(width), ctypes.c_float(0.5), at(normed))
    expected = rows / (rows.square().sum(dim=1, keepdim=True) + 0.25).sqrt()
    torch.testing.assert_close(normed, expected, atol=1e-6, rtol=1e-5)


@built
@pytest.mark.parametrize("n", [1, 6, 13, 14, 15, 50])
@pytest.mark.parametrize(("made", "read"), [(40, 64), (1, 4), (96, 20)])
@pytest.mark.parametrize("bias", [False, True])
def test_products_in_c_equal_those_in_torch(n, made, read, bias):
    weight, rows = drawn(made, read, seed=1), drawn(n, read, seed=2)
    added = drawn(made, seed=5) if bias else None
    found = Packed(weight, added, found=FOUND, int8=False)(rows)
    torch.testing.assert_close(found, F.linear(rows, weight, added), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("bias", [None, drawn(40, seed=5)])
@pytest.mark.parametrize("native", [False, pytest.param(True, marks=vnni)])
def test_products_in_eight_bits_are_those_of_floats_up_to_a_step(native, bias):
    weight, rows = drawn(40, 64, seed=1), drawn(17, 64, seed=2)
    weight[3] = rows[5] = 0
    rows[6] *= 1000
    product = Packed(weight, bias, found=FOUND, int8=True) if native else in_int8(weight, bias)
    found, exact = product(rows), F.linear(rows, weight, bias)
    largest = rows.abs().amax(dim=1, keepdim=True)
    step = largest / 127 * weight.norm(dim=1) + weight.abs().amax(dim=1) / 127 * largest * 4
    assert ((found - exact).abs() < step + 1e-5).all()
    assert (found - exact)[6].std() < 0.02 * exact[6].std()


@vnni
def test_eight_bits_in_c_round_the_weights_as_torch_does():
    """What is read in whole numbers is read exactly, so only the weights are rounded."""
    weight = drawn(64, 32, seed=1)
    rows = torch.randint(-126, 127, (20, 32), generator=torch.manual_seed(0)).float()
    rows[:, 0] = 127
    found = Packed(weight, None, found=FOUND, int8=True)(rows)
    rounded, steps = rounded_rows(weight)
    expected = (rows.double() @ rounded.double().T * steps.double()).float()
    torch.testing.assert_close(found, expected, atol=0, rtol=1e-6)


@built
@pytest.mark.parametrize("int8", EIGHT_BITS)
def test_a_row_gives_the_same_to_the_bit_whatever_it_is_computed_with(int8):
    product = Packed(drawn(96, 64, seed=1), drawn(96), found=FOUND, int8=int8)
    rows = drawn(60, 64, seed=2)
    together = product(rows)
    for n in range(1, 31):
        assert torch.equal(product(rows[n : 2 * n].contiguous()), together[n : 2 * n])


@built
@pytest.mark.parametrize("int8", EIGHT_BITS)
@pytest.mark.parametrize("broken", [torch.nan, torch.inf])
def test_what_is_no_number_stays_none(int8, broken):
    weight, rows = drawn(40, 64), drawn(3, 64, seed=1)
    weight[2, 7] = broken
    found = Packed(weight, None, found=FOUND, int8=int8)(rows)
    assert not found[:, 2].isfinite().any() and found[:, :2].isfinite().all()
    rows[1, 5] = broken
    found = Packed(drawn(40, 64), None, found=FOUND, int8=int8)(rows)
    assert not found[1].isfinite().any() and found[::2].isfinite().all()
    heads, made = HEADS[0], drawn(4, 12, 64)
    made[2, 0, 0] = torch.nan
    assert prompt_in_c(heads, made, turns_of(4, heads), 0)[2][2].isnan().any()


def test_sizes_that_c_does_not_know_are_left_to_torch():
    lm = make_lm()
    assert fits(lm)
    for name, value in (("intermediate_size", 48), ("hidden_size", 90), ("head_dim", 24)):
        twin = copy.deepcopy(lm)
        setattr(twin.causal.config, name, value)
        assert not fits(twin)
    lm.max_tokens = 10_000
    assert not fits(lm)
