"""Checkpoints of training: weights and optimizer state, so that resuming changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from genrecall.artifact import file_hash
from genrecall.errors import ArtifactError
from genrecall.optim import SparseDenseAdam


class Checkpoints:
    """Saves the state of training every so often and finds it again.

    Only tensors are written, and their SHA-256 beside them. A checkpoint belongs to one set of
    inputs: `inputs` of the stage names the folder, so changed data never resumes from old weights.

    Args:
        folder: where to write; None to keep no checkpoints.
        every: steps between two checkpoints.
    """

    def __init__(self, folder: Path | None, *, every: int) -> None:
        self._folder = folder
        self._every = every

    def save(self, name: str, step: int, model: nn.Module, optimizer: SparseDenseAdam) -> None:
        """Write a checkpoint after `step` steps, if one is due."""
        if self._folder is None or step % self._every:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        tensors = {f"model.{key}": value for key, value in model.state_dict().items()}
        tensors |= flatten(optimizer.state_dict()) | {"step": torch.tensor(step)}
        path = self._folder / f"{name}.safetensors"
        scratch = path.with_suffix(".tmp")
        save_file(tensors, scratch)
        digest = path.with_suffix(".sha256")
        # Removed first: a kill between the two files leaves a checkpoint that is not trusted.
        digest.unlink(missing_ok=True)
        sha256 = file_hash(scratch)
        scratch.replace(path)
        digest.write_text(sha256, "utf-8")

    def resume(self, name: str, model: nn.Module, optimizer: SparseDenseAdam) -> int:
        """Load the last checkpoint, if there is one that is whole.

        Returns:
            How many steps are done; 0 without a checkpoint.

        Raises:
            ArtifactError: the checkpoint was changed or damaged after it was written.
        """
        path = None if self._folder is None else self._folder / f"{name}.safetensors"
        if path is None or not path.with_suffix(".sha256").is_file():
            return 0
        if file_hash(path) != path.with_suffix(".sha256").read_text("utf-8"):
            raise ArtifactError(
                f"the checkpoint {path} is damaged: its SHA-256 is not the one written beside it. "
                "Delete it; training then starts from the beginning of the stage."
            )
        tensors = load_file(path)
        weights = {key: value for key, value in tensors.items() if key.startswith("model.")}
        model.load_state_dict({k.removeprefix("model."): v for k, v in weights.items()})
        optimizer.load_state_dict(unflatten(tensors, optimizer.state_dict()))
        return int(tensors["step"])


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
                plain = value if value.ndim or (key == "step" and kind == "dense") else value.item()
                part["state"].setdefault(int(number), {})[key] = plain
    return empty
