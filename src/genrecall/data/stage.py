"""The data stage: from the shop's files to checked, split tables."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, get_args

import polars as pl

from genrecall.artifact import Artifact, content_hash, file_hash, open_artifact, write_json, writing
from genrecall.data.config import DataConfig
from genrecall.data.rejects import count_causes, write_rejects
from genrecall.data.searches import (
    BuiltSearches,
    no_searches,
    searches_from_judgments,
    searches_from_log,
)
from genrecall.data.sequences import searches_from_sequences
from genrecall.data.shoppers import CHOICES_FILE, USERS_FILE, Shoppers, choices_of
from genrecall.data.tables import Catalog, Searches, SplitName
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
from genrecall.errors import DataError
from genrecall.progress import RunLog

KIND: Final = "data"

Summary = Mapping[str, Any]
"""Counts of one reading, as in `summary.json`:

- `tables`: for each table `rows`, `kept`, `rejected` and `causes` {cause: rows}.
- `searches`: how many in each split; `without_positives`: how many of them have no good item.
- `unknown_items`: `impressions`, `positives`, and `examples` of ids that the catalog lacks.
- `category_path_queries`, of sequences only: `levels` of the path that make a query, and how many
  choices `without_category` gave no search.
"""


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


def describe(summary: Summary) -> list[str]:
    """Say a summary in a few lines."""
    lines = []
    for name, table in summary["tables"].items():
        text = f"  {name}: {table['kept']:,} of {table['rows']:,} rows"
        if table["rejected"]:
            causes = ", ".join(f"{cause} ({n:,})" for cause, n in table["causes"].items())
            text += f"; {table['rejected']:,} rejected: {causes}"
        lines.append(text)
    searches, without = summary["searches"], summary["without_positives"]
    if any(searches.values()):
        splits = ", ".join(f"{n:,} {name}" for name, n in searches.items())
        lonely = sum(without.values())
        lines.append(f"  searches: {splits}; {lonely:,} of them without a good item")
        if searches["validation"] == without["validation"]:
            lines.append(
                "  no validation search has a good item, so quality cannot be measured: "
                "raise `split: validation`, or give more searches"
            )
    else:
        lines.append("  searches: none; everything is learned from the titles")
    if made := summary.get("category_path_queries"):
        lines.append(
            f"  the queries are category-path queries of {made['levels']} levels, never real ones; "
            "time is the position in a shopper's sequence"
        )
        if made["without_category"]:
            lines.append(
                f"  {made['without_category']:,} choices of items without a category give no search"
            )
    unknown = summary["unknown_items"]
    if unknown["examples"]:
        lines.append(
            f"  not in the catalog: {unknown['positives']:,} good items and "
            f"{unknown['impressions']:,} impressions, such as {', '.join(unknown['examples'])}"
        )
    return lines


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


def _summarize(
    reads: Mapping[str, TableRead], searches: BuiltSearches, config: DataConfig
) -> Summary:
    tables = {
        name: {
            "rows": read.rows,
            "kept": read.frame.height,
            "rejected": len(read.rejects),
            "causes": count_causes(read.rejects),
        }
        for name, read in reads.items()
    }
    lonely = searches.frame.filter(pl.col("positives").list.len() == 0)
    summary = {
        "tables": tables,
        "searches": _count_splits(searches.frame),
        "without_positives": _count_splits(lonely),
        "unknown_items": searches.unknown._asdict(),
    }
    if config.sequences:
        summary["category_path_queries"] = {
            "levels": config.sequences.query_levels,
            "without_category": searches.without_category,
        }
    return summary


def _count_splits(frame: pl.DataFrame) -> dict[str, int]:
    found = dict(frame.group_by("split").len().iter_rows())
    return {split: found.get(split, 0) for split in get_args(SplitName)}


def _write(frame: pl.DataFrame, path: Path) -> None:
    frame.write_parquet(path, compression="zstd", statistics=True)
