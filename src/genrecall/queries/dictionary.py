"""Words that a language has, so that one the shop does not sell by is not taken for a slip.

Those of a dozen languages come with the package pyspellchecker, of which nothing else is used.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from functools import cache
from importlib import util
from pathlib import Path
from typing import Any, Final, Literal

from genrecall.foundation.artifact import Json, file_hash
from genrecall.foundation.errors import ConfigError
from genrecall.foundation.settings import PathKind
from genrecall.text.normalize import Stemmer, read_words, stem

Language = Literal["ar", "de", "en", "es", "eu", "fa", "fr", "it", "lv", "nl", "pt", "ru"]
"""By its code, as in ISO 639."""

_PACKAGE: Final = "spellchecker"


@dataclass(frozen=True)
class LanguageKind(PathKind):
    """A language counts by its words, not by what it is called."""

    def resolve(self, value: Any, folder: Path) -> Any:  # noqa: ARG002
        """It is no path."""
        return value

    def portable(self, value: Any) -> str:
        """It tells nothing of this machine."""
        return str(value)

    def content(self, value: Any, setting: str) -> Json:  # noqa: ARG002
        """See `PathKind.content`."""
        return {"language": value, "sha256": file_hash(_words_file(value))}


@cache
def language_words(language: str, stemmer: Stemmer) -> frozenset[str]:
    """Stems of the words of a language, one of `Language`.

    Raises:
        ConfigError: the package that has them is not installed.
    """
    written: dict[str, int] = json.loads(gzip.decompress(_words_file(language).read_bytes()))
    # Nearly all stand as `normalize` leaves them, which takes seconds for so many words.
    words = set(filter(str.isalpha, written))
    plain = {word for word in words if word.isascii() and word.islower()}
    others = read_words(" ".join(sorted(words - plain)), stemmer)
    return frozenset(stem(word, stemmer) for word in plain).union(others)


def _words_file(language: str) -> Path:
    # The package is not imported: only what lies in it is read.
    found = util.find_spec(_PACKAGE)
    folders = [] if found is None else found.submodule_search_locations or []
    for folder in folders:
        if (file := Path(folder) / "resources" / f"{language}.json.gz").is_file():
            return file
    raise ConfigError(
        f"queries.language: the words of {language!r} are not there. Install them by: pip install "
        "pyspellchecker, or set it to null."
    )


def read_dictionary(path: Path, stemmer: Stemmer) -> frozenset[str]:
    """Stems of the words of a file, one word a line.

    Hunspell's rules, behind a slash, are not followed: of its files the base forms count.

    Args:
        path: of the file.
        stemmer: brings the forms of a word together.

    Raises:
        ConfigError: it cannot be read, or holds no word.
    """
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"queries.dictionary: {path} is not UTF-8 ({error}). Older dictionaries say their "
            "encoding in the .aff file beside them; `iconv -f ENCODING -t UTF-8` brings it over."
        ) from error
    except OSError as error:
        raise ConfigError(f"queries.dictionary: {path} cannot be read: {error}") from error
    written = {line.partition("/")[0] for line in lines}
    words = frozenset(word for line in written for word in read_words(line, stemmer))
    if not any(map(str.isalpha, words)):
        raise ConfigError(
            f"queries.dictionary: {path} holds no word. Give a list of words, one a line, such as "
            "Hunspell's .dic files."
        )
    return words
