"""Tables of rows that name what matters; all other columns are empty."""

import polars as pl

from genrecall.data.tables import ITEMS, SEARCHES, Catalog, Searches


def catalog_of(rows):
    return Catalog(pl.DataFrame([dict.fromkeys(ITEMS) | row for row in rows], schema=ITEMS))


def searches_of(rows):
    rows = [dict.fromkeys(SEARCHES) | row for row in rows]
    return Searches(pl.DataFrame(rows, schema=SEARCHES))
