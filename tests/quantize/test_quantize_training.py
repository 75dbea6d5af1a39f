"""RQ-VAE training: the EMA step by hand, the start, restarts, determinism, what the switches do."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from genrecall.data.pairs import LoggedPairs
from genrecall.foundation.progress import MEASURED, SilentLog
from genrecall.learning.checkpoint import Checkpoints
from genrecall.quantize.config import TrainingConfig
from genrecall.quantize.quantizer import Quantized, Quantizer
from genrecall.quantize.training.train import CodeLayout, Examples, RqVae, train_quantizer

torch.set_num_threads(1)
D, N, N_CATEGORIES = 8, 300, 3
SIZES = (5, 4, 4)


def unit(seed: int, n: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(n, D)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


ITEMS, QUERIES = unit(0, N), unit(1, 40)
CATEGORIES = (np.arange(N) % (N_CATEGORIES + 1) - 1).astype(np.int32)
PAIRS = LoggedPairs(query=np.arange(40), item=np.arange(40) % 30, weight=np.ones(40))
NO_PAIRS = LoggedPairs(PAIRS.query[:0], PAIRS.item[:0], PAIRS.weight[:0])


class Heard(SilentLog):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def train(
    *,
    pairs=PAIRS,
    categories=CATEGORIES,
    n_categories=N_CATEGORIES,
    folder=None,
    log=None,
    **changes,
):
    settings = {"epochs": 4, "batch_size": 64, "learning_rate": 0.01, "hidden": 16} | changes
    return train_quantizer(
        Examples(ITEMS, categories, QUERIES, pairs),
        CodeLayout(SIZES, n_categories),
        config=TrainingConfig(**settings),
        seed=0,
        checkpoints=Checkpoints(folder, every=0),
        log=log or SilentLog(),
    )


def differs(one: Quantizer, two: Quantizer) -> bool:
    other = two.state_dict()
    return any(not torch.equal(tensor, other[name]) for name, tensor in one.state_dict().items())


def tiny(*, n_categories=0, restart_share=0.0) -> RqVae:
    quantizer = Quantizer(dim=2, hidden=2, latent=2, sizes=(2, 1, 1))
    model = RqVae(quantizer, n_categories=n_categories, ema_decay=0.75, restart_share=restart_share)
    quantizer.codebooks[0].copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    model.get_buffer("share_1").copy_(torch.tensor([0.5, 0.25]))
    model.get_buffer("sum_1").copy_(torch.tensor([[0.5, 0.0], [0.0, 0.25]]))
    return model


def batch(codes: list[int], residuals: list[list[float]]) -> Quantized:
    first = torch.tensor(residuals)
    zero = torch.zeros_like(first)
    levels = torch.zeros(len(codes), 3, dtype=torch.int64)
    levels[:, 0] = torch.tensor(codes)
    return Quantized(levels, (first, zero, zero), (zero, zero, zero))


def test_the_ema_step_by_hand():
    model = tiny()
    step = batch([0, 0, 0, 1], [[2.0, 0.0], [0.0, 0.0], [1.0, 3.0], [0.0, 5.0]])
    model.move_codebooks(step, torch.full((4,), -1), random=np.random.default_rng(0))
    share = [0.75 * 0.5 + 0.25 * 3 / 4, 0.75 * 0.25 + 0.25 * 1 / 4]
    sums = [[0.75 * 0.5 + 0.25 * 3 / 4, 0.25 * 3 / 4], [0.0, 0.75 * 0.25 + 0.25 * 5 / 4]]
    assert model.get_buffer("share_1").tolist() == pytest.approx(share)
    expected = np.array(sums) / np.array(share)[:, None]
    assert np.allclose(model.quantizer.codebooks[0].numpy(), expected)


def test_a_dead_code_restarts_at_a_residual_of_the_batch():
    model = tiny(restart_share=0.2)
    step = batch([0, 0], [[2.0, 7.0], [2.0, 7.0]])
    restarted = model.move_codebooks(step, torch.tensor([-1, -1]), random=np.random.default_rng(0))
    assert restarted == 1
    assert model.quantizer.codebooks[0][1].tolist() == pytest.approx([2.0, 7.0])
    assert model.get_buffer("share_1")[1].item() == pytest.approx(0.4)


def test_codes_of_categories_never_restart_nor_reserve_codes_at_their_items():
    step = batch([0, 0], [[2.0, 7.0], [2.0, 7.0]])
    for n_categories, categories in ((2, [-1, -1]), (1, [0, 0])):
        model = tiny(n_categories=n_categories, restart_share=0.2)
        moved = model.move_codebooks(
            step, torch.tensor(categories), random=np.random.default_rng(0)
        )
        assert moved == 0
        assert model.quantizer.codebooks[0][1].tolist() == pytest.approx([0.0, 1.0])


def test_without_training_categories_stand_at_their_means():
    quantizer = train(epochs=0)
    first = quantizer.codebooks[0].numpy()
    means = [ITEMS[code == CATEGORIES].mean(0) for code in range(N_CATEGORIES)]
    assert np.abs(first[:N_CATEGORIES] - means).max() < 1e-6
    assert np.abs(quantizer.encode(ITEMS) - ITEMS).max() < 1e-6


def test_the_start_of_a_model_counts_what_its_codes_hold():
    quantizer = Quantizer(dim=D, hidden=4, latent=D, sizes=SIZES)
    model = RqVae(quantizer, n_categories=N_CATEGORIES, ema_decay=0.9, restart_share=0.0)
    categories = torch.from_numpy(CATEGORIES.astype(np.int64))
    model.start(torch.from_numpy(ITEMS), categories, seed=0)
    model.count(torch.from_numpy(ITEMS), categories)
    codes = quantizer.assign(quantizer.encode(ITEMS), CATEGORIES)
    for level, size in enumerate(SIZES):
        held = np.bincount(codes[:, level], minlength=size) / N
        assert model.get_buffer(f"share_{level + 1}").tolist() == pytest.approx(held.tolist())


def test_the_state_dict_holds_all_that_the_next_step_needs():
    quantizer = Quantizer(dim=D, hidden=4, latent=D, sizes=SIZES)
    model = RqVae(quantizer, n_categories=N_CATEGORIES, ema_decay=0.9, restart_share=0.01)
    categories = torch.from_numpy(CATEGORIES.astype(np.int64))
    model.start(torch.from_numpy(ITEMS), categories, seed=0)
    model.count(torch.from_numpy(ITEMS), categories)
    copy = RqVae(
        Quantizer(dim=D, hidden=4, latent=D, sizes=SIZES),
        n_categories=N_CATEGORIES,
        ema_decay=0.9,
        restart_share=0.01,
    )
    copy.load_state_dict(model.state_dict())
    for each in (model, copy):
        step = each.quantizer.quantize(torch.from_numpy(ITEMS[:50]), categories[:50])
        each.move_codebooks(step, categories[:50], random=np.random.default_rng(1))
    assert not differs(model.quantizer, copy.quantizer)


def test_the_same_seed_gives_the_same_quantizer():
    assert not differs(train(), train())
    assert differs(train(), train(pairs=NO_PAIRS))
    torch.rand(1)  # the state of the global generator does not matter
    assert not differs(train(), train())


def test_training_lowers_the_quantization_error():
    def error(quantizer):
        latents = torch.from_numpy(quantizer.encode(ITEMS))
        categories = torch.from_numpy(CATEGORIES.astype(np.int64))
        found = quantizer.quantize(latents, categories)
        return (latents - sum(found.chosen)).square().sum(-1).mean().item()

    assert error(train(epochs=20, commitment_weight=1.0)) < 0.8 * error(train(epochs=0))


def test_the_query_item_term_pulls_items_to_their_queries():
    def cosine(quantizer):
        one = quantizer.encode(ITEMS[PAIRS.item])
        return (one * quantizer.encode(QUERIES[PAIRS.query])).sum(1).mean()

    plain = train(pairs=NO_PAIRS, epochs=20)
    assert cosine(train(epochs=20, contrastive_weight=1.0)) > cosine(plain) + 0.05


def test_plain_rq_vae_uses_no_category():
    nobody = np.full(N, -1, dtype=np.int32)
    quantizer = train(categories=nobody, n_categories=0, pairs=NO_PAIRS)
    codes = quantizer.assign(quantizer.encode(ITEMS), nobody)
    assert len(np.unique(codes[:, 0])) == SIZES[0]
    assert len(np.unique(codes[:, 1])) == SIZES[1]


def test_progress_reports_the_rate_and_the_terms():
    log = Heard()
    train(log=log)
    assert "items/s" in log.lines[-1]
    for term in ("loss", "reconstruction", "commitment", "contrastive", "restarts"):
        assert term in log.lines[-1]


def test_more_codes_than_items_train_too():
    quantizer = train_quantizer(
        Examples(ITEMS[:3], CATEGORIES[:3], QUERIES, NO_PAIRS),
        CodeLayout(SIZES, N_CATEGORIES),
        config=TrainingConfig(epochs=2, latent=5),
        seed=0,
        checkpoints=Checkpoints(None, every=0),
        log=SilentLog(),
    )
    assert all(torch.isfinite(codebook).all() for codebook in quantizer.codebooks)


class StopsInEpoch3(SilentLog):
    def event(self, name: str, **figures: object) -> None:
        if name == MEASURED and figures["done"] > 2 * N:
            raise KeyboardInterrupt


def test_a_resumed_training_ends_where_an_uninterrupted_one_does(tmp_path):
    """With codes that die and restart, and a rate that falls."""
    whole = train(restart_below=30.0)
    with pytest.raises(KeyboardInterrupt):
        train(restart_below=30.0, folder=tmp_path, log=StopsInEpoch3())
    log = Heard()
    resumed = train(restart_below=30.0, folder=tmp_path, log=log)
    assert log.lines[0] == "  rq-vae: resumes at epoch 2 of 4"
    assert not differs(whole, resumed)
    finished = Heard()
    assert not differs(whole, train(restart_below=30.0, folder=tmp_path, log=finished))
    assert finished.lines == ["  rq-vae: resumes at epoch 4 of 4"]
