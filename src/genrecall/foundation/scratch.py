"""What is written beside its place first, and never named in an error."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from errno import ENOSPC
from pathlib import Path
from tempfile import mkdtemp


@contextmanager
def telling(target: Path, scratch: Path) -> Iterator[None]:
    """Let errors about a scratch file or folder name what it is to become.

    Args:
        target: what it is to become.
        scratch: how its path begins, such as `out/.bundle-`.
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
