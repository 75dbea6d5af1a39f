"""What was read from disk for one view of the items, each when it was first needed."""

from __future__ import annotations

from collections.abc import Callable
from threading import RLock
from typing import Any

from genrecall.foundation.artifact import Artifact
from genrecall.generator.base import Generator
from genrecall.index.live import LiveItems
from genrecall.quantize.load import FrozenSids, load_sids


class OpenedModels:
    """Generators by training stage, and the quantizer of items that come later.

    Several threads may ask.
    """

    def __init__(self) -> None:
        self._lock = RLock()
        self._generators: dict[str, Generator[Any]] = {}
        self._sids: FrozenSids | None = None

    def sids(self, quantize: Artifact) -> FrozenSids:
        """What gives new items their SIDs, from an artifact of stage `quantize`."""
        with self._lock:
            if self._sids is None:
                self._sids = load_sids(quantize)
            return self._sids

    def generator(self, stage: str, read: Callable[[], Generator[Any]]) -> Generator[Any]:
        """The generator after a training stage, read once."""
        with self._lock:
            if stage not in self._generators:
                self._generators[stage] = read()
            return self._generators[stage]

    def follow(self, other: OpenedModels, items: LiveItems) -> None:
        """Take what the view before has read, over the items of this one."""
        with other._lock:
            generators, self._sids = dict(other._generators), other._sids
        self._generators = {stage: known.over(items) for stage, known in generators.items()}
