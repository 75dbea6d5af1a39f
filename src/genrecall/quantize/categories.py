"""From category paths to level-1 codes (CQ-SID, arXiv 2605.14434, §3.1: category-guided level).

A category is a full path from the root. One with fewer than `min_items` items is too small for a
code of its own and rolls up to its parent; a root that stays too small becomes unknown. The codes
are frozen once: categories in sorted order, then the reserve codes, which have no category and are
there for items whose category is unknown or new.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrecall.foundation.artifact import Json
from genrecall.foundation.errors import ArtifactError, ConfigError

CategoryPath = tuple[str, ...]
"""A category, root first."""

UNKNOWN: Final = -1
"""Category code of an item whose category is unknown or has no code."""


class RolledUp(NamedTuple):
    """A category that was too small for a code.

    Attributes:
        path: the category.
        n_items: items in it, with those of its own small children.
        into: the parent that took them; None where they became unknown.
    """

    path: CategoryPath
    n_items: int
    into: CategoryPath | None


@dataclass(frozen=True)
class CategoryCodes:
    """The frozen level-1 codes.

    Args:
        paths: the category of code `0, 1, …`, sorted; after `grow` None for a code without a
            category, and newer categories behind the older ones.
        reserve: how many codes without a category follow.
        depth: how many steps of a path count; None for all.

    >>> codes = CategoryCodes(paths=(("tools",), ("tools", "drills")), reserve=2)
    >>> codes.n_codes
    4
    >>> codes.encode([("tools", "drills"), ("tools", "saws"), ("garden",), None]).tolist()
    [1, 0, -1, -1]
    """

    paths: tuple[CategoryPath | None, ...]
    reserve: int
    depth: int | None = None

    @property
    def n_codes(self) -> int:
        """K1: categories and reserve codes."""
        return len(self.paths) + self.reserve

    @property
    def n_categories(self) -> int:
        """Codes that belong to a category."""
        return len(self._code_of)

    @cached_property
    def _code_of(self) -> dict[CategoryPath, int]:
        return {path: code for code, path in enumerate(self.paths) if path is not None}

    def code(self, path: CategoryPath | None) -> int:
        """Code of the longest prefix of `path` that has one, `UNKNOWN` where none has."""
        for steps in range(len((path or ())[: self.depth]), 0, -1):
            found = self._code_of.get((path or ())[:steps])
            if found is not None:
                return found
        return UNKNOWN

    def encode(self, paths: Iterable[CategoryPath | None]) -> NDArray[np.int32]:
        """Code of each path: int32 `[N]`, `UNKNOWN` (-1) where there is none."""
        cache: dict[CategoryPath | None, int] = {}
        out = [cache[p] if p in cache else cache.setdefault(p, self.code(p)) for p in paths]
        return np.array(out, dtype=np.int32)

    def as_json(self) -> Json:
        """The form that `from_json` reads."""
        return {
            "paths": [path and list(path) for path in self.paths],
            "reserve": self.reserve,
            "depth": self.depth,
        }

    @classmethod
    def from_json(cls, value: Json) -> CategoryCodes:
        """Read the frozen codes back.

        Raises:
            ArtifactError: `value` is not what `as_json` writes.
        """
        try:
            paths = tuple(path and tuple(str(step) for step in path) for path in value["paths"])
            return cls(paths=paths, reserve=int(value["reserve"]), depth=value["depth"])
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(
                f"the category codes cannot be read ({error!r}); expected paths, reserve and "
                "depth. Run the quantize stage again."
            ) from error


class Categories(NamedTuple):
    """What `roll_up` or `grow` found.

    Attributes:
        codes: the frozen codes.
        of_item: category code of each item, int32 `[N]`, `UNKNOWN` (-1) where there is none.
        rolled_up: the categories that were too small, deepest first.
    """

    codes: CategoryCodes
    of_item: NDArray[np.int32]
    rolled_up: tuple[RolledUp, ...]

    def report(self) -> str:
        """One line for the terminal."""
        n_unknown = int((self.of_item == UNKNOWN).sum())
        text = (
            f"{self.codes.n_categories:,} categories + "
            f"{self.codes.n_codes - self.codes.n_categories:,} reserve for "
            f"{n_unknown:,} items of unknown category"
        )
        if not self.rolled_up:
            return text
        lost = sum(1 for rolled in self.rolled_up if rolled.into is None)
        return (
            f"{text}; {len(self.rolled_up):,} too small ones rolled up, {lost:,} of them to unknown"
        )


def roll_up(
    paths: Sequence[CategoryPath | None],
    *,
    min_items: int,
    max_categories: int,
    reserve: int | None = None,
    depth: int | None = None,
) -> Categories:
    """Choose which categories get a level-1 code.

    Args:
        paths: category of each item, root first; None or empty for unknown.
        min_items: a category with fewer items rolls up to its parent.
        max_categories: most categories that level 1 may have.
        reserve: codes without a category; None for as many as the unknown items fill at the mean
            size of a category (without any category at `5 · min_items`), at least one, at most
            `max_categories`.
        depth: how many steps of a path count; None for all.

    Raises:
        ConfigError: more categories are left than `max_categories`.
    """
    cut = [path[:depth] if path else None for path in paths]
    count = Counter(path for path in cut if path)
    rolled_up = []
    for steps in range(max(map(len, count), default=0), 0, -1):
        small = sorted(p for p, n in count.items() if len(p) == steps and n < min_items)
        for path in small:
            into = path[:-1] or None
            n_items = count.pop(path)
            rolled_up.append(RolledUp(path, n_items, into))
            if into:
                count[into] += n_items
    if len(count) > max_categories:
        raise ConfigError(_too_many(len(count), count, min_items, max_categories))
    chosen = CategoryCodes(paths=tuple(sorted(count)), reserve=0, depth=depth)
    of_item = chosen.encode(cut)
    if reserve is None:
        n_unknown = int((of_item == UNKNOWN).sum())
        mean_size = (len(of_item) - n_unknown) / len(count) if count else 5 * min_items
        reserve = min(max(1, round(n_unknown / mean_size)), max_categories)
    codes = CategoryCodes(paths=chosen.paths, reserve=reserve, depth=depth)
    return Categories(codes, of_item, tuple(rolled_up))


def grow(
    before: CategoryCodes,
    paths: Sequence[CategoryPath | None],
    *,
    in_use: NDArray[np.bool_],
    min_items: int,
    max_categories: int,
) -> Categories:
    """Codes for a catalog that has grown; a category that had a code keeps it.

    Only items that no code fits are rolled up anew. Each category that comes out takes a reserve
    code that nothing uses, in order, and a new code behind all others once these are taken. A
    subcategory of a category that has a code gets none of its own, however large it has grown, and
    a category whose items are gone leaves its code unused.

    Args:
        before: the codes so far; their `depth` stays.
        paths: category of each item, root first; None or empty for unknown.
        in_use: which codes of `before` have had items, bool `[K1]`.
        min_items: a new category with fewer items rolls up to its parent.
        max_categories: most categories that level 1 may have.

    Raises:
        ConfigError: more categories are left than `max_categories`.
    """
    known = before.encode(paths) != UNKNOWN
    rest = [None if has_code else path for path, has_code in zip(paths, known, strict=True)]
    found = roll_up(
        rest, min_items=min_items, max_categories=len(rest), reserve=0, depth=before.depth
    )
    grown: list[CategoryPath | None] = [*before.paths, *[None] * before.reserve]
    free = [code for code, path in enumerate(grown) if path is None and not in_use[code]]
    new = found.codes.paths
    for code, path in zip(free, new, strict=False):
        grown[code] = path
    grown += new[len(free) :]
    codes = CategoryCodes(paths=tuple(grown), reserve=0, depth=before.depth)
    if codes.n_categories > max_categories:
        raise ConfigError(
            f"the catalog has grown by {len(new):,} categories to {codes.n_categories:,}, but "
            f"level 1 may hold max_categories={max_categories:,}. Raise quantize.max_categories "
            "or quantize.min_items, or leave out quantize.warm_start."
        )
    return Categories(codes, codes.encode(paths), found.rolled_up)


def _too_many(found: int, count: Counter[CategoryPath], min_items: int, max_categories: int) -> str:
    deepest = max(map(len, count))
    # Keeping only the `max_categories` largest would need about this threshold.
    enough = sorted(count.values(), reverse=True)[max_categories - 1] + 1
    return (
        f"{found:,} categories have at least min_items={min_items} items, but level 1 may hold "
        f"max_categories={max_categories:,}. Raise quantize.min_items (about {enough:,} fits), "
        f"raise quantize.max_categories to {found:,}, or limit quantize.depth (paths are up to "
        f"{deepest} steps deep)."
    )
