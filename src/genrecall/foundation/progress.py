"""What a run says while it works: one line per step on the terminal, every event in `log.jsonl`."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol, TextIO

MEASURED: Final = "measured"
"""Event of one point of a training curve: `stage`, `done`, `total`, and means since the last."""

MADE: Final = "made"
"""Event of a stage that has run: `stage`, `seconds`, and `peak_mib` of the process so far."""

_POINTS: Final = 100  # of a curve


_quiet = False


@contextmanager
def quiet() -> Iterator[None]:
    """While inside, nothing is said at the terminal; what is recorded is recorded all the same."""
    global _quiet
    before, _quiet = _quiet, True
    try:
        yield
    finally:
        _quiet = before


def say(text: str, stream: TextIO | None = None, *, note: bool = False) -> None:
    """Print one line for a person at the terminal, who may want none but notes.

    Args:
        text: the line.
        stream: where; None for standard error.
        note: whether it is one that is never left out.
    """
    if note or not _quiet:
        stream = stream or sys.stderr
        # In one piece: between two a signal may end the work, which then says so on the same line.
        stream.write(f"{text}\n")
        stream.flush()


def peak_mib() -> int:
    """The most memory that this process has held so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit // 2**20


class RunLog(Protocol):
    """Where stages report to."""

    def say(self, text: str) -> None:
        """Tell the person at the terminal something."""

    def note(self, text: str) -> None:
        """Tell what must not be missed, however quiet the terminal is to be."""

    def event(self, name: str, **figures: Any) -> None:
        """Record figures for later reading."""


class SilentLog:
    """Reports nothing; for library use and tests."""

    def say(self, text: str) -> None:
        """Say nothing."""

    def note(self, text: str) -> None:
        """Say it like the rest."""
        self.say(text)

    def event(self, name: str, **figures: Any) -> None:
        """Record nothing."""


class TerminalLog(SilentLog):
    """Prints lines to stderr and records nothing."""

    def say(self, text: str) -> None:
        """Print one line."""
        say(text)

    def note(self, text: str) -> None:
        """Print one line, always."""
        say(text, note=True)


class FileLog:
    """Prints lines to a stream and appends each event as one JSON line to a file."""

    def __init__(self, path: Path, *, stream: TextIO | None = None) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._stream = stream or sys.stderr

    def say(self, text: str) -> None:
        """Print one line and keep it in the log."""
        say(text, self._stream)
        self.event("say", text=text)

    def note(self, text: str) -> None:
        """Print one line, always, and keep it in the log."""
        say(text, self._stream, note=True)
        self.event("say", text=text)

    def event(self, name: str, **figures: Any) -> None:
        """Append one JSON line: the event's name, the time in seconds since 1970, its figures."""
        line = json.dumps({"event": name, "time": round(time.time(), 3), **figures}, default=str)
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")


class Progress:
    """Counts work and says, at most every `every` seconds, how far it is and how long it takes.

    Args:
        log: where to report.
        name: what is being done.
        total: how many units of work there are; None if nobody knows.
        unit: name of the units.
        every: least time between two reports, in seconds.
        before: units of work that an interrupted run has done, beside those of `total`.
    """

    def __init__(
        self,
        log: RunLog,
        name: str,
        *,
        total: int | None,
        unit: str = "examples",
        every: float = 10.0,
        before: int = 0,
    ) -> None:
        self._log, self._name, self._total, self._unit = log, name, total, unit
        self._every = every
        self._start = self._last = time.monotonic()
        self._done, self._before = 0, before
        self._sums: dict[str, float] = {}
        self._summed = 0

    @property
    def per_second(self) -> float:
        """Units per second since the start."""
        return self._done / max(time.monotonic() - self._start, 1e-9)

    def update(self, done: int, **figures: float) -> None:
        """Count `done` more units; `figures` are the latest measurements, such as a loss."""
        self._done += done
        self._measure(done, figures)
        now = time.monotonic()
        if now - self._last >= self._every:
            self._last = now
            if self._total is None:
                self._report(figures, ending=f"{_duration(now - self._start)} so far")
            else:
                left = (self._total - self._done) / max(self.per_second, 1e-9)
                self._report(figures, ending=f"{_duration(left)} left")

    def finish(self, **figures: float) -> None:
        """Report the final figures and the time that the work took."""
        took = time.monotonic() - self._start
        self._report(figures, ending=f"took {_duration(took)}")

    def _measure(self, done: int, figures: dict[str, float]) -> None:
        """Record a point at every hundredth of the work, whatever the time it takes."""
        if not figures or not self._total:
            return
        for name, value in figures.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._summed += 1
        at, total = self._before + self._done, self._before + self._total
        if at * _POINTS // total > (at - done) * _POINTS // total:
            means = {name: round(value / self._summed, 6) for name, value in self._sums.items()}
            self._log.event(MEASURED, stage=self._name, done=at, total=total, **means)
            self._sums, self._summed = {}, 0

    def _report(self, figures: dict[str, float], *, ending: str) -> None:
        shown = "".join(f"  {key} {value:.4g}" for key, value in figures.items())
        if self._total is None:
            far = f"{self._done:,} {self._unit}"
        else:
            far = f"{self._done / self._total if self._total else 1.0:4.0%}"
        rate = f"{self.per_second:,.0f} {self._unit}/s"
        self._log.say(f"  {self._name}: {far}  {rate}{shown}  {ending}")
        self._log.event(
            "progress",
            stage=self._name,
            done=self._done,
            total=self._total,
            per_second=round(self.per_second, 1),
            **figures,
        )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"
