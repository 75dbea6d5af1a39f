"""The commented config that `genrecall init` writes."""

from __future__ import annotations

import math
import os
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError

from genrecall.cli.shared import STDOUT, result_stream
from genrecall.config import literal
from genrecall.data.config import DataConfig, SplitConfig
from genrecall.data.guess.columns import GuessedColumns
from genrecall.data.guess.table import Guess, guess_table
from genrecall.data.validate import (
    ITEMS_SCHEMA,
    JUDGMENTS_SCHEMA,
    SEARCHES_SCHEMA,
    USERS_SCHEMA,
    TableSchema,
)
from genrecall.embed.config import EmbedConfig
from genrecall.foundation.errors import ConfigError
from genrecall.generator.config import GeneratorConfig
from genrecall.quantize.config import QuantizeConfig

_HEAD: Final = """\
# A GenRecall config. Paths are relative to this file; ${VAR:-default} reads the environment.

data:
"""

_TABLE: Final = """\
  {name}:{what}
    file: {file}
    # format: jsonl               # parquet, csv or jsonl; by default from the file's ending
"""

_COLUMNS: Final = """\
    columns:                      # our column: yours; an equal name needs no line
"""

_WHAT: Final[Mapping[str, str]] = {
    "items": "",
    "searches": "                       # the search log, a row a search",
    "users": "                          # the shoppers of the log",
    "judgments": "                      # judged queries, for a shop without a log",
}

_EXAMPLES: Final[Mapping[str, Mapping[str, tuple[str, str]]]] = {
    "items": {
        "category": ("category_path", 'root first: a list, or text like "Tools > Drills"'),
        "brand": ("manufacturer", ""),
        "attributes": ("{color: colour, material: material}", ""),
        "description": ("long_text", "read beside the title"),
        "price": ("price", ""),
        "score": ("popularity", "efficiency, at least 0"),
        "available": ("in_stock", ""),
        "group_id": ("product", "variants of one product share it"),
        "updated_at": ("listed_at", ""),
    },
    "searches": {
        "timestamp": ("time", "seconds since 1970, an ISO date, or an ordinal"),
        "user_id": ("customer", ""),
        "impressions": ("shown_ids", ""),
        "clicks": ("clicked_ids", ""),
        "purchases": ("bought_ids", ""),
        "filters": ("facets", 'what was filtered by: JSON, or text like "price<=50"'),
    },
    "users": {
        "gender": ("sex", ""),
        "age_band": ("age_group", 'a text, like "25-34"'),
        "attributes": ("{city: city, member: member}", "whatever else the shop may use"),
    },
}
"""Of columns that a file may lack: a name they could have, and what they hold."""

_NO_USERS: Final = """\
  # Who the shoppers of the log are: user_id, gender, age_band, attributes.
  # users:
    # file: users.jsonl
"""

_NO_LOG: Final = """\
  # Without a search log, what shoppers chose can teach as well: user_id, items (in time order) and
  # held_out (what came later: the test). Queries are then made of the items' categories.
  # sequences:
    # file: sequences.jsonl
"""

_SPLIT: Final = """\
  split:
    by: {by:<5}                     # time: train on the past; query: measure on unseen queries
    validation: {split.validation}
    test: {split.test}
"""

_TRAINING: Final = """\

# What follows are the defaults; change them when the figures ask for it.
embed:
  views: [in_domain, static]      # who reads texts: trained here, and word vectors
  in_domain:
    steps: {embed.in_domain.steps}                   # training of the two-tower encoder
quantize:
  items_per_sid: {quantize.items_per_sid}                # wanted size of a cluster
  min_items: {quantize.min_items}                   # smaller categories join their parent
generator:
  query_to_sid:
    steps: {generator.query_to_sid.steps}                   # training of the generator
seed: 0
"""


