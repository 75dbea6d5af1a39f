"""What each shopper had chosen by the time of each search, cut for many searches at once.

A history may hold nothing that its search could not know: see `histories_of`. `check_histories`
refuses one that does. Shapes: `M` searches.
"""

from __future__ import annotations

import itertools
from typing import Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genrecall.data.shop_data import ShopData
from genrecall.data.shoppers import Shopper, Shoppers, long_choices
from genrecall.data.tables import Rows, Searches, SplitName
from genrecall.foundation.errors import DataError
from genrecall.foundation.ragged import ragged_offsets, ragged_owners, ragged_ranges, rank_in_run

VISIBLE: Final[dict[SplitName, tuple[SplitName, ...]]] = {
    "train": ("train",),
    "validation": ("train", "validation"),
    "test": ("train", "validation", "test"),
}
"""The splits whose choices a search of each split may see."""

_BLOCK: Final = 1 << 22
"""Choices looked at in one go: bounds the memory."""

_Index = NDArray[np.int64]


class Histories(NamedTuple):
    """The histories of `M` searches, one behind the other.

    Attributes:
        rows: int32 `[total]`, catalog rows, oldest first.
        times: int64 `[total]`, when each was chosen.
        offsets: int64 `[M+1]`; the history of search `i` is `rows[offsets[i]:offsets[i + 1]]`.
    """

    rows: Rows
    times: _Index
    offsets: _Index


def histories_of(searches: Searches, split: SplitName, *, limit: int) -> Histories:
    """Histories of the searches of a split, aligned with `searches.of(split)`.

    The rule of visibility: only choices strictly before the search's own time are seen. A training
    search sees those of training searches, a validation search those of training and validation,
    a test search all; so training learns nothing of what it is measured on.

    Args:
        searches: of all splits.
        split: whose histories.
        limit: most items of a history, the latest.
    """
    visible = searches.frame.filter(pl.col("split").is_in(VISIBLE[split]))
    return cut_histories(searches.of(split), visible=Searches(visible), limit=limit)


def cut_histories(searches: Searches, *, visible: Searches, limit: int) -> Histories:
    """For each search what its shopper chose before, in `visible` searches.

    Choices are the positives of searches that tell who and when. Those at the search's own time are
    out, so a search never sees itself. An item chosen several times stands once, where it was
    chosen last; of one search the best item stands last.

    Args:
        searches: whose histories; one without user or time has an empty one.
        visible: where choices are taken from.
        limit: most items of a history, the latest.
    """
    events = long_choices(visible)
    user, event_user = _codes(searches.frame["user_id"], events["user_id"])
    time, event_time = _codes(searches.frame["time"], events["time"])
    span = 1 + max(int(time.max(initial=0)), int(event_time.max(initial=0)))
    order = np.argsort(event_user * span + event_time, kind="stable")
    keys = (event_user * span + event_time)[order]
    # The choices that a search may see are the events `begins` to `ends`. One without a time has
    # code -1, and so has one without a user: nothing lies before it.
    begins = np.searchsorted(keys, user * span)
    ends = np.searchsorted(keys, user * span + np.maximum(time, 0))
    rows = events["row"].to_numpy()[order].astype(np.int32)
    search, event = _latest(begins, ends, _next_same(event_user[order], rows), limit=limit)
    counts = np.bincount(search, minlength=len(searches))
    times = events["time"].to_numpy()[order][event]
    return Histories(rows[event], times, ragged_offsets(counts))


