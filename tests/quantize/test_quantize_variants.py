"""Every tokenizer of the ablation is a matter of config; the start against FAISS."""

from __future__ import annotations

import faiss
import numpy as np
import pytest
import torch

from genrecall.data.pairs import LoggedPairs
from genrecall.foundation.progress import SilentLog
from genrecall.foundation.work import Work
from genrecall.learning.checkpoint import Checkpoints
from genrecall.quantize.config import ClusterConfig, QuantizeConfig, TrainingConfig
from genrecall.quantize.load import FrozenSids, load_sids
from genrecall.quantize.stage import QuantizeInputs, run
from genrecall.quantize.training.train import CodeLayout, Examples, train_quantizer

torch.set_num_threads(1)
N, D = 600, 16
QUICK = TrainingConfig(epochs=2, batch_size=128, hidden=16)
START = TrainingConfig(epochs=0, hidden=16)
PLAIN = {"use_category": False, "use_query_item": False}
PAPER = ClusterConfig(t_max=5, method="random", merge_below=0, refine=0)
VARIANTS = {
    "cq_sid": {},
    "no_category": {"use_category": False},
    "no_query_item": {"use_query_item": False},
    "rq_vae": PLAIN,
    "residual_kmeans": {**PLAIN, "training": START},
    "soft_category": {"category_penalty": 0.2},
    "depth_1": {"depth": 1},
    "depth_2": {"depth": 2},
    "codebooks": {"k2": 3, "k3": 5},
    "no_contrast": {"training": QUICK.model_copy(update={"contrastive_weight": 0.0})},
    "contrast": {"training": QUICK.model_copy(update={"contrastive_weight": 1.0})},
    "commitment": {"training": QUICK.model_copy(update={"commitment_weight": 1.0})},
    "narrow": {"training": QUICK.model_copy(update={"latent": 6})},
    "random": {"clusters": ClusterConfig(method="random")},
    "overflow": {"clusters": ClusterConfig(method="overflow")},
    "overflow_alone": {"clusters": PAPER.model_copy(update={"method": "overflow"})},
    "paper": {"clusters": PAPER},
    "unrefined": {"clusters": ClusterConfig(refine=0)},
    "unmerged": {"clusters": ClusterConfig(merge_below=0)},
}


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def clustered(n: int, kinds: int, *, seed: int = 0, spread: float = 0.6) -> np.ndarray:
    """Vectors around `kinds` means, item `i` around mean `i % kinds`."""
    random = np.random.default_rng(seed)
    means = random.normal(size=(kinds, D))
    return unit(means[np.arange(n) % kinds] + spread * random.normal(size=(n, D)))


ITEMS = clustered(N, 12)
PATHS = [
    None if i % 50 == 0 else ("shop", f"hall {i % 4}", f"kind {i % 12}", f"sort {i % 24}")
    for i in range(N)
]


def quantize(out, **changes) -> FrozenSids:
    config = QuantizeConfig(min_items=10, training=QUICK).model_copy(update=changes)
    artifact = run(
        config,
        QuantizeInputs(
            item_vectors=ITEMS,
            categories=PATHS,
            query_vectors=ITEMS[:40],
            pairs=LoggedPairs(query=np.arange(40), item=np.arange(40), weight=np.ones(40)),
        ),
        Work(out, inputs="hash", seed=0, log=SilentLog()),
    )
    return load_sids(artifact)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_is_a_matter_of_config(tmp_path, name):
    changes = VARIANTS[name]
    frozen = quantize(tmp_path / "q", **changes)
    table = frozen.table
    config = QuantizeConfig(**changes)
    assert table.codes.shape == (N, 3)
    assert table.sizes.max() <= config.t_max
    assert len(np.unique(table.codes[:, 0])) >= 0.9 * (table.space.sizes[0] - 1)
    category = frozen.categories.encode(PATHS)
    known = category >= 0
    if not config.use_category:
        assert not known.any()
    elif config.category_penalty is None:
        assert (table.codes[known, 0] == category[known]).all()
    assert (frozen.table.find(frozen.assign_new(ITEMS[:5], PATHS[:5])) >= 0).all()


def test_depth_sets_the_categories(tmp_path):
    sizes = [
        len(quantize(tmp_path / str(depth), depth=depth, training=START).categories.paths)
        for depth in (1, 2, 3, None)
    ]
    assert sizes == [1, 4, 12, 24]


def test_soft_categories_lie_between_none_and_forced(tmp_path):
    def kept(penalty):
        frozen = quantize(tmp_path / str(penalty), category_penalty=penalty, training=START)
        category = frozen.categories.encode(PATHS)
        return (frozen.table.codes[:, 0] == category)[category >= 0].mean()

    shares = [kept(0.0), kept(0.05), kept(4.0)]
    assert shares[0] < shares[1] < shares[2] == 1


@pytest.mark.parametrize("seed", [0, 1])
def test_the_start_quantizes_as_well_as_faiss(seed):
    """Residual k-means: within 3 % of the error of `faiss.ResidualQuantizer` with beam 1."""
    vectors, size, bits = clustered(4000, 30, seed=seed, spread=1.0), 32, 5
    none = np.zeros(0, dtype=np.int64)
    quantizer = train_quantizer(
        Examples(
            vectors,
            np.full(len(vectors), -1, dtype=np.int32),
            queries=vectors[:0],
            pairs=LoggedPairs(none, none, none.astype(np.float64)),
        ),
        CodeLayout((size, size, size), n_categories=0),
        config=START,
        seed=seed,
        checkpoints=Checkpoints(None, every=0),
        log=SilentLog(),
    )
    found = quantizer.quantize(torch.from_numpy(vectors), torch.full((len(vectors),), -1))
    ours = np.square(vectors - sum(found.chosen).numpy()).sum(1).mean()

    oracle = faiss.ResidualQuantizer(D, 3, bits)
    oracle.train_type, oracle.max_beam_size = faiss.ResidualQuantizer.Train_default, 1
    oracle.train(vectors)
    theirs = np.square(vectors - oracle.decode(oracle.compute_codes(vectors))).sum(1).mean()
    assert ours < 1.03 * theirs
