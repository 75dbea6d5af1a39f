"""Group more rows than memory holds: rows with the same key meet in the same bucket on disk.

Rows come in any order. They are held until there are enough of them, then divided by the hash of
their key and written, a file for each bucket. Afterwards one bucket after the other is read, with
all rows of its keys. So memory holds one load of rows or one bucket, however many rows there are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import polars as pl

from genrecall.foundation.scratch import telling

BUCKET: Final = 64 << 20
"""Bytes of text whose rows should share a bucket; parsed and grouped they take about as much."""

LOAD: Final = 16 << 20
"""Bytes of rows that are held before they are written."""

_MOST: Final = 1024
"""Buckets beyond which the files become many and small."""

_UNZIPPED: Final = 12
"""How many times its size a gzipped log is taken to have as text."""


def bucket_count(files: list[Path], *, bucket: int = BUCKET) -> int:
    """How many buckets the rows of some text files need, gzipped or not.

    >>> bucket_count([])
    1
    """
    text = sum(
        file.stat().st_size * (_UNZIPPED if file.suffix.lower() == ".gz" else 1) for file in files
    )
    return min(_MOST, max(1, math.ceil(text / bucket)))


@contextmanager
def scratch_folder(beside: Path) -> Iterator[Path]:
    """Open a hidden folder in the folder `beside`, gone with all its files in the end."""
    beside.mkdir(parents=True, exist_ok=True)
    hidden = beside / ".buckets-"
    with (
        telling(beside, hidden),
        TemporaryDirectory(prefix=hidden.name, dir=beside) as folder,
    ):
        yield Path(folder)


class Buckets:
    """Rows divided by the hash of a key.

    Hashes and so the division are the same in every process of one version of Polars.

    Args:
        folder: where to write; one `Buckets` a folder. It is made when it is first needed.
        key: the column whose equal values must meet.
        schema: columns and types of the rows.
        count: how many buckets.
        load: bytes of rows that are held before they are written. With one bucket there is nothing
            to divide, and all rows are held.
    """

    def __init__(
        self,
        folder: Path,
        *,
        key: str,
        schema: Mapping[str, pl.DataType],
        count: int,
        load: int = LOAD,
    ) -> None:
        self._folder, self._key, self._schema = folder, key, schema
        self._load = load
        self._held: list[pl.DataFrame] = []
        self._held_bytes = 0
        self._files: list[list[Path]] = [[] for _ in range(count)]

    def __len__(self) -> int:
        return len(self._files)

    def add(self, rows: pl.DataFrame) -> None:
        """Add rows in the columns and types of the schema."""
        if rows.height == 0:
            return
        self._held.append(rows)
        self._held_bytes += int(rows.estimated_size())
        if self._held_bytes >= self._load and len(self) > 1:
            self._write()

    def take(self, bucket: int) -> pl.DataFrame:
        """All rows of one bucket, in the order in which they were added; its files are removed."""
        if len(self) == 1:
            rows, self._held, self._held_bytes = self._held, [], 0
        else:
            self._write()
            files, self._files[bucket] = self._files[bucket], []
            rows = []
            for file in files:
                rows.append(pl.read_ipc(file))
                file.unlink()
        return pl.concat([pl.DataFrame(schema=dict(self._schema)), *rows])

    def _write(self) -> None:
        """Divide the held rows and write them, a file for each bucket that gets some."""
        if not self._held:
            return
        rows = pl.concat(self._held)
        self._held, self._held_bytes = [], 0
        number = (pl.col(self._key).hash(seed=0) % len(self)).alias("_bucket")
        parts = rows.with_columns(number).partition_by("_bucket", as_dict=True, include_key=False)
        self._folder.mkdir(parents=True, exist_ok=True)
        for (bucket,), part in parts.items():
            files = self._files[int(bucket)]
            file = self._folder / f"{bucket:04}-{len(files):05}.arrow"
            part.write_ipc(file, compression="lz4")
            files.append(file)
