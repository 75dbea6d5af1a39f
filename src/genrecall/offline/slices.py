"""Slices of the measured searches and items, and the units that intervals are over."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from genrecall.channels.base import Ranking
from genrecall.data.shop_data import ShopData
from genrecall.data.tables import Catalog, Rows, Searches
from genrecall.evaluate.bootstrap import QUERIES, SHOPPERS, Units
from genrecall.evaluate.slices import Masks, frequency_slices
from genrecall.queries.reader import QueryReader
from genrecall.text.normalize import query_keys


def bootstrap_units(shop: ShopData, measured: Searches) -> Units:
    """Of which the searches are drawn: intervals and folds are over these.

    They are queries, whose searches get one answer. Category-path queries are few and nobody typed
    them: there they are shoppers.
    """
    if shop.category_paths:
        return Units(SHOPPERS, measured.frame["user_id"].to_list())
    return Units(QUERIES, query_keys(measured.queries))


def query_slices(keys: Sequence[str], searches: Searches) -> Masks:
    """Slices of measured searches by how often their query was searched in training.

    Args:
        keys: of their queries.
        searches: of all splits.
    """
    train = searches.frame.filter(searches.frame["split"] == "train")["query"].to_list()
    return frequency_slices(keys, query_keys(train))


def search_slices(keys: Sequence[str], measured: Searches, searches: Searches) -> Masks:
    """Slices of measured searches: those by frequency, and with and without filters.

    The latter two are there where some of the searches have filters and some have none.

    Args:
        keys: of the measured queries.
        measured: `M` searches.
        searches: of all splits.
    """
    slices = query_slices(keys, searches)
    filtered = measured.frame["filters"].is_not_null().to_numpy()
    if filtered.all() or not filtered.any():
        return slices
    return {**slices, "with_filters": filtered, "without_filters": ~filtered}


def hard_slices(measured: Searches, reader: QueryReader, lexical: Sequence[Ranking]) -> Masks:
    """Slices of measured searches that are hard for words: each is there if it holds some, not all.

    `corrected` are those whose query is read otherwise than it was typed, `missed_by_bm25` those of
    which BM25 finds no relevant item at all; its own figures there are 0 by definition.

    Args:
        measured: `M` searches.
        reader: what is done with queries.
        lexical: answers of BM25.
    """
    read = [bool(reader.read(query).changes) for query in measured.queries]
    missed = [
        not np.isin(ranking.rows, positives).any()
        for ranking, positives in zip(lexical, measured.positives, strict=True)
    ]
    slices = {
        "corrected": np.array(read, dtype=np.bool_),
        "missed_by_bm25": np.array(missed, dtype=np.bool_),
    }
    return {name: mask for name, mask in slices.items() if mask.any() and not mask.all()}


def item_slices(catalog: Catalog, searches: Searches) -> dict[str, Rows]:
    """Parts of the items, by what training saw of them.

    `new_items` are dated after the last training search and were never shown or chosen in training;
    a date alone does not tell, since a new price may set it, too. Where items have no dates but
    searches are in order, as in sequences, `cold_items` were never shown or chosen in training, and
    `known_items` are the others.
    """
    train = searches.frame.filter(searches.frame["split"] == "train")
    last = train["time"].max()
    if not isinstance(last, int):
        return {}
    unseen = np.ones(len(catalog), dtype=np.bool_)
    for column in ("impressions", "positives"):
        unseen[train[column].explode().drop_nulls().unique().to_numpy()] = False
    entered = catalog.frame["updated_at"]
    if entered.null_count() == len(entered):
        found = {"cold_items": unseen, "known_items": ~unseen}
    else:
        found = {"new_items": unseen & (entered > last).fill_null(False).to_numpy()}
    return {name: np.flatnonzero(mask).astype(np.int32) for name, mask in found.items()}
