"""The data section of a config: where the tables are, their columns, how to split."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal, get_args

from pydantic import Field, field_validator, model_validator

from genrecall.data.category_queries import LEVELS
from genrecall.data.values.dialect import TableDialect
from genrecall.foundation.artifact import Json
from genrecall.foundation.settings import InputFile, Section

Format = Literal["parquet", "csv", "jsonl"]

_ENDINGS: Final[dict[str, Format]] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
}

_RELEVANT_ITEMS: Final = ("searches", "judgments", "sequences")
"""Tables that say what is relevant to a search."""


class TableSource(Section):
    """One table of the shop: a file and what our columns are called in it."""

    file: InputFile
    """The table's file. CSV and JSONL may be gzipped, which is seen by their first bytes. CSV has a
    header line, and quotes doubled inside quotes."""

    format: Format | None = None
    """`parquet`, `csv` or `jsonl` (one JSON object a line, or all of them in one JSON array or
    answer of OpenSearch); None: by the ending of the file."""

    dialect: TableDialect = TableDialect()
    """How its text, numbers, times and words are written."""

    first_row_of: str | None = Field(None, min_length=1)
    """Their column: of rows that follow one another with the same value in it, only the first is
    read. For exports in which variants and pictures of a product are rows of their own, such as
    Shopify's with `Handle`. None: every row is read."""

    columns: dict[str, str | dict[str, str] | None] = Field(default_factory=dict)
    """Our column: their column. A column that has our name already needs no entry; null keeps it
    from being read. Other columns are not read. `attributes` may be gathered from several
    columns: `attributes: {color: colour, material: mat}`."""

    @field_validator("columns", mode="before")
    @classmethod
    def _none_given(cls, columns: object) -> object:
        """`columns:` with nothing under it maps nothing."""
        return {} if columns is None else columns

    @model_validator(mode="after")
    def _check(self) -> TableSource:
        if self.format is None and self._ending not in _ENDINGS:
            raise ValueError(
                f"the ending of {self.file.name!r} does not say its format; known endings: "
                f"{', '.join(_ENDINGS)}, and .gz behind them. Set `format` to one of "
                f"{', '.join(get_args(Format))}."
            )
        for ours, theirs in self.columns.items():
            if isinstance(theirs, dict) and ours != "attributes":
                raise ValueError(
                    f"column {ours!r} is mapped to several columns; only `attributes` may be. "
                    f"Give one name, for example `{ours}: {next(iter(theirs.values()), 'name')}`."
                )
        return self

    @property
    def _ending(self) -> str:
        name = self.file.name.lower().removesuffix(".gz")
        return Path(name).suffix

    @property
    def separator(self) -> str:
        """Between the fields of CSV."""
        return self.dialect.separator or ("\t" if self._ending == ".tsv" else ",")

    @property
    def kind(self) -> Format:
        """The format, given or guessed."""
        return self.format or _ENDINGS[self._ending]


class SequenceSource(TableSource):
    """What shoppers chose, for data without queries.

    Each choice becomes a search whose query is made of its item's category: a *category-path
    query* (after Van Gysel et al. 2016 and Ai et al. 2017). Call results on them so, and never
    results on real queries.
    """

    query_levels: int = Field(LEVELS, ge=1)
    """Levels of the category path, from the root, whose words make the query. The cited works take
    the whole path, which gives the first SID level away."""


class Gains(Section):
    """How relevant an item is that a shopper chose, in any unit: only the ratio counts."""

    click: float = Field(1.0, gt=0)
    """Gain of a clicked item."""

    purchase: float = Field(2.0, gt=0)
    """Gain of a purchased item, clicked or not. The paper rewards both alike (1.0); a purchase is
    the rarer and surer sign, so ours counts twice in graded measures."""


