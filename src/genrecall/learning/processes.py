"""Where a language model is trained: one process, or several that a launcher started.

Each process computes its share of every batch, and gradients are averaged. One process needs no
setting up. Of several, the main one makes the run; the others wait until it trains, take part in
that, and end. They meet at the address that `torchrun` or `accelerate launch` gave them: the main
one calls the others there, so that these wait without a limit and without keeping a GPU busy.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import cache
from itertools import count
from typing import Any, Final, Literal, Self

import torch
from torch.distributed import DistError, PrefixStore, Store  # type: ignore[attr-defined]

from genrecall.foundation.errors import ConfigError
from genrecall.foundation.libraries import lm_library

_LOOK_EVERY: Final = 0.2  # seconds
_PATIENCE: Final = timedelta(hours=2)
"""How long a process in training waits for one that still reads, or writes a checkpoint."""

_GIVEN: Final = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""Variables that a launcher sets."""

# Each run, group and parting has names of its own at the meeting point.
_runs, _groups, _partings = count(), count(), count()


def launched() -> int:
    """How many processes the launcher started, this one among them; 1 without a launcher."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main() -> bool:
    """Whether this is the process that makes the run."""
    return rank() == 0


def rank() -> int:
    """Which of the processes this is, from 0."""
    return int(os.environ.get("RANK", "0"))


class Launch:
    """What the main process lets the others do in one run; nothing where it is alone.

    A context: when the main process leaves it, for an error too, those that wait may end.

    Args:
        store: where all processes read and write; None for one process.
    """

    def __init__(self, store: Store | None) -> None:
        self._store = store
        self._tasks = 0
        self._dismissed = False

    @classmethod
    def join(cls) -> Self:
        """Meet the other processes; all of them call it alike, once a run.

        Raises:
            ConfigError: the environment is not that of a launcher.
        """
        if launched() == 1:
            return cls(None)
        if missing := [name for name in _GIVEN if name not in os.environ]:
            raise ConfigError(
                f"WORLD_SIZE says that {launched()} processes were started, and "
                f"{', '.join(missing)} is not set. Start them by torchrun or accelerate launch, or "
                "unset WORLD_SIZE."
            )
        return cls(PrefixStore(f"genrecall/run {next(_runs)}", _meeting_point()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.dismiss()

    def call(self, task: str) -> None:
        """In the main process: let the others do something, unless they were dismissed."""
        if self._store is not None and is_main() and not self._dismissed:
            self._store.set(self._next_task(), task)
            self._dismissed = not task

    def dismiss(self) -> None:
        """Let the others end when they have done what they were called to."""
        self.call("")

    def wait(self) -> str:
        """What the main process calls this one to next; "" when it may end."""
        assert self._store is not None
        task = self._next_task()
        try:
            while not self._store.check([task]):
                time.sleep(_LOOK_EVERY)  # Ctrl-C comes through
            return self._store.get(task).decode()
        except DistError:
            return ""  # the main process has ended, and the store with it

    def _next_task(self) -> str:
        self._tasks += 1
        return f"task {self._tasks}"


@cache
def _meeting_point() -> Store:
    from torch.distributed.rendezvous import rendezvous

    store: Store = next(rendezvous("env://"))[0]
    return store


@contextmanager
def sharing_cores() -> Iterator[None]:
    """Divide this process's threads by the processes on this machine."""
    threads = torch.get_num_threads()
    here = int(os.environ.get("LOCAL_WORLD_SIZE", launched()))
    torch.set_num_threads(max(threads // here, 1))
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def join_processes(device: Literal["auto", "cpu", "cuda"]) -> Any:
    """The `Accelerator` of accelerate, which knows this process's device and the others.

    Raises:
        ConfigError: the device is not there, or accelerate is not installed.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError(
            "device: 'cuda', and torch finds no GPU here. Say device: auto, or install a torch "
            "with CUDA."
        )
    # Several processes without a GPU train together only if accelerate is told.
    cpu = device == "cpu" or (launched() > 1 and not torch.cuda.is_available())
    if launched() > 1 and not torch.distributed.is_initialized():
        torch.distributed.init_process_group(
            "gloo" if cpu else "nccl",
            store=PrefixStore(f"genrecall/group {next(_groups)}", _meeting_point()),
            rank=int(os.environ["RANK"]),
            world_size=launched(),
            timeout=_PATIENCE,
        )
    # Precision is the model's own affair; accelerate's would wrap what it returns.
    return lm_library("accelerate").Accelerator(cpu=cpu, mixed_precision="no")


def part_processes() -> None:
    """Wait until all processes are here, and leave them: nothing is left to do together.

    Also those that have trained nothing wait, so that what the main one writes is there for all.
    """
    if torch.distributed.is_initialized():
        lm_library("accelerate").PartialState().wait_for_everyone()
        torch.distributed.destroy_process_group()
    elif launched() > 1:
        store = PrefixStore(f"genrecall/parting {next(_partings)}", _meeting_point())
        store.add("here", 1)
        with suppress(DistError):  # the others were here, and the store has ended with the main one
            while store.add("here", 0) < launched():
                time.sleep(_LOOK_EVERY)


def compute_dtype(precision: Literal["auto", "fp32", "bf16"], device: torch.device) -> torch.dtype:
    """Precision of the matrix products on a device."""
    if precision == "auto":
        has_it = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if has_it else torch.float32
    return torch.bfloat16 if precision == "bf16" else torch.float32
