"""The inference half of CQ-SID: item vectors to SID codes (CQ-SID, arXiv 2605.14434, §3.1).

An encoder maps an item vector to a latent. Level 1 is the item's category code, or the nearest
code where the category is unknown; levels 2 and 3 are the nearest codes of the residual. With a
category penalty level 1 leans to the category's code and is not forced to it.

Shapes: `N` items, `D` width of the item vectors, `d` width of the latents, `K_l` codes of level
`l`, `S` SIDs with items.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from genrecall.foundation.blocks import blocks
from genrecall.foundation.errors import ArtifactError, DataError
from genrecall.foundation.groups import group_means
from genrecall.foundation.sid import LEVELS, Codes, SidTable

WEIGHTS: Final = "quantizer.safetensors"
SETTINGS: Final = "quantizer.json"

Vectors = NDArray[np.float32]
"""Item vectors `[N, D]` or latents `[N, d]`."""


class ResidualMLP(nn.Module):
    """`y = A x + W_2 gelu(W_1 x)` that starts as the identity.

    `A` starts as the identity (orthogonal where the widths differ) and `W_2` as zero, so training
    departs from the geometry of the vectors it is given, which the two-tower encoder has already
    fitted to queries.

    Args:
        width_in: width of `x`.
        width_hidden: width of the hidden layer.
        width_out: width of `y`.
    """

    def __init__(self, *, width_in: int, width_hidden: int, width_out: int) -> None:
        super().__init__()
        self.skip = nn.Linear(width_in, width_out, bias=False)
        self.hidden = nn.Linear(width_in, width_hidden)
        self.out = nn.Linear(width_hidden, width_out)
        if width_in == width_out:
            nn.init.eye_(self.skip.weight)
        else:
            nn.init.orthogonal_(self.skip.weight)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor) -> Tensor:
        """`[..., width_in]` to `[..., width_out]`."""
        y: Tensor = self.skip(x) + self.out(nn.functional.gelu(self.hidden(x)))
        return y


class Quantized(NamedTuple):
    """A latent taken apart.

    Attributes:
        codes: chosen codes, int64 `[N, 3]`.
        residuals: what was left of the latent before each level, `[N, d]` each.
        chosen: the code vector chosen at each level, `[N, d]` each.
    """

    codes: Tensor
    residuals: tuple[Tensor, Tensor, Tensor]
    chosen: tuple[Tensor, Tensor, Tensor]


class Quantizer(nn.Module):
    """Encoder and three codebooks.

    Args:
        dim: width of the item vectors, `D`.
        hidden: width of the encoder's hidden layer.
        latent: width of the latents, `d`.
        sizes: codes per level `(K1, K2, K3)`, before cluster size control.
        category_penalty: squared distance that a code of another category costs more at level 1;
            None forces the category's code. Latents and codes lie in the unit ball, so 4 forces it
            too.
    """

    def __init__(
        self,
        *,
        dim: int,
        hidden: int,
        latent: int,
        sizes: tuple[int, int, int],
        category_penalty: float | None = None,
    ) -> None:
        super().__init__()
        self.dim, self.hidden, self.latent, self.sizes = dim, hidden, latent, sizes
        self.category_penalty = category_penalty
        self.encoder = ResidualMLP(width_in=dim, width_hidden=hidden, width_out=latent)
        for level, size in enumerate(sizes):
            self.register_buffer(f"codebook_{level + 1}", torch.zeros(size, latent))

    @property
    def codebooks(self) -> tuple[Tensor, Tensor, Tensor]:
        """The code vectors of each level, `[K_l, d]` each."""
        one, two, three = (self.get_buffer(f"codebook_{level + 1}") for level in range(LEVELS))
        return one, two, three

    @property
    def code_vectors(self) -> tuple[Vectors, Vectors, Vectors]:
        """The codebooks as arrays, float32 `[K_l, d]` each."""
        one, two, three = (codebook.numpy() for codebook in self.codebooks)
        return one, two, three

    def forward(self, vectors: Tensor) -> Tensor:
        """Latents of item or query vectors, `[..., D]` to `[..., d]`, of length 1.

        Without a fixed length they could shrink to please the commitment loss.
        """
        return nn.functional.normalize(self.encoder(vectors), dim=-1)

    def first_codes(self, latents: Tensor, categories: Tensor) -> Tensor:
        """Level-1 codes, int64 `[N]`: `argmin_c ‖z − c‖² + penalty · [c is not the category's]`.

        Args:
            latents: `[N, d]`.
            categories: category code of each item, int64 `[N]`; -1 takes the nearest code.
        """
        first = self.codebooks[0]
        known = categories >= 0
        if self.category_penalty is None:
            code, free = categories.clone(), (~known).nonzero().squeeze(-1)
            if len(free):
                code[free] = nearest(latents[free], first)
            return code
        code = torch.empty_like(categories)
        for rows in blocks(len(latents), len(first)):
            cost = _distances(latents[rows], first)
            at = known[rows].nonzero().squeeze(-1)
            cost[at, categories[rows][at]] -= self.category_penalty  # the same up to a constant
            code[rows] = cost.argmin(-1)
        return code

    def quantize(self, latents: Tensor, categories: Tensor) -> Quantized:
        """Choose the codes level by level.

        Args:
            latents: `[N, d]`.
            categories: category code of each item, int64 `[N]`; -1 takes the nearest code.
        """
        residuals, chosen, codes = [], [], []
        residual = latents
        for level, codebook in enumerate(self.codebooks):
            if level == 0:
                code = self.first_codes(residual, categories)
            else:
                code = nearest(residual, codebook)
            vector = codebook[code]
            residuals.append(residual)
            chosen.append(vector)
            codes.append(code)
            residual = residual - vector
        return Quantized(
            torch.stack(codes, dim=-1),
            (residuals[0], residuals[1], residuals[2]),
            (chosen[0], chosen[1], chosen[2]),
        )

    @torch.inference_mode()
    def encode(self, vectors: Vectors) -> Vectors:
        """Latents of item vectors: `[N, D]` to `[N, d]`.

        Raises:
            DataError: the vectors have another width or are not finite.
        """
        if vectors.ndim != 2 or vectors.shape[1] != self.dim:
            raise DataError(
                f"item vectors of shape {vectors.shape} do not fit a quantizer of width "
                f"{self.dim}; encode the items with the encoder that the quantizer was trained on."
            )
        if not np.isfinite(vectors).all():
            bad = int((~np.isfinite(vectors)).any(1).sum())
            raise DataError(
                f"{bad:,} of {len(vectors):,} item vectors hold NaN or infinity; only finite "
                "numbers can be quantized. Check the encoder's output for these items."
            )
        out = np.empty((len(vectors), self.latent), dtype=np.float32)
        for rows in blocks(len(vectors), max(self.hidden, self.dim)):
            block = torch.from_numpy(np.ascontiguousarray(vectors[rows], dtype=np.float32))
            out[rows] = self(block).numpy()
        return out

    @torch.inference_mode()
    def assign(self, latents: Vectors, category_codes: NDArray[np.int32]) -> Codes:
        """SID codes before cluster size control: int32 `[N, 3]`.

        Args:
            latents: of the items, from `encode`, float32 `[N, d]`.
            category_codes: level-1 code of each item, int `[N]`; -1 takes the nearest.
        """
        codes = np.empty((len(latents), LEVELS), dtype=np.int32)
        for rows in blocks(len(latents), self.latent):
            categories = torch.from_numpy(category_codes[rows].astype(np.int64))
            codes[rows] = self.quantize(torch.from_numpy(latents[rows]), categories).codes.numpy()
        return codes

    @torch.inference_mode()
    def assign_populated(
        self,
        latents: Vectors,
        category_codes: NDArray[np.int32],
        *,
        table: SidTable,
        centroids: Vectors,
    ) -> Codes:
        """SIDs of items that arrive after the SID space was frozen: int32 `[N, 3]`.

        An item takes the nearest SID *with items* of its category, by the mean latent of the SID's
        items, so no new token is made and groups that cluster size control split off take part. An
        item of unknown category, or of a category without items, takes the nearest of all. With a
        category penalty, SIDs under another code are farther by the penalty.

        Args:
            latents: of the items, from `encode`, float32 `[N, d]`.
            category_codes: level-1 code of each item, int `[N]`; -1 where unknown.
            table: the SIDs that have items.
            centroids: `sid_centroids` of the table, `[S, d]`.
        """
        points = torch.from_numpy(latents)
        centers = torch.from_numpy(np.ascontiguousarray(centroids))
        sids = table.sids
        codes = np.empty((len(latents), LEVELS), dtype=np.int32)
        for category in np.unique(category_codes).tolist():
            rows = np.flatnonzero(category_codes == category)
            own = slice(*np.searchsorted(sids[:, 0], [category, category + 1]).tolist())
            forced = self.category_penalty is None and own.start < own.stop
            among = own if forced else slice(0, len(sids))
            bonus = torch.zeros(len(sids))
            bonus[own] = self.category_penalty or 0.0
            for block in blocks(len(rows), len(centers[among])):
                cost = _distances(points[rows[block]], centers[among]) - bonus[among]
                codes[rows[block]] = sids[among.start + cost.argmin(-1).numpy()]
        return codes

    def save(self, folder: Path) -> None:
        """Write `quantizer.safetensors` and `quantizer.json`."""
        state = {name: tensor.contiguous() for name, tensor in self.state_dict().items()}
        save_file(state, folder / WEIGHTS)
        settings = {
            "dim": self.dim,
            "hidden": self.hidden,
            "latent": self.latent,
            "sizes": list(self.sizes),
            "category_penalty": self.category_penalty,
        }
        (folder / SETTINGS).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Quantizer:
        """Read what `save` wrote.

        Raises:
            ArtifactError: a file is missing or does not hold a quantizer.
        """
        try:
            settings = json.loads((folder / SETTINGS).read_text("utf-8"))
            one, two, three = settings.pop("sizes")
            quantizer = cls(sizes=(one, two, three), **settings)
            quantizer.load_state_dict(load_file(folder / WEIGHTS))
        except (OSError, KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
            raise ArtifactError(
                f"{folder} holds no readable quantizer ({error}); {WEIGHTS} and {SETTINGS} of one "
                "run are needed. Run the quantize stage again."
            ) from error
        return quantizer.eval()


def nearest(points: Tensor, centers: Tensor) -> Tensor:
    """Position of the center at the least squared distance, int64 `[N]`; the first of equals."""
    code = torch.empty(len(points), dtype=torch.long, device=points.device)
    for rows in blocks(len(points), len(centers)):
        code[rows] = _distances(points[rows], centers).argmin(-1)
    return code


def _distances(points: Tensor, centers: Tensor) -> Tensor:
    """`‖p − c‖²` without its constant `‖p‖²`: `[n, k]`."""
    # A choice has no gradient: no graph is kept for it.
    return torch.addmm(centers.square().sum(-1), points.detach(), centers.T, alpha=-2)


def sid_centroids(latents: Vectors, table: SidTable) -> Vectors:
    """Mean latent of each SID's items, float32 `[S, d]`, in the order of `table.sids`.

    Args:
        latents: of the table's items, float32 `[N, d]`.
        table: the SID of each item.
    """
    return group_means(latents, table.sid_of_item, len(table.packed))
