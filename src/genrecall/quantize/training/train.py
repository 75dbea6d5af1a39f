"""The training half of CQ-SID: RQ-VAE with a forced level, EMA codebooks and query-item InfoNCE.

CQ-SID, arXiv 2605.14434, §3.1. Shapes: `N` items, `D` width of the item vectors, `d` width of the
latents, `Q` queries, `P` (query, item) pairs, `B` items of a batch, `K_l` codes of level `l`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from genrecall.data.pairs import LoggedPairs
from genrecall.foundation.blocks import blocks
from genrecall.foundation.groups import group_means
from genrecall.foundation.interrupt import until_step_ends
from genrecall.foundation.progress import Progress, RunLog
from genrecall.foundation.ragged import ragged_offsets
from genrecall.foundation.sid import LEVELS
from genrecall.learning.checkpoint import Checkpoints
from genrecall.learning.optim import FallingAdam
from genrecall.learning.sampling import draw_in_runs, running_sums
from genrecall.quantize.config import TrainingConfig
from genrecall.quantize.quantizer import (
    Quantized,
    Quantizer,
    ResidualMLP,
    Vectors,
    nearest,
)
from genrecall.quantize.training.kmeans import k_means
from genrecall.quantize.training.losses import (
    QuantizeLoss,
    commitment_loss,
    contrastive_loss,
    quantize_loss,
    reconstruction_loss,
)

_NAME: Final = "rq-vae"


class RqVae(nn.Module):
    """Quantizer, decoder and the running means that move the codebooks.

    The state dict holds everything that training changes except the optimizer's moments.

    Args:
        quantizer: what is trained.
        n_categories: the first codes of level 1 belong to categories and never restart.
        ema_decay: λ.
        restart_share: a code whose running share of the batch falls below it restarts.
    """

    def __init__(
        self, quantizer: Quantizer, *, n_categories: int, ema_decay: float, restart_share: float
    ) -> None:
        super().__init__()
        self.quantizer = quantizer
        self.decoder = ResidualMLP(
            width_in=quantizer.latent, width_hidden=quantizer.hidden, width_out=quantizer.dim
        )
        self.n_categories, self.ema_decay = n_categories, ema_decay
        self.restart_share = restart_share
        for level, codebook in enumerate(quantizer.codebooks):
            # Mean share of the batch that takes each code, and that share times its mean residual.
            self.register_buffer(f"share_{level + 1}", torch.zeros(len(codebook)))
            self.register_buffer(f"sum_{level + 1}", torch.zeros_like(codebook))

    @torch.no_grad()
    def start(self, latents: Tensor, categories: Tensor, *, seed: int) -> None:
        """Put the codebooks at category means and k-means centers of all items.

        Args:
            latents: `[N, d]`.
            categories: category codes, int64 `[N]`, -1 where unknown.
            seed: of k-means.
        """
        quantizer = self.quantizer
        first, second, third = quantizer.codebooks
        n = self.n_categories
        known = (categories >= 0).numpy()
        if n:
            means = group_means(latents[known].numpy(), categories[known].numpy(), n)
            first[:n] = torch.from_numpy(means)
        if n < len(first):
            free = latents[~known] if not known.all() else latents
            first[n:] = torch.from_numpy(k_means(free.numpy(), len(first) - n, seed=LEVELS * seed))
        residual = latents.clone()
        _subtract(residual, first, quantizer.first_codes(latents, categories))
        for level, codebook in enumerate((second, third), start=1):
            # With one seed for all levels, each would start at residuals of the same items, which
            # the level before has brought near zero.
            centers = k_means(residual.numpy(), len(codebook), seed=LEVELS * seed + level)
            codebook.copy_(torch.from_numpy(centers))
            _subtract(residual, codebook, nearest(residual, codebook))

    @torch.no_grad()
    def count(self, latents: Tensor, categories: Tensor) -> None:
        """Start the running means of each code at what it holds of all items.

        Args:
            latents: `[N, d]`.
            categories: category codes, int64 `[N]`, -1 where unknown.
        """
        codes = torch.from_numpy(self.quantizer.assign(latents.numpy(), categories.numpy()))
        for level, codebook in enumerate(self.quantizer.codebooks):
            used = torch.bincount(codes[:, level], minlength=len(codebook))
            share = used / len(latents)
            self.get_buffer(f"share_{level + 1}").copy_(share)
            self.get_buffer(f"sum_{level + 1}").copy_(share[:, None] * codebook)

    @torch.no_grad()
    def move_codebooks(
        self, quantized: Quantized, categories: Tensor, *, random: np.random.Generator
    ) -> int:
        """One EMA step of all codebooks; dead codes restart.

        `share ← λ share + (1 − λ) n / B`, `sum ← λ sum + (1 − λ) Σ z_l / B`, code = sum / share.

        Args:
            quantized: the batch.
            categories: category codes of the batch, int64 `[B]`, -1 where unknown.
            random: chooses the residuals at which dead codes restart.

        Returns:
            How many codes restarted.
        """
        restarted = 0
        for level, codebook in enumerate(self.quantizer.codebooks):
            share = self.get_buffer(f"share_{level + 1}")
            total = self.get_buffer(f"sum_{level + 1}")
            code, residual = quantized.codes[:, level], quantized.residuals[level].detach()
            step = (1 - self.ema_decay) / len(code)
            share.mul_(self.ema_decay).add_(torch.bincount(code, minlength=len(share)), alpha=step)
            total.mul_(self.ema_decay).index_add_(0, code, residual, alpha=step)
            dead = share < self.restart_share
            candidates = torch.arange(len(residual))
            if level == 0:  # the codes of categories stay; only the others compete for items
                dead[: self.n_categories] = False
                candidates = (categories < 0).nonzero().squeeze(-1)
            at = dead.nonzero().squeeze(-1)
            if len(at) and len(candidates):
                chosen = torch.from_numpy(np.resize(random.permutation(candidates), len(at)))
                # Room to live for some steps before it is judged again.
                share[at] = 2 * self.restart_share
                total[at] = residual[chosen] * share[at, None]
                restarted += len(at)
            # A category's code that met no item for very long stays: its share has lost precision.
            alive = share > 1e-20
            codebook[alive] = total[alive] / share[alive, None]
        return restarted

    def forward(
        self,
        vectors: Tensor,
        categories: Tensor,
        *,
        queries: Tensor,
        item_ids: Tensor,
        query_ids: Tensor,
        config: TrainingConfig,
    ) -> tuple[QuantizeLoss, Quantized]:
        """Loss of a batch.

        Args:
            vectors: item vectors, `[B, D]`.
            categories: category codes, int64 `[B]`, -1 where unknown.
            queries: query vectors of the items that have one, in order, `[≤ B, D]`.
            item_ids: int64 `[B]`.
            query_ids: int64 `[B]`, -1 for items without a query.
            config: weights and temperature.
        """
        latents = self.quantizer(vectors)
        quantized = self.quantizer.quantize(latents, categories)
        code_sum = torch.stack(quantized.chosen).sum(0)
        # Straight through: the decoder sees the code, the encoder gets its gradient.
        passed = latents + (code_sum - latents).detach()
        paired = query_ids >= 0
        contrastive = contrastive_loss(
            passed[paired],
            self.quantizer(queries),
            item_ids=item_ids[paired],
            query_ids=query_ids[paired],
            temperature=config.temperature,
        )
        loss = quantize_loss(
            reconstruction=reconstruction_loss(self.decoder(passed), vectors),
            commitment=commitment_loss(quantized.residuals, quantized.chosen),
            contrastive=contrastive.loss,
            commitment_weight=config.commitment_weight,
            contrastive_weight=config.contrastive_weight,
        )
        return loss, quantized


class Examples(NamedTuple):
    """What a quantizer is trained on.

    Attributes:
        vectors: item vectors of length 1, float32 `[N, D]`.
        categories: category code of each item, int32 `[N]`, -1 where unknown.
        queries: query vectors, float32 `[Q, D]`.
        pairs: which item was relevant to which query; none turns the InfoNCE off.
    """

    vectors: Vectors
    categories: NDArray[np.int32]
    queries: Vectors
    pairs: LoggedPairs


class CodeLayout(NamedTuple):
    """Which codes a quantizer has.

    Attributes:
        sizes: codes per level.
        n_categories: how many codes of level 1 belong to categories, the first.
        category_penalty: of the quantizer.
    """

    sizes: tuple[int, int, int]
    n_categories: int
    category_penalty: float | None = None


def train_quantizer(
    examples: Examples,
    layout: CodeLayout,
    *,
    config: TrainingConfig,
    seed: int,
    checkpoints: Checkpoints,
    log: RunLog,
    start: Quantizer | None = None,
) -> Quantizer:
    """Train a quantizer; the same arguments give the same quantizer.

    Each item is seen once an epoch, with one of its queries drawn by the weight of the pair, so the
    codebooks follow the catalog and not the popularity of its items.

    Args:
        examples: items, queries and their pairs.
        layout: the codes.
        config: widths, rates and weights.
        seed: of every random choice.
        checkpoints: where to save, after an epoch, and to resume from.
        log: where progress is reported.
        start: a quantizer of this layout to go on from, with its widths; None starts anew. It is
            left as it is, and no code of it restarts, so that codes keep their meaning.
    """
    vectors, categories, queries, pairs = examples
    n_items, dim = vectors.shape
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        quantizer = Quantizer(
            dim=dim,
            hidden=start.hidden if start else config.hidden,
            latent=start.latent if start else config.latent or dim,
            sizes=layout.sizes,
            category_penalty=layout.category_penalty,
        )
        model = RqVae(
            quantizer,
            n_categories=layout.n_categories,
            ema_decay=config.ema_decay,
            restart_share=0.0 if start else config.restart_below / n_items,
        )
    items = torch.from_numpy(np.ascontiguousarray(vectors, dtype=np.float32))
    codes = torch.from_numpy(categories.astype(np.int64))
    batches = -(-n_items // config.batch_size)
    optimizer = FallingAdam(
        model, peak=config.learning_rate, end=0.01, steps=config.epochs * batches
    )
    first = checkpoints.resume(_NAME, model, optimizer)
    if first:
        log.say(f"  {_NAME}: resumes at epoch {first} of {config.epochs}")
    else:
        if start:
            quantizer.load_state_dict(start.state_dict())
        _place_codes(model, vectors, codes, anew=start is None, seed=seed)
    sampler = _QuerySampler(pairs, n_items)
    progress = Progress(
        log,
        _NAME,
        total=(config.epochs - first) * n_items,
        unit="items",
        before=first * n_items,
    )
    restarts, loss = 0, None
    with until_step_ends():
        for epoch in range(first, config.epochs):
            random = np.random.default_rng([seed, epoch])
            for rows in np.array_split(random.permutation(n_items), batches):
                query_ids = sampler.draw(rows, random)
                loss, quantized = model(
                    items[rows],
                    codes[rows],
                    queries=torch.from_numpy(queries[query_ids[query_ids >= 0]]),
                    item_ids=torch.from_numpy(rows),
                    query_ids=torch.from_numpy(query_ids),
                    config=config,
                )
                optimizer.step(loss.total)
                restarts += model.move_codebooks(quantized, codes[rows], random=random)
                progress.update(len(rows), **_figures(loss))
            checkpoints.save(_NAME, epoch + 1, model, optimizer, steps=config.epochs)
    if loss is not None:
        progress.finish(**_figures(loss), restarts=restarts)
    return quantizer.eval()


def _place_codes(model: RqVae, vectors: Vectors, codes: Tensor, *, anew: bool, seed: int) -> None:
    """Start codebooks and running means; the latents of all items end with this function."""
    latents = torch.from_numpy(model.quantizer.encode(vectors))
    if anew:
        model.start(latents, codes, seed=seed)
    model.count(latents, codes)


def _subtract(residual: Tensor, codebook: Tensor, code: Tensor) -> None:
    """Take the chosen code vectors off the residuals, in place: `[N, d]`, `[K, d]`, `[N]`."""
    for rows in blocks(len(residual), residual.shape[1]):
        residual[rows] -= codebook[code[rows]]


class _QuerySampler:
    """Draws one query of each item from its pairs, by weight."""

    def __init__(self, pairs: LoggedPairs, n_items: int) -> None:
        order = np.argsort(pairs.item, kind="stable")
        self._query = pairs.query[order]
        self._offsets = ragged_offsets(np.bincount(pairs.item, minlength=n_items))
        self._cumulative = running_sums(pairs.weight[order])

    def draw(self, rows: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int64]:
        """A query of each item, -1 for items without one: int64 `[B]`."""
        at = draw_in_runs(self._cumulative, self._offsets, rows, 1, random)[:, 0]
        query = np.full(len(rows), -1)
        paired = self._offsets[rows + 1] > self._offsets[rows]
        query[paired] = self._query[at[paired]]
        return query


def _figures(loss: QuantizeLoss) -> dict[str, float]:
    return {
        "loss": loss.total.item(),
        "reconstruction": loss.reconstruction.item(),
        "commitment": loss.commitment.item(),
        "contrastive": loss.contrastive.item(),
    }
