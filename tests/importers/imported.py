"""What the tests of importers share: files in a publisher's layout, and an import of them."""

import csv
import gzip
import io
import json

import polars as pl

from genrecall.foundation.progress import SilentLog
from genrecall.importers.run import import_data


class Import:
    """An import of `source` that went through."""

    def __init__(self, name, source, **options):
        out = source.parent / f"{source.name}-tables"
        self.done = import_data(name, source, out, log=SilentLog(), options=options)
        self.notes = self.done.notes

    def table(self, name):
        """Rows of a table as dicts, without the columns that are null throughout."""
        frame = pl.read_parquet(self.done.folder / f"{name}.parquet")
        known = [column for column in frame.columns if frame[column].null_count() < frame.height]
        return frame.select(known).to_dicts()

    @property
    def rejects(self):
        """(file, line, cause) of each reject."""
        return [(row["file"], row["line"], row["cause"]) for row in self.reject_rows]

    @property
    def reject_rows(self):
        files = sorted((self.done.folder / "rejects").glob("*.jsonl"))
        return [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]


def write(path, content):
    """Write text as UTF-8, or bytes; gzipped if the name says so."""
    data = content if isinstance(content, bytes) else content.encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def as_csv(*rows):
    """Rows as CSV text."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue()


def as_jsonl(*rows):
    """Rows as JSON lines."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def as_literals(*rows):
    """Rows as Python literals, one a line."""
    return "".join(repr(row) + "\n" for row in rows)


def cut(path, share=0.5):
    """Cut the end of a file off."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path
