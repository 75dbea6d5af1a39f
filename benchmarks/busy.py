"""Training and recall alone and beside a busy process: how many threads, and how they wait.

    python -m benchmarks.busy runs/demo/bundle

Trains the encoder of the bundle's shop for a while, and answers its queries one at a time, in
processes of their own, each once alone and once beside a process that computes on every other core.
`spin` is how OpenMP's threads wait by default, `sleep` how those of the command line do.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from benchmarks.command import positive, write_figures
from benchmarks.figures import say_all
from benchmarks.markdown import markdown_table
from genrecall.bundle import open_bundle
from genrecall.data.load import load_shop
from genrecall.embed.config import InDomainConfig, SubwordConfig
from genrecall.embed.training.two_tower import train_in_domain, train_tokenizer
from genrecall.foundation.artifact import open_artifact
from genrecall.foundation.progress import SilentLog
from genrecall.learning.checkpoint import Checkpoints

_BUSY: Final = "while True: pass"
_WAITS: Final = {"spin": "active", "sleep": "passive"}
"""How threads wait, by the value of `OMP_WAIT_POLICY`."""

_SAID: Final = {"train": "training, examples/s", "recall": "recall, p50 in ms"}
_HEADINGS: Final = ("", "threads", "wait by", "alone", "beside", "beside/alone")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure all combinations, and print a table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.busy",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("bundle", type=Path, help="a bundle; its run beside it")
    parser.add_argument("--steps", type=positive, default=200, help="of training (200)")
    parser.add_argument("--queries", type=positive, default=300, help="answered (300)")
    parser.add_argument("--threads", type=positive, default=os.cpu_count() or 1, help="(the cores)")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--measure", choices=("train", "recall"), help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.measure:
        print(json.dumps({"train": _train, "recall": _recall}[given.measure](given)))
        return
    settings = {name: getattr(given, name) for name in ("steps", "queries", "threads")}
    print(say_all(settings))
    found = [
        _measure(given, what, threads, waits)
        for what in ("train", "recall")
        for threads, waits in ((1, "sleep"), (given.threads, "spin"), (given.threads, "sleep"))
    ]
    rows = [
        [_SAID[row["what"]], str(row["threads"]), row["waits"], *map(_shown, _speeds(row))]
        for row in found
    ]
    print(*markdown_table(_HEADINGS, rows), sep="\n")
    write_figures(given, {"settings": settings, "found": found})


def _measure(given: argparse.Namespace, what: str, threads: int, waits: str) -> dict[str, Any]:
    found: dict[str, Any] = {"what": what, "threads": threads, "waits": waits}
    for name, others in (("alone", 0), ("busy", max((os.cpu_count() or 1) - 1, 1))):
        with busy(others):
            found[name] = _in_a_process(given, what, threads, waits)
    return found


def _speeds(row: dict[str, Any]) -> tuple[float, float, float]:
    return row["alone"], row["busy"], row["busy"] / row["alone"]


def _shown(value: float) -> str:
    return f"{value:.3g}"


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """While inside, so many other processes compute without end."""
    others = [subprocess.Popen([sys.executable, "-c", _BUSY]) for _ in range(processes)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def _in_a_process(given: argparse.Namespace, what: str, threads: int, waits: str) -> float:
    command = [sys.executable, "-m", "benchmarks.busy", given.bundle, "--measure", what]
    options = [("--steps", given.steps), ("--queries", given.queries), ("--threads", threads)]
    done = subprocess.run(
        [*map(str, command), *(str(word) for option in options for word in option)],
        env=os.environ | {"OMP_WAIT_POLICY": _WAITS[waits]},
        stdout=subprocess.PIPE,
        check=True,
    )
    return float(json.loads(done.stdout))


def _train(given: argparse.Namespace) -> float:
    """Examples per second of the encoder's training, its start not counted."""
    torch.set_num_threads(given.threads)
    shop = load_shop(open_artifact(given.bundle.parent / "stages/data", kind="data"))
    tokenizer = train_tokenizer(SubwordConfig(), titles=shop.catalog.titles, queries=shop.queries)
    times = []
    for steps in (1, given.steps):
        start = time.perf_counter()
        config = InDomainConfig(steps=steps)
        train_in_domain(
            config,
            tokenizer=tokenizer,
            titles=shop.catalog.titles,
            queries=shop.queries,
            pairs=shop.pairs,
            seed=0,
            checkpoints=Checkpoints(None, every=0),
            log=SilentLog(),
        )
        times.append(time.perf_counter() - start)
    return float(config.batch * (given.steps - 1) / max(times[1] - times[0], 1e-9))


def _recall(given: argparse.Namespace) -> float:
    """Median of the milliseconds of an answer of 100 items."""
    channel = open_bundle(given.bundle, threads=given.threads).generative()
    shop = load_shop(open_artifact(given.bundle.parent / "stages/data", kind="data"))
    queries = shop.searches.of("validation").queries[: given.queries]
    taken = []
    for query in queries:
        start = time.perf_counter()
        channel.recall(query, k=100)
        taken.append(time.perf_counter() - start)
    return float(np.median(taken)) * 1e3


if __name__ == "__main__":
    main()
