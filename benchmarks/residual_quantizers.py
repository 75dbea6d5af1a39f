"""Residual quantizers that `benchmarks.quantize` compares: ours and other packages'.

Each is trained by its package's own entry, with the package's defaults or the settings of its
published training script. Other packages are imported where they are trained.

Shapes: `N` items, `D` width of the vectors, `L` levels of `K` codes.
"""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

import faiss
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from genrecall.data.pairs import LoggedPairs
from genrecall.foundation.progress import MEASURED, SilentLog
from genrecall.learning.checkpoint import Checkpoints
from genrecall.quantize.config import TrainingConfig
from genrecall.quantize.training.train import CodeLayout, Examples, train_quantizer

Vectors = NDArray[np.float32]

LEVELS: Final = 3
CODES: Final = 256


class Trained(NamedTuple):
    """A trained quantizer.

    Attributes:
        codes: of the training vectors, int `[N, L]`.
        reconstruct: its own reconstruction of them from the codes, `[N, D]`; None where training
            keeps no decoder.
        curve: squared error `‖x − x̂‖²` of its own reconstruction while it trained, each with the
            share of the training time at which it was reached.
    """

    codes: Callable[[], NDArray[Any]]
    reconstruct: Callable[[], Vectors] | None
    curve: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Contestant:
    """A quantizer and how it is trained.

    Attributes:
        family: `vae` learns an encoder and a decoder, `kmeans` codes the vectors themselves.
        package: what must be installed, with its version; None for ours and what we need.
        settings: what is not the package's default, and the defaults that matter.
        train: `(vectors, seed, **passes)` to a trained quantizer.
        passes: how long it trains.
        warm_up: the same for the run that is not measured, and with `--quick`.
        shorter: the same for trainings that show the error it reaches in less time, where training
            itself does not report it.
    """

    family: Literal["vae", "kmeans"]
    package: str | None
    settings: str
    train: Callable[..., Trained]
    passes: dict[str, int] = field(default_factory=dict)
    warm_up: dict[str, int] = field(default_factory=dict)
    shorter: tuple[dict[str, int], ...] = ()


class _Curve(SilentLog):
    """Keeps the reconstruction error that training reports."""

    def __init__(self) -> None:
        self.points: list[tuple[float, float]] = []

    def event(self, name: str, **figures: Any) -> None:
        if name == MEASURED:
            self.points.append((figures["done"] / figures["total"], figures["reconstruction"]))


def _ours(vectors: Vectors, seed: int, *, epochs: int) -> Trained:
    """The quantize stage's training without categories and query-item pairs."""
    n, dim = vectors.shape
    log, unknown = _Curve(), np.full(n, -1, dtype=np.int32)
    none = np.empty(0, dtype=np.int64)
    quantizer = train_quantizer(
        Examples(
            vectors,
            unknown,
            queries=np.empty((0, dim), dtype=np.float32),
            pairs=LoggedPairs(none, none, none.astype(np.float64)),
        ),
        CodeLayout((CODES, CODES, CODES), n_categories=0),
        config=TrainingConfig(epochs=epochs),
        seed=seed,
        checkpoints=Checkpoints(None, every=0),
        log=log,
    )

    def codes() -> NDArray[Any]:
        return quantizer.assign(quantizer.encode(vectors), unknown)

    def code_sum() -> Vectors:
        levels = zip(quantizer.codebooks, codes().T, strict=True)
        return sum((book.numpy()[code] for book, code in levels), np.zeros_like(vectors))

    # Without epochs the encoder is the identity, so the codes are vectors of the items' space.
    return Trained(codes, None if epochs else code_sum, tuple(log.points))


def _semantic_id_kmeans(vectors: Vectors, seed: int, *, n_init: int, max_iter: int) -> Trained:
    from semantic_id import RQKMeans

    model = RQKMeans(
        n_levels=LEVELS, n_clusters=CODES, random_state=seed, n_init=n_init, max_iter=max_iter
    )
    model.fit(vectors)
    return Trained(lambda: model.encode(vectors), lambda: model.decode(model.encode(vectors)))


def _semantic_id_vae(vectors: Vectors, seed: int, *, epochs: int, kmeans_init: int = 0) -> Trained:
    from semantic_id import RQVAE

    torch.manual_seed(seed)
    model = RQVAE(
        in_dim=vectors.shape[1],
        num_emb_list=[CODES] * LEVELS,
        kmeans_init=bool(kmeans_init),
        epochs=epochs,
        # Its choice among epochs needs the collision rate, which is measured if it is verbose;
        # otherwise the first epoch is restored.
        verbose=10**9,
    )
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        model.fit(vectors)
        codes = model.encode(vectors)
    # Its loss is the mean over the width.
    losses = [float(loss) * vectors.shape[1] for loss in model.history_["recon_loss"]]
    curve = tuple(((epoch + 1) / epochs, loss) for epoch, loss in enumerate(losses))
    return Trained(lambda: codes, lambda: model.decode(codes), curve)


def _rectokens_kmeans(vectors: Vectors, seed: int, *, epochs: int) -> Trained:
    from rectokens.tokenizers.rq_kmeans import RQKMeansTokenizer

    torch.manual_seed(seed)
    items = torch.from_numpy(vectors)
    model = RQKMeansTokenizer(LEVELS, CODES, vectors.shape[1], seed=seed)
    for _ in range(epochs):
        for batch in _batches(items, 640):
            model.fit_step(batch)
    return Trained(
        lambda: model.encode(items).codes.numpy(), lambda: model.decode(model.encode(items)).numpy()
    )


