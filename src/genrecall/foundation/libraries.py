"""Optional libraries, imported when first used and kept quiet, and the models that they open."""

from __future__ import annotations

import importlib
import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Final

from genrecall.foundation.errors import ConfigError

HUB_NAME: Final = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?", re.ASCII)
"""What the name of a model on the hub looks like."""

MODEL_SUFFIXES: Final = (".jinja", ".json", ".model", ".safetensors", ".txt")
"""Files of a model that are read: settings, vocabularies and weights, and no code."""

OTHER_BACKENDS: Final = ("onnx", "openvino")
"""Folders of a model with weights that are not read."""

_TALKATIVE: Final = ("huggingface_hub", "sentence_transformers", "transformers")


EXPORTING: Final = ("onnxruntime", "onnx", "onnxscript")
"""What copies a pretrained model, and reads by the copy: the extra `onnx`."""


def missing_of(names: Sequence[str]) -> list[str]:
    """Those that are not installed."""
    return [name for name in names if find_spec(name) is None]


def library(name: str, *, extra: str, needed_by: str, instead: str) -> ModuleType:
    """Import an optional library.

    Args:
        name: of the library.
        extra: what installs it: `pip install 'genrecall[extra]'`.
        needed_by: what of GenRecall uses it, to begin a sentence with.
        instead: a sentence on what works without it.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{needed_by} needs the library {name!r}, and {error.name!r} is not installed. Install "
            f"it by: pip install 'genrecall[{extra}]'. {instead}"
        ) from error


def lm_library(name: str) -> ModuleType:
    """Import a library of the extra `lm`.

    Raises:
        ConfigError: it is not installed.
    """
    return library(
        name,
        extra="lm",
        needed_by="the generator family `lm`",
        instead="The family `compact` needs nothing more.",
    )


@contextmanager
def no_progress_bars() -> Iterator[None]:
    """Keep the progress bars of transformers off the terminal; a run has lines of its own."""
    bars = importlib.import_module("transformers.utils.logging")
    shown = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            bars.enable_progress_bar()


@contextmanager
def quiet() -> Iterator[None]:
    """Keep progress bars, hints and warnings of model libraries off the terminal; errors stay."""
    loggers = [logging.getLogger(name) for name in _TALKATIVE]
    levels = [logger.level for logger in loggers]
    with no_progress_bars():
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def model_files(folder: Path) -> list[str]:
    """The files of a model that are read, by their paths inside its folder, sorted."""
    inside = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(
        path.as_posix()
        for path in inside
        if path.suffix in MODEL_SUFFIXES
        and path.parts[0] not in OTHER_BACKENDS
        and not any(part.startswith(".") for part in path.parts)
    )
