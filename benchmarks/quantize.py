"""Speed and error of residual quantizer training: ours and other packages on identical vectors.

    python -m benchmarks.quantize [--vectors FILE.npy] [--threads N] [--quick] [--json FILE]

Each contestant trains in a process of its own: once to warm up (which compiles where a package
compiles), then `--repeats` times; the median counts. One that takes longer than `--budget` seconds
in all is not repeated further. Encoding and the errors are outside the clock.

Errors are shares of the variance of the vectors that the three codes do not explain,
`mean ‖x − x̂‖² / mean ‖x − x̄‖²`, on the vectors that were trained on:
  own    x̂ is the contestant's own reconstruction: the decoder's of an RQ-VAE, the sum of the codes
         otherwise. Of ours the decoder is not kept: the mean of the last hundredth of training.
  best   the lowest of `own` at the end and while it trained.
  refit  x̂ is the best sum of three vectors, one for each code, by least squares: the same decoder
         for all, so it says what the codes alone hold.
`× ours` compares the time of the whole training with ours of the same family. `at our error` is the
time until the contestant first reached our error, and how many times ours that is; where it says
`never`, its whole training counts. The goal is 5. The time comes from the curve of the training or
from shorter trainings. With one thread times are CPU times, which other work on the machine does
not stretch.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from benchmarks.residual_quantizers import Trained

Vectors = NDArray[np.float32]

GOAL: Final = 5.0
"""So many times faster ours should be, at equal or lower error."""

_ITEMS, _DIM = 20_000, 128
_CHILD: Final = "--child"
_MODULES: Final = {"semantic-id": "semantic_id", "rectokens": "rectokens"}


def main() -> None:
    """Measure all contestants and print two tables."""
    options = _options()
    # Read when the libraries load, so it is set before they are imported.
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(options.threads)
    from benchmarks.residual_quantizers import CONTESTANTS, OURS

    if options.child:
        print(json.dumps(measure(options.child, options)))
        return
    vectors = _vectors(options)
    print(_heading(vectors, options))
    names = [name for name in CONTESTANTS if not options.only or name in options.only]
    for package in sorted({CONTESTANTS[name].package or "" for name in names} - {""}):
        if not importlib.util.find_spec(_MODULES[package.split("==")[0]]):
            print(f"{package} is not installed and not measured: pip install {package}")
            names = [name for name in names if CONTESTANTS[name].package != package]
    results: dict[str, dict[str, Any]] = {}
    for name in names:
        print(f"  {name}: {CONTESTANTS[name].settings}", file=sys.stderr, flush=True)
        results[name] = _measure_apart(name)
    for name, result in results.items():
        ours = results.get(OURS[CONTESTANTS[name].family])
        if ours and ours is not result:
            result |= compare(result, ours)
    _print(results)
    if options.json:
        settings = {key: str(value) for key, value in vars(options).items() if key != "child"}
        figures = {"settings": settings, "versions": _versions(), "contestants": results}
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
        print(f"wrote {options.json}")


def measure(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Warm up, train, and compute the errors of one contestant, in this process."""
    import faiss
    import torch

    from benchmarks.residual_quantizers import CONTESTANTS

    torch.set_num_threads(options.threads)
    faiss.omp_set_num_threads(options.threads)
    contestant, vectors = CONTESTANTS[name], _vectors(options)
    passes = contestant.warm_up if options.quick else contestant.passes
    began = time.perf_counter()
    contestant.train(vectors, options.seed, **contestant.warm_up)
    warm_up = time.perf_counter() - began
    variance = float(np.square(vectors - vectors.mean(0)).sum(1).mean())

    def train(passes: dict[str, int]) -> tuple[Trained, float, float]:
        wall, cpu = time.perf_counter(), time.process_time()
        trained = contestant.train(vectors, options.seed, **passes)
        return trained, time.perf_counter() - wall, time.process_time() - cpu

    def own_error(trained: Trained) -> float:
        if not trained.reconstruct:
            return trained.curve[-1][1] / variance
        return float(np.square(vectors - trained.reconstruct()).sum(1).mean()) / variance

    walls: list[float] = []
    cpus: list[float] = []
    while len(walls) < options.repeats and sum(walls) < options.budget:
        trained, wall, cpu = train(passes)
        walls.append(wall)
        cpus.append(cpu)
    seconds = statistics.median(walls if options.threads > 1 else cpus)
    curve = [(share * seconds, loss / variance) for share, loss in trained.curve]
    for shorter in () if options.quick else contestant.shorter:
        early, wall, cpu = train(shorter)
        curve.append((wall if options.threads > 1 else cpu, own_error(early)))
    own, codes = own_error(trained), np.asarray(trained.codes()).astype(np.int64)
    return {
        "family": contestant.family,
        "package": contestant.package,
        "settings": contestant.settings,
        "passes": passes,
        "runs": len(walls),
        "warm_up_seconds": warm_up,
        "wall_seconds": statistics.median(walls),
        "cpu_seconds": statistics.median(cpus),
        "seconds": seconds,
        "error_own": own,
        "error_best": min([own, *(error for _, error in curve)]),
        "error_refit": refit_error(codes, vectors) / variance,
        "codes_used": [len(np.unique(level)) for level in codes.T],
        "curve": curve,
    }


