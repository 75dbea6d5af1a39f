"""How long a walk down the tree takes as the SIDs become more: synthetic vectors, no training.

    python -m benchmarks.scaling
    python -m benchmarks.scaling --sids 10_000 1_000_000 --beam 50

Vectors of SIDs lie around those of their prefixes, and a query near one of them. Codebooks have the
sizes that `quantize` chooses for five items a SID. All is measured in one process by the processor
time of its thread.

`exact best` is the share of the likeliest SIDs, as many as there are beams, that are found: by
heads, and by a look-ahead that reads the vectors of all SIDs. `of the limit` is the share of the
time that a core would take to read as many vectors, or for as many products; only where the library
in C searches.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from benchmarks.command import positive, write_figures
from benchmarks.figures import figure_table, say_all
from genrecall.decode.base import BeamRule
from genrecall.decode.walk.native import NativeWalk
from genrecall.decode.walk.plain import PlainWalk
from genrecall.decode.walk.tables import WalkTables
from genrecall.foundation.blocks import blocks
from genrecall.foundation.eight_bits import EightBits
from genrecall.foundation.ragged import ragged_logsumexp, rank_in_run
from genrecall.foundation.sid import SidSpace
from genrecall.foundation.threads import one_thread
from genrecall.foundation.trie import Trie
from genrecall.foundation.unit import scale_to_unit
from genrecall.generator.compact.look_ahead import LookAhead, Told
from genrecall.generator.compact.weights import LevelWeights
from genrecall.index.centroids import SidGroups, most_groups
from genrecall.native.library import library
from genrecall.offline.decoding import Machine, measured_machine
from genrecall.quantize.training.sizes import codebook_sizes

_ITEMS: Final = 5  # a SID
_FIRST_CODES: Final = 2048  # as many as `quantize.max_categories` allows
_SPREAD: Final = (1.0, 0.7, 0.5)  # of what each level adds to a vector
_TEMPERATURE: Final = 0.05
_WIDTH: Final = 256
_WARM_UP: Final = 50
_COMPARED: Final = 64  # queries that are compared with all SIDs
_WEIGHTS: Final = LevelWeights((0.3, 0.3, 0.3), (1.0, 1.0, 1.0))

Floats = NDArray[np.float32]


class Synthetic(NamedTuple):
    """SIDs without a catalog.

    Attributes:
        tables: what a walk reads.
        queries: over the temperature, float32 `[Q, D]`.
        hidden: states of the queries, float32 `[Q, W]`.
    """

    tables: WalkTables
    queries: Floats
    hidden: Floats


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure each number of SIDs, then print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scaling",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    sizes = (10_000, 100_000, 1_000_000, 4_000_000)
    parser.add_argument("--sids", type=positive, nargs="+", default=sizes, help="(10k to 4 M)")
    parser.add_argument("--dim", type=positive, default=256, help="numbers of a vector (256)")
    parser.add_argument("--beam", type=positive, default=100, help="(100)")
    parser.add_argument("--queries", type=positive, default=400, help="(400)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    given = parser.parse_args(arguments)
    names = ("dim", "beam", "queries", "seed")
    settings = {name: getattr(given, name) for name in names} | {"in C": library() is not None}
    print(say_all(settings))
    machine = measured_machine()
    with one_thread():
        found = [_measured(given, n, machine) for n in given.sids]
    columns = ["SIDs", "codes", "p50 ms", "p99 ms", "times the first", "MB"]
    table = figure_table([*columns, "vectors", "of the limit", "exact best"])
    for row in found:
        slower = row["p50"] / found[0]["p50"]
        codes = " x ".join(map(str, row["codes"]))
        ms = [f"{row[name]:.3f}" for name in ("p50", "p99")]
        told = [f"{slower:.2f}", f"{row['bytes'] / 1e6:,.0f}"]
        told += [f"{row['vectors']:,.0f}", f"{row['limit']:.0%}"] if row["vectors"] else ["", ""]
        table.add_row(f"{row['sids']:,}", codes, *ms, *told, f"{row['exact']:.3f}")
    Console(width=120).print(table)
    write_figures(given, {"settings": settings, "found": found})


def _measured(given: argparse.Namespace, n_sids: int, machine: Machine) -> dict[str, Any]:
    made = synthetic(n_sids, dim=given.dim, queries=given.queries, seed=given.seed)
    found = library()
    walk = PlainWalk(made.tables) if found is None else NativeWalk(made.tables, found)
    times, least, vectors, leaves = [], [], [], []
    for query, hidden in zip(made.queries, made.hidden, strict=True):
        start = time.thread_time()
        rule = BeamRule.of(given.beam)
        leaves.append(walk.search(query, hidden, alive=None, rule=rule, min_level1=1)[0])
        times.append(1e3 * (time.thread_time() - start))
        if isinstance(walk, NativeWalk):
            vectors.append(walk.work.vectors + walk.work.codes)
            least.append(1e3 * machine.least_seconds(walk.work.products, walk.work.n_bytes))
    kept = times[min(_WARM_UP, len(times) - 1) :]
    return {
        "sids": n_sids,
        "codes": made.tables.trie.space.sizes,
        "p50": float(np.median(kept)),
        "p99": float(np.quantile(kept, 0.99)),
        "bytes": _bytes(made.tables),
        "vectors": float(np.mean(vectors)) if vectors else None,
        "limit": float(np.mean(least) / np.mean(times)) if least else None,
        "exact": _found(made, leaves[:_COMPARED]),
    }


def _found(made: Synthetic, leaves: Sequence[NDArray[np.int64]]) -> float:
    """Mean share of the likeliest SIDs of the first queries that are found."""
    tables, trie, n = made.tables, made.tables.trie, len(leaves)
    sids = tables.levels[-1]
    said = np.empty((n, len(trie)), dtype=np.float32)
    for rows in blocks(len(trie), sids.rows(np.arange(1)).shape[1]):
        at = np.arange(rows.start, rows.stop)
        said[:, at] = made.queries[:n] @ sids.rows(at).T + sids.bias[at]
    shares = []
    for of_query, hidden, found in zip(said, made.hidden, leaves, strict=False):
        second = ragged_logsumexp(of_query, np.diff(trie.offsets[2]))
        ahead = (ragged_logsumexp(second, np.diff(trie.offsets[1])), second, of_query)
        logprob = np.zeros(1, dtype=np.float32)
        for level, of_level in enumerate(ahead):
            head = tables.heads[level].vectors @ hidden
            logits = np.float32(tables.weights.look_ahead[level]) * of_level
            logits += np.float32(tables.weights.heads[level]) * head[trie.codes[level]]
            children = np.diff(trie.offsets[level])[: len(logprob)]
            mass = ragged_logsumexp(logits, children)
            logprob = (logprob - mass).repeat(children) + logits
        best = np.argpartition(-logprob, len(found) - 1)[: len(found)]
        shares.append(np.isin(best, found).mean())
    return float(np.mean(shares))


def synthetic(n_sids: int, *, dim: int, queries: int, seed: int) -> Synthetic:
    """SIDs around their prefixes, and queries near some of them.

    Args:
        n_sids: at least 1.
        dim: numbers of a vector.
        queries: how many.
        seed: of all that is drawn.
    """
    rng = np.random.default_rng(seed)
    trie = _trie(n_sids, rng)
    means = _means(trie, dim, rng)
    near = means[rng.integers(0, n_sids, queries)]
    asked = near + _drawn(rng, queries, dim, 1.0)
    asked /= np.linalg.norm(asked, axis=1, keepdims=True)
    counts = np.full(n_sids, np.log(_ITEMS), dtype=np.float32)
    ahead = LookAhead(trie, means, counts, _groups(trie), temperature=_TEMPERATURE)
    heads = tuple(Told.of_codes(_drawn(rng, size, _WIDTH, 1.0)) for size in trie.space.sizes)
    constant = tuple(np.zeros(n, dtype=np.float32) for n in trie.n_nodes)
    tables = WalkTables(trie, ahead.whole, ahead.levels, ahead.closely, heads, constant, _WEIGHTS)
    hidden = rng.normal(size=(queries, _WIDTH)).astype(np.float32)
    return Synthetic(tables, asked / np.float32(_TEMPERATURE), hidden)


def _trie(n_sids: int, rng: np.random.Generator) -> Trie:
    """SIDs of a space as `quantize` sizes it, first codes of unequal sizes."""
    first = min(_FIRST_CODES, max(n_sids // 10, 1))
    space = SidSpace((first, *codebook_sizes(_ITEMS * n_sids, first, _ITEMS)))
    chance = rng.lognormal(size=first)
    packed = np.empty(0, dtype=np.int64)
    below = space.sizes[1] * space.sizes[2]
    while len(packed) < n_sids:
        code = rng.choice(first, 2 * (n_sids - len(packed)), p=chance / chance.sum())
        packed = np.union1d(packed, code * below + rng.integers(0, below, len(code)))
    return Trie(space, np.sort(rng.permutation(packed)[:n_sids]))


def _means(trie: Trie, dim: int, rng: np.random.Generator) -> Floats:
    """Unit vectors of the SIDs, each near those of its prefixes."""
    above = [
        _drawn(rng, n, dim, spread) for n, spread in zip(trie.n_nodes[:2], _SPREAD[:2], strict=True)
    ]
    means = np.empty((len(trie), dim), dtype=np.float32)
    for rows in blocks(len(trie), dim):
        path = trie.path(np.arange(rows.start, rows.stop))
        means[rows] = _drawn(rng, len(path), dim, _SPREAD[2])
        for level, of in enumerate(above):
            means[rows] += of[path[:, level]]
    scale_to_unit(means)
    return means


def _groups(trie: Trie) -> SidGroups:
    """Neighbours in the tree are a group; k-means would find others, a walk costs the same."""
    path, of_sid = trie.path(np.arange(len(trie))), []
    for level, most in enumerate(most_groups(len(trie))):
        node = path[:, level]
        rank, size = rank_in_run(node), np.bincount(node)[node]
        group = node * most + rank * np.minimum(most, size) // size
        of_sid.append(np.unique(group, return_inverse=True)[1])
    return SidGroups.of(trie, np.stack(of_sid))


def _drawn(rng: np.random.Generator, n: int, dim: int, length: float) -> Floats:
    drawn: Floats = rng.standard_normal((n, dim), dtype=np.float32)
    drawn *= np.float32(length / dim**0.5)
    return drawn


def _bytes(tables: WalkTables) -> int:
    """Of all that a walk reads."""
    told = (tables.whole, *tables.levels, *tables.heads)
    eight = [of.kept for of in told if isinstance(of.kept, EightBits)]
    arrays: list[NDArray[Any]] = [of.bias for of in told] + [of.offsets for of in told]
    arrays += [part for of in eight for part in (of.steps, of.scale)]
    arrays += [*tables.constant, *tables.trie.codes, *tables.trie.offsets]
    return sum(array.nbytes for array in arrays)


if __name__ == "__main__":
    main()
