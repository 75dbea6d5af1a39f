"""An int8 copy of a pretrained model for queries, kept only if it finds as much.

Weights are int8 by output channel, with a bit to spare, since older processors add up two products
in 16 bits; activations are scaled query by query.

Shapes: `N` items, `Q` distinct queries, `P` logged pairs, `R` vector size.
"""

from __future__ import annotations

import logging
import shutil
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import faiss
import numpy as np
import torch
from numpy.typing import NDArray

from genrecall.data.pairs import LoggedPairs
from genrecall.embed.int8 import INPUTS, ONNX, SETTINGS, TOKENIZER, Int8Queries
from genrecall.embed.pretrained import INT8, MODEL, PretrainedModel, open_model
from genrecall.foundation.files import write_json
from genrecall.foundation.libraries import EXPORTING, missing_of, quiet
from genrecall.foundation.progress import RunLog
from genrecall.foundation.ragged import run_starts

_FOUND: Final = 100  # items that the recall is over
_MOST: Final = 1000  # queries that it is measured on
_OWN: Final = 10  # items that the model finds first, where no query has others
_LOSS: Final = 0.005  # of recall that is none
_NO_LIMIT: Final = 1 << 31
_EXAMPLES: Final = ("cordless drill", "lamp")  # of two lengths: what is traced must not keep one

Vectors = NDArray[np.float32]


class Recalls(NamedTuple):
    """Recall of the model's own reading of queries and of its int8 copy.

    Attributes:
        model: of the model.
        copy: of the copy.
    """

    model: float
    copy: float

    @property
    def equal(self) -> bool:
        """Whether the copy finds as much, but for half a hundredth."""
        return self.copy >= self.model - _LOSS


def with_int8(
    reader: PretrainedModel, items: Vectors, asked: Asked, log: RunLog
) -> PretrainedModel:
    """The reader with an int8 copy for queries, if one can be made and finds as much.

    Args:
        reader: in a folder of its own, to which the copy is written.
        items: what it makes of the titles, `[N, R]`.
        asked: queries that both are compared on.
        log: where to say which one reads queries.
    """
    if missing := missing_of(EXPORTING):
        log.say(
            f"  queries are read by the model itself; an int8 copy needs {', '.join(missing)} (pip "
            "install 'genrecall[onnx]')"
        )
        return reader
    folder = reader.folder / INT8
    model = open_model(reader.folder / MODEL, name=str(reader.folder), device="cpu")
    try:
        copy = write_int8(model, folder, prefix=reader.query_prefix)
    # Any model may come here, and what an exporter does not know of it costs nothing but speed.
    except Exception as error:
        cause = " ".join(str(error).split())[:200]
        log.say(f"  queries are read by the model itself, which cannot be copied: {cause}")
        return reader
    recalls = compare(reader.encode(asked.texts), copy.encode(asked.texts), items, asked.relevant)
    kind = "titles" if asked.relevant is None else "training queries"
    told = (
        f"recall@{_FOUND} {recalls.copy:.3f}, {recalls.model:.3f} by the model itself, of "
        f"{len(asked.texts):,} {kind}"
    )
    if not recalls.equal:
        shutil.rmtree(folder)
        log.say(f"  an int8 copy of the model finds less, and is not kept: {told}")
        return reader
    log.say(f"  queries are read by an int8 copy: {told}")
    return reader.opened_again()


