"""The libraries of the extra `lm`, imported when a language model is first used."""

from __future__ import annotations

from types import ModuleType

from genrecall import libraries
from genrecall.libraries import no_progress_bars

__all__ = ["library", "no_progress_bars"]


def library(name: str) -> ModuleType:
    """Import an optional library.

    Raises:
        ConfigError: it is not installed.
    """
    return libraries.library(
        name,
        extra="lm",
        needed_by="the generator family `lm`",
        instead="The family `compact` needs nothing more.",
    )
