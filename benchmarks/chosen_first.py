"""The trap of clicks: how much of a channel's recall is knowing which items are ever chosen.

    python -m benchmarks.chosen_first runs/bestbuy/bundle [--split test] [--json FILE]

BM25 and the dense channel answer the searches of a split as they are, and with what was chosen in
training moved to the front of their 1,000 items, query or not; the generative channel, whose item
order weighs that with everything else, is compared with each. Figures of the validation split use
weights of the other folds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, get_args

import numpy as np
from numpy.typing import NDArray

from benchmarks.command import bundle_parser, channel_of, open_run, write_figures
from benchmarks.figures import say_all, say_figure
from benchmarks.markdown import markdown_table
from genrecall.channels.base import Channel, Request
from genrecall.data.tables import Rows, Searches, SplitName
from genrecall.evaluate.bootstrap import Bootstrap, numbered
from genrecall.evaluate.measures import recall_at
from genrecall.evaluate.names import GENERATIVE, RECALL_AT, K
from genrecall.text.normalize import query_keys

_FIRST: Final = "{}, chosen first"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a table."""
    parser = bundle_parser("chosen_first", __doc__)
    parser.add_argument("--split", choices=get_args(SplitName)[1:], default="validation")
    given = parser.parse_args(arguments)
    bundle, shop = open_run(given.bundle)
    measured, training = shop.searches.of(given.split), shop.searches.of("train")
    chosen = np.zeros(len(shop.catalog), dtype=np.bool_)
    chosen[np.concatenate([np.empty(0, np.int32), *training.positives])] = True
    settings = {"split": given.split, "searches": len(measured), "chosen": int(chosen.sum())}
    print(say_all(settings))
    channels = {
        name: channel_of(bundle, name, split=given.split) for name in ("bm25", "dense", GENERATIVE)
    }
    found = compared(channels, measured, chosen)
    print(*markdown_table(["", *found["bm25"]], _rows(found)), sep="\n")
    write_figures(given, {"settings": settings, "figures": found})


def compared(
    channels: Mapping[str, Channel], searches: Searches, chosen: NDArray[np.bool_]
) -> dict[str, dict[str, Any]]:
    """Recalls by channel, of the first two with what was chosen first, and what is between them.

    Args:
        channels: by name, the generative one last.
        searches: that they answer.
        chosen: items that were chosen in training, bool `[N]`.
    """
    requests = [Request(query) for query in searches.queries]
    answers: dict[str, list[Rows]] = {}
    for name, channel in channels.items():
        answers[name] = [ranking.rows for ranking in channel.rank(requests, K)]
        if name != GENERATIVE:
            answers[_FIRST.format(name)] = [chosen_first(rows, chosen) for rows in answers[name]]
    recalls = {
        name: recall_at(rows, searches.positives, RECALL_AT) for name, rows in answers.items()
    }
    bootstrap = Bootstrap(len(requests), groups=numbered(query_keys(searches.queries)))
    found = {
        name: {measure: bootstrap.share(values).to_json() for measure, values in of.items()}
        for name, of in recalls.items()
    }
    for name in list(recalls)[:-1]:
        found[f"{GENERATIVE} - {name}"] = {
            measure: bootstrap.difference(values, recalls[name][measure]).to_json()
            for measure, values in recalls[GENERATIVE].items()
        }
    return found


def chosen_first(rows: Rows, chosen: NDArray[np.bool_]) -> Rows:
    """An answer with what was chosen in training at its front, else in its order."""
    return rows[np.argsort(~chosen[rows], kind="stable")]


def _rows(found: Mapping[str, Mapping[str, Any]]) -> Iterator[list[str]]:
    for name, measures in found.items():
        sign = "+" if " - " in name else ""
        yield [name, *(say_figure(figure, sign) for figure in measures.values())]


if __name__ == "__main__":
    main()
