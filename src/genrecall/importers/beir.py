"""A data set in the layout of BEIR: documents become items, qrels become judgments.

Thakur et al. 2021 (arXiv:2104.08663). A document without a title is named by the start of its text.
The publisher's splits come together; queries are split as the config says.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import polars as pl

from genrecall.data.rows.lines import Dialect
from genrecall.data.validate import TableSchema
from genrecall.data.values.convert import Column, shorten
from genrecall.importers.base import Tables

LAYOUT: Final = """\
  one unzipped data set of https://github.com/beir-cellar/beir
    corpus.jsonl     _id, title, text
    queries.jsonl    _id, text
    qrels/*.tsv      query-id, corpus-id, score: with this header, divided by tabs
  The files may be gzipped."""

_QUERIES: Final = TableSchema(
    "queries.jsonl",
    {"_id": pl.String(), "text": pl.String()},
    required=("_id", "text"),
    unique="_id",
)
_TABS: Final = Dialect(separator="\t")
_TITLE: Final = 200
"""Characters of a text that stand for a missing title, at most."""


def import_files(source: Path, tables: Tables) -> None:
    """Read the data set's folder `source` into `items` and `judgments`."""
    corpus, queries = tables.find(source / "corpus.jsonl"), tables.find(source / "queries.jsonl")
    qrels = sorted(file for kind in ("*.tsv", "*.tsv.gz") for file in (source / "qrels").glob(kind))
    if not qrels:
        raise tables.missing("qrels/*.tsv")
    _read_corpus(tables, corpus)
    texts: dict[str, str] = {}
    for rows in tables.rows(queries, _QUERIES):
        texts.update(rows.iter_rows())
    for file in qrels:
        _read_qrels(tables, file, texts, queries.name)
    tables.notes.append("the publisher's splits come together; the config says how to split")


def _read_corpus(tables: Tables, file: Path) -> None:
    for chunk in tables.read(file, wanted=("_id", "title", "text"), needed=("_id",)):
        columns: dict[str, Column] = {
            "item_id": chunk.columns["_id"],
            "title": [
                _title(title, text)
                for title, text in zip(chunk.columns["title"], chunk.columns["text"], strict=True)
            ],
        }
        tables.take("items", file, chunk._replace(columns=columns))


def _title(title: object, text: object) -> object:
    """The title, or the start of the text up to a word's end.

    >>> _title("", "soft  scarf")
    'soft scarf'
    """
    if title is not None and str(title).strip():
        return title
    if not isinstance(text, str):
        return None
    words = " ".join(text.split())
    return words if len(words) <= _TITLE else words[: _TITLE + 1].rsplit(" ", 1)[0][:_TITLE]


def _read_qrels(tables: Tables, file: Path, texts: dict[str, str], queries: str) -> None:
    wanted = ("query-id", "corpus-id", "score")
    for chunk in tables.read(file, wanted=wanted, needed=wanted, dialect=_TABS, kind="csv"):
        ids = chunk.columns["query-id"]
        unknown = {
            row: (f"query-id is not in {queries}", shorten(query))
            for row, query in enumerate(ids)
            if query not in texts
        }
        known = tables.drop(file, chunk, unknown)
        columns: dict[str, Column] = {
            "query": [texts[str(query)] for query in known.columns["query-id"]],
            "item_id": known.columns["corpus-id"],
            "relevance": known.columns["score"],
        }
        tables.take("judgments", file, known._replace(columns=columns))
