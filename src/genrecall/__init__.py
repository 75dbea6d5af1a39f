"""GenRecall: a generative recall channel for product search.

```python
import genrecall

channel = genrecall.load("runs/demo/bundle")
hits = channel.recall("red running shoes", k=100, filters={"available": True})
print(hits[0].item_id, hits[0].title)
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genrecall.foundation.errors import (
    ArtifactError,
    ConfigError,
    DataError,
    FilterError,
    GenRecallError,
    RequestError,
)

if TYPE_CHECKING:
    from genrecall.bundle import load
    from genrecall.data.shoppers import Shopper

__version__ = "0.1.0"

__all__ = [
    "ArtifactError",
    "ConfigError",
    "DataError",
    "FilterError",
    "GenRecallError",
    "RequestError",
    "Shopper",
    "__version__",
    "load",
]


def __getattr__(name: str) -> Any:
    """Import `load` and `Shopper` when they are first used: `load` brings torch, a second."""
    if name == "Shopper":
        from genrecall.data.shoppers import Shopper

        return Shopper
    if name == "load":
        from genrecall.bundle import load

        return load
    raise AttributeError(f"module 'genrecall' has no attribute {name!r}")
