"""What the shop knows of its shoppers: who they are and what they chose, by item id and time.

Serving looks a shopper up here; `histories` cuts the same for many searches at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genrecall.data.tables import CHOICES, USERS, Catalog, ItemId, Searches
from genrecall.foundation.arguments import known_names, texts, values_of
from genrecall.foundation.artifact import Artifact
from genrecall.foundation.errors import DataError, RequestError
from genrecall.foundation.ragged import ragged_offsets

USERS_FILE: Final = "users.parquet"
CHOICES_FILE: Final = "choices.parquet"

HISTORY: Final = 200
"""Items of a shopper's history worth looking through, the latest; a generator may read fewer."""

Pair = tuple[str, str]
"""A field of a shopper's profile and its value, such as `("age_band", "25-34")`."""

_FIRST: Final = ("gender", "age_band")
"""Fields of a profile that stand before the attributes."""


Profile = Mapping[str, Any] | Iterable[Pair]
"""A value, or a list of values, by field; or pairs of field and value."""


@dataclass(frozen=True, init=False)
class Shopper:
    """One shopper; what is not known is empty.

    Args:
        profile: by field a text, a list of them, a number, a flag, or None for what is not known:
            `{"gender": "female", "city": ["Bonn", "Mainz"]}`. Or pairs of field and value.
        history: ids of what they chose before, oldest first; of an item that is given more than
            once, the last place counts.

    Attributes:
        profile: gender, age band, then the attributes by name, a pair for each value.
        history: as given, without blanks at the ends of an id, which the tables lose, too.

    Raises:
        RequestError: of another type.

    >>> Shopper({"member": True, "gender": "female"}, history=["i7", "i3"])
    Shopper(profile=(('gender', 'female'), ('member', 'true')), history=('i7', 'i3'))
    """

    profile: tuple[Pair, ...]
    history: tuple[ItemId, ...]

    def __init__(self, profile: Profile = (), history: Iterable[str] = ()) -> None:
        chosen = texts("history", history, such_as="['i1', 'i2']")
        object.__setattr__(self, "profile", _profile(profile))
        object.__setattr__(self, "history", tuple(ItemId(item.strip()) for item in chosen))

    @classmethod
    def of(cls, given: object) -> Shopper:
        """A shopper who is given as one, or as a mapping with `profile` and `history`.

        Raises:
            RequestError: it is neither.
        """
        if isinstance(given, Shopper):
            return given
        if not isinstance(given, Mapping):
            raise RequestError(
                f"{given!r} is no shopper, and a bundle knows nothing of single ones; give what is "
                "known: Shopper(profile={'gender': 'female'}, history=['i1', 'i2'])."
            )
        return cls(**known_names("field of a shopper", given, ("profile", "history")))


def _profile(given: object) -> tuple[Pair, ...]:
    """A profile in the order of `profile_pairs`; blank values tell nothing."""
    wrong = RequestError(
        f"profile={given!r} does not tell fields and their values; give a mapping, such as "
        "{'gender': 'female'}."
    )
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise wrong
    pairs: dict[Pair, None] = {}
    for entry in given.items() if isinstance(given, Mapping) else given:
        if not isinstance(entry, tuple | list) or len(entry) != 2 or not isinstance(entry[0], str):
            raise wrong
        for value in values_of(entry[1]):
            if (text := _profile_text(entry[0], value)).strip():
                pairs[entry[0], text] = None
    places = {field: place for place, field in enumerate(_FIRST)}
    return tuple(sorted(pairs, key=lambda pair: (places.get(pair[0], len(places)), pair)))


