"""Where word vectors for the static view are found: in an installed package, or in a directory."""

from __future__ import annotations

from importlib import metadata, util
from pathlib import Path
from typing import Final, NamedTuple

from genrecall.foundation.artifact import Json, file_hash
from genrecall.foundation.errors import ConfigError

PACKAGE: Final = "wordllama"
"""Holds word vectors and their tokenizer (MIT)."""

TOKENIZER: Final = "tokenizer.json"


class StaticFiles(NamedTuple):
    """Where word vectors lie.

    Attributes:
        tokenizer: as the library tokenizers reads it.
        table: safetensors with one matrix, a row for each token.
    """

    tokenizer: Path
    table: Path

    def content(self) -> Json:
        """What counts for the hash of a stage."""
        return {"tokenizer": file_hash(self.tokenizer), "table": file_hash(self.table)}


def find_static(source: str) -> StaticFiles | None:
    """The files of word vectors; None where the package is not installed.

    Args:
        source: the package, or a directory with `tokenizer.json` and one `.safetensors`.

    Raises:
        ConfigError: it is neither.
    """
    if source == PACKAGE:
        return _in_package()
    folder = Path(source)
    tables = sorted(folder.glob("*.safetensors"))
    if not (folder / TOKENIZER).is_file() or len(tables) != 1:
        raise ConfigError(
            f"embed.static.source: {source!r} is no directory with a {TOKENIZER} and one "
            f".safetensors file, as model2vec saves them. Give one, or {PACKAGE!r}, or take static "
            "from embed.views."
        )
    return StaticFiles(folder / TOKENIZER, tables[0])


def _in_package() -> StaticFiles | None:
    # The package is not imported: it would set up logging for everybody, and could download.
    found = util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        return None
    folder = Path(next(iter(found.submodule_search_locations)))
    tokenizers = sorted((folder / "tokenizers").glob("*.json"))
    tables = sorted((folder / "weights").glob("*_256.safetensors"))
    return StaticFiles(tokenizers[0], tables[0]) if tokenizers and tables else None


def named(files: StaticFiles) -> str:
    """How word vectors are called in a line."""
    found = _in_package()
    return f"{PACKAGE} {metadata.version(PACKAGE)}" if files == found else str(files.table.parent)
