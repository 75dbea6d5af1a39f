"""The data stage: from the shop's files to checked, split tables."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl

from genrecall.data.config import DataConfig
from genrecall.data.rejects import write_rejects
from genrecall.data.searches import (
    BuiltSearches,
    no_searches,
    searches_from_judgments,
    searches_from_log,
)
from genrecall.data.sequences import searches_from_sequences
from genrecall.data.shoppers import CHOICES_FILE, USERS_FILE, Shoppers, choices_of
from genrecall.data.summary import Summary, _summarize, describe
from genrecall.data.tables import Catalog, Searches
from genrecall.data.validate import (
    ITEMS_SCHEMA,
    JUDGMENTS_SCHEMA,
    SEARCHES_SCHEMA,
    SEQUENCES_SCHEMA,
    TIMED_SEARCHES_SCHEMA,
    USERS_SCHEMA,
    TableRead,
    read_table,
)
from genrecall.foundation.artifact import (
    Artifact,
    content_hash,
    file_hash,
    open_artifact,
    write_json,
    writing,
)
from genrecall.foundation.errors import DataError
from genrecall.foundation.progress import RunLog

KIND: Final = "data"


class _Shop(NamedTuple):
    reads: dict[str, TableRead]
    searches: BuiltSearches
    shoppers: Shoppers
    summary: Summary


def run(config: DataConfig, out: Path, log: RunLog, *, inputs: str | None = None) -> Artifact:
    """Read, check and split the shop's tables, and publish them at `out`.

    The folder holds `items.parquet`, `searches.parquet`, `users.parquet` if there are users,
    `choices.parquet` if searches tell who chose what and when, `summary.json` and
    `rejects/<table>.jsonl` for each table with rejects. Equal files and config give equal bytes.

    The manifest's `parts` hold a hash of what later stages read, `titles`, `categories`, `training`
    searches and `shoppers`, so that a new price trains nothing. Its `inputs` are those given, by
    default `input_hash`.

    Raises:
        ConfigError: a mapping names a column that a table does not have.
        DataError: a table cannot be used; see `read_table` and the functions of `searches`.
    """
    shop = _read(config)
    items, searches = shop.reads["items"].frame, shop.searches.frame
    meta = {"parts": _digest_parts(items, searches, shop.shoppers.users)}
    with writing(out, kind=KIND, inputs=inputs or input_hash(config), meta=meta) as folder:
        _write(items, folder / "items.parquet")
        _write(searches, folder / "searches.parquet")
        shop.shoppers.write(folder)
        for name, read in shop.reads.items():
            if read.rejects:
                write_rejects(read.rejects, folder / "rejects" / f"{name}.jsonl", file=read.file)
        write_json(folder / "summary.json", shop.summary)
    for line in describe(shop.summary):
        log.say(line)
    log.event("data", **shop.summary)
    return open_artifact(out, kind=KIND)


def _digest_parts(
    items: pl.DataFrame, searches: pl.DataFrame, users: pl.DataFrame
) -> dict[str, str]:
    train = searches.filter(pl.col("split") == "train")
    parts = {
        "titles": items.select("item_id", "title"),
        "categories": items.select("category"),
        "training": train.select("query", "positives", "gains"),
    }
    chosen = train.select("user_id", "time", "positives")
    shoppers = content_hash([_digest(chosen), _digest(users)])
    return {name: _digest(frame) for name, frame in parts.items()} | {"shoppers": shoppers}


def _digest(frame: pl.DataFrame) -> str:
    stream = io.BytesIO()
    frame.rechunk().write_ipc(stream, compression="uncompressed")
    return hashlib.sha256(stream.getbuffer()).hexdigest()


def load(artifact: Artifact) -> tuple[Catalog, Searches]:
    """Read back what `run` wrote."""
    items = pl.read_parquet(artifact.file("items.parquet"))
    return Catalog(items), Searches(pl.read_parquet(artifact.file("searches.parquet")))


def load_shoppers(artifact: Artifact) -> Shoppers | None:
    """Read back what `run` wrote about shoppers; None if the shop knows nothing of them."""
    known = {USERS_FILE, CHOICES_FILE} & artifact.files.keys()
    return Shoppers.load(artifact) if known else None


def validate(config: DataConfig) -> Summary:
    """Read and check everything as `run` does, and write nothing.

    Raises:
        ConfigError, DataError: as `run` does.
    """
    return _read(config).summary


def source_hashes(config: DataConfig) -> dict[str, str]:
    """SHA-256 of each table's file, by the table's name.

    Raises:
        DataError: a file is missing.
    """
    for name, source in config.sources.items():
        if not source.file.is_file():
            raise DataError(f"{source.file} does not exist. Correct `{name}: file` in the config.")
    return {name: file_hash(source.file) for name, source in config.sources.items()}


def input_hash(config: DataConfig) -> str:
    """Hash of everything that decides what `run` writes: the config and the files' bytes.

    Where the files lie does not count, so that a shop can be moved.
    """
    settings = config.model_dump(mode="json")
    for name, source in config.sources.items():
        settings[name] |= {"file": source.file.name, "format": source.kind}
    return content_hash({"config": settings, "sources": source_hashes(config)})


def _read(config: DataConfig) -> _Shop:
    log_schema = TIMED_SEARCHES_SCHEMA if config.split.by == "time" else SEARCHES_SCHEMA
    schemas = {
        "items": ITEMS_SCHEMA,
        "searches": log_schema,
        "users": USERS_SCHEMA,
        "judgments": JUDGMENTS_SCHEMA,
        "sequences": SEQUENCES_SCHEMA,
    }
    reads = {
        name: read_table(source, schemas[name], max_rejects=config.max_rejects)
        for name, source in config.sources.items()
    }
    catalog = Catalog(reads["items"].frame)
    if "searches" in reads:
        searches = searches_from_log(reads["searches"], catalog, config)
    elif "judgments" in reads:
        searches = searches_from_judgments(reads["judgments"], catalog, config)
    elif config.sequences:
        levels = config.sequences.query_levels
        searches = searches_from_sequences(reads["sequences"], catalog, levels=levels)
    else:
        searches = no_searches()
    users = reads["users"].frame if "users" in reads else None
    shoppers = Shoppers(users, choices_of(Searches(searches.frame), catalog))
    return _Shop(reads, searches, shoppers, _summarize(reads, searches, config))


def _write(frame: pl.DataFrame, path: Path) -> None:
    frame.write_parquet(path, compression="zstd", statistics=True)
