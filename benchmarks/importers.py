"""Speed and memory of `genrecall import ubi` on synthetic logs of several sizes.

Run: python benchmarks/importers.py --rows 1_000_000 10_000_000
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple, TextIO

import polars as pl

FILES: Final = 4
"""Files of each index; the events of a search lie in any of them."""

HITS: Final = 20
ITEMS: Final = 1_000_000
EVENTS: Final = ("impression",) * 6 + ("click", "add_to_cart", "purchase")
"""Of each search a random number of these, on average half: so there are 4.5 events a query."""

_START: Final = 1_700_000_000_000
_QUERY: Final = (
    '{"application":"shop","query_id":"%s","client_id":"%s","user_query":"%s","query_attributes":{}'
    ',"query":"{\\"match\\":{\\"title\\":\\"%s\\"}}","timestamp":"%s"'
    ',"query_response_hit_ids":["%s"]}\n'
)
_EVENT: Final = (
    '{"application":"shop","action_name":"%s","query_id":"%s","session_id":"%s","client_id":"%s"'
    ',"timestamp":"%s","message_type":null,"message":null,"event_attributes":{"object":'
    '{"object_id":"%s","object_id_field":"sku"},"position":{"ordinal":%d}}}\n'
)


class Measured(NamedTuple):
    """One import: how many rows, and the most memory it took, in bytes."""

    rows: int
    peak: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000], help="log rows")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    threads = os.environ.get("POLARS_MAX_THREADS", "all")
    print(
        f"genrecall import ubi; python {platform.python_version()}, polars {pl.__version__}, "
        f"{len(os.sched_getaffinity(0))} of {os.cpu_count()} cores, POLARS_MAX_THREADS={threads}"
    )
    print(
        f"log: {len(EVENTS) / 2:g} events a query, {HITS} hits a query, {ITEMS:,} items, "
        f"{FILES} files of each index, seed {options.seed}"
    )
    print(
        f"{'rows':>12} {'text MiB':>9} {'searches':>10} {'s':>7} {'cpu s':>7} {'rows/s':>9} "
        f"{'peak MiB':>9}"
    )
    runs = [measure(rows, options.seed) for rows in options.rows]
    if len(runs) > 1:
        first, last = runs[0], runs[-1]
        print(
            f"{last.rows / first.rows:.1f} x the rows take {last.peak / first.peak:.2f} x the "
            "peak memory"
        )


def measure(rows: int, seed: int) -> Measured:
    """Write a log, import it in a process of its own, and print what that took."""
    with tempfile.TemporaryDirectory(prefix="genrecall-import-") as folder:
        source, out = Path(folder, "log"), Path(folder, "out")
        source.mkdir()
        write_log(source, rows, random.Random(seed))
        command = [sys.executable, "-c", "from genrecall.cli.app import main; main()"]
        command += ["import", "ubi", str(source), "--out", str(out)]
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit("the import failed; see above")
        text = sum(file.stat().st_size for file in source.iterdir())
        searches = pl.scan_parquet(out / "searches.parquet").select(pl.len()).collect().item()
        # Linux counts in KiB, macOS in bytes.
        peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    cpu = usage.ru_utime + usage.ru_stime
    print(
        f"{rows:>12,} {text >> 20:>9,} {searches:>10,} {seconds:>7.1f} {cpu:>7.1f} "
        f"{rows / seconds:>9,.0f} {peak >> 20:>9,}",
        flush=True,
    )
    return Measured(rows, peak)


def write_log(folder: Path, rows: int, rng: random.Random) -> None:
    """Write `rows` documents; a search's events come in files and lines of their own."""
    with ExitStack() as stack:
        queries, events = (
            [
                stack.enter_context((folder / f"{index}-{part}.jsonl").open("w"))
                for part in range(FILES)
            ]
            for index in ("ubi_queries", "ubi_events")
        )
        documents = _documents(queries, events, rng)
        for file, document in islice(documents, rows):
            file.write(document)


def _documents(
    queries: Sequence[TextIO], events: Sequence[TextIO], rng: random.Random
) -> Iterator[tuple[TextIO, str]]:
    """Give documents without end, each with its file."""
    clock = _START
    while True:
        clock += rng.randrange(2_000)
        query_id, client = f"{rng.getrandbits(128):032x}", f"client-{rng.randrange(10**6)}"
        words = f"word{rng.randrange(5_000)} word{rng.randrange(500)}"
        hits = [f"sku-{rng.randrange(ITEMS)}" for _ in range(HITS)]
        ids, stamp = '","'.join(hits), _iso(clock)
        yield rng.choice(queries), _QUERY % (query_id, client, words, words, stamp, ids)
        session = f"session-{clock}"
        for place, action in enumerate(EVENTS):
            if rng.random() < 0.5:
                stamp = _iso(clock + 900 * (place + 1))
                values = (action, query_id, session, client, stamp, hits[place], place)
                yield rng.choice(events), _EVENT % values


def _iso(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:03}Z"


if __name__ == "__main__":
    main()
