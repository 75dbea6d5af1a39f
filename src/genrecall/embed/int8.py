"""Queries as an int8 copy of a pretrained model reads them, in ONNX Runtime.

Neither torch nor the model itself takes part. One query is read at a time: activations are scaled
by what is read together, and in company a query would be read otherwise than alone.

Shapes: `n` texts, `R` vector size.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

ONNX: Final = "model.onnx"
TOKENIZER: Final = "tokenizer.json"
SETTINGS: Final = "settings.json"
INPUTS: Final = ("input_ids", "attention_mask")

Vectors = NDArray[np.float32]


def has_runtime() -> bool:
    """Whether the library that reads by such a copy is installed."""
    return find_spec("onnxruntime") is not None


class Int8Queries:
    """Queries to unit vectors by an int8 copy of a model.

    Args:
        folder: holds the copy, its tokenizer and settings; see `training/int8.py`.
    """

    def __init__(self, folder: Path) -> None:
        import onnxruntime

        settings = json.loads((folder / SETTINGS).read_text("utf-8"))
        self._prefix: str = settings["prefix"]
        self.dim: int = settings["dim"]
        self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(settings["tokens"])
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors
        self._session: Any = onnxruntime.InferenceSession(
            str(folder / ONNX), options, providers=["CPUExecutionProvider"]
        )

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors of queries, float32 `[n, R]`."""
        vectors = np.empty((len(texts), self.dim), dtype=np.float32)
        for place, text in enumerate(texts):
            tokens = self._tokenizer.encode(self._prefix + text)
            given = (tokens.ids, tokens.attention_mask)
            fed = {
                name: np.array([of], dtype=np.int64) for name, of in zip(INPUTS, given, strict=True)
            }
            (vectors[place],) = self._session.run(None, fed)[0]
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors /= np.maximum(norms, np.finfo(np.float32).tiny)
        return vectors
