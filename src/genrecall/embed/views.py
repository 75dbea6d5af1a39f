"""Several views of a shop's texts as one encoder.

A view has learned its words apart from the others. The views' unit vectors stand side by side, each
times the root of its weight, so that the product of two joined vectors is the weighted mean of the
views' cosines.

Shapes: `n` texts, `D` size of the joined vectors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from genrecall.foundation.arguments import texts as list_of_texts
from genrecall.foundation.blocks import blocks
from genrecall.foundation.ragged import Bags
from genrecall.foundation.unit import scale_to_unit
from genrecall.text.distinct import distinct
from genrecall.text.subwords import SubwordTokenizer

Vectors = NDArray[np.float32]


class View(Protocol):
    """Texts to unit vectors; zeros where it reads nothing in a text."""

    @property
    def dim(self) -> int:
        """Size of its vectors."""

    def encode(self, texts: Sequence[str], bags: Bags) -> Vectors:
        """Unit vectors of queries, float32 `[n, dim]`.

        Args:
            texts: `[n]`, each with a subword that the shop knows.
            bags: their features by the shop's tokenizer.
        """

    def encode_items(self, titles: Sequence[str], bags: Bags) -> Vectors:
        """The same of titles."""


class Beside(NamedTuple):
    """What of an item is read beside its title.

    Attributes:
        fields: columns of `ITEMS`.
        weights: how much they count beside a title of weight one, by view.
    """

    fields: tuple[str, ...]
    weights: Mapping[str, float]


ALONE: Final = Beside((), {})
"""Nothing beside titles."""


class Views:
    """Texts to unit vectors, as all views together read them.

    A text without a subword that the shop's tokenizer knows gives zeros, whatever the views.

    Args:
        tokenizer: cuts text into the shop's own subwords.
        views: at least one, by name.
        weights: of each, above 0; only their shares count.
        beside: what of items is read beside their titles.

    Attributes:
        shares: of the weights, by name.
    """

    def __init__(
        self,
        tokenizer: SubwordTokenizer,
        views: Mapping[str, View],
        weights: Mapping[str, float],
        beside: Beside = ALONE,
    ) -> None:
        total = sum(weights[name] for name in views)
        self.tokenizer = tokenizer
        self.shares = {name: weights[name] / total for name in views}
        self.views = dict(views)
        self.beside = beside

    @property
    def dim(self) -> int:
        """Size `D` of the joined vectors."""
        return sum(view.dim for view in self.views.values())

    @property
    def sizes(self) -> dict[str, int]:
        """Size of each view's vectors, in the order in which they stand."""
        return {name: view.dim for name, view in self.views.items()}

    @property
    def weight(self) -> float:
        """How much all count together beside one more view that counts as much as the strongest."""
        return 1 / max(self.shares.values())

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors of queries, float32 `[n, D]`.

        Raises:
            RequestError: no list of texts, such as a single one.
        """
        texts = list_of_texts("texts", texts, such_as="['running shoes']")
        return self.encode_cut(texts, self.tokenizer.bags(texts, typed=True))

    def encode_cut(self, texts: Sequence[str], bags: Bags) -> Vectors:
        """The same of queries that the tokenizer has cut before.

        Args:
            texts: `[n]`.
            bags: their features.
        """
        found = {name: view.encode(texts, bags) for name, view in self.views.items()}
        return self.join(found, bags)

    def encode_items(self, titles: Sequence[str], others: Sequence[str] | None = None) -> Vectors:
        """Unit vectors of items, float32 `[n, D]`.

        Args:
            titles: of the items, `[n]`.
            others: what `beside.fields` say of each, "" for nothing; None for nothing of any.

        Raises:
            RequestError: no list of texts.
        """
        titles = list_of_texts("titles", titles, such_as="['Running Shoes, black']")
        bags, found = self.tokenizer.bags(titles), {}
        for name, view in self.views.items():
            found[name] = view.encode_items(titles, bags)
            if others is not None and self.beside.weights.get(name):
                read = read_others(view, others, self.tokenizer)
                found[name] = with_others(found[name], read, self.beside.weights[name])
        return self.join(found, bags)

    def join(self, vectors: Mapping[str, Vectors], bags: Bags) -> Vectors:
        """The views' own vectors of the same texts as one, float32 `[n, D]`.

        Args:
            vectors: by name, each `[n, dim]`.
            bags: features of the texts.
        """
        known = bags.counts > 0
        joined = np.empty((len(known), self.dim), dtype=np.float32)
        first = 0
        for name, view in self.views.items():
            columns = slice(first, first := first + view.dim)
            np.multiply(vectors[name], np.float32(self.shares[name] ** 0.5), out=joined[:, columns])
        joined[~known] = 0.0
        return joined


def read_others(view: View, others: Sequence[str], tokenizer: SubwordTokenizer) -> Vectors:
    """What a view makes of the texts beside titles, `[n, dim]`; zeros where there are none."""
    vectors = np.zeros((len(others), view.dim), dtype=np.float32)
    given = np.flatnonzero([bool(text) for text in others])
    once = distinct(others[row] for row in given.tolist())  # variants of a product share theirs
    if once.texts:
        vectors[given] = view.encode_items(once.texts, tokenizer.bags(once.texts))[once.number]
    return vectors


def with_others(titles: Vectors, others: Vectors, weight: float) -> Vectors:
    """Vectors of items from those of titles and of what stands beside them, `[n, dim]` each.

    Of length one, or zero as the title's.
    """
    vectors = np.empty_like(titles)
    for rows in blocks(len(titles), titles.shape[1]):
        vectors[rows] = titles[rows] + np.float32(weight) * others[rows]
        scale_to_unit(vectors[rows])
        vectors[rows][~titles[rows].any(axis=1)] = 0.0
    return vectors
