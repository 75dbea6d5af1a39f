"""The libraries of the extra `lm`, imported when a language model is first used."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from genrecall.errors import ConfigError


def library(name: str) -> ModuleType:
    """Import an optional library.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"the generator family `lm` needs the library {name!r}, and {error.name!r} is not "
            "installed. Install it by: pip install 'genrecall[lm]'. The family `compact` needs "
            "nothing more."
        ) from error


@contextmanager
def no_progress_bars() -> Iterator[None]:
    """Keep the progress bars of transformers off the terminal; a run has lines of its own."""
    logging = library("transformers.utils.logging")
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
