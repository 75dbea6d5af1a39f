"""What is written beside its place first, and never named in an error."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from errno import ENOSPC
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

_OF_THE_SYSTEM: Final = re.compile(r"\(os error (\d+)\)")
"""How Rust ends what it says of an error of the system."""


@contextmanager
def telling(target: Path, scratch: Path) -> Iterator[None]:
    """Let errors about a scratch file or folder name what it is to become.

    Libraries written in Rust raise exceptions of their own where the disk is full or takes no more;
    they become what they mean.

    Args:
        target: what it is to become.
        scratch: how its path begins, such as `out/.bundle-`.

    Raises:
        OSError: the system did not let it be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno == ENOSPC and error.filename is None:
            error.filename = str(target)
            raise
        told = Path(str(error.filename or ""))
        for path in (told, *told.parents):
            if path.parent == scratch.parent and path.name.startswith(scratch.name):
                error.filename = str(target / told.relative_to(path))
        raise
    except Exception as error:
        if (found := _OF_THE_SYSTEM.search(str(error))) is None:
            raise
        number = int(found[1])
        raise OSError(number, os.strerror(number), str(target)) from error


@contextmanager
def scratch_beside(target: Path) -> Iterator[Path]:
    """A hidden folder beside `target`, removed in the end; errors in it name `target`."""
    hidden = target.with_name(f".{target.name}-")
    with telling(target, hidden):
        folder = Path(mkdtemp(prefix=hidden.name, dir=target.parent))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
