"""What a query costs by its parts: reading it, each view of its text, searching and ordering.

    python -m benchmarks.views runs/demo/bundle

Answers the validation queries of the bundle's shop one at a time, on one thread, and takes the
processor time of each part, all in one run: medians, and their share of the whole answer. Beside
the views stands what each of them holds on disk, as it is read into memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import numpy as np

from benchmarks.command import bundle_parser, open_run, positive, write_figures
from benchmarks.figures import say_all
from benchmarks.markdown import markdown_table
from genrecall.bundle import OpenBundle
from genrecall.channels.base import Request
from genrecall.embed.views import View
from genrecall.foundation.ragged import Bags

_HEADINGS: Final = ("part", "ms", "of the answer", "numbers", "weight", "MB")
_MB: Final = 1e6


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the parts, and print a table."""
    parser = bundle_parser("views", __doc__)
    parser.add_argument("--queries", type=positive, default=300, help="answered (300)")
    parser.add_argument("--k", type=positive, default=1000, help="items of an answer (1,000)")
    given = parser.parse_args(arguments)
    bundle, shop = open_run(given.bundle)
    queries = shop.searches.of("validation").queries[: given.queries]
    settings = {"queries": len(queries), "k": given.k, "items": len(bundle.items), "threads": 1}
    print(say_all(settings))
    found = measure(bundle, queries, given.k)
    print(*markdown_table(_HEADINGS, [_row(name, of) for name, of in found.items()]), sep="\n")
    write_figures(given, {"settings": settings, "parts": found})


def measure(bundle: OpenBundle, queries: Sequence[str], k: int) -> dict[str, dict[str, Any]]:
    """Milliseconds of each part of an answer, the whole one last."""
    channel, encoder = bundle.generative(), bundle.encoder
    texts = bundle.reader.texts(queries)
    bags = {text: encoder.tokenizer.bags([text], typed=True) for text in texts}
    embed = bundle.stages["embed"]
    # Without what was read before: each query is new to the reader.
    read = {"ms": _median(queries, bundle.reader.read_anew)}
    found: dict[str, dict[str, Any]] = {"query, as it is read": read}
    for name, view in encoder.views.items():
        files = [embed.file(file) for file in embed.files if file.startswith(f"{name}/")]
        found[f"view {name}"] = {
            "ms": _median(texts, partial(_encode, view, bags)),
            "numbers": view.dim,
            "weight": encoder.shares[name],
            "mb": sum(file.stat().st_size for file in files) / _MB,
        }
    found["generator reads"] = {
        "ms": _median(queries, lambda query: list(channel.read([Request(query)])))
    }
    found["answer"] = {"ms": _median(queries, lambda query: channel.rank([Request(query)], k))}
    whole = found["answer"]["ms"]
    return {name: of | {"share": of["ms"] / max(whole, 1e-9)} for name, of in found.items()}


def _encode(view: View, bags: Mapping[str, Bags], text: str) -> object:
    return view.encode([text], bags[text])


def _median(texts: Sequence[str], answer: Callable[[str], object]) -> float:
    """Processor time of one call, in milliseconds; the first few do not count."""
    taken = []
    for text in [*texts[:5], *texts]:
        start = time.process_time()
        answer(text)
        taken.append(time.process_time() - start)
    return float(np.median(taken[5:])) * 1e3


def _row(name: str, of: dict[str, Any]) -> list[str]:
    told = [name, f"{of['ms']:.2f}", f"{of['share']:.0%}"]
    if "weight" not in of:
        return [*told, "", "", ""]
    return [*told, str(of["numbers"]), f"{of['weight']:.2f}", f"{of['mb']:.1f}"]


if __name__ == "__main__":
    main()
