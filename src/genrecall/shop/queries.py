"""What shoppers ask for: an intent, and the words in which they put it.

A query names a product type (by its noun, a synonym or only its last word), perhaps with wanted
values or a brand; or a whole group or department; or one product by its model number or line name;
or a brand. Some are mistyped. Frequent intents in their commonest words make the head of a Zipf
distribution; the combinations make its tail.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

import numpy as np

from genrecall.shop.assortment import DEPARTMENTS
from genrecall.shop.catalog import Floats, ShopCatalog
from genrecall.shop.config import ShopConfig
from genrecall.shop.intent import Intent, Kind, Query
from genrecall.shop.products import BRANDS, Draft, plural
from genrecall.shop.typos import mistype
from genrecall.shop.units import spelling

_KINDS: Final[dict[Kind, float]] = {
    "type": 0.34,
    "type_value": 0.30,
    "brand_type": 0.13,
    "brand_type_value": 0.06,
    "broad": 0.08,
    "product": 0.06,
    "brand": 0.03,
}
"""How often a shopper thinks of each kind of query."""

_THOUGHTS_PER_QUERY: Final = 4
"""How often shoppers think up a query, for each distinct one wanted: repetitions rank them."""

_VAGUE: Final = frozenset(
    {
        "anchors", "bag", "bags", "bank", "bar", "board", "cable", "card", "case", "containers",
        "cover", "covers", "discs", "food", "heads", "machine", "maker", "mat", "mats", "organizer",
        "pack", "pit", "protector", "scale", "seat", "set", "stand", "strip", "tree",
    }
)  # fmt: skip
"""Last words that alone say too little to be asked for."""


def make_queries(catalog: ShopCatalog, config: ShopConfig, rng: np.random.Generator) -> list[Query]:
    """Think up queries, the most frequent first; at most `config.distinct_queries`."""
    author = _Author(catalog, rng)
    counts: Counter[str] = Counter()
    first: dict[str, Query] = {}
    for _ in range(_THOUGHTS_PER_QUERY * config.distinct_queries):
        query = author.think(config.misspelled)
        counts[query.text] += 1
        first.setdefault(query.text, query)
    ranked = [first[text] for text, _ in counts.most_common()]
    return ranked[: config.distinct_queries]


def popularity(n_queries: int, config: ShopConfig) -> Floats:
    """Share of the searches that each query gets, most frequent first: `[n_queries]`, sums to 1."""
    rank = np.arange(1, n_queries + 1)
    weight = (rank + config.zipf_offset) ** -config.zipf_exponent
    share: Floats = weight / weight.sum()
    return share


class _Author:
    """Thinks up queries about the items of a catalog."""

    def __init__(self, catalog: ShopCatalog, rng: np.random.Generator) -> None:
        self._catalog, self._rng = catalog, rng
        self._nouns = [sold.kind.noun.lower() for sold in catalog.types]
        self._named: dict[str, list[int]] = {}
        self._of_brand: dict[int, list[int]] = {}
        for number, sold in enumerate(catalog.types):
            for noun in (*sold.kind.synonyms, *_last_word(sold.kind.noun)):
                self._named.setdefault(noun, []).append(number)
        for number, brand in sorted(
            set(zip(catalog.type_of.tolist(), catalog.brand_of.tolist(), strict=True))
        ):
            self._of_brand.setdefault(brand, []).append(number)
        kinds = [sold.kind for sold in catalog.types]
        demand = np.array([kind.demand * kind.size**0.5 for kind in kinds])
        demand *= rng.lognormal(0, 0.3, len(demand))
        of_item = demand[catalog.type_of] / np.bincount(catalog.type_of)[catalog.type_of]
        self._item_cdf = np.cumsum(of_item * np.exp(0.4 * catalog.attractiveness))
        self._kinds = list(_KINDS)
        self._kind_cdf = np.cumsum(list(_KINDS.values()))

    def think(self, misspelled: float) -> Query:
        """Think up one query, as often as shoppers think of it."""
        rng = self._rng
        item = self._catalog.drafts[self._one_of(self._item_cdf)]
        kind = self._kinds[self._one_of(self._kind_cdf)]
        spelled, plain, intent = self._write(kind, item)
        mistyped = rng.random() < misspelled and kind != "product"
        text = mistype(spelled, rng) if mistyped else spelled
        return Query(text, spelled, plain, intent)

    def _write(self, kind: Kind, item: Draft) -> tuple[str, str, Intent]:
        if kind == "broad":
            return self._broad(item)
        brand = BRANDS[item.brand_of].lower()
        if kind == "brand":
            types = tuple(self._of_brand[item.brand_of])
            return brand, brand, Intent("brand", types, brand=item.brand_of)
        if kind == "product":
            return self._one_product(brand, item)
        noun, types = self._noun(item)
        wanted = self._wanted(item) if kind.endswith("value") else ()
        words = [self._spell(key, value) for key, value in wanted]
        plain = [spelling(value).queries[0] for _, value in wanted]
        meant = [*plain, self._nouns[item.type_of]]
        typed = [noun, *words] if words and self._rng.random() < 0.2 else [*words, noun]
        if not kind.startswith("brand"):
            return " ".join(typed), " ".join(meant), Intent(kind, types, wanted)
        intent = Intent(kind, types, wanted, brand=item.brand_of)
        return " ".join([brand, *typed]), " ".join([brand, *meant]), intent

    def _broad(self, item: Draft) -> tuple[str, str, Intent]:
        """A query for the item's whole group, or sometimes department."""
        catalog = self._catalog
        top, group, _ = catalog.types[item.type_of].path
        department = next(d for d in DEPARTMENTS if d.name == top)
        names = department.asked_as
        types = [n for n, sold in enumerate(catalog.types) if sold.path[0] == top]
        if self._rng.random() < 0.75:
            names = next(g for g in department.groups if g.name == group).asked_as
            types = [n for n in types if catalog.types[n].path[1] == group]
            plain = group
        else:
            plain = top
        text = names[min(int(self._rng.geometric(0.6)) - 1, len(names) - 1)]
        return text, plain.lower(), Intent("broad", tuple(types))

    def _one_product(self, brand: str, item: Draft) -> tuple[str, str, Intent]:
        """A query for one product by its model number or line."""
        named = self._catalog.types[item.type_of].kind.named
        name = item.name.lower()
        plain = f"{brand} {name}"
        if named:
            plain = text = f"{plain} {self._nouns[item.type_of]}"
        else:
            name = [name, name.replace("-", ""), name.replace("-", " ")][
                int(self._rng.choice(3, p=[0.6, 0.25, 0.15]))
            ]
            text = name if self._rng.random() < 0.5 else f"{brand} {name}"
        intent = Intent("product", (item.type_of,), brand=item.brand_of, product=item.product)
        return text, plain, intent

    def _noun(self, item: Draft) -> tuple[str, tuple[int, ...]]:
        """A noun for the item's type, and all types that it can mean."""
        sold = self._catalog.types[item.type_of]
        own = self._nouns[item.type_of]
        others = sold.kind.synonyms
        draw = self._rng.random()
        if draw < 0.17 and (short := _last_word(sold.kind.noun)):
            noun = short[0]
        elif 0.17 <= draw < 0.5 and others:
            noun = others[min(int(self._rng.geometric(0.6)) - 1, len(others) - 1)]
        else:
            return (plural(own) if draw > 0.85 else own), (item.type_of,)
        types = self._named[noun]
        return (plural(noun) if self._rng.random() < 0.2 else noun), tuple(types)

    def _wanted(self, item: Draft) -> tuple[tuple[str, str], ...]:
        """One or two of the item's values."""
        keys = list(item.values)
        if not keys:
            return ()
        count = min(1 + (self._rng.random() < 0.2), len(keys))
        chosen = sorted(int(i) for i in self._rng.permutation(len(keys))[:count])
        return tuple((keys[i], item.values[keys[i]]) for i in chosen)

    def _spell(self, key: str, value: str) -> str:
        forms = spelling(value).queries
        form = forms[min(int(self._rng.geometric(0.5)) - 1, len(forms) - 1)]
        return f"size {form}" if key == "size" and form.isdigit() else form

    def _one_of(self, cdf: Floats) -> int:
        return int(np.searchsorted(cdf, self._rng.random() * cdf[-1], side="right"))


def _last_word(noun: str) -> list[str]:
    """The last word of a noun phrase, if it can be asked for alone."""
    words = noun.lower().split()
    return [words[-1]] if len(words) > 1 and words[-1] not in _VAGUE else []
