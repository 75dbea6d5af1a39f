r"""A synonyms file: words that a shop wants read as others, in the form of Solr and OpenSearch.

`couch, sofa` reads each of them as both; `telly => television` replaces; a line that begins with
`#` is a comment, and `\,` is a comma within a name. Names may have several words; the longest that
fits is taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from genrecall.foundation.errors import ConfigError
from genrecall.queries.changes import Change, rewrite
from genrecall.text.normalize import Stemmer, normalize, read_words

_REPLACES: Final = "=>"
_BETWEEN: Final = re.compile(r"(?<!\\),")


class Synonym(NamedTuple):
    """What a name is read as.

    Attributes:
        read: names as which it is read.
        keeps: whether the name itself stays before it.
    """

    read: tuple[str, ...]
    keeps: bool


class Synonyms:
    """Rules of a file.

    Args:
        rules: by the stems of a name.
        stemmer: brings the forms of a word together.
    """

    def __init__(self, rules: dict[tuple[str, ...], Synonym], stemmer: Stemmer) -> None:
        self._rules, self._stemmer = rules, stemmer
        self._longest = max(map(len, rules), default=0)

    @classmethod
    def read(cls, lines: Iterable[str], *, name: str, stemmer: Stemmer) -> Synonyms:
        """Read the lines of a file.

        Args:
            lines: of the file.
            name: of the file, for errors.
            stemmer: brings the forms of a word together.

        Raises:
            ConfigError: a line is no rule; it is named.
        """
        rules: dict[tuple[str, ...], Synonym] = {}
        for number, line in enumerate(lines, start=1):
            rule = line.strip()
            if not rule or rule.startswith("#"):
                continue
            left, replaces, right = rule.partition(_REPLACES)
            names, others = (
                [normalize(part) for part in _BETWEEN.split(side)] for side in (left, right)
            )
            wrong = not all(names) or (not all(others) if replaces else len(names) < 2)
            if wrong:
                raise ConfigError(
                    f"{name}, line {number}: {line.strip()!r} is no rule. Write names that mean "
                    "the same with commas between them, such as `couch, sofa`, or what is to be "
                    "replaced, such as `telly => television`."
                )
            for place, one in enumerate(names):
                meant = others if replaces else names[:place] + names[place + 1 :]
                key = tuple(read_words(one, stemmer))
                known = rules.get(key)
                if known is not None and known.keeps == bool(replaces):
                    raise ConfigError(
                        f"{name}, line {number}: {one!r} is both replaced and read beside others. "
                        "Keep one of the two."
                    )
                before = known.read if known is not None else ()
                rules[key] = Synonym(tuple(dict.fromkeys((*before, *meant))), keeps=not replaces)
        return cls(rules, stemmer)

    @property
    def words(self) -> set[str]:
        """Stems of all words of the names that are read otherwise."""
        return {word for name in self._rules for word in name}

    @classmethod
    def load(cls, path: Path, *, stemmer: Stemmer) -> Synonyms:
        """Read a file.

        Raises:
            ConfigError: it cannot be read, or a line is no rule.
        """
        try:
            lines = path.read_text("utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"queries.synonyms: {path} cannot be read: {error}") from error
        return cls.read(lines, name=str(path), stemmer=stemmer)

    def apply(self, query: str) -> tuple[str, list[Change]]:
        """The query with all names read so, and what was changed; as it is where there are none."""
        said = f" {normalize(query)} "
        typed, stems = said.split(), read_words(query, self._stemmer)
        read: list[str] = []
        changes: list[Change] = []
        at = 0
        while at < len(typed):
            longest = min(self._longest, len(typed) - at)
            ends = (at + size for size in range(longest, 0, -1))
            end = next((end for end in ends if tuple(stems[at:end]) in self._rules), None)
            if end is None:
                read.append(typed[at])
                at += 1
                continue
            rule, name = self._rules[tuple(stems[at:end])], " ".join(typed[at:end])
            meant = list(rule.read)
            if rule.keeps:  # what the query says itself is not read twice
                meant = [name, *(one for one in meant if f" {one} " not in said)]
            as_read = " ".join(meant)
            read.append(as_read)
            if as_read != name:
                changes.append(Change(name, as_read))
            at = end
        return rewrite(query, changes, " ".join(read)), changes
