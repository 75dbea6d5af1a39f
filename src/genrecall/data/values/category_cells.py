r"""Category cells: one path, root first, however shops write it.

`A > B`, with the separator of the table's dialect; a list of levels, also as JSON or as pandas
writes it into CSV; several paths, of which the deepest counts. What looks like a path with another
separator is read as one name, and counted, so that nobody is left with a wrong path unawares.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

from genrecall.data.values.cells import is_array, is_list_in_text, list_in_text, text
from genrecall.data.values.convert import shorten
from genrecall.text.clean import clean

_ARROWS: Final = ("->", "=>")
_SIGNS: Final = (">", "»", "›", "→", "▸", "►", "❯", "＞", "::", "|", ";", " / ", "/", "\\")

OTHERS: Final = (*_ARROWS, *_SIGNS)
"""What stands between the levels of a path elsewhere, the surest first."""

BETWEEN_PATHS: Final = (",", "|", ";")
"""What stands between several paths of one cell."""

_ONE_NAME: Final = "one name"
_ONE_PATH: Final = "one path"

_SOME: Final = 0.2
"""Share of the cells that must hold a sign that is frequent within names, to be worth a word."""

_LIKE_A_LIST: Final = re.compile(r"\s*\w*[\[({].*[,:'\"].*[\])}]\s*", re.DOTALL)

_IN_NAMES: Final = ("/", "\\", ";")


class CategoryFormat:
    """Reads category cells.

    Args:
        level_separator: between levels; behind a backslash it belongs to a name.
        path_separator: between several paths of one cell; None where a cell is one path.
    """

    def __init__(self, level_separator: str = ">", path_separator: str | None = None) -> None:
        self.level_separator, self.path_separator = level_separator, path_separator
        self._level = _unescaped(level_separator)
        self._path = None if path_separator is None else _unescaped(path_separator)

    def cell(self, value: object) -> list[str] | None:
        r"""Read a category path, root first; None when nothing is known.

        >>> CategoryFormat().cell(r"Tools > Bits \> 5 mm")
        ['Tools', 'Bits > 5 mm']
        >>> CategoryFormat("/", ",").cell("Default/Tools,Default/Tools/Saws")
        ['Default', 'Tools', 'Saws']
        >>> CategoryFormat().cell(["Tools", None])
        ['Tools']
        """
        return max(self.paths(value), key=len, default=None)

    def paths(self, value: object) -> list[list[str]]:
        """Read all paths of a cell, in its order."""
        if isinstance(value, str):
            paths = self._paths_in_text(value)
        elif isinstance(value, list):
            paths = self._paths_in_list(value)
        else:
            raise ValueError("is not a category path")
        return [path for path in paths if path]

    def is_path(self, text: str) -> bool:
        """Whether a text has levels."""
        return self._level.search(text) is not None

    def _paths_in_text(self, value: str) -> list[list[str]]:
        if is_list_in_text(value):
            try:
                return self._paths_in_list(list_in_text(value))
            except ValueError:
                pass  # a name in brackets
        value = clean(value)
        if self._path is None or self.path_separator is None:
            return [self._levels(value)]
        return [
            self._levels(part.replace(f"\\{self.path_separator}", self.path_separator))
            for part in self._path.split(value)
        ]

    def _levels(self, value: str) -> list[str]:
        escaped = f"\\{self.level_separator}"
        parts = [part.strip() for part in self._level.split(value)]
        return [part.replace(escaped, self.level_separator) for part in parts if part]

    def _paths_in_list(self, value: Sequence[object]) -> list[list[str]]:
        """A list of levels, or of paths: where every entry is a list, or text with a separator."""
        if value and all(isinstance(entry, list) for entry in value):
            return [_names(entry) for entry in value if isinstance(entry, list)]
        between = f" {self.level_separator.strip()} "
        if value and all(isinstance(entry, str) and between in clean(entry) for entry in value):
            return [self._levels(clean(str(entry))) for entry in value]
        return [_names(value)]


class _Doubt(NamedTuple):
    """How a text was read, and the sign in it that may mean something else."""

    read: str
    sign: str


class CategoryColumn:
    """Reads a column of category cells, and counts those that may mean something else."""

    def __init__(self, form: CategoryFormat) -> None:
        self._form = form
        own = {form.level_separator, form.path_separator or form.level_separator}
        signs = {*OTHERS, *BETWEEN_PATHS, *own} - {"\\"}
        # Signs behind a backslash, which belong to a name.
        self._escaped = re.compile(rf"\\(?:{'|'.join(map(re.escape, sorted(signs)))})")
        self._cells = 0
        self._several = 0
        self._doubtful: Counter[_Doubt] = Counter()
        self._example: dict[_Doubt, str] = {}

    def cell(self, value: object) -> list[str] | None:
        """Read a category path, as its form does."""
        paths = self._form.paths(value)
        self._cells += bool(paths)
        self._several += len(paths) > 1
        if len(paths) == 1 and isinstance(value, str):
            text = clean(value)
            bare = self._escaped.sub("", text)
            doubt = self._doubt_of_name(bare) if len(paths[0]) == 1 else self._doubt_of_path(bare)
            if doubt is not None:
                self._doubtful[doubt] += 1
                self._example.setdefault(doubt, text)
        return max(paths, key=len, default=None)

    def _doubt_of_name(self, text: str) -> _Doubt | None:
        if is_array(text):
            return None
        if _LIKE_A_LIST.fullmatch(text):
            return _Doubt(_ONE_NAME, "")
        if text.lstrip().startswith("["):
            return None
        return next((_Doubt(_ONE_NAME, sign) for sign in OTHERS if sign in text), None)

    def _doubt_of_path(self, text: str) -> _Doubt | None:
        level = self._form.level_separator
        for arrow in _ARROWS:
            if level == arrow[1:] and arrow in text:
                return _Doubt(f"levels that end in {arrow[0]!r}", arrow)
        for sign in BETWEEN_PATHS:
            set_already = sign in (level.strip(), self._form.path_separator)
            pieces = [] if set_already else text.split(sign)
            if len(pieces) > 1 and all(map(self._form.is_path, pieces)):
                return _Doubt(_ONE_PATH, sign)
        return None

    def notes(self) -> list[str]:
        """What should be known about the cells read so far."""
        notes = []
        if self._several:
            notes.append(
                f"{self._several:,} items stand in several categories; of each the deepest path "
                "counts, the first of equals"
            )
        for doubt, count in sorted(self._doubtful.items()):
            read, sign = doubt
            example = shorten(self._example[doubt])
            if read == _ONE_NAME and sign in _IN_NAMES and count < _SOME * self._cells:
                continue
            if not sign:
                notes.append(
                    f"{count:,} cells look like lists, such as {example}, and are read as "
                    "one name; write them as JSON arrays of the levels, root first"
                )
                continue
            ask, setting = "it stands between levels", "level_separator"
            if read == _ONE_PATH:
                ask, setting = "it stands between paths", "path_separator"
            notes.append(
                f"{count:,} cells hold {sign!r}, such as {example}, and are read as {read}; "
                f"if {ask}, set `dialect: {{{setting}: {sign!r}}}`"
            )
        return notes


def _unescaped(separator: str) -> re.Pattern[str]:
    """Where a separator stands, but for those behind a backslash."""
    return re.compile(rf"(?<!\\){re.escape(separator)}")


def _names(levels: Sequence[object]) -> list[str]:
    """Names of the levels, cut at the first that is not known."""
    path = []
    for level in levels:
        name = "" if level is None else clean(text(level)).strip()
        if not name:
            break
        path.append(name)
    return path
