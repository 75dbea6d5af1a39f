"""Python's look for garbage in cycles, put off while much is made that stays."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """While inside, no garbage in cycles is looked for.

    Importing modules and opening a bundle make hundreds of thousands of objects, which stay:
    looking through them again and again takes a tenth of the time. Where it was off, it stays off.
    """
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()
