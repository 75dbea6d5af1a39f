"""How long decoding takes, and what exact search and vector indexes take for as much.

All is measured in one process on one thread, one query after another, by the processor time of the
thread, so that what else runs on the machine counts little. A generator's SIDs are compared as an
index of vectors: what share of the 100 items nearest to a query, by the generator's own vectors, is
behind the beams. Indexes are searched as widely as they need to find as many.

Shapes: `n` queries, `N` items, `D` size of the views.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

import faiss
import numpy as np
from numpy.typing import NDArray

from genrecall.channels.base import Request
from genrecall.channels.generative import GenerativeChannel, ReadRequests
from genrecall.decode.base import Beams, Engine
from genrecall.decode.engines import engine_of
from genrecall.decode.reference import ReferenceEngine
from genrecall.decode.walk.engine import WalkEngine
from genrecall.foundation.progress import RunLog
from genrecall.foundation.threads import one_thread
from genrecall.generator.compact.generator import CompactGenerator
from genrecall.native.library import library
from genrecall.text.normalize import normalize

NEAREST: Final = 100
"""Items of exact search that others should find."""

_WARM_UP: Final = 20
_LINKS: Final = 32  # of an item in the graph of HNSW
_CARE: Final = 200  # with which it is built
_WIDTHS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)

Said = TypeVar("Said")


@dataclass(frozen=True)
class Pace:
    """How long one step takes.

    Attributes:
        step: what is done: `read`, `search`, `items` (their order behind the beams), `answer` (all
            of it), or the search of an index.
        way: by what.
        width: beams, or how widely an index is searched; 0 where there is none.
        p50: milliseconds of processor time, the median query.
        p99: the slowest but one in a hundred.
        per_second: queries a second of one core.
        same: share of the reference's beams that are found; None where there is no comparison.
        found: share of the nearest items that are found; likewise.
        returned: items of an answer, on average; None where they are not counted.
        limit: share of the time that a core would take for its products or for the bytes that it
            reads, whichever is longer; None where they are not counted.
    """

    step: str
    way: str
    width: int
    p50: float
    p99: float
    per_second: float
    same: float | None = None
    found: float | None = None
    returned: float | None = None
    limit: float | None = None


class Machine(NamedTuple):
    """What one core can do.

    Attributes:
        products_per_second: of floats, each with a sum, in a product of matrices.
        bytes_per_second: that it reads of an array that no cache holds.
    """

    products_per_second: float
    bytes_per_second: float

    def least_seconds(self, products: int, n_bytes: int) -> float:
        """What it needs for so many products, or for reading so many bytes if that takes longer."""
        return max(products / self.products_per_second, n_bytes / self.bytes_per_second)


def measure_decoding(
    channel: GenerativeChannel,
    requests: Sequence[Request],
    *,
    widths: Sequence[int],
    k: int,
    machine: Machine,
    log: RunLog,
) -> list[Pace]:
    """Measure every engine, and exact search, HNSW and IVF beside them.

    Args:
        channel: of a bundle.
        requests: are asked one by one; the first few also to warm up.
        widths: beams.
        k: items of an answer.
        machine: of `measured_machine`.
        log: where to report how far it is.
    """
    with one_thread():
        return list(_measure(channel, requests, widths, k, machine, log))


def measured_machine() -> Machine:
    """Measure one core of this machine."""
    with one_thread():
        square = np.ones((1024, 1024), dtype=np.float32)
        long = np.ones(1 << 26, dtype=np.float32)
        multiplied = min(_timed(lambda: square @ square)[0] for _ in range(5))
        read = min(_timed(lambda: long.max())[0] for _ in range(5))
    return Machine(1024**3 / multiplied, long.nbytes / read)


def _measure(
    channel: GenerativeChannel,
    requests: Sequence[Request],
    widths: Sequence[int],
    k: int,
    machine: Machine,
    log: RunLog,
) -> Iterator[Pace]:
    log.say(f"  {len(requests):,} queries, one after another on one thread")
    read, pace = _paced(requests, lambda request: next(iter(channel.read([request]))))
    yield _pace("read", channel.generator.__class__.__name__, 0, pace)
    live = _Live.of(channel)
    nearest = live.exact()
    wanted, pace = _paced(read, lambda of: live.search(nearest, of))
    exact = replace(_pace("index", "exact search", 0, pace), found=1.0)
    kept = {}
    for width in widths:
        log.say(f"  {width} beams")
        expected: list[Beams] | None = None
        for name, engine in _engines(channel).items():
            # What one engine has made of a reading is not there for another.
            again = [next(iter(channel.read([request]))) for request in requests]
            warm = [next(iter(channel.read([request]))) for request in requests[:_WARM_UP]]
            beams, pace = _paced(again, partial(_search, engine, width), warm)
            expected = expected or beams
            told = replace(_pace("search", name, width, pace), same=_same(beams, expected))
            told = replace(told, found=_found(channel, read, beams, wanted))
            told = replace(told, limit=_limit(engine, width, read, machine, told))
            yield told
            kept[width] = told, beams
        _, pace = _paced(
            list(zip(read, kept[width][1], strict=True)),
            lambda of: channel.order(of[0].asked(0), of[1][0], of[0].masks[0]),
        )
        yield _pace("items", "in their order", width, pace)
    _, pace = _paced(requests, lambda request: channel.rank([request], k))
    yield _pace("answer", f"{k:,} items", channel.first_rule(k).widest, pace)
    yield exact
    log.say("  indexes of vectors")
    least = kept[max(widths)][0].found
    assert least is not None
    few = _few_of(channel)
    for name, index, widen in live.indexes():
        yield _widened(name, partial(live.search, index), widen, read, wanted, least)
        _, passing, pace = _counted(read, partial(live.search_passing, index, few))
        yield replace(_pace("filter", f"{name}, 1,000 then filtered", 0, pace), returned=passing)
    yield from _filtered(channel, requests, few)


def _few_of(channel: GenerativeChannel) -> NDArray[np.bool_]:
    """A hundredth of the items, drawn by chance, as a filter might leave them: bool `[N]`."""
    n = len(channel.items)
    few = np.zeros(n, dtype=np.bool_)
    few[np.random.default_rng(0).permutation(n)[: max(n // 100, 1)]] = True
    return few if channel.items.available is None else few & channel.items.available


def _filtered(
    channel: GenerativeChannel, requests: Sequence[Request], few: NDArray[np.bool_]
) -> Iterator[Pace]:
    """Answers under a filter beside those without one, and what it takes to apply the filter."""
    valid = channel.items.postings.valid(few)
    for way, filtered in (("SIDs, all items", False), ("SIDs, 1 % of the items", True)):
        # What an engine has made of a reading for one of them is not there for the other.
        asked = [next(iter(channel.read([request]))) for request in requests]
        asked = [of for of in asked if of.valid[0].any()]
        if filtered:
            asked = [replace(of, masks=[few], valid=[valid]) for of in asked]
        _, returned, pace = _counted(asked, lambda of: channel.rank_read(of, NEAREST)[0].rows)
        yield replace(_pace("filter", way, 0, pace), returned=returned)
    _, pace = _paced(requests, lambda _: channel.items.postings.valid(few))
    yield _pace("filter", "which SIDs it leaves", 0, pace)


def _counted(
    asked: Sequence[Any], answer: Callable[[Any], NDArray[Any]]
) -> tuple[list[NDArray[Any]], float, NDArray[np.float64]]:
    """As `_paced`, with the mean number of rows."""
    rows, pace = _paced(asked, answer)
    return rows, float(np.mean([len(of) for of in rows])), pace


def _engines(channel: GenerativeChannel) -> dict[str, Engine]:
    """All that may search what the channel reads; the reference first, the one that serves last."""
    generator = channel.generator
    engines: dict[str, Engine] = {"reference": ReferenceEngine(generator)}
    if isinstance(generator, CompactGenerator):
        engines["walk in NumPy"] = WalkEngine(generator, native=False)
        if library() is not None:
            engines["walk in C"] = WalkEngine(generator)
        return engines
    from genrecall.generator.lm.generator import LmGenerator  # the other family does without
    from genrecall.offline.generate import GenerateEngine

    serving = engine_of(generator)
    if isinstance(generator, LmGenerator):
        engines["transformers.generate"] = GenerateEngine(generator)
    if not isinstance(serving, ReferenceEngine):
        engines["lm"] = serving
    return engines


def _search(engine: Engine, width: int, read: ReadRequests) -> Beams:
    return engine.search(read.reading, beam=width, valid=read.valid[0])


def _limit(
    engine: Engine, width: int, read: Sequence[ReadRequests], machine: Machine, pace: Pace
) -> float | None:
    """See `Pace.limit`, by the means of the queries."""
    if not isinstance(engine, WalkEngine):
        return None
    seconds = []
    for of in read:
        _search(engine, width, of)
        if (work := engine.work) is None:
            return None
        seconds.append(machine.least_seconds(work.products, work.n_bytes))
    return float(np.mean(seconds)) * pace.per_second


def _same(beams: Sequence[Beams], expected: Sequence[Beams]) -> float:
    """Mean share of the expected SIDs that are found."""
    shares = [
        np.isin(other.leaves[other.leaves >= 0], one.leaves).mean()
        for one, other in zip(beams, expected, strict=True)
        if other.found
    ]
    return float(np.mean(shares))


def _found(
    channel: GenerativeChannel,
    read: Sequence[ReadRequests],
    beams: Sequence[Beams],
    wanted: Sequence[NDArray[np.int64]],
) -> float:
    """Mean share of the nearest items that are behind beams."""
    posted = [
        channel.items.postings.items(of_query.leaves[0], asked.masks[0]).rows
        for asked, of_query in zip(read, beams, strict=True)
    ]
    return _mean_share(posted, wanted)


def _mean_share(found: Sequence[NDArray[Any]], wanted: Sequence[NDArray[np.int64]]) -> float:
    pairs = zip(found, wanted, strict=True)
    return float(np.mean([np.isin(of_query, rows).mean() for rows, of_query in pairs]))


@dataclass(frozen=True)
class _Live:
    """Vectors of the items that can be answered with, to be searched without SIDs.

    Attributes:
        rows: their catalog rows, int64 `[n]`.
        vectors: float32 `[n, D]`.
    """

    rows: NDArray[np.int64]
    vectors: NDArray[np.float32]

    @classmethod
    def of(cls, channel: GenerativeChannel) -> _Live:
        available = channel.items.available
        rows = np.arange(len(channel.items)) if available is None else np.flatnonzero(available)
        return cls(rows, channel.items.views[rows])

    def search(self, index: Any, read: ReadRequests) -> NDArray[np.int64]:
        """Catalog rows of the nearest that an index finds, best first."""
        found = index.search(read.reading.queries, min(NEAREST, len(self.rows)))[1][0]
        rows: NDArray[np.int64] = self.rows[found[found >= 0]]
        return rows

    def search_passing(
        self, index: Any, mask: NDArray[np.bool_], read: ReadRequests
    ) -> NDArray[np.int64]:
        """Those of ten times as many that pass a filter, as an index without filters answers."""
        wanted = min(10 * NEAREST, len(self.rows))
        found = index.search(read.reading.queries, wanted)[1][0]
        rows: NDArray[np.int64] = self.rows[found[found >= 0]]
        return rows[mask[rows]][:NEAREST]

    def exact(self) -> Any:
        """All are compared."""
        index = faiss.IndexFlatIP(self.vectors.shape[1])
        index.add(self.vectors)
        return index

    def indexes(self) -> Iterator[tuple[str, Any, Callable[[int], None]]]:
        """Name, index, and what sets how widely it is searched."""
        n, dim = self.vectors.shape
        graph = faiss.IndexHNSWFlat(dim, _LINKS, faiss.METRIC_INNER_PRODUCT)
        graph.hnsw.efConstruction = _CARE
        graph.add(self.vectors)
        yield "HNSW", graph, lambda width: setattr(graph.hnsw, "efSearch", max(width, NEAREST))
        lists = max(min(round(4 * n**0.5), n // 39), 1)  # as many as faiss advises, and can train
        parts = faiss.IndexIVFFlat(faiss.IndexFlatIP(dim), dim, lists, faiss.METRIC_INNER_PRODUCT)
        parts.train(self.vectors)
        parts.add(self.vectors)
        yield "IVF", parts, lambda width: setattr(parts, "nprobe", min(width, lists))


def _widened(
    name: str,
    search: Callable[[ReadRequests], NDArray[np.int64]],
    widen: Callable[[int], None],
    read: Sequence[ReadRequests],
    wanted: Sequence[NDArray[np.int64]],
    least: float,
) -> Pace:
    """The narrowest search of an index that finds as much, or the widest."""
    pace = None
    for width in _WIDTHS:
        widen(width)
        rows, times = _paced(read, search)
        pace = replace(_pace("index", name, width, times), found=_mean_share(rows, wanted))
        if pace.found is not None and pace.found >= least:
            break
    assert pace is not None
    return pace


def _paced(
    asked: Sequence[Any], answer: Callable[[Any], Said], warm: Sequence[Any] = ()
) -> tuple[list[Said], NDArray[np.float64]]:
    """All answers, and seconds of processor time of each; `warm` are asked first, untimed."""
    for one in warm or asked[:_WARM_UP]:
        answer(one)
    normalize.cache_clear()
    timed = [_timed(partial(answer, one)) for one in asked]
    return [said for _, said in timed], np.array([seconds for seconds, _ in timed])


def _timed(work: Callable[[], Said]) -> tuple[float, Said]:
    start = time.thread_time()
    said = work()
    return time.thread_time() - start, said


def _pace(step: str, way: str, width: int, seconds: NDArray[np.float64]) -> Pace:
    # Where the clock is coarse, a query may take no time of it.
    least = time.get_clock_info("thread_time").resolution / len(seconds)
    seconds = np.maximum(seconds, least)
    p50, p99 = (1e3 * np.percentile(seconds, [50, 99])).tolist()
    return Pace(step, way, width, p50, p99, per_second=1 / float(seconds.mean()))


def as_rows(paces: Sequence[Pace]) -> list[dict[str, Any]]:
    """For a JSON file."""
    return [asdict(pace) for pace in paces]
