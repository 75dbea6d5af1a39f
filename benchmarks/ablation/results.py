"""Measured cells on disk, one file each."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.ablation.cell import MODES, Decoded, Measured


class Results:
    """The cells of one shop.

    Args:
        folder: where they lie.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    def has(self, cell: str, seed: int, inputs: str) -> bool:
        """Whether the cell was measured with these settings."""
        path = self._path(cell, seed)
        if not path.exists():
            return False
        with np.load(path, allow_pickle=False) as file:
            return str(file["inputs"]) == inputs

    def seeds(self, cell: str) -> list[int]:
        """Seeds with which the cell was measured."""
        return sorted(
            int(path.stem.rsplit(".", 1)[1]) for path in self._folder.glob(f"{cell}.*.npz")
        )

    def read(self, cell: str, seed: int) -> Measured:
        """What was measured."""
        with np.load(self._path(cell, seed), allow_pickle=False) as file:
            modes = {
                mode: Decoded(*(file[f"{key}.{mode}"] for key in Decoded._fields)) for mode in MODES
            }
            return Measured(modes, json.loads(str(file["health"])), file["sizes"])

    def write(self, cell: str, seed: int, inputs: str, measured: Measured) -> None:
        """Keep what was measured; the file appears whole."""
        path = self._path(cell, seed)
        partial = path.with_name(f"{path.name}.partial")
        arrays = {
            f"{key}.{mode}": values
            for mode, decoded in measured.modes.items()
            for key, values in decoded._asdict().items()
        }
        with partial.open("wb") as stream:
            np.savez_compressed(
                stream,
                inputs=np.array(inputs),
                health=np.array(json.dumps(measured.health)),
                sizes=measured.sizes,
                **arrays,
            )
        partial.replace(path)

    @contextmanager
    def claim(self, cell: str, seed: int) -> Iterator[Path | None]:
        """A scratch folder for the cell; None if another process works on it."""
        scratch = self._folder / f".{cell}.{seed}"
        with (self._folder / f"{scratch.name}.lock").open("w") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
                return
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir()
            yield scratch
            shutil.rmtree(scratch, ignore_errors=True)

    def _path(self, cell: str, seed: int) -> Path:
        return self._folder / f"{cell}.{seed}.npz"