def _rectokens_vae(vectors: Vectors, seed: int, *, epochs: int) -> Trained:
    from rectokens.tokenizers.rqvae import RQVAETokenizer

    torch.manual_seed(seed)
    items = torch.from_numpy(vectors)
    model = RQVAETokenizer(
        input_dim=vectors.shape[1],
        latent_dim=64,
        hidden_dim=512,
        num_levels=LEVELS,
        codebook_size=CODES,
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-4)
    losses, times, start = [], [], time.perf_counter()
    model.train()
    for _ in range(epochs):
        total = torch.zeros(())
        for batch in _batches(items, 640):
            optimizer.zero_grad()
            out = model(batch)
            reconstruction = F.mse_loss(out.recon, batch, reduction="none").sum(-1).mean()
            (reconstruction + out.commitment_loss).backward()
            optimizer.step()
            total += reconstruction.detach() * len(batch)
        losses.append(float(total) / len(items))
        times.append(time.perf_counter() - start)
    model._fitted = True
    model.eval()
    curve = tuple((at / times[-1], loss) for at, loss in zip(times, losses, strict=True))
    return Trained(
        lambda: model.encode(items).codes.numpy(),
        lambda: model.decode(model.encode(items)).numpy(),
        curve,
    )


def _faiss(vectors: Vectors, seed: int) -> Trained:
    quantizer = faiss.ResidualQuantizer(vectors.shape[1], LEVELS, CODES.bit_length() - 1)
    quantizer.cp.seed = seed
    quantizer.train(vectors)
    packed = quantizer.compute_codes(vectors)
    return Trained(lambda: packed, lambda: quantizer.decode(packed))


def _batches(items: torch.Tensor, size: int) -> Iterator[torch.Tensor]:
    """All rows once, in random order."""
    return (items[rows] for rows in torch.split(torch.randperm(len(items)), size))


OURS: Final = {"vae": "genrecall RQ-VAE", "kmeans": "genrecall k-means"}
"""Ours of each family."""

_SEMANTIC_ID: Final = "semantic-id==0.2.5"
_RECTOKENS: Final = "rectokens==0.2.2"
_DEFAULT: Final = TrainingConfig()

CONTESTANTS: Final = {
    OURS["vae"]: Contestant(
        "vae",
        None,
        f"defaults: {_DEFAULT.epochs} epochs, batch {_DEFAULT.batch_size}, AdamW "
        f"{_DEFAULT.learning_rate:g}, hidden {_DEFAULT.hidden}, starts from k-means",
        _ours,
        {"epochs": _DEFAULT.epochs},
        {"epochs": 1},
    ),
    "semantic-id RQVAE": Contestant(
        "vae",
        _SEMANTIC_ID,
        "defaults: 100 epochs, batch 2048, AdamW 1e-4, layers 512-256-128, latent 64; verbose",
        _semantic_id_vae,
        {"epochs": 100},
        {"epochs": 1},
    ),
    "semantic-id RQVAE kmeans_init": Contestant(
        "vae",
        _SEMANTIC_ID,
        "the same, kmeans_init=True",
        _semantic_id_vae,
        {"epochs": 100, "kmeans_init": 1},
        {"epochs": 1, "kmeans_init": 1},
    ),
    "rectokens RQVAETokenizer": Contestant(
        "vae",
        _RECTOKENS,
        "its script's: 100 epochs, batch 640, AdamW 1e-3, weight decay 1e-4, hidden 512, latent 64",
        _rectokens_vae,
        {"epochs": 100},
        {"epochs": 1},
    ),
    OURS["kmeans"]: Contestant(
        "kmeans",
        None,
        "quantize.training.epochs=0: the start of the RQ-VAE",
        _ours,
        {"epochs": 0},
        {"epochs": 0},
    ),
    "semantic-id RQKMeans": Contestant(
        "kmeans",
        _SEMANTIC_ID,
        "defaults: n_init 10, max_iter 100, tol 1e-4",
        _semantic_id_kmeans,
        {"n_init": 10, "max_iter": 100},
        {"n_init": 1, "max_iter": 1},
    ),
    "semantic-id RQKMeans n_init 1": Contestant(
        "kmeans",
        _SEMANTIC_ID,
        "its fastest: n_init 1, max_iter 100, tol 1e-4",
        _semantic_id_kmeans,
        {"n_init": 1, "max_iter": 100},
        {"n_init": 1, "max_iter": 1},
        tuple({"n_init": 1, "max_iter": n} for n in (2, 3, 5, 10, 20)),
    ),
    "rectokens RQKMeansTokenizer": Contestant(
        "kmeans",
        _RECTOKENS,
        "its script's: 20 epochs, batch 640",
        _rectokens_kmeans,
        {"epochs": 20},
        {"epochs": 1},
        tuple({"epochs": n} for n in (1, 2, 5, 10)),
    ),
    "faiss ResidualQuantizer": Contestant(
        "kmeans", None, "defaults: beam 5; for reference", _faiss
    ),
}
