"""Packed rows against each prompt and target on its own in plain transformers."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_lm import CONFIG, SPACE, make_draw

from genrecall.supervised.lm.loss import SidLoss
from genrecall.supervised.lm.packing import pack
from genrecall.supervised.lm.training import pack_batch


def plain_losses(lm, batch):
    """Cross entropy per level, by the model's own forward pass over one text at a time."""
    total = torch.zeros(3)
    for prompt, targets in zip(lm.encode(batch.prompts), batch.codes, strict=True):
        for codes in targets.tolist():
            tokens = [
                lm.token(level, torch.tensor(code)).item() for level, code in enumerate(codes)
            ]
            logits = lm.causal(torch.tensor([prompt + tokens])).logits[0]
            for level, code in enumerate(codes):
                first = lm.token(level, torch.tensor(0)).item()
                scores = logits[len(prompt) - 1 + level, first : first + SPACE.sizes[level]]
                total[level] -= torch.log_softmax(scores, dim=0)[code]
    return total


@pytest.mark.parametrize("row_tokens", [1, 40, 200])
def test_packed_equals_unpacked(trained, row_tokens):
    batch = make_draw(batch=9, n_targets=3)(0)
    parts = pack_batch(trained, batch, CONFIG.model_copy(update={"row_tokens": row_tokens}))
    with torch.no_grad():
        packed = torch.stack([torch.stack(SidLoss(trained)(part)) for part in parts]).sum(0)
        torch.testing.assert_close(packed, plain_losses(trained, batch), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("row_tokens", [1, 64])
def test_gradients_of_parts_add_up(trained, row_tokens):
    batch = make_draw(batch=12)(1)

    def gradient(micro_tokens):
        options = {"row_tokens": row_tokens, "micro_tokens": micro_tokens}
        parts = pack_batch(trained, batch, CONFIG.model_copy(update=options))
        for part in parts:
            SidLoss(trained)(part).total.backward()
        found = {name: p.grad.clone() for name, p in trained.named_parameters()}
        trained.zero_grad(set_to_none=True)
        return len(parts), found

    one, whole = gradient(10_000)
    several, summed = gradient(100)
    assert one == 1 < several
    for name, expected in whole.items():
        torch.testing.assert_close(summed[name], expected, rtol=1e-4, atol=1e-4)


@given(
    lengths=st.lists(st.integers(1, 20), min_size=1, max_size=40),
    n_targets=st.integers(1, 3),
    row_tokens=st.integers(1, 60),
    micro_tokens=st.integers(1, 200),
)
def test_every_prompt_and_code_stands_in_one_place(lengths, n_targets, row_tokens, micro_tokens):
    n = len(lengths)
    prompts = [[100 + number] * length for number, length in enumerate(lengths)]
    tokens = np.arange(n * n_targets * 2).reshape(n, n_targets, 2) + 1000
    codes = np.arange(n * n_targets * 3).reshape(n, n_targets, 3)
    sizes = {"row_tokens": row_tokens, "micro_tokens": micro_tokens}
    seen = []
    for part in pack(prompts, tokens, codes, **sizes):
        assert part.ids.numel() <= max(micro_tokens, part.ids.shape[1])
        ids = part.ids.flatten()
        mask = part.mask()[:, 0]
        for row, end in enumerate(part.at[0].tolist()):
            number = int(ids[end]) - 100
            seen.append(number)
            np.testing.assert_array_equal(part.codes[row], codes[number])
            for level in (1, 2):
                np.testing.assert_array_equal(
                    ids[part.at[level][row]], tokens[number, :, level - 1]
                )
            # A second code sees the prompt, its own first code and itself.
            for target, place in enumerate(part.at[2][row].tolist()):
                r, c = divmod(place, part.ids.shape[1])
                expected = [*prompts[number], *tokens[number, target]]
                assert part.ids[r][mask[r, c]].tolist() == expected
                assert part.positions[r][mask[r, c]].tolist() == list(range(len(expected)))
    assert sorted(seen) == list(range(n))


def test_rows_are_full():
    rng = np.random.default_rng(0)
    prompts = [[1] * length for length in rng.integers(3, 16, 500)]
    tokens, codes = np.ones((500, 1, 2), np.int64), np.ones((500, 1, 3), np.int64)
    (part,) = pack(prompts, tokens, codes, row_tokens=64, micro_tokens=1 << 20)
    assert part.n_tokens / part.ids.numel() > 0.95


def test_tokens_and_pairs_are_counted_without_the_rest():
    prompts = [[7, 7, 7], [7]]
    tokens, codes = np.ones((2, 2, 2), np.int64), np.ones((2, 2, 3), np.int64)
    (part,) = pack(prompts, tokens, codes, row_tokens=32, micro_tokens=64)
    assert part.n_tokens == 3 + 4 + 1 + 4
    assert part.n_pairs == part.mask()[part.document[:, None] >= 0].sum() == 6 + 2 * 9 + 1 + 2 * 5