def shoppers_at(
    shop: ShopData, searches: Searches, split: SplitName, *, length: int
) -> list[Shopper]:
    """Who made each of some searches of a split, as known when it was made.

    Args:
        shop: the searches that histories are cut from, and who made them.
        searches: `M` of that split.
        split: of them.
        length: most items of a history, the latest.

    Raises:
        DataError: a history holds what its search could not know.
    """
    visible = Searches(shop.searches.frame.filter(pl.col("split").is_in(VISIBLE[split])))
    histories = cut_histories(searches, visible=visible, limit=length)
    check_histories(histories, searches.frame["time"])
    known = Shoppers(shop.users, None)
    ids, rows = shop.catalog.item_ids, histories.rows.tolist()
    users = searches.frame["user_id"]
    profiles = {
        user: known.at(user, limit=0).profile for user in users.drop_nulls().unique().to_list()
    }
    return [
        Shopper(profiles.get(user, ()), tuple(ids[row] for row in rows[first:end]))
        for user, (first, end) in zip(
            users, itertools.pairwise(histories.offsets.tolist()), strict=True
        )
    ]


def check_histories(histories: Histories, times: _Index | pl.Series) -> None:
    """Refuse histories that know what their searches cannot know.

    Args:
        histories: of `M` searches.
        times: when each was made, `[M]`; null for not known.

    Raises:
        DataError: a history holds a choice at or after its search's own time, or that of a search
            without a time holds any; the first such search is named by its position.
    """
    given = times if isinstance(times, pl.Series) else pl.Series(times)
    counts = np.diff(histories.offsets)
    if len(given) != len(counts):
        raise DataError(
            f"{len(counts):,} histories for {len(given):,} searches; cut them for these searches."
        )
    search = ragged_owners(counts)
    # A search without a time could not tell what came before it.
    own = given.cast(pl.Int64).fill_null(np.iinfo(np.int64).min).to_numpy()
    leaks = np.flatnonzero(histories.times >= own[search])
    if len(leaks):
        first = int(search[leaks[0]])
        raise DataError(
            f"leak: the history of search {first:,} (time {given[first]}) holds a choice of time "
            f"{histories.times[leaks[0]]}; a history ends before its search. Cut the histories "
            "with `cut_histories`."
        )


def _codes(ours: pl.Series, theirs: pl.Series) -> tuple[_Index, _Index]:
    """Number the values of both in their order, null as -1."""
    ranks = pl.concat([ours, theirs]).rank("dense").cast(pl.Int64).fill_null(0).to_numpy() - 1
    return ranks[: len(ours)], ranks[len(ours) :]


def _next_same(user: _Index, rows: Rows) -> _Index:
    """Position of the same shopper's next choice of the same item; beyond the end for none."""
    order = np.lexsort((rows, user))  # stable: equal ones stay in time order
    same = (user[order][1:] == user[order][:-1]) & (rows[order][1:] == rows[order][:-1])
    following = np.full(len(rows), len(rows), dtype=np.int64)
    following[order[:-1][same]] = order[1:][same]
    return following


def _latest(
    begins: _Index, ends: _Index, following: _Index, *, limit: int
) -> tuple[_Index, _Index]:
    """The last `limit` events of each search that do not occur again before its end.

    Looks at the last `limit` events first, and at twice as many where repetitions leave too few.

    Returns:
        `(search, event)`, by search and event.
    """
    found = [np.empty((2, 0), dtype=np.int64)]
    waiting, window = np.flatnonzero(ends > begins) if limit else np.empty(0, dtype=np.int64), limit
    while len(waiting):
        short = []
        for part in np.array_split(waiting, -(-len(waiting) * window // _BLOCK)):
            starts = np.maximum(begins[part], ends[part] - window)
            lengths = ends[part] - starts
            place, event = ragged_owners(lengths), ragged_ranges(starts, lengths)
            kept = following[event] >= ends[part][place]
            place, event = place[kept], event[kept]
            counts = np.bincount(place, minlength=len(part))
            done = (counts >= limit) | (starts == begins[part])
            from_end = counts[place] - rank_in_run(place)
            chosen = done[place] & (from_end <= limit)
            found.append(np.stack([part[place[chosen]], event[chosen]]))
            short.append(part[~done])
        waiting, window = np.concatenate(short), 2 * window
    search, event = np.concatenate(found, axis=1)
    order = np.argsort(search, kind="stable")
    return search[order], event[order]
