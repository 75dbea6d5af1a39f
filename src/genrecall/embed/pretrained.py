"""Pretrained models as readers: any of sentence-transformers, from a directory or the hub.

The model is copied whole into the artifact and opened from there, so that a bundle needs neither
the model's directory nor the hub. Only settings, vocabularies and safetensors are copied: nothing
that is read could run code. Beside it may stand an int8 copy that reads queries (`int8.py`); then
the model is opened only when a title is to be read.

Shapes: `n` texts, `R` vector size.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError

from genrecall.embed.config import PretrainedConfig
from genrecall.embed.int8 import Int8Queries, has_runtime
from genrecall.foundation.artifact import Artifact
from genrecall.foundation.errors import ConfigError
from genrecall.foundation.files import write_json
from genrecall.foundation.libraries import (
    HUB_NAME,
    MODEL_SUFFIXES,
    OTHER_BACKENDS,
    library,
    missing_of,
    model_files,
    no_progress_bars,
    quiet,
)
from genrecall.foundation.progress import Progress, RunLog, SilentLog
from genrecall.foundation.threads import limit_torch

_SETTINGS: Final = "reading.json"
MODEL: Final = "model"
"""Folder of the model, inside that of the view."""

INT8: Final = "int8"
"""The same of its int8 copy."""

_LAYOUT: Final = "modules.json"
_OWNER: Final = "sentence-transformers"  # of the models whose names have no owner
_AT_ONCE: Final = 16  # batches between two reports; texts of like length go into one batch
_UNUSABLE: Final = (
    AttributeError,
    ImportError,
    LookupError,
    OSError,
    RuntimeError,
    SafetensorError,
    TypeError,
    ValueError,
)
"""What damaged, incomplete or foreign models raise when they are opened."""


class PretrainedModel:
    """A sentence-transformers model as a reader: texts as they stand, not normalized or stemmed.

    Args:
        folder: holds the model in `model`, and in `int8` what reads queries, if anything does.
        query_prefix: stands before each query; None for what the model itself prescribes.
        item_prefix: the same for titles.
        batch: texts that are read together.
        log: where long encodings report to.
        name: what the model is called where it cannot be opened.

    Raises:
        ConfigError: the model cannot be opened, or the library is missing. Where an int8 copy reads
            queries, titles are the first to need either.
    """

    def __init__(
        self,
        folder: Path,
        *,
        query_prefix: str | None,
        item_prefix: str | None,
        batch: int,
        log: RunLog,
        name: str = "",
    ) -> None:
        self.folder, self._name = folder, name or str(folder / MODEL)
        self._query_prefix = query_prefix
        self._item_prefix = item_prefix
        self._batch = batch
        self._log = log
        copied = (folder / INT8).is_dir()
        self._int8 = Int8Queries(folder / INT8) if copied and has_runtime() else None
        if self._int8 is None:
            _ = self.model  # what is wrong with it is told now
        if copied and self._int8 is None:
            log.say("  queries are read by the model itself: onnxruntime is not installed")

    @cached_property
    def model(self) -> Any:
        """The `SentenceTransformer`; opened when first needed."""
        return open_model(self.folder / MODEL, name=self._name)

    @classmethod
    def make(cls, config: PretrainedConfig, folder: Path, *, log: RunLog) -> PretrainedModel:
        """Copy the model that the config names into an existing folder, and open it from there.

        Args:
            config: which model, and its prefixes.
            folder: of the view.
            log: where to report.

        Raises:
            ConfigError: the model cannot be found or loaded, or the library is missing.
        """
        name = config.model or ""
        sentence_transformers()  # before anything is downloaded for it
        source = find_model(name, log)
        for file in model_files(source):
            (folder / MODEL / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / file, folder / MODEL / file)
        options = config.model_dump(include={"query_prefix", "item_prefix", "batch"})
        write_json(folder / _SETTINGS, options)
        reader = cls(folder, **options, log=log, name=name)
        log.say(f"  pretrained model {name}: vectors of {reader.dim} numbers")
        return reader

    @classmethod
    def load(cls, artifact: Artifact, *, log: RunLog | None = None) -> PretrainedModel:
        """Read the model that `make` copied into an artifact.

        Raises:
            ConfigError: the library is missing, or of a version that cannot read the model.
        """
        return cls(artifact.path, **artifact.read_json(_SETTINGS), log=log or SilentLog())

    @cached_property
    def dim(self) -> int:
        """Vector size `R`."""
        return self._int8.dim if self._int8 else len(self._by(self.model.encode_query)(["a"])[0])

    @property
    def query_prefix(self) -> str:
        """What stands before each query."""
        prescribed: str = self.model.prompts.get("query") or ""
        return prescribed if self._query_prefix is None else self._query_prefix

    @property
    def item_prefix(self) -> str:
        """What stands before each title."""
        prescribed: str = self.model.prompts.get("document") or ""
        return prescribed if self._item_prefix is None else self._item_prefix

    @property
    def transformer(self) -> Any:
        """The part of the model that is a transformer, whose `model` is one of transformers.

        Raises:
            ConfigError: it has none.
        """
        import torch

        first = self.model[0]
        if not isinstance(getattr(first, "model", None), torch.nn.Module):
            raise ConfigError(
                f"embed.pretrained.fine_tune: {self._name!r} begins with a "
                f"{type(first).__name__} and has no transformer to adapt. Take one that has, or "
                "leave fine_tune out."
            )
        return first

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors of queries; see `Reader.encode`."""
        if self._int8 is not None:
            return self._encode(self._int8.encode, texts)
        return self._encode(self._by(self.model.encode_query, self._query_prefix), texts)

    def encode_items(self, titles: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors of titles; see `Reader.encode_items`."""
        return self._encode(self._by(self.model.encode_document, self._item_prefix), titles)

    def rewritten(self) -> PretrainedModel:
        """The reader with the weights of its model as they are now, in its folder, too."""
        model, folder = self.model, self.folder / MODEL
        shutil.rmtree(folder)
        with quiet():
            model.save(str(folder), create_model_card=False)
        return self.opened_again()

    def opened_again(self) -> PretrainedModel:
        """The reader as it is in its folder now."""
        return PretrainedModel(
            self.folder,
            query_prefix=self._query_prefix,
            item_prefix=self._item_prefix,
            batch=self._batch,
            log=self._log,
            name=self._name,
        )

    def _by(
        self, encode: Callable[..., NDArray[np.float32]], prefix: str | None = None
    ) -> Callable[[list[str]], NDArray[np.float32]]:
        """What encodes as this reader does."""
        return partial(
            encode,
            prompt=prefix,
            batch_size=self._batch,
            normalize_embeddings=True,
            show_progress_bar=False,
        )

    def _encode(
        self, encode: Callable[[list[str]], NDArray[np.float32]], texts: Sequence[str]
    ) -> NDArray[np.float32]:
        """Unit vectors `[n, R]`."""
        vectors = np.zeros((len(texts), self.dim), dtype=np.float32)
        progress = Progress(self._log, "encoding", total=len(texts), unit="texts")
        for start in range(0, len(texts), _AT_ONCE * self._batch):
            some = list(texts[start : start + _AT_ONCE * self._batch])
            vectors[start : start + len(some)] = encode(some)
            progress.update(len(some))
        return vectors


def sentence_transformers() -> Any:
    """The library.

    Raises:
        ConfigError: it is not installed.
    """
    return library(
        "sentence_transformers",
        extra="pretrained",
        needed_by="the view pretrained",
        instead="The other views of embed.views need nothing more; recall from a bundle whose "
        "queries are read by an int8 copy needs 'genrecall[onnx]' alone.",
    )


def check_model(name: str) -> None:
    """Refuse what can be told to be no model before it is opened, or downloaded.

    Args:
        name: see `find_model`.

    Raises:
        ConfigError: it is neither, no model of sentence-transformers, or that is not installed.
    """
    folder = Path(name)
    if missing_of(("sentence_transformers",)):
        sentence_transformers()
    if not folder.is_dir() and not HUB_NAME.fullmatch(name):
        raise ConfigError(
            f"embed.pretrained.model: {name!r} is no directory. Give the folder of a saved "
            "sentence-transformers model, or a name on the hub such as "
            f"'{_OWNER}/all-MiniLM-L6-v2'."
        )
    if folder.is_dir():
        _check_layout(folder, name)


def _check_layout(folder: Path, name: str) -> None:
    if not (folder / _LAYOUT).is_file():
        raise ConfigError(
            f"embed.pretrained.model: {name!r} is no sentence-transformers model: it has no "
            f"{_LAYOUT}. Give a model that SentenceTransformer.save wrote."
        )


def find_model(name: str, log: RunLog) -> Path:
    """The directory of a model; one of the hub is downloaded unless its files are there already.

    Args:
        name: a directory, or a name such as `sentence-transformers/all-MiniLM-L6-v2`.
        log: where to report.

    Raises:
        ConfigError: it is neither, or the hub and the cache do not have it.
    """
    check_model(name)
    folder = Path(name)
    if not folder.is_dir():
        folder = _download(name if "/" in name else f"{_OWNER}/{name}", log)
        _check_layout(folder, name)
    return folder


def _download(name: str, log: RunLog) -> Path:
    """Files of a model on the hub, those of the cache where nothing else can be reached."""
    hub = library(
        "huggingface_hub", extra="pretrained", needed_by="the view pretrained", instead=""
    )
    log.say(f"  {name} from the model hub or its cache")
    try:
        with no_progress_bars():
            found = hub.snapshot_download(
                name,
                allow_patterns=[f"*{suffix}" for suffix in MODEL_SUFFIXES],
                ignore_patterns=[f"{backend}/*" for backend in OTHER_BACKENDS],
            )
    except (OSError, ValueError) as error:
        cause = " ".join(str(error).split())
        raise ConfigError(
            f"embed.pretrained.model: {name!r} is no directory here, and as a name on the model "
            f"hub it cannot be read: {cause} Check the name and the connection, or give the folder "
            "of a saved sentence-transformers model."
        ) from error
    return Path(found)


def open_model(folder: Path, *, name: str, device: str | None = None) -> Any:
    """Open a model from local files, as a `SentenceTransformer`.

    Args:
        folder: of the model.
        name: what it is called where it cannot be opened.
        device: where it computes; None for a GPU where there is one.

    Raises:
        ConfigError: it cannot be opened, or the library is missing.
    """
    library = sentence_transformers()
    import torch  # where an int8 copy reads, nothing waits for it

    limit_torch()
    try:
        with quiet():
            return library.SentenceTransformer(
                str(folder),
                device=device,
                local_files_only=True,
                trust_remote_code=False,
                model_kwargs={"dtype": torch.float32, "use_safetensors": True},
            )
    except _UNUSABLE as error:
        cause = " ".join(str(error).split())
        raise ConfigError(
            f"embed.pretrained.model: {name!r} cannot be opened as a sentence-transformers model: "
            f"{cause} Give one whose weights are safetensors and that needs no code of its own."
        ) from error