def refit_error(codes: NDArray[np.int64], vectors: Vectors) -> float:
    """Mean squared error of the best sum of one vector per code, by least squares."""
    levels, flat = [], codes.copy()
    for level in range(codes.shape[1]):
        used, flat[:, level] = np.unique(codes[:, level], return_inverse=True)
        levels.append(len(used))
    flat += np.concatenate([[0], np.cumsum(levels)[:-1]])
    one_hot = np.zeros((len(codes), sum(levels)), dtype=np.float32)
    np.put_along_axis(one_hot, flat, 1.0, axis=1)
    # The one-hot columns of each level sum to one, so the sum is not unique: a little ridge.
    gram = (one_hot.T @ one_hot).astype(np.float64) + 1e-6 * np.eye(sum(levels))
    fitted = np.linalg.solve(gram, (one_hot.T @ vectors).astype(np.float64))
    return float(np.square(vectors - one_hot @ fitted.astype(np.float32)).sum(1).mean())


def compare(result: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    """How a contestant does against ours of its family."""
    whole, goal = result["seconds"], ours["error_own"]
    points = [*result["curve"], (whole, result["error_own"])]
    reached = min((seconds for seconds, error in points if error <= goal), default=None)
    return {
        "times_ours": whole / ours["seconds"],
        "seconds_to_our_error": reached,
        "times_ours_at_our_error": (whole if reached is None else reached) / ours["seconds"],
    }


def clustered_vectors(n: int, dim: int, seed: int) -> Vectors:
    """Vectors of length 1 in clusters of clusters: float32 `[n, dim]`.

    20 groups of 20 clusters whose sizes fall as 1/rank, with noise in all directions whose
    deviation falls with the root of the direction's number, as in embeddings of texts.
    """
    random = np.random.default_rng(seed)
    groups = random.normal(size=(20, dim))
    clusters = np.repeat(groups, 20, axis=0) + 0.7 * random.normal(size=(400, dim))
    size = 1 / np.arange(1, 401)
    cluster = random.permutation(400)[random.choice(400, size=n, p=size / size.sum())]
    spectrum = 1 / np.sqrt(np.arange(1, dim + 1))
    turn, _ = np.linalg.qr(random.normal(size=(dim, dim)))
    noise = (random.normal(size=(n, dim)) * spectrum / np.sqrt(np.square(spectrum).mean())) @ turn
    vectors = clusters[cluster] + noise
    units: Vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return units


def _vectors(options: argparse.Namespace) -> Vectors:
    if not options.vectors:
        return clustered_vectors(options.items, _DIM, options.seed)
    vectors = np.load(options.vectors, allow_pickle=False).astype(np.float32)
    rows = np.random.default_rng(options.seed).permutation(len(vectors))[: options.items]
    chosen = vectors[np.sort(rows)]
    return np.ascontiguousarray(chosen / np.linalg.norm(chosen, axis=1, keepdims=True))


def _measure_apart(name: str) -> dict[str, Any]:
    """Measure in a new process, so that no package changes the settings of another."""
    command = [sys.executable, "-m", "benchmarks.quantize", *sys.argv[1:], _CHILD, name]
    with tempfile.TemporaryFile() as noise:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=noise, check=False)
        if done.returncode:
            noise.seek(0)
            sys.exit(f"{name} failed:\n{noise.read().decode(errors='replace')}")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _print(results: dict[str, dict[str, Any]]) -> None:
    table = Table(box=SIMPLE_HEAD)
    table.add_column("", no_wrap=True)
    for head in ("wall s", "CPU s", "runs", *_ERRORS, "codes used", "× ours", "at our error"):
        table.add_column(head, justify="right")
    table.add_column("")
    for name, result in results.items():
        row = [name, f"{result['wall_seconds']:.2f}", f"{result['cpu_seconds']:.2f}"]
        row += [str(result["runs"]), *(f"{result[f'error_{error}']:.4f}" for error in _ERRORS)]
        row += [" ".join(map(str, result["codes_used"]))]
        if "times_ours" in result:
            at, times = result["seconds_to_our_error"], result["times_ours_at_our_error"]
            row += [f"{result['times_ours']:.1f}"]
            row += [f"{'never' if at is None else f'{at:.2f} s'}, {times:.1f} ×"]
            row += [] if not result["package"] else ["goal met" if times >= GOAL else "not met"]
        table.add_row(*row)
    Console(width=max(140, Console().width)).print(table)
    print(
        f"own, best, refit: share of the variance not explained. goal: ours is {GOAL:g} × faster."
    )


_ERRORS: Final = ("own", "best", "refit")


def _heading(vectors: Vectors, options: argparse.Namespace) -> str:
    source = options.vectors or f"synthetic clusters, seed {options.seed}"
    versions = ", ".join(f"{name} {number}" for name, number in _versions().items())
    quick = "; --quick: the warm-up's settings, nobody's defaults" if options.quick else ""
    return (
        f"{vectors.shape[0]:,} vectors of width {vectors.shape[1]}, length 1 ({source}); 3 levels "
        f"of 256 codes; threads {options.threads}; {options.repeats} repeats, budget "
        f"{options.budget:g} s{quick}\n{versions}; {platform.machine()}, {os.cpu_count()} cores"
    )


def _versions() -> dict[str, str]:
    names = ["genrecall", "torch", "faiss-cpu", "numpy"]
    names += [name for name, module in _MODULES.items() if importlib.util.find_spec(module)]
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--vectors", type=Path, help="a .npy file, float [N, D], instead")
    parser.add_argument("--items", type=int, default=_ITEMS, help="at most so many vectors")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--budget", type=float, default=480.0, help="seconds for each contestant")
    parser.add_argument("--quick", action="store_true", help="measure the warm-up's settings")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="some of the contestants")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    parser.add_argument(_CHILD, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.repeats < 1 or options.budget <= 0 or options.threads < 1:
        parser.error("--repeats and --threads take a number from 1, --budget one above 0")
    return options


if __name__ == "__main__":
    main()
