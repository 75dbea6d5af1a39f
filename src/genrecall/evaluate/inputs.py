"""What an evaluation is computed from.

Shapes: `M` searches, `N` items, `B` beams, `S` distinct SIDs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrecall.data.tables import Rows
from genrecall.evaluate.bootstrap import Units
from genrecall.evaluate.measures import IntArray
from genrecall.evaluate.names import GENERATIVE, K
from genrecall.evaluate.slices import Masks
from genrecall.foundation.errors import DataError
from genrecall.text.distinct import distinct


@dataclass(frozen=True, eq=False)
class EvaluationInputs:
    """What an evaluation is computed from. All lists and arrays are in the order of the searches.

    Attributes:
        split: which part of the searches this is.
        positives: catalog rows of the relevant items of each search that it can be answered
            with, at least one each.
        gains: how relevant each of them is, above 0; 1 each when None.
        categories: a number for the category of each catalog row, `[N]`, negative where it is
            unknown; None where none is known.
        channels: by channel name the catalog rows that it gave each search, best first, at most
            `K`. A fusion is named after its channels, joined by `+`.
        units: the query of each search, or its shopper; intervals are over the distinct ones. None:
            each search is a unit of its own.
        beams: by training stage the SID positions that its beams gave each search, best first,
            `[M, B]`; negative entries are padding.
        sid_of_item: SID position of each catalog row, `[N]`; needed where there are beams.
        items_per_sid: live items behind each SID, `[S]`; all items when None.
        slices: further parts of the searches, bool `[M]` by name; empty ones are left out.
        item_slices: parts of the items, catalog rows by name, such as those that training never
            saw; each adds a slice in which only these count as relevant. Empty ones are left out.
        beams_found: how many beams the generative channel answered each search from, `[M]`, without
            padding: a small shop has fewer SIDs than a search asks for.
        latencies_ms: milliseconds that single requests took, by channel.
        latency_k: how many items these requests asked for.
        shares: scores of the items that the generative channel gave each search, as what share of
            such items is relevant; None where they do not say it.
        fitted: weights that serve, by their names in `metrics.json`, passed on.
        quantize: health figures of the SIDs, passed on.
        excluded: how many searches of the split were left out, by cause.
        relevant: how many relevant items of the split are `available` and count, and how many do
            not: `unavailable` ones, and those that are `filtered_out` by their own search.
        seed: of the bootstrap.
    """

    split: str
    positives: Sequence[Rows]
    channels: Mapping[str, Sequence[Rows]]
    gains: Sequence[NDArray[np.floating[Any]]] | None = None
    categories: IntArray | None = None
    units: Units | None = None
    beams: Mapping[str, IntArray] = field(default_factory=dict)
    sid_of_item: IntArray | None = None
    items_per_sid: IntArray | None = None
    slices: Masks = field(default_factory=dict)
    item_slices: Mapping[str, Rows] = field(default_factory=dict)
    beams_found: IntArray | None = None
    latencies_ms: Mapping[str, NDArray[np.floating[Any]]] = field(default_factory=dict)
    latency_k: int | None = None
    shares: Sequence[NDArray[np.float32]] | None = None
    fitted: Mapping[str, Any] = field(default_factory=dict)
    quantize: Mapping[str, Any] = field(default_factory=dict)
    excluded: Mapping[str, int] = field(default_factory=dict)
    relevant: Mapping[str, int] = field(default_factory=dict)
    seed: int = 0

    @property
    def live_items(self) -> int | None:
        """How many items a search can be answered with; None where no SID is known."""
        if self.items_per_sid is not None:
            return int(self.items_per_sid.sum())
        return None if self.sid_of_item is None else len(self.sid_of_item)


def unit_groups(inputs: EvaluationInputs) -> IntArray:
    """A number for the unit of each search: int64 `[M]`."""
    if inputs.units is None:
        return np.arange(len(inputs.positives))
    return distinct(inputs.units.of).number


def check_searches(n: int, split: str) -> None:
    """Refuse to measure nothing.

    Raises:
        DataError: there is no search.
    """
    if n == 0:
        raise DataError(
            f"the {split} split has no search with a relevant item that it can be answered "
            "with, so there is nothing to measure. Give searches with clicks, purchases or "
            "judgments of items that are on sale, or another split."
        )


def check_inputs(inputs: EvaluationInputs) -> None:
    """Refuse what does not fit together.

    Raises:
        DataError: there is no search.
        ValueError: lists, slices and searches do not fit together, or a list is longer than `K`.
    """
    n = len(inputs.positives)
    check_searches(n, inputs.split)
    if inputs.units is not None and len(inputs.units.of) != n:
        raise ValueError(f"{len(inputs.units.of)} units do not fit {n} searches.")
    if inputs.beams_found is not None and inputs.beams_found.shape != (n,):
        raise ValueError(
            f"`beams_found` has shape {inputs.beams_found.shape}; it must be ({n},), one a search."
        )
    for name, lists in inputs.channels.items():
        if len(lists) != n:
            raise ValueError(f"channel {name!r} gave {len(lists)} lists for {n} searches.")
        longest = max(len(rows) for rows in lists)
        if longest > K:
            raise ValueError(
                f"channel {name!r} gave {longest} candidates; cut every list to {K}, since only "
                "equal numbers of candidates can be compared."
            )
    if inputs.shares is not None:
        sizes = [len(rows) for rows in inputs.channels[GENERATIVE]]
        if [len(scores) for scores in inputs.shares] != sizes:
            raise ValueError("`shares` holds other numbers of items than the generative channel.")
    for name, beams in inputs.beams.items():
        if inputs.sid_of_item is None:
            raise ValueError(f"the beams of {name!r} need `sid_of_item`.")
        if beams.ndim != 2 or len(beams) != n:
            raise ValueError(f"stage {name!r} gave beams of shape {beams.shape} for {n} searches.")
    for name, mask in inputs.slices.items():
        if mask.shape != (n,):
            raise ValueError(f"slice {name!r} has shape {mask.shape}; it must be ({n},).")
