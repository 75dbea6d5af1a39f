"""The static view: pretrained word vectors, whose mean is a text's vector.

It knows general language, and nothing of the shop: what it says is independent of what an encoder
has learned from the shop's own titles and log, and that is what makes it worth a view. The table
comes from an installed package or from a directory; nothing is downloaded.

Vectors are turned so that the shop's titles need few dimensions, and cut: a mean of rows may be
turned row by row, so the table is, once.

Shapes: `n` texts, `V` tokens, `D` vector size.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

from genrecall.embed.word_vectors import TOKENIZER, StaticFiles
from genrecall.foundation.artifact import Artifact
from genrecall.foundation.blocks import blocks
from genrecall.foundation.errors import ConfigError
from genrecall.foundation.ragged import ragged_offsets

_VECTORS: Final = "vectors.safetensors"
_TABLE: Final = "table"
_SEEN: Final = 50_000
"""Titles that decide how the table is turned."""

Vectors = NDArray[np.float32]


class StaticVectors:
    """Texts as the means of their tokens' vectors, without letter case.

    Args:
        tokenizer: cuts texts.
        table: of the tokens, `[V, D]`, of any kind of float.
    """

    def __init__(self, tokenizer: Tokenizer, table: NDArray[np.floating]) -> None:
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self._tokenizer, self._table = tokenizer, table

    @classmethod
    def make(
        cls, files: StaticFiles, folder: Path, *, dim: int, titles: Sequence[str]
    ) -> StaticVectors:
        """Turn and cut a table for a shop, and write it into a new folder.

        Args:
            files: the word vectors.
            folder: to be made.
            dim: size `D` at most.
            titles: of the shop.

        Raises:
            ConfigError: the files are no tokenizer, or no table.
        """
        whole = cls(_tokenizer(files.tokenizer), _read_table(files.table))
        table = whole._table.astype(np.float32)
        if dim < table.shape[1]:
            seen = whole.encode(titles[:: max(len(titles) // _SEEN, 1)]).astype(np.float64)
            # Not centred: cosines are what counts, and stay where nothing is cut.
            _, turned = np.linalg.eigh(seen.T @ seen)
            table = table @ turned[:, ::-1][:, :dim].astype(np.float32)
        folder.mkdir()
        shutil.copyfile(files.tokenizer, folder / TOKENIZER)
        save_file({_TABLE: table.astype(np.float16)}, folder / _VECTORS)
        return cls(whole._tokenizer, table.astype(np.float16))

    @classmethod
    def load(cls, artifact: Artifact) -> StaticVectors:
        """Read what `make` wrote."""
        tokenizer = Tokenizer.from_file(str(artifact.file(TOKENIZER)))
        return cls(tokenizer, load_file(artifact.file(_VECTORS))[_TABLE])

    @property
    def dim(self) -> int:
        """Vector size `D`."""
        return int(self._table.shape[1])

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors, float32 `[n, D]`; zeros for a text without a token."""
        vectors = np.zeros((len(texts), self.dim), dtype=np.float32)
        for rows in blocks(len(texts), self.dim):
            vectors[rows] = self._means(texts[rows])
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors /= np.maximum(norms, np.finfo(np.float32).tiny)
        return vectors

    def _means(self, texts: Sequence[str]) -> Vectors:
        """Sums of the tokens' vectors, float32 `[n, D]`: their length does not count."""
        cut = [self._tokenizer.encode(text.lower(), add_special_tokens=False).ids for text in texts]
        offsets = ragged_offsets([len(ids) for ids in cut])
        filled = np.flatnonzero(np.diff(offsets))
        sums = np.zeros((len(texts), self.dim), dtype=np.float32)
        if len(filled):
            tokens = np.array([token for ids in cut for token in ids], dtype=np.int64)
            rows = self._table[tokens].astype(np.float32)
            sums[filled] = np.add.reduceat(rows, offsets[filled], axis=0)
        return sums


def _tokenizer(file: Path) -> Tokenizer:
    try:
        return Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises nothing narrower
        raise ConfigError(f"embed.static: {file} is no tokenizer: {error}") from error


def _read_table(file: Path) -> NDArray[np.floating]:
    try:
        tensors = load_file(file)
    except SafetensorError as error:
        raise ConfigError(f"embed.static: {file} cannot be read: {error}") from error
    tables = [tensor for tensor in tensors.values() if tensor.ndim == 2]
    if len(tables) != 1:
        raise ConfigError(
            f"embed.static: {file} holds {len(tables)} matrices; word vectors are one, with a row "
            "for each token."
        )
    table: NDArray[np.floating] = tables[0]
    return table
