"""Files that are written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from genrecall.foundation.scratch import telling


@contextmanager
def replacing(path: Path) -> Iterator[TextIO]:
    """A stream of UTF-8 text that becomes a file when the block ends; on an exception nothing does.

    The text goes into a temporary file that is renamed. A link stays, and what it points to is
    replaced. What is there and is no regular file, such as a pipe or a device, is written to as the
    text comes. Half characters, which no encoding holds, are written as escapes, as JSON has them.
    """
    if path.exists() and not path.is_file():
        with (
            telling(path, path),
            path.open("w", encoding="utf-8", errors="backslashreplace") as stream,
        ):
            yield stream
        return
    target = path.resolve()
    scratch = target.with_name(f".{target.name}.tmp")
    try:
        with telling(path, scratch):
            with scratch.open("w", encoding="utf-8", errors="backslashreplace") as stream:
                yield stream
            scratch.replace(target)
    finally:
        scratch.unlink(missing_ok=True)


def holds_something(path: Path) -> bool:
    """Whether a path is taken: by a file, or by a folder that is not empty."""
    return path.exists() and (not path.is_dir() or any(path.iterdir()))


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text, as `replacing` does."""
    with replacing(path) as stream:
        stream.write(text)


def write_json(path: Path, value: Any) -> None:
    """Write JSON with sorted keys, as `replacing` does."""
    write_text(path, as_json(value))


def as_json(value: Any) -> str:
    """JSON with sorted keys, as it stands in our files."""
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
