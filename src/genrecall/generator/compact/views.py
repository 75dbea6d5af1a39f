"""How the compact family sees items and queries: by stage `embed`, and by vectors of its own.

Shapes: `N` items, `n` texts, `D` size of the vectors of stage `embed`, `D'` of the generator's own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from genrecall.embed.views import Views
from genrecall.foundation.halves import append_rows
from genrecall.foundation.ragged import Bags
from genrecall.generator.compact.reader import CompactReader
from genrecall.index.item_views import ItemViews
from genrecall.index.live import LiveItems
from genrecall.native.arrays import Numbers

_AT_ONCE: Final = 8192  # titles encoded together: bounds the memory


def own_vectors(
    reader: CompactReader, rows: range, cut: Callable[[range], Bags]
) -> NDArray[np.float32]:
    """The generator's own unit vectors of the titles of many items, float32 `[n, D']`.

    Args:
        reader: with the weights.
        rows: the items' places in the catalog, `n` in a row.
        cut: features of the titles of some of them.
    """
    vectors = np.empty((len(rows), reader.dim), dtype=np.float32)
    for start in range(0, len(rows), _AT_ONCE):
        _, found = reader.texts(cut(rows[start : start + _AT_ONCE]))
        vectors[start : start + len(found)] = found
    return vectors


def join_views(
    first: NDArray[np.float32], own: NDArray[np.float32], own_share: float
) -> NDArray[np.float32]:
    """Two unit vectors of each text as one; their products are a weighted mean of both cosines.

    Args:
        first: of stage `embed`, `[n, D]`.
        own: of the generator, `[n, D']`.
        own_share: of its cosine.

    Returns:
        Float32 `[n, D + D']`.
    """
    joined = np.empty((len(first), first.shape[1] + own.shape[1]), dtype=np.float32)
    np.multiply(first, np.float32((1 - own_share) ** 0.5), out=joined[:, : first.shape[1]])
    np.multiply(own, np.float32(own_share**0.5), out=joined[:, first.shape[1] :])
    return joined


def see_items(reader: CompactReader, encoder: Views, items: LiveItems, own: Numbers) -> ItemViews:
    """Both views of items.

    Args:
        reader: makes the second view.
        encoder: cuts their titles.
        items: of the shop; `items.vectors` are the first view.
        own: second views of the first of these items, `[n, D']`; as a rule of all.
    """
    titles, share = items.catalog.titles, reader.weights.own_share
    made = own_vectors(
        reader,
        range(len(own), len(titles)),
        lambda rows: encoder.tokenizer.bags(titles[rows.start : rows.stop]),
    )
    parts = (items.vectors, append_rows(own, made))
    return ItemViews(parts, ((1 - share) ** 0.5, share**0.5))