@dataclass
class Template:
    """What `write_template` wrote.

    Attributes:
        columns: by table their column behind each of ours that was found.
        missing: by table our columns that are needed and were not found.
        unused: by table their columns that are none of ours.
        dialect: by table how it is written, where that is not the default.
        shop: by table the shop system that exported it, where it is known by its columns.
        blank: by table those of the columns found that hold nothing.
        notes: what is to be decided or known.
    """

    columns: dict[str, dict[str, str]] = field(default_factory=dict)
    missing: dict[str, list[str]] = field(default_factory=dict)
    unused: dict[str, list[str]] = field(default_factory=dict)
    dialect: dict[str, dict[str, Any]] = field(default_factory=dict)
    shop: dict[str, str] = field(default_factory=dict)
    blank: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    def describe(self) -> list[str]:
        """Say what was seen of how the tables are written."""
        lines = []
        for table, dialect in self.dialect.items():
            shop = f"an export of {self.shop[table]}; " if table in self.shop else ""
            seen = ", ".join(f"{name} {_in_yaml(value)}" for name, value in dialect.items())
            if shop or seen:
                lines.append(f"  {table}: {shop}{seen}".rstrip("; "))
        return lines


def write_template(
    path: Path,
    *,
    items: Path | None = None,
    searches: Path | None = None,
    users: Path | None = None,
    judgments: Path | None = None,
    positive_from: float | None = None,
) -> Template:
    """Write a commented config that names the given tables, with a guess which columns are ours.

    Args:
        path: the config to write; `STDOUT` for standard output.
        items: the catalog; None leaves a name to fill in.
        searches: the search log, if any.
        users: the shoppers, if known.
        judgments: judged queries, if any.
        positive_from: relevance of a relevant item; None for the default.

    Raises:
        ConfigError: both a log and judgments were given, a relevance without judgments, a table is
            missing or has an unknown ending, or `path` exists.
        DataError: a table cannot be read.
    """
    if searches and judgments:
        raise ConfigError(
            "both a search log and judgments were given; relevant items come from one of them. "
            "Give --searches or --judgments."
        )
    if positive_from is not None and not judgments:
        raise ConfigError(
            "--positive-from is the relevance of a relevant item: give --judgments too."
        )
    given = {
        schema: file
        for schema, file in (
            (ITEMS_SCHEMA.name, items),
            (SEARCHES_SCHEMA.name, searches),
            (USERS_SCHEMA.name, users),
            (JUDGMENTS_SCHEMA.name, judgments),
        )
        if file is not None
    }
    for name, file in given.items():
        if not file.is_file():
            raise ConfigError(f"{file} does not exist. Correct --{name}.")
    if path != STDOUT and path.exists():
        raise ConfigError(f"{path} exists and is left as it is. Remove it, or give another --out.")
    found = Template()
    text = _HEAD
    for schema in (ITEMS_SCHEMA, SEARCHES_SCHEMA, USERS_SCHEMA, JUDGMENTS_SCHEMA):
        if schema.name in given:
            text += _table(schema, given[schema.name], path, found)
        elif schema is ITEMS_SCHEMA:
            text += _standing_table(schema)
    if searches and not users:
        text += _NO_USERS
    if not searches and not judgments:
        text += _NO_LOG
    if judgments:
        if positive_from is None:
            positive_from = DataConfig.model_fields["positive_from"].default
        text += f"  positive_from: {positive_from}              # relevance of a relevant item\n"
    if searches or judgments:
        # What the default would do, written down.
        log = found.columns.get("searches", {}).keys() - found.blank.get("searches", [])
        text += _SPLIT.format(by="time" if "timestamp" in log else "query", split=SplitConfig())
    text += _TRAINING.format(
        embed=EmbedConfig(), quantize=QuantizeConfig(), generator=GeneratorConfig()
    )
    with result_stream(path) as stream:
        stream.write(text)
    return found


def _table(schema: TableSchema, file: Path, config: Path, found: Template) -> str:
    """The section of one table; what was guessed goes into `found`."""
    try:
        guess = guess_table(file, schema)
    except ValidationError as error:
        problem = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ConfigError(f"--{schema.name}: {problem}") from None
    columns = guess.columns
    needed = list(schema.required)
    if schema is SEARCHES_SCHEMA and not columns.theirs.keys() & {"clicks", "purchases"}:
        needed.append("clicks")  # a log without a relevant item teaches nothing
    found.columns[schema.name] = dict(columns.theirs)
    found.missing[schema.name] = [name for name in needed if name not in columns.theirs]
    found.unused[schema.name] = list(columns.unused)
    found.dialect[schema.name] = guess.dialect
    found.blank[schema.name] = guess.blank
    found.notes += [f"{schema.name}: {note}" for note in guess.notes]
    if guess.shop is not None:
        found.shop[schema.name] = guess.shop
    head = _TABLE.format(
        name=schema.name,
        what=_WHAT[schema.name],
        file=_in_quotes(os.path.relpath(file, config.parent)),
    )
    missing = found.missing[schema.name]
    return head + _dialect(guess) + _columns(schema, columns, missing, guess.unread)


