"""Checkpoints of training: weights and optimizer state, so that resuming changes nothing."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any, Final, Protocol

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from genrecall.foundation.errors import ArtifactError
from genrecall.foundation.interrupt import Interrupted, asked
from genrecall.foundation.scratch import telling
from genrecall.learning.processes import is_main

_DIGEST: Final = "sha256"
_RARELY: Final = 20  # times as long as it takes to write one


class Optimizer(Protocol):
    """One or several optimizers of torch whose state can be kept."""

    def state_dict(self) -> dict[str, Any]:
        """The state of each, by a name without dots: `dense` or `sparse`."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a saved state."""


class Checkpoints:
    """Saves the state of training every so often and finds it again.

    Only tensors are written, with their SHA-256. A checkpoint belongs to one set of
    inputs: `inputs` of the stage names the folder, so changed data never resumes from old weights.
    Of several processes the main one writes.

    Args:
        folder: where to write; None to keep no checkpoints.
        every: seconds between two checkpoints; 0 for one after each step. More, where writing takes
            so long that training would wait for it.
    """

    def __init__(self, folder: Path | None, *, every: float) -> None:
        self._folder = folder
        self._every = self._pause = every
        self._last = time.monotonic()

    def save(
        self, name: str, step: int, model: nn.Module, optimizer: Optimizer, *, steps: int
    ) -> None:
        """Write a checkpoint after `step` of `steps` steps, if one is due.

        That is after a while, after the last step, and when a signal asks the process to end.

        Raises:
            Interrupted: a signal did.
        """
        wanted = step == steps or time.monotonic() - self._last >= self._pause
        number = asked()
        if self._folder is not None and is_main() and (wanted or number is not None):
            began = time.monotonic()
            self._write(self._folder / f"{name}.safetensors", step, model, optimizer)
            self._last = time.monotonic()
            if self._every:
                self._pause = max(self._every, _RARELY * (self._last - began))
        if number is not None:
            kept = "" if self._folder is None else f"{name} is saved at step {step:,} of {steps:,}"
            raise Interrupted(number, kept)

    def _write(self, path: Path, step: int, model: nn.Module, optimizer: Optimizer) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        tensors = {f"model.{key}": value for key, value in model.state_dict().items()}
        tensors |= flatten(optimizer.state_dict()) | {"step": torch.tensor(step)}
        scratch = path.with_suffix(".tmp")
        with telling(path, scratch):
            save_file(tensors, scratch, metadata={_DIGEST: _digest(tensors)})
            scratch.replace(path)

    def resume(self, name: str, model: nn.Module, optimizer: Optimizer) -> int:
        """Load the last checkpoint, if there is one that is whole.

        Returns:
            How many steps are done; 0 without a checkpoint.

        Raises:
            ArtifactError: the checkpoint was changed or damaged after it was written.
        """
        path = None if self._folder is None else self._folder / f"{name}.safetensors"
        if path is None or not path.is_file():
            return 0
        tensors = _read(path)
        weights = {key: value for key, value in tensors.items() if key.startswith("model.")}
        model.load_state_dict({k.removeprefix("model."): v for k, v in weights.items()})
        optimizer.load_state_dict(unflatten(tensors, optimizer.state_dict()))
        return int(tensors["step"])


def last_saved(folder: Path) -> str:
    """Say in words what a folder's newest checkpoint holds; "" without one that can be read."""
    files = sorted(folder.glob("*.safetensors"), key=lambda path: path.stat().st_mtime)
    if not files:
        return ""
    try:
        with safe_open(files[-1], framework="pt") as stored:
            return f"{files[-1].stem} is saved at step {int(stored.get_tensor('step')):,}"
    except SafetensorError:
        return ""


def _read(path: Path) -> dict[str, Tensor]:
    """Tensors of a checkpoint whose bytes are those that were written."""
    try:
        with safe_open(path, framework="pt") as stored:
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
            written = (stored.metadata() or {}).get(_DIGEST)
        cause = "" if written == _digest(tensors) else "it holds other numbers than were written"
    except SafetensorError as error:
        cause = str(error)
    if cause:
        raise ArtifactError(
            f"the checkpoint {path} is damaged: {cause}. Delete it; training then starts from the "
            "beginning of the stage."
        )
    return tensors


def _digest(tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].contiguous().cpu().numpy().tobytes())
    return digest.hexdigest()


def flatten(state: dict[str, Any]) -> dict[str, Tensor]:
    """Tensors of both optimizers by a flat name."""
    return {
        f"{kind}.{number}.{key}": torch.as_tensor(value)
        for kind, part in state.items()
        for number, values in part["state"].items()
        for key, value in values.items()
    }


def unflatten(tensors: dict[str, Tensor], empty: dict[str, Any]) -> dict[str, Any]:
    """Undo `flatten`; `empty` is a fresh optimizer's state, for its parameter groups."""
    for kind, part in empty.items():
        for name, value in tensors.items():
            if name.startswith(f"{kind}."):
                _, number, key = name.split(".")
                # SparseAdam counts its steps with a number, everything else is a tensor.
                plain = value.item() if kind == "sparse" and key == "step" else value
                part["state"].setdefault(int(number), {})[key] = plain
    return empty
