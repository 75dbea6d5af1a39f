"""Columns of a catalog as filters compare them: which items have one of some values.

They are made of the catalog's table once and compared without it: the threads of polars are not
there in a process that was forked.

A `ValueError` says what is wrong with a value, to go on from "filter on 'price': ".

Shapes: `N` items.
"""

from __future__ import annotations

import difflib
import operator
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Final, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genrecall.data.filters.given import (
    attribute_text,
    category_path,
    id_of,
    is_number,
    number,
    plain_text,
)
from genrecall.data.tables import Catalog
from genrecall.data.values.convert import shorten

Mask = NDArray[np.bool_]

Bounds = Mapping[str, object]
"""`{"gte": x, "lt": y}`, of one or more of `BOUNDS`."""

BOUNDS: Final[Mapping[str, Callable[[NDArray[np.float64], float], Mask]]] = {
    "gte": operator.ge,
    "gt": operator.gt,
    "lte": operator.le,
    "lt": operator.lt,
}
_LOOKED_THROUGH: Final = 5_000  # distinct values, the most frequent ones, for one to suggest


class Column(Protocol):
    """One field of all items."""

    def any_of(self, values: Sequence[object]) -> Mask:
        """Items that have one of the values: bool `[N]`."""

    def within(self, bounds: Bounds) -> Mask:
        """Items that have a value within bounds: bool `[N]`."""

    def hint(self, values: Sequence[object]) -> str:
        """What the catalog has instead of values that no item has; "" for nothing to say."""


def fold(text: str) -> str:
    """A text as it is compared: letter case does not count, nor how an accent is stored.

    >>> fold("BOSCH") == fold("Bosch"), fold("CAFE\u0301") == fold("café")
    (True, True)
    """
    return unicodedata.normalize("NFC", text.casefold())


class _Coded:
    """Texts as numbers of the distinct ones, 0 for none.

    Args:
        values: null where there is none.
    """

    def __init__(self, values: pl.Series) -> None:
        self._number: dict[str | None, int] = {None: 0}
        codes = [self._number.setdefault(value, len(self._number)) for value in values.to_list()]
        self._codes = np.array(codes, dtype=np.int32)

    def any_of(self, texts: Iterable[str]) -> Mask:
        """Which of the values are one of some texts, to the letter."""
        meets = np.zeros(len(self._number), dtype=np.bool_)
        meets[[self._number[text] for text in texts if text in self._number]] = True
        return meets[self._codes]

    def counted(self) -> list[str]:
        """The distinct texts, the most frequent first."""
        counts = np.bincount(self._codes, minlength=len(self._number))
        texts = [text for text in self._number if text is not None]
        return sorted(texts, key=lambda text: (-counts[self._number[text]], text))


class _Spellings:
    """Texts that are found without letter case.

    Args:
        texts: distinct ones, the first of those that only case tells apart is shown.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._of: dict[str, list[str]] = {}
        for text in texts:
            self._of.setdefault(fold(text), []).append(text)

    def of(self, values: Iterable[str]) -> list[str]:
        """All spellings of texts."""
        return [spelling for value in values for spelling in self._of.get(fold(value), [])]

    def hint(self, values: Iterable[str]) -> str:
        """The text that one of the values, none of which there is, was meant to be."""
        known = list(self._of)[:_LOOKED_THROUGH]
        for value in values:
            if close := difflib.get_close_matches(fold(value), known, n=1):
                return f"did you mean {self._of[close[0]][0]!r}?"
        return ""


class Texts:
    """One text of each item."""

    def __init__(self, values: pl.Series) -> None:
        self._values = _Coded(values)

    @cached_property
    def _spellings(self) -> _Spellings:
        return _Spellings(self._values.counted())

    def any_of(self, values: Sequence[object]) -> Mask:
        """See `Column.any_of`."""
        return self._values.any_of(self._spellings.of([plain_text(value) for value in values]))

    def within(self, bounds: Bounds) -> Mask:
        """Texts have no bounds."""
        raise _no_numbers(bounds)

    def hint(self, values: Sequence[object]) -> str:
        """See `Column.hint`."""
        return self._spellings.hint(map(str, values))


class Names:
    """Names that are compared to the letter: two products may differ in the case of theirs.

    Args:
        values: of the items, null where there is none.
    """

    def __init__(self, values: pl.Series) -> None:
        self._values = _Coded(values)

    def any_of(self, values: Sequence[object]) -> Mask:
        """See `Column.any_of`."""
        return self._values.any_of([id_of(value) for value in values])

    def within(self, bounds: Bounds) -> Mask:
        """Names have no bounds."""
        raise _no_numbers(bounds)

    def hint(self, values: Sequence[object]) -> str:  # noqa: ARG002
        """A name says nothing of others like it."""
        return ""


class Ids(Names):
    """The names of the items, each of which has its own.

    Args:
        catalog: the items.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def any_of(self, values: Sequence[object]) -> Mask:
        """See `Column.any_of`; takes no longer in a large catalog."""
        meets = np.zeros(len(self._catalog), dtype=np.bool_)
        row_of = self._catalog.row_of
        meets[[row_of[name] for name in map(id_of, values) if name in row_of]] = True
        return meets


class Flags:
    """Whether something holds of each item.

    Args:
        values: null where nobody knows.
        unknown: what an item of which nobody knows counts as.
    """

    def __init__(self, values: pl.Series, *, unknown: bool) -> None:
        self._values: Mask = values.fill_null(unknown).to_numpy()

    def any_of(self, values: Sequence[object]) -> Mask:
        """See `Column.any_of`."""
        meets = np.zeros(len(self._values), dtype=np.bool_)
        for value in values:
            if not isinstance(value, bool):
                raise ValueError(f"{shorten(value)} is not true or false")
            meets |= self._values == value
        return meets

    def within(self, bounds: Bounds) -> Mask:
        """A flag has no bounds."""
        raise _no_numbers(bounds)

    def hint(self, values: Sequence[object]) -> str:  # noqa: ARG002
        """There is nothing but the other one."""
        return ""