def _dialect(guess: Guess) -> str:
    """What was seen of how the file is written, with what shows it."""
    lines = []
    if guess.first_row_of is not None:
        setting = f"first_row_of: {_quoted(guess.first_row_of)}"
        lines.append(_line(setting, "its later rows are variants and pictures", indent=4))
    if guess.dialect:
        lines.append(_line("dialect:", f"seen in its first {guess.rows:,} rows", indent=4))
        lines += [
            _line(f"{name}: {_in_yaml(value)}", guess.why[name])
            for name, value in guess.dialect.items()
        ]
    return "".join(f"{line}\n" for line in lines)


def _standing_table(schema: TableSchema) -> str:
    """The section of a table whose file is not known yet."""
    own_names = GuessedColumns({name: name for name in schema.required}, unused=())
    head = _TABLE.format(name=schema.name, what=_WHAT[schema.name], file=f"{schema.name}.jsonl")
    return head + _columns(schema, own_names)


def _columns(
    schema: TableSchema,
    guess: GuessedColumns,
    missing: Sequence[str] = (),
    unread: Sequence[str] = (),
) -> str:
    """A line per column of ours: found, needed, or an example; then what is left of the file."""
    lines = []
    for ours in schema.columns:
        if ours in guess.theirs:
            theirs = guess.theirs[ours]
            lines.append(_line(f"{ours}: {_quoted(theirs)}", "guessed" if theirs != ours else ""))
        elif ours in missing:
            lines.append(_line(f"# {ours}: ???  which column?", ""))
        elif ours in unread:
            lines.append(_line(f"{ours}: null", "its cells cannot be read"))
        elif ours in (examples := _EXAMPLES.get(schema.name, {})):
            example, what = examples[ours]
            lines.append(_line(f"# {ours}: {example}", what))
    if guess.unused:
        unused = "unused columns of the file: " + ", ".join(map(_quoted, guess.unused))
        lines += textwrap.wrap(
            unused,
            width=96,
            initial_indent="      # ",
            subsequent_indent="      #   ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    return _COLUMNS + "".join(f"{line}\n" for line in lines)


def _line(text: str, comment: str, *, indent: int = 6) -> str:
    """A line with its comment where those of its neighbours stand, or behind a longer text."""
    indented = " " * indent + text
    return f"{indented:<33} # {comment}" if comment else indented


def _in_yaml(value: object) -> str:
    """A setting on one line.

    >>> print(_in_yaml({"ja": True}), _in_yaml(["€", "n/a"]), _in_yaml(";"))
    {"ja": true} ["€", "n/a"] ";"
    """
    if isinstance(value, dict):
        inner = ", ".join(f"{_in_quotes(key)}: {_in_yaml(flag)}" for key, flag in value.items())
        return f"{{{inner}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_in_yaml, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return _quoted(str(value))


def _quoted(name: str) -> str:
    """A column's name as YAML reads it back.

    >>> print(_quoted("sku"), _quoted("Product Name: long"), _quoted("no"))
    sku "Product Name: long" "no"
    """
    plain = re.fullmatch(r"\w+", name) and yaml.safe_load(name) == name
    return name if plain else _in_quotes(name)


def _in_quotes(text: str) -> str:
    r"""A text of any characters on one line, as a config reads it back.

    >>> print(_in_quotes("a\tb"), _in_quotes("${c}"))
    "a\tb" "$${c}"
    """
    quoted = yaml.dump(literal(text), default_style='"', allow_unicode=True, width=math.inf)
    return str(quoted).rstrip("\n")
