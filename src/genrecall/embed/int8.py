"""Queries as an int8 copy of a pretrained model reads them, in ONNX Runtime.

The model itself takes no part. One query is read at a time: activations are scaled
by what is read together, and in company a query would be read otherwise than alone.

Shapes: `n` texts, `R` vector size.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from genrecall.foundation.errors import ArtifactError
from genrecall.foundation.threads import threads_asked
from genrecall.foundation.unit import scale_to_unit

ONNX: Final = "model.onnx"
TOKENIZER: Final = "tokenizer.json"
SETTINGS: Final = "settings.json"
INPUTS: Final = ("input_ids", "attention_mask")

_FEW: Final = 32  # queries that no further thread is begun for

Vectors = NDArray[np.float32]


def has_runtime() -> bool:
    """Whether the library that reads by such a copy is installed."""
    return find_spec("onnxruntime") is not None


class Int8Queries:
    """Queries to unit vectors by an int8 copy of a model.

    Args:
        folder: holds the copy, its tokenizer and settings; see `training/int8.py`.

    Raises:
        ArtifactError: the copy cannot be opened.
    """

    def __init__(self, folder: Path) -> None:
        import onnxruntime

        settings = json.loads((folder / SETTINGS).read_text("utf-8"))
        self._prefix: str = settings["prefix"]
        self.dim: int = settings["dim"]
        self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        self._tokenizer.no_padding()
        if settings["tokens"] is None:
            self._tokenizer.no_truncation()
        else:
            self._tokenizer.enable_truncation(settings["tokens"])
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors
        try:
            self._session: Any = onnxruntime.InferenceSession(
                str(folder / ONNX), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # the library raises nothing narrower
            cause = " ".join(str(error).split())
            raise ArtifactError(
                f"{folder / ONNX} cannot be opened by onnxruntime {onnxruntime.__version__}: "
                f"{cause} Install the version that wrote it, or run stage embed again."
            ) from error

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors of queries, float32 `[n, R]`; of many, by all threads."""
        if len(texts) < _FEW:
            read = list(map(self._read, texts))
        else:
            with ThreadPoolExecutor(threads_asked()) as pool:
                read = list(pool.map(self._read, texts))
        vectors = np.array(read, dtype=np.float32).reshape(len(texts), self.dim)
        scale_to_unit(vectors)
        return vectors

    def _read(self, text: str) -> Vectors:
        tokens = self._tokenizer.encode(self._prefix + text)
        given = (tokens.ids, tokens.attention_mask)
        fed = {name: np.array([of], dtype=np.int64) for name, of in zip(INPUTS, given, strict=True)}
        vector: Vectors = self._session.run(None, fed)[0][0]
        return vector