def _profile_text(field: str, value: object) -> str:
    """A value as the tables keep it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    raise RequestError(f"the profile's {field} is {value!r}; give a text, a number or a flag.")


class Shoppers:
    """All shoppers, to be looked up by `user_id`.

    Args:
        users: columns of `USERS`; None when nothing is known of anyone but their choices.
        choices: columns of `CHOICES`, sorted by user and time; None when there are none.
    """

    def __init__(self, users: pl.DataFrame | None, choices: pl.DataFrame | None) -> None:
        self.users = pl.DataFrame(schema=dict(USERS)) if users is None else users
        self.choices = pl.DataFrame(schema=dict(CHOICES)) if choices is None else choices

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.users["user_id"])

    @cached_property
    def _pairs(self) -> pl.DataFrame:
        return profile_pairs(self.users)

    @cached_property
    def _pairs_of(self) -> dict[str, tuple[int, int]]:
        return _spans(self._pairs["user_id"])

    @cached_property
    def _choices_of(self) -> dict[str, tuple[int, int]]:
        return _spans(self.choices["user_id"])

    def __len__(self) -> int:
        return len(self._known | self._choices_of.keys())

    def __contains__(self, user_id: object) -> bool:
        return user_id in self._known or user_id in self._choices_of

    def at(self, user_id: str, *, before: int | None = None, limit: int | None) -> Shopper:
        """What is known of a shopper at a time; of an unknown one, nothing.

        Args:
            user_id: who.
            before: only choices strictly before this time count; None for all.
            limit: most items of the history, the latest; None for no limit.
        """
        first, end = self._pairs_of.get(user_id, (0, 0))
        pairs = self._pairs[first:end]
        profile = zip(pairs["field"].to_list(), pairs["value"].to_list(), strict=True)
        first, end = self._choices_of.get(user_id, (0, 0))
        if before is not None:
            end = first + int(self.choices["time"][first:end].search_sorted(before, side="left"))
        latest_first = self.choices["item_id"][first:end].reverse().to_list()
        history = [ItemId(item) for item in dict.fromkeys(latest_first)][:limit]
        return Shopper(tuple(profile), tuple(reversed(history)))

    def write(self, folder: Path) -> None:
        """Write `users.parquet` and `choices.parquet`; a table without rows is left out."""
        for frame, name in ((self.users, USERS_FILE), (self.choices, CHOICES_FILE)):
            if frame.height:
                frame.write_parquet(folder / name, compression="zstd", statistics=True)

    @classmethod
    def load(cls, source: Artifact | Path) -> Shoppers:
        """Read what `write` wrote, from a folder or from the data stage's output.

        Raises:
            DataError: there is neither file, or one cannot be read.
        """
        folder = source.path if isinstance(source, Artifact) else source
        files = [folder / name for name in (USERS_FILE, CHOICES_FILE)]
        if not any(file.is_file() for file in files):
            raise DataError(
                f"{folder} tells of no shopper: it has neither {USERS_FILE} nor {CHOICES_FILE}. "
                "Give the folder `stages/data` of a run on searches with a `user_id`."
            )
        users, choices = (_read(file) for file in files)
        return cls(users, choices)


def _read(file: Path) -> pl.DataFrame | None:
    if not file.is_file():
        return None
    schema = USERS if file.name == USERS_FILE else CHOICES
    try:
        return pl.read_parquet(file).select(pl.col(n).cast(t) for n, t in schema.items())
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{file} cannot be read: {error}. Run the data stage again.") from error


def choices_of(searches: Searches, catalog: Catalog) -> pl.DataFrame:
    """Collect what shoppers chose, from all searches that tell who and when.

    Returns:
        Columns of `CHOICES`, sorted by user and time. The items of one search stand with the best
        last, so that a limit keeps it; one that was clicked and bought stands once.
    """
    chosen = long_choices(searches)
    item_ids = catalog.frame["item_id"].gather(chosen["row"])
    return chosen.select("user_id", "time", item_ids).sort("user_id", "time", maintain_order=True)


def long_choices(searches: Searches) -> pl.DataFrame:
    """One row `(user_id, time, row)` per relevant item of the searches that tell who and when.

    In the order of the searches; of one search the best last.
    """
    known = searches.frame.filter(
        pl.col("user_id").is_not_null(),
        pl.col("time").is_not_null(),
        pl.col("positives").list.len() > 0,
    )
    return known.select("user_id", "time", pl.col("positives").list.reverse().alias("row")).explode(
        "row"
    )


# --- profiles ------------------------------------------------------------------------------------


class Profiles(NamedTuple):
    """The profiles of `M` searches' shoppers.

    Attributes:
        pairs: int32 `[total]`, positions in `vocabulary`.
        offsets: int64 `[M+1]`; the pairs of search `i` are `pairs[offsets[i]:offsets[i + 1]]`.
        vocabulary: the distinct pairs that count, sorted.
        rare: how many others were left out because too few shoppers have them.
    """

    pairs: NDArray[np.int32]
    offsets: NDArray[np.int64]
    vocabulary: tuple[Pair, ...]
    rare: int


def profiles_of(users: pl.DataFrame | None, user_ids: pl.Series, *, least: int = 1) -> Profiles:
    """Profiles of many searches at once, pair by pair in the order of `Shopper.profile`.

    Args:
        users: columns of `USERS`.
        user_ids: who searched, `[M]`; null, or somebody unknown, has an empty profile.
        least: a pair counts if at least so many of those who searched have it.
    """
    known = pl.DataFrame(schema=dict(USERS)) if users is None else users
    pairs = profile_pairs(known.filter(pl.col("user_id").is_in(user_ids.unique().implode())))
    shoppers = pairs.group_by("field", "value").agg(pl.col("user_id").n_unique())
    common = shoppers.filter(pl.col("user_id") >= least).sort("field", "value")
    vocabulary = common.select("field", "value").rows()
    numbers = pl.DataFrame(
        vocabulary, schema={"field": pl.String(), "value": pl.String()}, orient="row"
    ).with_row_index("pair")
    of_user = (
        pairs.join(numbers, on=["field", "value"], maintain_order="left")
        .group_by("user_id", maintain_order=True)
        .agg("pair")
    )
    asked = pl.DataFrame({"user_id": user_ids.cast(pl.String)})
    lists = asked.join(of_user, on="user_id", how="left", maintain_order="left")["pair"]
    counts = lists.list.len().fill_null(0).to_numpy()
    flat = lists.explode(empty_as_null=False, keep_nulls=False).to_numpy().astype(np.int32)
    rare = shoppers.height - common.height
    return Profiles(flat, ragged_offsets(counts), tuple(vocabulary), rare=rare)


def profile_pairs(users: pl.DataFrame) -> pl.DataFrame:
    """One row `(user_id, field, value)` per known field, in the order of `Shopper.profile`.

    Blank values tell nothing and are left out.
    """
    numbered = users.with_row_index("user")
    fields = [
        numbered.select("user", "user_id", rank=pl.lit(rank), field=pl.lit(name), value=name)
        for rank, name in enumerate(_FIRST)
    ]
    attributes = (
        numbered.select("user", "user_id", "attributes")
        .explode("attributes")
        .unnest("attributes")
        .explode("value")
        .select("user", "user_id", rank=pl.lit(len(fields)), field="key", value="value")
        .sort("field", "value", maintain_order=True)
    )
    return (
        pl.concat([*fields, attributes])
        .filter(pl.col("value").str.strip_chars() != "")
        .unique(["user", "field", "value"], keep="first", maintain_order=True)
        .sort("user", "rank", maintain_order=True)
        .select("user_id", "field", "value")
    )


def _spans(keys: pl.Series) -> dict[str, tuple[int, int]]:
    """First and end position of each run of equal keys; equal keys stand together."""
    runs = keys.rle().struct.unnest()
    ends = runs["len"].cum_sum().cast(pl.Int64)
    starts = ends - runs["len"].cast(pl.Int64)
    return dict(zip(runs["value"], zip(starts, ends, strict=True), strict=True))
