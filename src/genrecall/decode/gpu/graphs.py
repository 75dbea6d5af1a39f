"""One computation of fixed shapes after another: recorded once on a GPU and replayed there."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

import torch
from torch import Tensor

_KEPT: Final = 64
"""Graphs at most; the one that was used longest ago makes room."""

Compute = Callable[..., Tensor]
"""Tensors in, one out, without asking the host for anything in between."""


class Graphs:
    """Runs computations; a GPU records each the first time and replays it with other inputs.

    A replay is one launch, where the same operations one by one would wait for the host. On other
    devices they run one by one. What is returned is overwritten by the next run.

    Args:
        device: of all tensors.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._recorded: OrderedDict[Any, _Recorded] = OrderedDict()
        self._pool: Any = None

    def run(self, key: Any, compute: Compute, inputs: dict[str, Tensor]) -> Tensor:
        """Compute.

        Args:
            key: of the computation and of the shapes of its inputs.
            compute: what the key stands for.
            inputs: by name, on any device.
        """
        if self._device.type != "cuda":
            moved = {name: tensor.to(self._device) for name, tensor in inputs.items()}
            return compute(**moved)
        if key not in self._recorded:
            if len(self._recorded) == _KEPT:
                self._recorded.popitem(last=False)
            self._recorded[key] = self._record(compute, inputs)
        self._recorded.move_to_end(key)
        recorded = self._recorded[key]
        for name, tensor in inputs.items():
            recorded.inputs[name].copy_(tensor, non_blocking=True)
        with torch.cuda.device(self._device):
            recorded.graph.replay()
        return recorded.output

    def _record(self, compute: Compute, inputs: dict[str, Tensor]) -> _Recorded:
        held = {name: tensor.to(self._device, copy=True) for name, tensor in inputs.items()}
        # Libraries set themselves up in the first runs, which no graph may record.
        aside: Any = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(aside):
            for _ in range(2):
                compute(**held)
        torch.cuda.current_stream(self._device).wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        # What graphs need in between lies in the same place: only one runs at a time.
        # Its stream must be of this device, and other threads may use the device meanwhile.
        here: Any = {"stream": aside, "capture_error_mode": "thread_local"}
        with torch.cuda.device(self._device), torch.cuda.graph(graph, pool=self._pool, **here):
            output = compute(**held)
        self._pool = self._pool or graph.pool()
        return _Recorded(held, graph, output)


class _Recorded:
    """A graph, the tensors that it reads, and the one that it writes."""

    def __init__(self, inputs: dict[str, Tensor], graph: Any, output: Tensor) -> None:
        self.inputs, self.graph, self.output = inputs, graph, output
