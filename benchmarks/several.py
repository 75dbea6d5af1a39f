"""How many queries a second several processes answer that have opened one bundle.

    python -m benchmarks.several runs/homedepot/bundle
    python -m benchmarks.several runs/homedepot/bundle --processes 1 2 4

Each process has one thread and answers the validation queries one after another, all processes at
once. Two works: to search so many beams and put the items behind them in order, and
to answer so many items, for which beams are widened until they hold enough. Clock time: other work
on the machine counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from benchmarks.command import bundle_parser, open_run, positive, write_figures
from benchmarks.figures import figure_table, say_all
from genrecall.channels.base import Request
from genrecall.channels.generative import GenerativeChannel

_WARM_UP: Final = 30
_WAIT: Final = 600.0  # seconds, for all processes to be ready


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure each number of processes, then print the table."""
    parser = bundle_parser("several", __doc__)
    parser.add_argument("--processes", type=positive, nargs="+", default=[1, 2], help="(1 2)")
    parser.add_argument("--queries", type=positive, default=1000, help="of each process (1000)")
    parser.add_argument("--beam", type=positive, default=100, help="(100)")
    parser.add_argument("-k", type=positive, default=1000, help="items of an answer (1000)")
    given = parser.parse_args(arguments)
    settings = {name: getattr(given, name) for name in ("queries", "beam", "k")}
    print(say_all(settings))
    found = [
        {"work": work, "processes": n, "per_second": _together(given, work, n)}
        for work in ("beams", "answer")
        for n in given.processes
    ]
    table = figure_table(["work", "processes", "queries a second", "times one"])
    for row in found:
        alone = next(of["per_second"] for of in found if of["work"] == row["work"])
        shown = (str(row["processes"]), f"{row['per_second']:,.0f}")
        table.add_row(str(row["work"]), *shown, f"{row['per_second'] / alone:.2f}")
    Console(width=100).print(table)
    write_figures(given, {"settings": settings, "found": found})


def _together(given: Any, work: str, processes: int) -> float:
    """Queries a second of all processes."""
    context = get_context("spawn")
    ready, answers = context.Barrier(processes), context.Queue()
    wanted = (given.bundle, work, given.queries, given.beam, given.k)
    started = [
        context.Process(target=_answer, args=(*wanted, ready, answers)) for _ in range(processes)
    ]
    for one in started:
        one.start()
    spans = [answers.get(timeout=_WAIT) for _ in started]
    for one in started:
        one.join()
    first, last = min(start for start, _ in spans), max(end for _, end in spans)
    return float(given.queries * processes / (last - first))


def _answer(
    bundle: Path, work: str, queries: int, beam: int, k: int, ready: Any, answers: Any
) -> None:
    """Answer queries in a process of its own; puts when it began and ended."""
    opened, shop = open_run(bundle)
    channel, known = opened.generative(), shop.searches.of("validation").queries
    requests = [Request(known[place % len(known)]) for place in range(queries)]
    answer = _works(channel, beam, k)[work]
    for request in requests[:_WARM_UP]:
        answer(request)
    ready.wait(_WAIT)
    start = time.time()
    for request in requests:
        answer(request)
    answers.put((start, time.time()))


def _works(channel: GenerativeChannel, beam: int, k: int) -> dict[str, Callable[[Request], object]]:
    def of_beams(request: Request) -> object:
        (read,) = channel.read([request])
        return channel.order(read.asked(0), channel.search(read, beam)[0], read.masks[0])

    return {"beams": of_beams, "answer": lambda request: channel.rank([request], k)}


if __name__ == "__main__":
    main()
