"""What a bundle loses by looking at groups of SIDs instead of at each.

    python -m benchmarks.exactness runs/homedepot/bundle
    python -m benchmarks.exactness runs/homedepot/bundle --split test --beam 100

What serves tells a prefix by a few vectors of groups of its SIDs, and SIDs in eight bits. The
oracle, with the same weights, sums over all SIDs in floats, which costs what the catalog is large.
Both answer the searches of a split; a figure of each, and their relative difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks.command import bundle_parser, open_run, positive, write_figures
from benchmarks.figures import figure_table, say_all
from genrecall.bundle import OpenBundle
from genrecall.channels.base import Request
from genrecall.channels.generative import GenerativeChannel
from genrecall.data.tables import Rows
from genrecall.evaluate.measures import recall_at
from genrecall.generator.compact.generator import CompactGenerator
from genrecall.offline.folds import FoldedChannel
from genrecall.offline.requests import make_questions

_DEPTHS = (10, 100, 1000)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure both, then print the table."""
    parser = bundle_parser("exactness", __doc__)
    parser.add_argument("--split", choices=("validation", "test"), default="validation")
    parser.add_argument("--beam", type=positive, default=100, help="(100)")
    given = parser.parse_args(arguments)
    found = measure(given)
    print(say_all({"searches": found["searches"], "SIDs": found["sids"], "beam": given.beam}))
    table = figure_table(["", "served", "exact", "relative"])
    for name, of in found["figures"].items():
        shown = f"{of['served']:.4f}", f"{of['exact']:.4f}", f"{100 * of['relative']:+.2f} %"
        table.add_row(name, *shown)
    Console(width=100).print(table)
    write_figures(given, found)


def measure(given: Any) -> dict[str, Any]:
    """Mean figures of what serves and of the oracle, and their relative difference."""
    bundle, shop = open_run(given.bundle)
    searches = shop.searches.of(given.split)
    rows = np.flatnonzero([len(relevant) > 0 for relevant in searches.positives])
    anonymous, known = make_questions(shop, given.split, rows, shoppers=bundle.reads_shoppers)
    asked = known if bundle.reads_shoppers else anonymous
    requests = [asked.distinct[place] for place in asked.place]
    relevant = [searches.positives[row] for row in rows]
    served = bundle.of_folds() if given.split == "validation" else [bundle.generative()]
    as_served = _figures(served, requests, relevant, given.beam)
    exact = _figures([_exact(bundle, of) for of in served], requests, relevant, given.beam)
    told = {
        name: {"served": one, "exact": exact[name], "relative": one / (exact[name] or 1) - 1}
        for name, one in as_served.items()
    }
    return {"searches": len(requests), "sids": len(bundle.items.trie), "figures": told}


def _figures(
    channels: Sequence[GenerativeChannel],
    requests: Sequence[Request],
    relevant: Sequence[Rows],
    beam: int,
) -> dict[str, float]:
    """Mean shares of the relevant items that beams and answers hold."""
    channel = FoldedChannel(channels)
    beams = channel.generate(requests, beam).leaves
    sids = [channel.items.table.sid_of_item[items] for items in relevant]
    pairs = list(zip(sids, beams, strict=True))
    shares: dict[str, Any] = {
        f"hit@beam {k}": [np.isin(sid, row[:k]).mean() for sid, row in pairs] for k in (10, beam)
    }
    ranked = [ranking.rows for ranking in channel.rank(requests, max(_DEPTHS))]
    shares |= recall_at(ranked, relevant, _DEPTHS)
    return {name: float(np.mean(each)) for name, each in shares.items()}


def _exact(bundle: OpenBundle, channel: GenerativeChannel) -> GenerativeChannel:
    generator = channel.generator
    assert isinstance(generator, CompactGenerator)
    return GenerativeChannel(
        generator.exactly(),
        bundle.channels.generative,
        reader=bundle.reader,
        learned=channel.learned,
    )


if __name__ == "__main__":
    main()
