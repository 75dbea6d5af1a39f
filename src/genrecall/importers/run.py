"""One import from beginning to end: an importer by name, its options, the folder it writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Protocol, cast

from genrecall.foundation.artifact import writing
from genrecall.foundation.errors import ConfigError, DataError, unknown_name
from genrecall.foundation.files import holds_something
from genrecall.foundation.progress import RunLog
from genrecall.importers import IMPORTERS, Option
from genrecall.importers.base import Tables

KIND: Final = "import"


class ImporterModule(Protocol):
    """A module of this folder."""

    LAYOUT: str

    def import_files(self, source: Path, tables: Tables) -> None:
        """Read `source`, a folder or a file, into `tables`."""


@dataclass(frozen=True)
class Imported:
    """What an import wrote.

    Attributes:
        folder: where the tables are.
        rows: rows of each table.
        rejects: how often each cause occurs, by file.
        notes: what the user should know about the tables.
        positive_from: relevance from which a judged item is a relevant item; None: the default.
    """

    folder: Path
    rows: Mapping[str, int]
    rejects: Mapping[str, Mapping[str, int]]
    notes: list[str]
    positive_from: float | None

    def init_options(self) -> list[str]:
        """Options of `genrecall init` for these tables; a catalog that was not there is ITEMS."""
        files = {"items": "ITEMS"} | {
            table: str(self.folder / f"{table}.parquet")
            for table in ("items", "searches", "users", "judgments")
            if table in self.rows
        }
        options = [word for table, file in files.items() for word in (f"--{table}", file)]
        if self.positive_from is not None:
            options += ["--positive-from", f"{self.positive_from:g}"]
        return options

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self) | {"folder": str(self.folder)}


def load_importer(name: str) -> ImporterModule:
    """Import the module of an importer.

    Raises:
        ConfigError: there is no importer of that name.
    """
    if name not in IMPORTERS:
        raise ConfigError(unknown_name("importer", name, IMPORTERS))
    return cast("ImporterModule", import_module(f"genrecall.importers.{name}"))


def import_data(
    name: str, source: Path, out: Path, *, log: RunLog, options: Mapping[str, str] | None = None
) -> Imported:
    """Read a publisher's files into tables at `out`, which appears whole or not at all.

    The folder holds a Parquet file per table, `rejects/<name>.jsonl` for each file with rejects,
    named like it without its ending, and a manifest.

    Args:
        name: an importer, see `IMPORTERS`.
        source: the publisher's folder, or file where the importer reads a single one.
        out: a folder that does not exist yet or is empty.
        log: where to report.
        options: the importer's options.

    Raises:
        ConfigError: an unknown importer or option, or `out` holds something.
        DataError: the source lacks a file or column, or holds no usable row.
    """
    module = load_importer(name)
    chosen = _options(name, module, options or {})
    if not source.exists():
        raise DataError(f"{source} does not exist. Expected:\n{module.LAYOUT}")
    if holds_something(out):
        raise ConfigError(
            f"{out} is not empty and is left as it is. Remove it, or give another --out."
        )
    meta: dict[str, object] = {"importer": name, "options": chosen}  # the rest when it is known
    with writing(out, kind=KIND, meta=meta) as folder:
        tables = Tables(source, module.LAYOUT, folder, log, options=chosen)
        module.import_files(source, tables)
        tables.finish()
        rejects = {file: dict(counts.most_common()) for file, counts in tables.rejects.items()}
        meta |= {"rows": dict(tables.counts), "rejects": rejects, "notes": tables.notes}
    return Imported(out, dict(tables.counts), rejects, tables.notes, tables.positive_from)


def describe_importers(name: str | None = None) -> list[str]:
    """Say what one importer expects, or what all do.

    Raises:
        ConfigError: there is no importer of that name.
    """
    lines = []
    for known in IMPORTERS if name is None else [name]:
        module = load_importer(known)
        lines += [f"{known}: {IMPORTERS[known]}", module.LAYOUT]
        for key, option in _known_options(module).items():
            allowed = f" ({', '.join(option.allowed)})" if option.allowed else ""
            default = f"={option.default}" if option.default else ""
            lines.append(f"  --option {key}{default}: {option.what}{allowed}")
        lines.append("")
    return [*lines, f"genrecall import {name or 'NAME'} SRC --out DIR"]


def describe_rejects(rejects: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Say which rows could not be used, a line for each file."""
    return [
        f"  {file}: {sum(causes.values()):,} rows rejected: "
        + ", ".join(f"{cause} ({rows:,})" for cause, rows in causes.items())
        for file, causes in rejects.items()
    ]


def _known_options(module: ImporterModule) -> Mapping[str, Option]:
    return cast("Mapping[str, Option]", getattr(module, "OPTIONS", {}))


def _options(name: str, module: ImporterModule, given: Mapping[str, str]) -> dict[str, str]:
    known = _known_options(module)
    for key, value in given.items():
        if key not in known:
            raise ConfigError(unknown_name(f"option of importer {name}", key, known))
        allowed = known[key].allowed
        if allowed and value not in allowed:
            raise ConfigError(unknown_name(f"value of option {key}", value, allowed))
    return {key: given.get(key, option.default) for key, option in known.items()}
