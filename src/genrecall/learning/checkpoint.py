"""Checkpoints of training: weights and optimizer state, so that resuming changes nothing."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Final, Protocol

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from genrecall.foundation.errors import ArtifactError

_DIGEST: Final = "sha256"


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

    Args:
        folder: where to write; None to keep no checkpoints.
        every: steps between two checkpoints.
    """

    def __init__(self, folder: Path | None, *, every: int) -> None:
        self._folder = folder
        self._every = every

    def save(self, name: str, step: int, model: nn.Module, optimizer: Optimizer) -> None:
        """Write a checkpoint after `step` steps, if one is due."""
        if self._folder is None or step % self._every:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        tensors = {f"model.{key}": value for key, value in model.state_dict().items()}
        tensors |= flatten(optimizer.state_dict()) | {"step": torch.tensor(step)}
        path = self._folder / f"{name}.safetensors"
        scratch = path.with_suffix(".tmp")
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
