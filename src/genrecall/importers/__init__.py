"""From a publisher's original files to the shop's tables; see `run.import_data`.

Each importer is a module of this folder, named like the importer, with

- `LAYOUT`: the files that it expects, as told to someone who has others;
- `import_files(source, tables)`: reads the folder or file `source` into `tables`;
- `OPTIONS`, if it has any: an `Option` by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

IMPORTERS: Final[Mapping[str, str]] = {
    "amazon": "Amazon reviews 2014 and 2018 (McAuley): products, category-path queries",
    "beir": "a BEIR data set: corpus, queries, qrels",
    "esci": "Amazon Shopping Queries (ESCI): products, judged queries",
    "homedepot": "Home Depot Product Search Relevance (Kaggle): products, judged queries",
    "kuaisearch": "KuaiSearch: products, shoppers and the search log of a Chinese shop",
    "ubi": "OpenSearch User Behavior Insights 1.0 to 1.3: a search log",
}
"""What each importer reads, by its name. Read without importing the importers."""


class Option(NamedTuple):
    """Something that the user of an importer may choose.

    Attributes:
        default: the value where none is given.
        allowed: the values that it can have; empty where any text will do.
        what: what it decides.
    """

    default: str
    allowed: tuple[str, ...]
    what: str
