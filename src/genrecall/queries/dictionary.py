"""Words that a language has, so that one the shop does not sell by is not taken for a slip."""

from __future__ import annotations

from pathlib import Path

from genrecall.foundation.errors import ConfigError
from genrecall.text.normalize import Stemmer, read_words


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