def write_int8(model: Any, folder: Path, *, prefix: str) -> Int8Queries:
    """Write the int8 copy of a model into a folder, which is made, and open it.

    Args:
        model: a `SentenceTransformer` on the CPU.
        folder: where to.
        prefix: stands before each query.

    Raises:
        ValueError: the model leaves out of its vectors what stands before a query.
        Exception: whatever the exporter does not know; the folder is not there then.
    """
    if prefix and not all(getattr(module, "include_prompt", True) for module in model):
        raise ValueError("it reads its prompt and leaves it out of the vectors.")
    from onnxruntime.quantization import QuantType, quantize_dynamic

    folder.mkdir()
    try:
        with TemporaryDirectory(dir=folder) as scratch, _silent():
            exported = Path(scratch) / ONNX
            _export(model, exported)
            quantize_dynamic(
                exported,
                folder / ONNX,
                weight_type=QuantType.QInt8,
                per_channel=True,
                reduce_range=True,
            )
        (folder / TOKENIZER).write_text(model.tokenizer.backend_tokenizer.to_str(), "utf-8")
        settings = {
            "prefix": prefix,
            "tokens": _most_tokens(model.max_seq_length),
            "dim": len(model.encode("a", show_progress_bar=False)),
        }
        write_json(folder / SETTINGS, settings)
        return Int8Queries(folder)
    except BaseException:
        shutil.rmtree(folder)
        raise


def compare(
    own: Vectors, copied: Vectors, items: Vectors, relevant: Sequence[NDArray[np.int64]] | None
) -> Recalls:
    """Recall@100 of the same queries, read by a model and by its copy.

    Args:
        own: of the model, `[n, R]`.
        copied: of the copy, `[n, R]`.
        items: of all titles, `[N, R]`.
        relevant: items of each query; None takes the first ten that the model finds.
    """
    found = [
        faiss.knn(of, items, min(_FOUND, len(items)), faiss.METRIC_INNER_PRODUCT)[1]
        for of in (own, copied)
    ]
    wanted = found[0][:, :_OWN] if relevant is None else relevant
    recalls = [
        np.mean([np.isin(rows, hits).mean() for rows, hits in zip(wanted, of, strict=True)])
        for of in found
    ]
    return Recalls(*map(float, recalls))


class Asked(NamedTuple):
    """Queries that a model and its copy are compared on.

    Attributes:
        texts: `[n]`.
        relevant: items of each, rows; None where nothing is known of any.
    """

    texts: list[str]
    relevant: list[NDArray[np.int64]] | None


def asked(queries: list[str], pairs: LoggedPairs, titles: list[str]) -> Asked:
    """Some of the logged queries; without a log, titles.

    Args:
        queries: distinct training queries, `[Q]`.
        pairs: which item was relevant to which.
        titles: of the items, `[N]`.
    """
    if not len(pairs.query):
        return Asked(titles[:: -(-len(titles) // _MOST)], None)
    known = np.unique(pairs.query)
    chosen = known[:: -(-len(known) // _MOST)]
    of_chosen = np.flatnonzero(np.isin(pairs.query, chosen))
    of_chosen = of_chosen[np.argsort(pairs.query[of_chosen], kind="stable")]
    starts = run_starts(pairs.query[of_chosen])
    return Asked(
        [queries[number] for number in chosen.tolist()],
        np.split(pairs.item[of_chosen], starts[1:]),
    )


def _most_tokens(told: int | None) -> int | None:
    """How many a model reads of a text; None for no limit, which some write as a huge one."""
    return told if told is not None and told < _NO_LIMIT else None


@contextmanager
def _silent() -> Iterator[None]:
    """Keep what exporter and quantizer have to say to developers off the terminal."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


class _Reading(torch.nn.Module):
    """A model from tokens to vectors, with the inputs of the copy."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self._model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        read = self._model(dict(zip(INPUTS, (input_ids, attention_mask), strict=True)))
        vectors: torch.Tensor = read["sentence_embedding"]
        return vectors


def _export(model: Any, path: Path) -> None:
    """Write a model as it is."""
    features = model.preprocess(list(_EXAMPLES))
    torch.onnx.export(
        _Reading(model).eval(),
        tuple(features[name] for name in INPUTS),
        path,
        input_names=list(INPUTS),
        output_names=["vectors"],
        dynamic_shapes=({0: "texts", 1: "tokens"},) * len(INPUTS),
        dynamo=True,
        external_data=False,
        verbose=False,
    )
