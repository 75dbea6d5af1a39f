"""A language model from scratch beside the compact model, at equal training time; and its student.

    python -m benchmarks.families examples/homedepot.yaml
    python -m benchmarks.families examples/homedepot.yaml examples/beauty.yaml \\
        --size base --device cuda --minutes 20

Data, vectors and SIDs are made once for each config and seed, and all cells share them. A cell that
is finished with the same settings is read, an interrupted one goes on where it stopped, so the
command may be stopped and started at will.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import torch

from benchmarks.command import choose_cells, positive, write_figures, write_page
from benchmarks.families.cell import Bench, Finished, finish, prepare
from benchmarks.families.cells import CELLS, LM
from benchmarks.families.printing import as_markdown, print_result
from benchmarks.families.tables import build_table
from genrecall import __version__
from genrecall.config import Config, load_config
from genrecall.foundation.errors import ConfigError
from genrecall.generator.lm.config import BY_SIZE, Size, Training
from genrecall.learning.processes import join_processes


def main(arguments: Sequence[str] | None = None) -> None:
    """Finish all cells, printing each config's table as soon as it is complete."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.families",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("configs", metavar="CONFIG", nargs="+", type=Path)
    parser.add_argument("--size", choices=get_args(Size), default="nano", help="of lm (nano)")
    parser.add_argument(
        "--minutes", type=float, default=20.0, help="of training of lm and compact_equal (20)"
    )
    parser.add_argument("--batch", type=positive, help="prompts of a step of lm; by its size")
    parser.add_argument("--learning-rate", type=float, help="peak, of lm; by its size")
    parser.add_argument("--seeds", type=positive, default=1, help="repetitions (1)")
    parser.add_argument("--threads", type=positive, default=2, help="of the CPU (2)")
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="of lm (auto)"
    )
    parser.add_argument("--searches", type=positive, default=1000, help="measured at most (1000)")
    parser.add_argument("--cells", help="names, comma-separated; all by default")
    parser.add_argument("--out", type=Path, default=Path("runs/families"))
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    parser.add_argument("--markdown", type=Path, help="write the tables to this file, too")
    given = parser.parse_args(arguments)

    configs = _load(given.configs)
    cells = _chosen(given.cells)
    # Asks for the libraries and the device now rather than after an hour.
    device = join_processes(given.device).device if LM in cells else torch.device("cpu")
    result: dict[str, Any] = {"settings": _settings(given, device), "configs": {}}
    for name, config in configs.items():
        runs: dict[str, dict[int, Finished]] = {cell: {} for cell in cells}
        for number in range(given.seeds):
            bench = _bench(given, name, config, number, device)
            prepare(bench)
            finished: dict[str, Finished] = {}
            for cell in cells:
                print(f"{name}, seed {bench.config.seed}, {cell}", flush=True)
                finished[cell] = finish(bench, cell, finished)
                runs[cell][bench.config.seed] = finished[cell]
        result["configs"][name] = build_table(runs)
        print_result(result | {"configs": {name: result["configs"][name]}})
    write_figures(given, result)
    write_page(given.markdown, as_markdown(result))


def _load(paths: Sequence[Path]) -> dict[str, Config]:
    """The configs by the names of their files."""
    configs: dict[str, Config] = {}
    for path in paths:
        if path.stem in configs:
            raise ConfigError(
                f"two configs are named {path.stem!r}, and their outputs would lie in one folder. "
                "Rename one, or measure it with another --out."
            )
        configs[path.stem] = load_config(path)
    return configs


def _chosen(names: str | None) -> list[str]:
    """Names of the cells in their order, those that a chosen one needs among them."""
    wanted = choose_cells(names, {cell.name: cell for cell in CELLS})
    needed = {name for cell in wanted for name in (cell.name, *cell.needs)}
    return [cell.name for cell in CELLS if cell.name in needed]


def _training(given: argparse.Namespace) -> Training:
    usual = BY_SIZE[given.size]
    return Training(
        batch=given.batch or usual.batch,
        learning_rate=given.learning_rate or usual.learning_rate,
    )


def _bench(
    given: argparse.Namespace, name: str, config: Config, number: int, device: torch.device
) -> Bench:
    seed = config.seed + number
    measured = {"searches": given.searches, "curve_beam": config.evaluate.beam}
    evaluate = config.evaluate.model_copy(update=measured | {"latency_searches": 0})
    changes = {"seed": seed, "threads": given.threads, "evaluate": evaluate}
    return Bench(
        config=config.model_copy(update=changes),
        folder=given.out / name / f"seed-{seed}",
        seconds=60 * given.minutes,
        size=given.size,
        device=device.type,
        training=_training(given),
        sample_seed=config.seed,
    )


def _settings(given: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    on_gpu = device.type == "cuda"
    training = _training(given)
    return {
        "version": __version__,
        "torch": torch.__version__,
        "threads": given.threads,
        "device of lm": torch.cuda.get_device_name(device) if on_gpu else device.type,
        "size": given.size,
        "minutes": given.minutes,
        "batch of lm": training.batch,
        "learning rate of lm": training.learning_rate,
        "seeds": given.seeds,
        "searches": given.searches,
    }


if __name__ == "__main__":
    main()
