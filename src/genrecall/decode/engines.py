"""Which engine searches what a generator has read."""

from __future__ import annotations

from typing import Any

from genrecall.decode.base import Engine
from genrecall.decode.walk.engine import WalkEngine
from genrecall.generator.base import Generator
from genrecall.generator.compact.generator import CompactGenerator


def engine_of(generator: Generator[Any]) -> Engine:
    """The fastest one that there is for its family, where its weights are."""
    if isinstance(generator, CompactGenerator) and generator.serving.groups:
        return WalkEngine(generator)
    # What serves the compact family does not wait for torch.
    from genrecall.decode.gpu.engine import GpuEngine
    from genrecall.decode.lm.engine import LmEngine
    from genrecall.decode.lm.weights import is_known
    from genrecall.decode.reference import ReferenceEngine
    from genrecall.generator.lm.generator import LmGenerator

    if not (isinstance(generator, LmGenerator) and is_known(generator.lm)):
        return ReferenceEngine(generator)
    if generator.lm.device.type == "cpu":
        return LmEngine(generator)
    return GpuEngine(generator)
