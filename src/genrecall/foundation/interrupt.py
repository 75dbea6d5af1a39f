"""Ctrl-C and SIGTERM: where they may end the work, and what it keeps.

Anywhere else they end it at once, but for a module that is being imported: compiled ones swallow
exceptions while they start. Within `until_step_ends` the first one waits, so that the weights are
those of a whole step when they are saved; a second one waits for nothing.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_LOOK_EVERY: Final = 0.02  # seconds, whether an import is over


class Interrupted(BaseException):
    """The work was asked to end. It is no error: nothing that handles errors catches it.

    Attributes:
        signal: number of the signal that asked.
        kept: what of the work is kept, in words; "" as long as nobody has said.
    """

    def __init__(self, number: int, kept: str = "") -> None:
        super().__init__(f"by signal {number}")
        self.signal, self.kept = number, kept


class _State:
    """Signals reach a process, so what was asked of it is known once for all of it."""

    handled = False
    waits = False
    asked: int | None = None
    imports = 0  # that were under way outside of `interruptible`
    delayed = False


@contextmanager
def interruptible() -> Iterator[None]:
    """While inside, signals raise `Interrupted`; what stood before is back afterwards.

    Within another `interruptible`, or in another thread than the main one, nothing changes.
    """
    if _State.handled or threading.current_thread() is not threading.main_thread():
        yield
        return
    # A signal that whoever started this process ignores, as nohup does, stays ignored.
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    before = {number: kept for number, kept in before.items() if kept is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, _handle)
    _State.handled, _State.imports = True, _imports(sys._getframe())
    try:
        yield
    finally:
        _State.handled, _State.asked = False, None
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def until_step_ends() -> Iterator[None]:
    """While inside, the first signal waits until `asked` is looked at."""
    _State.waits = True
    try:
        yield
    finally:
        _State.waits = False
    if _State.asked is not None:  # after the last step was saved
        raise Interrupted(_State.asked)


def asked() -> int | None:
    """The signal that waits; None if there is none."""
    return _State.asked


def _handle(number: int, frame: FrameType | None) -> None:
    if _State.waits and _State.asked is None:
        _State.asked = number
        # The signal may have come in the midst of another line, which no print may interrupt.
        with suppress(RuntimeError, OSError):
            sys.stderr.write("ending after this step; once more to end at once\n")
            sys.stderr.flush()
        return
    if _imports(frame) > _State.imports:
        _delay(number)
        return
    raise Interrupted(number)


def _delay(number: int) -> None:
    """Handle a signal a little later, if that is still wanted then."""

    def handle(_: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGALRM, before)
        _State.delayed = False
        if _State.handled:
            _handle(number, frame)

    if _State.delayed:
        return
    _State.delayed = True
    before = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, _LOOK_EVERY)


def _imports(frame: FrameType | None) -> int:
    """How many frames are Python's own importing."""
    found = 0
    while frame is not None:
        found += frame.f_code.co_filename.startswith("<frozen importlib")
        frame = frame.f_back
    return found
