"""Word vectors as a reader: the mean of its tokens' vectors is a text's vector.

They know general language, and nothing of the shop: what they say is independent of what an encoder
has learned from the shop's own titles and log, and that is what makes them worth a view.

Shapes: `n` texts, `V` tokens, `R` vector size.
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
from genrecall.foundation.unit import scale_to_unit

_VECTORS: Final = "vectors.safetensors"
_TABLE: Final = "table"

Vectors = NDArray[np.float32]


class StaticVectors:
    """Texts as the means of their tokens' vectors, without letter case.

    Args:
        tokenizer: cuts texts.
        table: of the tokens, `[V, R]`, of any kind of float.
    """

    def __init__(self, tokenizer: Tokenizer, table: NDArray[np.floating]) -> None:
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self._tokenizer, self._table = tokenizer, table

    @classmethod
    def make(cls, files: StaticFiles, folder: Path) -> StaticVectors:
        """Copy word vectors into an existing folder, in half precision, and open them from there.

        Args:
            files: the word vectors.
            folder: of the view.

        Raises:
            ConfigError: the files are no tokenizer, or no table.
        """
        tokenizer = _tokenizer(files.tokenizer)
        table = _read_table(files.table)
        if (known := tokenizer.get_vocab_size()) > len(table):
            raise ConfigError(
                f"embed.static.source: {files.tokenizer} knows {known:,} tokens, and {files.table} "
                f"holds vectors of {len(table):,}. Give files that belong together."
            )
        shutil.copyfile(files.tokenizer, folder / TOKENIZER)
        save_file({_TABLE: table}, folder / _VECTORS)
        return cls(tokenizer, table)

    @classmethod
    def load(cls, artifact: Artifact) -> StaticVectors:
        """Read what `make` wrote."""
        tokenizer = Tokenizer.from_file(str(artifact.file(TOKENIZER)))
        return cls(tokenizer, load_file(artifact.file(_VECTORS))[_TABLE])

    @property
    def dim(self) -> int:
        """Vector size `R`."""
        return int(self._table.shape[1])

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors of queries or titles; see `Reader.encode`."""
        vectors = np.zeros((len(texts), self.dim), dtype=np.float32)
        for rows in blocks(len(texts), self.dim):
            vectors[rows] = self._sums(texts[rows])
        scale_to_unit(vectors)
        return vectors

    def encode_items(self, titles: Sequence[str]) -> Vectors:
        """Unit vectors of titles: read as queries are."""
        return self.encode(titles)

    def _sums(self, texts: Sequence[str]) -> Vectors:
        """Sums of the tokens' vectors, float32 `[n, R]`: their length does not count."""
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
        raise ConfigError(f"embed.static.source: {file} is no tokenizer: {error}") from error


def _read_table(file: Path) -> NDArray[np.float16]:
    """The one matrix of a file, `[V, R]`."""
    import torch
    from safetensors.torch import load_file as load_torch

    try:
        tensors = load_torch(file)  # NumPy does not know all kinds of floats
    except SafetensorError as error:
        raise ConfigError(f"embed.static.source: {file} cannot be read: {error}") from error
    tables = [tensor for tensor in tensors.values() if tensor.ndim == 2]
    if len(tables) != 1 or not tables[0].is_floating_point():
        raise ConfigError(
            f"embed.static.source: {file} holds {len(tables)} matrices; word vectors are one, of "
            "floats, with a row for each token."
        )
    if len(tensors) > 1:
        others = ", ".join(name for name, tensor in tensors.items() if tensor.ndim != 2)
        raise ConfigError(
            f"embed.static.source: beside its matrix {file} holds {others}, which are not read: "
            "vectors of tokens that share rows, or have weights, would be wrong. Save the model "
            "with a row for each token."
        )
    return tables[0].to(torch.float16).numpy()
