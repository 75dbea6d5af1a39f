"""The commented config that `genrecall init` writes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from genrecall.errors import ConfigError

_HEAD: Final = """\
# GenRecall config. Paths are relative to this file; ${{VAR:-default}} reads the environment.
# Check it with `genrecall validate {name}`, then `genrecall run {name}`.

data:
  items:
    file: {items}
    # format: jsonl           # parquet, csv or jsonl; guessed from the file's ending
    columns: {{}}               # our column: yours; equal names need no entry
      # item_id: sku
      # title: name
      # category: category_path   # root first: a list, or text like "Tools > Drills"
      # brand: manufacturer
      # price: price
      # score: popularity         # efficiency, at least 0
      # available: in_stock
      # attributes: {{color: colour, material: material}}
"""

_SEARCHES: Final = """\
  searches:                   # the search log, a row a search
    file: {file}
    columns: {{}}
      # query: search_term
      # timestamp: time           # seconds since 1970, an ISO date, or an ordinal
      # user_id: customer
      # impressions: shown_ids
      # clicks: clicked_ids
      # purchases: bought_ids
"""

_JUDGMENTS: Final = """\
  judgments:                  # judged queries, for a shop without a log
    file: {file}
    columns: {{}}
      # query: query
      # item_id: sku
      # relevance: grade
  positive_from: 1.0          # relevance from which an item is a good answer
"""

_TAIL: Final = """\
  split:
    by: {by}                 # time: train on the past; query: test on unseen queries
    validation: 0.1
    test: 0.1

# The settings below are the defaults; change them when the figures ask for it.
embed:
  steps: 3000                 # training of the two-tower encoder

quantize:
  items_per_sid: 5            # wanted size of a cluster
  min_items: 20               # smaller categories join their parent

generator:
  query_to_sid: {{steps: 1500}}

seed: 0
"""


def write_template(
    path: Path, *, items: Path, searches: Path | None, judgments: Path | None
) -> None:
    """Write a commented config that names the given tables.

    Raises:
        ConfigError: both a log and judgments were given, or `path` exists.
    """
    if searches and judgments:
        raise ConfigError("give a search log or judgments, not both.")
    if path.exists():
        raise ConfigError(f"{path} exists and is left as it is. Remove it, or give another --out.")
    text = _HEAD.format(name=path.name, items=items)
    if searches:
        text += _SEARCHES.format(file=searches)
    if judgments:
        text += _JUDGMENTS.format(file=judgments)
    text += _TAIL.format(by="time" if searches else "query")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
