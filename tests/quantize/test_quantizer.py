"""Codes against FAISS and against distances written out; saving; items that arrive later."""

from __future__ import annotations

import faiss
import numpy as np
import pytest
import torch

from genrecall.foundation import blocks
from genrecall.foundation.errors import ArtifactError, DataError
from genrecall.foundation.sid import SidSpace, SidTable
from genrecall.quantize import quantizer as quantizer_module
from genrecall.quantize.quantizer import SETTINGS, WEIGHTS, Quantizer, sid_centroids
from genrecall.quantize.training.train import RqVae

torch.set_num_threads(1)
D = 8


def unit(seed: int, n: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(n, D)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def make(sizes=(4, 3, 5), latent=D, seed=0) -> Quantizer:
    torch.manual_seed(seed)
    quantizer = Quantizer(dim=D, hidden=16, latent=latent, sizes=sizes)
    for codebook in quantizer.codebooks:
        codebook.copy_(torch.randn(codebook.shape) / 2)
    return quantizer


def unknown(n: int) -> np.ndarray:
    return np.full(n, -1, dtype=np.int32)


def table_of(codes: np.ndarray, sizes=(4, 3, 5)) -> SidTable:
    return SidTable(SidSpace(sizes), codes)


def test_an_untrained_encoder_keeps_the_vectors():
    vectors = unit(0, 20)
    assert np.abs(make().encode(vectors) - vectors).max() < 1e-6
    narrow = make(latent=3).encode(vectors)
    assert np.allclose(np.linalg.norm(narrow, axis=1), 1, atol=1e-6)


def test_codes_are_those_of_faiss_residual_quantization():
    quantizer, vectors = make(sizes=(256, 256, 256)), unit(1, 300)
    oracle = faiss.ResidualQuantizer(D, 3, 8)
    codebooks = np.concatenate([codebook.numpy() for codebook in quantizer.codebooks])
    faiss.copy_array_to_vector(codebooks.ravel(), oracle.codebooks)
    oracle.is_trained = True
    oracle.max_beam_size = 1
    assert (
        quantizer.assign(quantizer.encode(vectors), unknown(300)) == oracle.compute_codes(vectors)
    ).all()


def test_a_known_category_is_forced_and_the_residual_follows_it():
    quantizer, vectors = make(), unit(2, 50)
    categories = np.arange(50, dtype=np.int32) % 5 - 1
    codes = quantizer.assign(quantizer.encode(vectors), categories)
    known = categories >= 0
    assert (codes[known, 0] == categories[known]).all()
    one, two, _ = (codebook.numpy() for codebook in quantizer.codebooks)
    residual = vectors - one[codes[:, 0]]
    assert (codes[:, 1] == np.square(residual[:, None] - two).sum(-1).argmin(1)).all()


def soft(penalty: float | None) -> Quantizer:
    quantizer = make()
    quantizer.category_penalty = penalty
    for codebook in quantizer.codebooks:  # into the unit ball
        codebook.copy_(torch.nn.functional.normalize(codebook, dim=-1))
    return quantizer


@pytest.mark.parametrize("penalty", [0.0, 0.3, 4.0])
def test_a_penalty_leans_to_the_category(penalty):
    quantizer, vectors = soft(penalty), unit(2, 50)
    categories = np.arange(50, dtype=np.int32) % 5 - 1
    one = quantizer.codebooks[0].numpy()
    cost = np.square(vectors[:, None] - one).sum(-1)
    cost += penalty * (np.arange(4) != categories[:, None]) * (categories >= 0)[:, None]
    codes = quantizer.assign(quantizer.encode(vectors), categories)
    assert (codes[:, 0] == cost.argmin(1)).all()
    of_category = (codes[:, 0] == categories)[categories >= 0].mean()
    assert of_category == 1 if penalty == 4 else of_category < 1
    if penalty == 0:
        assert (codes == quantizer.assign(quantizer.encode(vectors), unknown(50))).all()


def test_late_items_pay_the_penalty_for_sids_of_another_category():
    quantizer, vectors = soft(0.3), unit(4, 40)
    codes = np.random.default_rng(0).integers(0, (3, 2, 4), size=(40, 3)).astype(np.int32)
    table = table_of(codes)
    centroids, late = sid_centroids(quantizer.encode(vectors), table), unit(5, 25)
    categories = np.arange(25, dtype=np.int32) % 5 - 1  # 3 is a category without items
    found = quantizer.assign_populated(
        quantizer.encode(late), categories, table=table, centroids=centroids
    )
    cost = np.square(late[:, None] - centroids).sum(-1)
    cost += 0.3 * (table.sids[:, 0] != categories[:, None]) * (categories >= 0)[:, None]
    assert (found == table.sids[cost.argmin(1)]).all()
    assert 0 < (found[:, 0] == categories)[(categories >= 0) & (categories < 3)].mean() < 1


@pytest.mark.parametrize("penalty", [None, 0.3])
def test_blocks_of_rows_are_chosen_like_all_at_once(penalty, monkeypatch):
    quantizer, latents = soft(penalty), torch.from_numpy(unit(8, 300))
    categories = torch.arange(300) % 5 - 1
    whole = quantizer.quantize(latents, categories).codes
    widest = largest_distances(monkeypatch)
    monkeypatch.setattr(blocks, "_NUMBERS", 40)
    assert torch.equal(quantizer.quantize(latents, categories).codes, whole)
    assert max(widest) == 40


def test_no_step_over_all_items_holds_a_distance_for_each_item_and_code(monkeypatch):
    latents, categories = torch.from_numpy(unit(9, 300)), torch.arange(300) % 5 - 1
    model = rq_vae()
    model.start(latents, categories, seed=0)
    model.count(latents, categories)
    widest = largest_distances(monkeypatch)
    monkeypatch.setattr(blocks, "_NUMBERS", 40)
    again = rq_vae()
    again.start(latents, categories, seed=0)
    again.count(latents, categories)
    assert max(widest) == 40
    state = again.state_dict()
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())


