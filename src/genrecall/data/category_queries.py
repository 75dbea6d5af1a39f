"""Category-path queries: what a search could have been, for data that has no queries.

After Van Gysel et al. 2016 and Ai et al. 2017, who took the whole path of the item that was bought.
That gives the first SID level away; so ours are made of its first levels only. Whoever cites
results on them calls them results on category-path queries, never on real ones.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

LEVELS: Final = 2
"""Levels of the category path, from the root, that make a query by default."""


def category_query(path: Sequence[str], *, levels: int = LEVELS) -> str:
    """Make a category-path query: the words of the first levels, each once.

    >>> category_query(["Clothing, Shoes & Jewelry", "Women's Shoes", "Boots"])
    "clothing shoes jewelry women's"
    """
    words = re.findall(r"\w+(?:'\w+)*", " ".join(path[:levels]).lower())
    return " ".join(dict.fromkeys(words))
