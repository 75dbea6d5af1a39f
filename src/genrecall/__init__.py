"""GenRecall: a generative recall channel for product search.

```python
import genrecall

channel = genrecall.load("runs/demo/bundle")
hits = channel.recall("red running shoes", k=100, filters={"available": True})
print(hits[0].item_id, hits[0].title)
```
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from genrecall.foundation.errors import (
    ArtifactError,
    ConfigError,
    DataError,
    FilterError,
    GenRecallError,
    RequestError,
    StorageFullError,
)

if TYPE_CHECKING:
    from genrecall.bundle import OpenBundle, load, open_bundle
    from genrecall.channels.answer import Answer, Beam, Hit
    from genrecall.channels.base import Request
    from genrecall.channels.generative import GenerativeChannel
    from genrecall.data.filters.no_hits import NoHits
    from genrecall.data.shoppers import Shopper

__version__ = "0.1.0"

_LATE = {
    "Answer": "genrecall.channels.answer",
    "Beam": "genrecall.channels.answer",
    "GenerativeChannel": "genrecall.channels.generative",
    "Hit": "genrecall.channels.answer",
    "NoHits": "genrecall.data.filters.no_hits",
    "OpenBundle": "genrecall.bundle",
    "Request": "genrecall.channels.base",
    "Shopper": "genrecall.data.shoppers",
    "load": "genrecall.bundle",
    "open_bundle": "genrecall.bundle",
}
"""Imported when they are first used: some bring torch, a second."""

__all__ = [
    "Answer",
    "ArtifactError",
    "Beam",
    "ConfigError",
    "DataError",
    "FilterError",
    "GenRecallError",
    "GenerativeChannel",
    "Hit",
    "NoHits",
    "OpenBundle",
    "Request",
    "RequestError",
    "Shopper",
    "StorageFullError",
    "__version__",
    "load",
    "open_bundle",
]


def __getattr__(name: str) -> Any:
    """Import the late ones."""
    if name not in _LATE:
        raise AttributeError(f"module 'genrecall' has no attribute {name!r}")
    return getattr(import_module(_LATE[name]), name)


def __dir__() -> list[str]:
    """The public names, for whoever completes them."""
    return sorted(__all__)