class Numbers:
    """One number of each item.

    Args:
        values: null where there is none.
        read: what a caller gives as the column's number.
    """

    def __init__(self, values: pl.Series, read: Callable[[object], float] | None = None) -> None:
        # Nothing equals NaN or lies on one side of it. Whole numbers are exact up to 2**53.
        self._values = values.cast(pl.Float64).fill_null(float("nan")).to_numpy()
        self._read = read or number

    def any_of(self, values: Sequence[object]) -> Mask:
        """See `Column.any_of`."""
        return np.isin(self._values, [self._read(value) for value in values])

    def within(self, bounds: Bounds) -> Mask:
        """See `Column.within`."""
        return _within(self._values, bounds, self._read)

    def hint(self, values: Sequence[object]) -> str:  # noqa: ARG002
        """The range of what there is."""
        return _range(self._values)


class Paths:
    """The category path of each item."""

    def __init__(self, paths: pl.Series) -> None:
        # A shop has far fewer paths than items: they are matched once each.
        unique = paths.unique(maintain_order=True)
        self._shown = [tuple(path or ()) for path in unique.to_list()]
        at = {path: position for position, path in enumerate(self._shown)}
        self._paths = [tuple(map(fold, path)) for path in self._shown]
        self._of_item = np.array(
            [at[tuple(path or ())] for path in paths.to_list()], dtype=np.int64
        )

    def any_of(self, values: Sequence[object]) -> Mask:
        """See `Column.any_of`."""
        wanted = [tuple(map(fold, category_path(value))) for value in values]
        meets = np.array(
            [any(_under(path, start) for start in wanted) for path in self._paths], dtype=np.bool_
        )
        return meets[self._of_item]

    def within(self, bounds: Bounds) -> Mask:
        """Paths have no bounds."""
        raise _no_numbers(bounds)

    def hint(self, values: Sequence[object]) -> str:
        """See `Column.hint`."""
        starts = {path[:end] for path in self._shown for end in range(2, len(path) + 1)}
        written = {" > ".join(start) for start in starts}
        names = {name for path in self._shown for name in path}
        return _Spellings(sorted(names | written)).hint(map(str, values))


class Attribute:
    """The values of one attribute: `values[i]` is one of item `rows[i]`.

    They are texts. Those that are written as numbers can be compared with numbers, too.
    """

    def __init__(self, rows: NDArray[np.int64], values: pl.Series, *, n: int) -> None:
        self._rows, self._values, self._n = rows, _Coded(values), n
        written = values.str.strip_chars().cast(pl.Float64, strict=False)
        numbers = written.fill_null(float("nan")).to_numpy()
        # What each value is as a number; NaN for a text.
        self._numbers: NDArray[np.float64] = np.where(np.isfinite(numbers), numbers, np.nan)

    @cached_property
    def _spellings(self) -> _Spellings:
        return _Spellings(self._values.counted())

    def any_of(self, values: Sequence[object]) -> Mask:
        """See `Column.any_of`."""
        numbers = [number(value) for value in values if is_number(value)]
        if numbers and np.isnan(self._numbers).all():
            raise ValueError(f"{numbers[0]:.12g} is not text; give it in quotes")
        others = [attribute_text(value) for value in values if not is_number(value)]
        meets = self._values.any_of(self._spellings.of(others))
        return self._items(meets | np.isin(self._numbers, numbers))

    def within(self, bounds: Bounds) -> Mask:
        """See `Column.within`: one and the same value lies within all bounds."""
        if np.isnan(self._numbers).all():
            raise ValueError(
                "bounds are for numbers, and its values are texts such as "
                f"{shorten(self._values.counted()[0])}; give values instead"
            )
        return self._items(_within(self._numbers, bounds, number))

    def hint(self, values: Sequence[object]) -> str:
        """See `Column.hint`."""
        if any(map(is_number, values)) or not values:
            return _range(self._numbers)
        return self._spellings.hint(map(str, values))

    def _items(self, meets: Mask) -> Mask:
        passing = np.zeros(self._n, dtype=np.bool_)
        passing[self._rows[meets]] = True
        return passing


def attribute_columns(attributes: pl.Series) -> dict[str, Attribute]:
    """The attributes of items by their keys."""
    long = (
        pl.DataFrame({"row": np.arange(len(attributes)), "attribute": attributes})
        .explode("attribute")
        .unnest("attribute")
        .explode("value")
        .drop_nulls()
    )
    return {
        str(key): Attribute(part["row"].to_numpy(), part["value"], n=len(attributes))
        for (key,), part in long.partition_by("key", as_dict=True).items()
    }


def _within(values: NDArray[np.float64], bounds: Bounds, read: Callable[[object], float]) -> Mask:
    passing = np.ones(len(values), dtype=np.bool_)
    for name, bound in bounds.items():
        passing &= BOUNDS[name](values, read(bound))
    return passing


def _range(values: NDArray[np.float64]) -> str:
    known = values[~np.isnan(values)]
    return f"it goes from {known.min():.12g} to {known.max():.12g}" if len(known) else ""


def _no_numbers(bounds: Bounds) -> ValueError:
    return ValueError(
        f"bounds ({', '.join(bounds)}) are for numbers, which are price, score, updated_at and "
        "attributes of numbers; give values instead"
    )


def _under(path: tuple[str, ...], start: tuple[str, ...]) -> bool:
    return start[0] in path if len(start) == 1 else path[: len(start)] == start
