"""The commented config that `genrecall init` writes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

from genrecall.data.config import DataConfig, SplitConfig
from genrecall.embed.config import EmbedConfig
from genrecall.errors import ConfigError
from genrecall.generator.config import GeneratorConfig
from genrecall.quantize.config import QuantizeConfig

_ITEMS: Final = """\
# A GenRecall config. Paths are relative to this file; ${{VAR:-default}} reads the environment.

data:
  items:
    file: {file}
    # format: jsonl             # parquet, csv or jsonl; by default from the file's ending
    columns:                    # our column: yours. Take away the # where your file has the column;
      item_id: item_id          # an equal name needs no line.
      title: title
      # category: category_path # root first: a list, or text like "Tools > Drills"
      # brand: manufacturer
      # attributes: {{color: colour, material: material}}
      # price: price
      # score: popularity       # efficiency, at least 0
      # available: in_stock
      # group_id: product       # variants of one product share it
      # updated_at: listed_at
"""

_SEARCHES: Final = """\
  searches:                     # the search log, a row a search
    file: {file}
    columns:
      query: query
      # timestamp: time         # seconds since 1970, an ISO date, or an ordinal
      # user_id: customer
      # impressions: shown_ids
      # clicks: clicked_ids
      # purchases: bought_ids
"""

_JUDGMENTS: Final = """\
  judgments:                    # judged queries, for a shop without a log
    file: {file}
    columns:
      query: query
      item_id: item_id
      relevance: relevance
  positive_from: {positive_from}            # relevance from which an item is a good answer
"""

_SPLIT: Final = """\
  split:
    by: {by:<5}                   # time: train on the past; query: measure on unseen queries
    validation: {split.validation}
    test: {split.test}
"""

_TRAINING: Final = """\

# What follows are the defaults; change them when the figures ask for it.
embed:
  steps: {embed.steps}                   # training of the two-tower encoder
quantize:
  items_per_sid: {quantize.items_per_sid}              # wanted size of a cluster
  min_items: {quantize.min_items}                 # smaller categories join their parent
generator:
  query_to_sid:
    steps: {generator.query_to_sid.steps}                 # training of the generator
seed: 0
"""


def write_template(
    path: Path,
    *,
    items: Path | None = None,
    searches: Path | None = None,
    judgments: Path | None = None,
) -> None:
    """Write a commented config that names the given tables.

    Args:
        path: the config to write.
        items: the catalog; None leaves a name to fill in.
        searches: the search log, if any.
        judgments: judged queries, if any.

    Raises:
        ConfigError: both a log and judgments were given, a table is missing, or `path` exists.
    """
    if searches and judgments:
        raise ConfigError(
            "both a search log and judgments were given; good items come from one of them. Give "
            "--searches or --judgments."
        )
    for name, file in (("items", items), ("searches", searches), ("judgments", judgments)):
        if file is not None and not file.is_file():
            raise ConfigError(f"{file} does not exist. Correct --{name}.")
    if path.exists():
        raise ConfigError(f"{path} exists and is left as it is. Remove it, or give another --out.")
    text = _ITEMS.format(file=_relative(items, path) if items else "items.jsonl")
    if searches:
        text += _SEARCHES.format(file=_relative(searches, path))
    if judgments:
        positive_from = DataConfig.model_fields["positive_from"].default
        text += _JUDGMENTS.format(file=_relative(judgments, path), positive_from=positive_from)
    if searches or judgments:
        text += _SPLIT.format(by="time" if searches else "query", split=SplitConfig())
    text += _TRAINING.format(
        embed=EmbedConfig(), quantize=QuantizeConfig(), generator=GeneratorConfig()
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def _relative(file: Path, config: Path) -> str:
    """A table's path as the config's folder sees it, quoted for YAML."""
    return json.dumps(os.path.relpath(file, config.parent), ensure_ascii=False)