class SplitConfig(Section):
    """Which searches train the models, which choose among them, and which are kept for the end.

    Not for `sequences`, which are split shopper by shopper.
    """

    by: Literal["query", "time"] | None = None
    """`time`: the latest searches are the test, those before them the validation, so that what is
    measured is the future of what was learned. `query`: all searches of one query fall in one
    split, so that validation and test hold unseen queries; queries are one where the models read
    the same words. None: `time` where the log has times, else `query`. Split by query, a log with
    times teaches what the shoppers of the measured searches did later, and the run says so."""

    validation: float = Field(0.1, ge=0, lt=1)
    """Share of the queries (or of the searches, by time) in the validation split."""

    test: float = Field(0.1, ge=0, lt=1)
    """Share in the test split."""

    seed: int = 0
    """Another seed gives another split by query; a split by time does not use it."""

    disjoint_items: bool = False
    """Whether training does not learn that an item was chosen if it is relevant in validation or
    test. Where few items are ever chosen, which ones is much of what a log teaches; with this it
    cannot help, and what is measured is how well queries are read. Shown items stay."""

    @model_validator(mode="after")
    def _check(self) -> SplitConfig:
        if self.validation + self.test >= 1:
            raise ValueError(
                f"validation {self.validation} and test {self.test} leave nothing to train on; "
                "together they must stay below 1."
            )
        return self


class DataConfig(Section):
    """The shop's tables and how they become training data.

    A shop has a search log, or judgments, or sequences, or none of these: then everything is
    learned from its titles.
    """

    items: TableSource
    """The catalog: `item_id`, `title`, and if known `category`, `brand`, `attributes`, `price`,
    `score`, `available`, `group_id`, `updated_at`."""

    searches: TableSource | None = None
    """The search log, a row a search: `query`, `clicks`, `purchases`, and if known `search_id`
    (else made from the line number), `timestamp`, `user_id`, `impressions`,
    `filters` (what the shopper had filtered by), `impression_channels`, `variant`."""

    users: TableSource | None = None
    """The shoppers: `user_id`, and if known `gender`, `age_band`, `attributes`."""

    judgments: TableSource | None = None
    """For data without a log: `query`, `item_id`, `relevance`."""

    sequences: SequenceSource | None = None
    """For data that tells what shoppers chose but not what they searched for: `user_id`, `items`
    (what they chose, in time order), and if known `held_out` (what they chose after that). A
    choice's time is its position in the sequence, an ordinal, and its gain is 1. Of `items` the
    last one, if there are several, is in the validation split and the others in training;
    `held_out` is the test split."""

    unlabelled: TableSource | None = None
    """Further queries of shoppers, `query`, of which nobody knows what is relevant to them: the
    generator learns from what the views find for them. Those that the other tables have are left
    out, so that no query of validation or test is learned from."""

    positive_from: float = 1.0
    """Relevance from which a judged item is a relevant item to its query, on the scale of the
    judgments. Several judgments of a pair are averaged first."""

    gains: Gains = Gains()
    """What a click and a purchase are worth."""

    split: SplitConfig = SplitConfig()
    """How searches are divided into train, validation and test."""

    max_rejects: float = Field(0.2, ge=0, le=1)
    """Share of a table's rows that may be unreadable. Above it the mapping or the file is taken to
    be wrong, and the run stops."""

    @model_validator(mode="after")
    def _check(self) -> DataConfig:
        given = [name for name in _RELEVANT_ITEMS if getattr(self, name)]
        if len(given) > 1:
            raise ValueError(
                f"{' and '.join(f'`{name}`' for name in given)} are given; relevant items come "
                "from one of these tables. Leave the others out."
            )
        if self.judgments and self.split.by == "time":
            raise ValueError("judgments have no time to split by. Set `split: {by: query}`.")
        if self.sequences and self.split != SplitConfig():
            raise ValueError(
                "`split` does not apply to `sequences`: the last of a shopper's `items` is the "
                "validation, `held_out` the test. Leave `split` out."
            )
        return self

    def content(self) -> dict[str, Json]:
        """As in every section; a table's format counts alike whether it was given or guessed."""
        values = super().content()
        for name, source in self.sources.items():
            values[name]["format"] = source.kind
        return values

    @property
    def sources(self) -> dict[str, TableSource]:
        """The given tables by name."""
        tables = {
            "items": self.items,
            "searches": self.searches,
            "users": self.users,
            "judgments": self.judgments,
            "sequences": self.sequences,
            "unlabelled": self.unlabelled,
        }
        return {name: source for name, source in tables.items() if source is not None}
