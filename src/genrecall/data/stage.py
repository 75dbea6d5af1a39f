"""The data stage: from the shop's files to checked, split tables."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import polars as pl

from genrecall.data.config import DataConfig
from genrecall.data.load import FURTHER_FILE, KIND, SUMMARY_FILE
from genrecall.data.parts import digest_parts
from genrecall.data.rows.rejects import write_rejects
from genrecall.data.searches import (
    BuiltSearches,
    log_split_by,
    no_searches,
    searches_from_judgments,
    searches_from_log,
)
from genrecall.data.sequences import searches_from_sequences
from genrecall.data.shoppers import Shoppers, choices_of
from genrecall.data.splits import further_queries, without_later_items
from genrecall.data.summary import Summary, describe_counts, describe_notes, summarize
from genrecall.data.tables import FURTHER, Catalog, Searches
from genrecall.data.validate import (
    ITEMS_SCHEMA,
    JUDGMENTS_SCHEMA,
    SEARCHES_SCHEMA,
    SEQUENCES_SCHEMA,
    TIMED_SEARCHES_SCHEMA,
    UNLABELLED_SCHEMA,
    USERS_SCHEMA,
    TableRead,
    read_table,
)
from genrecall.foundation.artifact import Artifact, open_artifact, writing
from genrecall.foundation.files import write_json
from genrecall.foundation.work import Work


class _Shop(NamedTuple):
    reads: dict[str, TableRead]
    searches: BuiltSearches
    shoppers: Shoppers
    further: pl.DataFrame
    summary: Summary


def run(config: DataConfig, work: Work) -> Artifact:
    """Read, check and split the shop's tables, and publish them at `work.out`.

    The folder holds `items.parquet`, `searches.parquet`, `users.parquet` if there are users,
    `choices.parquet` if searches tell who chose what and when, `unlabelled.parquet` if there are
    queries beside the searches, `summary.json` and `rejects/<table>.jsonl` for each table with
    rejects. Equal files and config give equal bytes.

    The manifest's `parts` hold the hash of each of `PARTS`, some of which later stages read, so
    that a new price trains nothing.

    Raises:
        ConfigError: a mapping names a column that a table does not have.
        DataError: a table cannot be used; see `read_table` and the functions of `searches`.
    """
    shop = _read(config)
    items, searches = shop.reads["items"].frame, shop.searches.frame
    meta = {"parts": digest_parts(items, searches, shop.shoppers.users, shop.further)}
    with writing(work.out, kind=KIND, inputs=work.inputs, meta=meta) as folder:
        _write(items, folder / "items.parquet")
        _write(_stored(searches), folder / "searches.parquet")
        shop.shoppers.write(folder)
        if len(shop.further):
            _write(shop.further, folder / FURTHER_FILE)
        for name, read in shop.reads.items():
            if read.rejects:
                write_rejects(read.rejects, folder / "rejects" / f"{name}.jsonl", file=read.file)
        write_json(folder / SUMMARY_FILE, shop.summary)
    for line in describe_counts(shop.summary):
        work.log.say(line)
    for note in describe_notes(shop.summary):
        work.log.note(note)
    work.log.event("data", **shop.summary)
    return open_artifact(work.out, kind=KIND)


def validate(config: DataConfig) -> Summary:
    """Read and check everything as `run` does, and write nothing.

    Raises:
        ConfigError, DataError: as `run` does.
    """
    return _read(config).summary


def _read(config: DataConfig) -> _Shop:
    schemas = {
        "searches": SEARCHES_SCHEMA,
        "users": USERS_SCHEMA,
        "judgments": JUDGMENTS_SCHEMA,
        "sequences": SEQUENCES_SCHEMA,
        "unlabelled": UNLABELLED_SCHEMA,
    }
    sources = config.sources
    reads = {
        "items": read_table(sources.pop("items"), ITEMS_SCHEMA, max_rejects=config.max_rejects)
    }
    catalog = Catalog(reads["items"].frame)
    for name, source in sources.items():
        reads[name] = read_table(
            source,
            schemas[name],
            max_rejects=config.max_rejects,
            catalog=catalog,
            items=config.items,
        )
    if "searches" in reads:
        reads["searches"] = _with_times(reads["searches"], config, catalog)
        searches = searches_from_log(reads["searches"], catalog, config)
    elif "judgments" in reads:
        searches = searches_from_judgments(reads["judgments"], catalog, config)
    elif config.sequences:
        levels = config.sequences.query_levels
        searches = searches_from_sequences(reads["sequences"], catalog, levels=levels)
    else:
        searches = no_searches()
    if config.split.disjoint_items:
        searches = searches._replace(frame=without_later_items(searches.frame))
    users = reads["users"].frame if "users" in reads else None
    shoppers = Shoppers(users, choices_of(Searches(searches.frame), catalog))
    queries = reads["unlabelled"].frame["query"].to_list() if "unlabelled" in reads else []
    found = further_queries(queries, searches.frame["query"])
    further = pl.DataFrame({"further_query": found}, schema=dict(FURTHER))
    return _Shop(reads, searches, shoppers, further, summarize(reads, searches, further, config))


def _with_times(read: TableRead, config: DataConfig, catalog: Catalog) -> TableRead:
    """The log, read again where it is split by time and searches without one are to be rejected."""
    by_time = log_split_by(read.frame, config.split) == "time"
    if not by_time or not (read.frame.height == 0 or read.frame["timestamp"].null_count()):
        return read
    source = config.sources["searches"]
    return read_table(
        source,
        TIMED_SEARCHES_SCHEMA,
        max_rejects=config.max_rejects,
        catalog=catalog,
        items=config.items,
    )


def _stored(searches: pl.DataFrame) -> pl.DataFrame:
    """The searches as they are kept: a log without filters has no column for them."""
    return searches.drop("filters") if searches["filters"].is_null().all() else searches


def _write(frame: pl.DataFrame, path: Path) -> None:
    frame.write_parquet(path, compression="zstd", statistics=True)
