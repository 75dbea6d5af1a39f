"""What stands between the products of a language model: in C and in torch, and by formula."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from genrecall.decode.lm import eight_bits
from genrecall.decode.lm.native import NativeBlocks, blocks_of
from genrecall.decode.lm.plain import PlainBlocks
from genrecall.decode.lm.weights import Heads
from genrecall.native.library import library

pytestmark = pytest.mark.skipif(library() is None, reason="not built")

HEADS = [Heads(4, 4, 64), Heads(6, 2, 16), Heads(3, 1, 48)]


def drawn(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape).astype(np.float32))


def turns_of(length, heads):
    angle = drawn(length, 1, heads.size // 2, seed=9)
    return torch.polar(torch.ones_like(angle), angle)


def both_of(heads):
    native = blocks_of(heads, longest=200)
    assert isinstance(native, NativeBlocks)
    return native, PlainBlocks(heads)


@pytest.mark.parametrize("heads", HEADS)
@pytest.mark.parametrize("length", [1, 5, 16, 33])
@pytest.mark.parametrize("codes", [0, 1, 2])
def test_attention_in_c_equals_that_in_torch(heads, length, codes):
    width = heads.queries + 2 * heads.keys
    seen = []
    for blocks in both_of(heads):
        turns = turns_of(length + 1, heads)
        prompt = drawn(length, width, heads.size)
        whole = blocks.attend_prompt(prompt, turns[:length], start=0)
        last = blocks.attend_prompt(
            drawn(length, width, heads.size), turns[:length], start=length - 1
        )
        torch.testing.assert_close(last.seen, whole.seen[-1:], atol=1e-6, rtol=1e-5)
        made = drawn(7, width, heads.size, seed=1)
        earlier = drawn(7, codes, 2, heads.keys, heads.size, seed=2) if codes else None
        shared = whole.keys, whole.values
        seen.append((whole.seen, blocks.attend_prefixes(made, turns[-1:], shared, earlier), made))
    for native, plain in zip(*seen, strict=True):
        torch.testing.assert_close(native, plain, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("width", [1, 16, 37, 704])
def test_gates_and_norms_in_c_equal_those_in_torch(width):
    native, plain = both_of(HEADS[0])
    both = 30 * drawn(5, 2 * width)
    torch.testing.assert_close(native.gated(both), plain.gated(both), atol=1e-6, rtol=1e-5)
    for more in (None, drawn(5, width, seed=3)):
        hidden, twin = drawn(5, width), drawn(5, width)
        found = native.add_normed(hidden, more, 1e-4)
        torch.testing.assert_close(found, plain.add_normed(twin, more, 1e-4), atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(hidden, twin)
        torch.testing.assert_close(found.norm(dim=1), torch.ones(5), atol=1e-3, rtol=0)


def test_numbers_at_the_ends_of_what_an_exponential_holds():
    native, plain = both_of(HEADS[0])
    ends = torch.tensor([[-1e30, -1e4, -88, -87, 0, 87, 88, 1e4, *[1.0] * 8]])
    torch.testing.assert_close(native.gated(ends), plain.gated(ends), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("bias", [None, drawn(40, seed=5)])
@pytest.mark.parametrize("built", [True, False])
def test_products_in_eight_bits_are_those_of_floats_up_to_a_step(monkeypatch, bias, built):
    if not built:
        monkeypatch.setattr(eight_bits, "library", lambda: None)
    weight, rows = drawn(40, 64, seed=1), drawn(9, 64, seed=2)
    weight[3] = 0
    found, exact = eight_bits.in_int8(weight, bias)(rows), F.linear(rows, weight, bias)
    step = rows.abs().max() / 127 * weight.norm(dim=1) + weight.abs().amax(dim=1) / 127 * 8
    assert ((found - exact).abs() < step + 1e-5).all()
    assert (found - exact).std() < 0.02 * exact.std()


@pytest.mark.parametrize("broken", [0, 40])
def test_what_is_no_number_stays_none(broken):
    native, _ = both_of(HEADS[0])
    both = drawn(2, 64)
    both[0, broken] = torch.nan
    assert native.gated(both)[0].isnan().any()
    made = drawn(4, 12, 64)
    made[2, 0, broken] = torch.nan
    assert native.attend_prompt(made, turns_of(4, HEADS[0]), start=0).seen[2].isnan().any()


@pytest.mark.parametrize(("heads", "longest"), [(Heads(2, 2, 24), 30), (Heads(4, 4, 64), 10_000)])
def test_sizes_that_c_does_not_know_are_left_to_torch(heads, longest):
    assert isinstance(blocks_of(heads, longest=longest), PlainBlocks)
    assert isinstance(blocks_of(HEADS[0], longest=30, native=False), PlainBlocks)