def test_late_items_meet_many_sids_in_blocks(monkeypatch):
    quantizer, vectors = soft(0.3), unit(4, 40)
    codes = np.random.default_rng(0).integers(0, (3, 2, 4), size=(40, 3)).astype(np.int32)
    table = table_of(codes)
    centroids, late = sid_centroids(quantizer.encode(vectors), table), unit(5, 25)
    found = quantizer.assign_populated(late, unknown(25), table=table, centroids=centroids)
    widest = largest_distances(monkeypatch)
    monkeypatch.setattr(blocks, "_NUMBERS", 2 * len(centroids))
    again = quantizer.assign_populated(late, unknown(25), table=table, centroids=centroids)
    assert (again == found).all()
    assert max(widest) == 2 * len(centroids)


def rq_vae() -> RqVae:
    torch.manual_seed(3)
    quantizer = Quantizer(dim=D, hidden=16, latent=D, sizes=(6, 4, 4), category_penalty=0.1)
    return RqVae(quantizer, n_categories=4, ema_decay=0.99, restart_share=0.0)


def largest_distances(monkeypatch) -> list[int]:
    """How many distances are computed at once, each time."""
    counted, distances = [], quantizer_module._distances

    def count(points, centers):
        counted.append(len(points) * len(centers))
        return distances(points, centers)

    monkeypatch.setattr(quantizer_module, "_distances", count)
    return counted


def test_a_batch_answers_like_single_items():
    quantizer, vectors = make(), unit(3, 30)
    categories = np.arange(30, dtype=np.int32) % 5 - 1
    single = [
        quantizer.assign(quantizer.encode(vectors[[i]]), categories[[i]])[0] for i in range(30)
    ]
    assert (quantizer.assign(quantizer.encode(vectors), categories) == single).all()


def test_late_items_take_the_nearest_populated_sid_of_their_category():
    quantizer, vectors = make(), unit(4, 40)
    codes = np.random.default_rng(0).integers(0, (3, 2, 4), size=(40, 3)).astype(np.int32)
    table = table_of(codes)
    centroids = sid_centroids(quantizer.encode(vectors), table)
    late = unit(5, 25)
    categories = np.arange(25, dtype=np.int32) % 5 - 1  # 3 is a category without items
    found = quantizer.assign_populated(
        quantizer.encode(late), categories, table=table, centroids=centroids
    )
    assert (table.find(found) >= 0).all()
    for vector, category, sid in zip(late, categories.tolist(), found, strict=True):
        distance = np.square(centroids - vector).sum(1)
        if category in (0, 1, 2):
            distance[table.sids[:, 0] != category] = np.inf
        assert (table.sids[distance.argmin()] == sid).all()


@pytest.mark.parametrize("penalty", [None, 0.5])
def test_reload_equals_save(tmp_path, penalty):
    quantizer, vectors = make(latent=5), unit(6, 20)
    quantizer.category_penalty = penalty
    with torch.no_grad():
        quantizer.encoder.out.weight.normal_()
    quantizer.save(tmp_path)
    again = Quantizer.load(tmp_path)
    assert again.category_penalty == penalty
    assert (
        again.assign(again.encode(vectors), unknown(20))
        == quantizer.assign(quantizer.encode(vectors), unknown(20))
    ).all()
    assert all(
        torch.equal(tensor, again.state_dict()[name])
        for name, tensor in quantizer.state_dict().items()
    )


@pytest.mark.parametrize("name", [WEIGHTS, SETTINGS])
def test_a_damaged_file_is_an_artifact_error(tmp_path, name):
    make().save(tmp_path)
    (tmp_path / name).write_bytes(b"{}")
    with pytest.raises(ArtifactError, match=r"no readable quantizer.*Run the quantize stage again"):
        Quantizer.load(tmp_path)


def test_vectors_of_another_width_or_with_nan_are_refused():
    with pytest.raises(DataError, match=r"shape \(3, 4\).*width 8.*encoder that the quantizer"):
        make().encode(np.zeros((3, 4), dtype=np.float32))
    vectors = unit(0, 3)
    vectors[1, 2] = np.nan
    with pytest.raises(DataError, match="1 of 3 item vectors hold NaN"):
        make().encode(vectors)
