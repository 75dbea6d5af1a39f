"""Text on the terminal: a shop's tables may hold anything, and nothing of it steers a terminal."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TextIO, cast

if TYPE_CHECKING:
    from rich.console import Console

_CONTROLS: Final = (*range(0x20), *range(0x7F, 0xA0))
_LINES: Final = (*range(0x2028, 0x202F), *range(0x2066, 0x206A))  # they break or turn a line round
_SHOWN: Final = {
    **{code: f"\\x{code:02x}" for code in _CONTROLS if chr(code) not in "\n\t"},
    **{code: f"\\u{code:04x}" for code in _LINES},
}


class ShownStream:
    r"""A stream that shows control characters as escapes: `\x1b` for the one that begins colors.

    Args:
        stream: where to write.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Write text."""
        self.stream.write(text.translate(_SHOWN))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextmanager
def shown() -> Iterator[None]:
    """While inside, standard output and error show what they cannot print as escapes."""
    before = sys.stdout, sys.stderr
    for stream in before:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.stdout, sys.stderr = (cast("TextIO", ShownStream(stream)) for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def terminal() -> Console:
    """Standard output for tables, whose headings are bold where it is a terminal."""
    from rich.console import Console

    from genrecall.evaluate.table import WIDTH

    # The escapes of tables are meant.
    out = sys.stdout.stream if isinstance(sys.stdout, ShownStream) else sys.stdout
    return Console(file=out, width=WIDTH, highlight=False)
