"""Commands in processes of their own: how long they take, and how much memory."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

_LAUNCHER: Final = """
import json, resource, subprocess, sys
file, *command = sys.argv[1:]
status = subprocess.run(command).returncode
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
took = [status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss]
with open(file, "w") as stream:
    json.dump(took, stream)
"""
"""A process starts with the peak of the one that started it: this one is small."""


class Took(NamedTuple):
    """What a command took.

    Attributes:
        status: with which it ended; 0 for success.
        seconds: on the clock.
        cpu: seconds of all its threads together.
        peak: most resident memory of a process, in bytes.
    """

    status: int
    seconds: float
    cpu: float
    peak: int


def run_alone(arguments: Sequence[str], *, output: int | IO[Any]) -> Took:
    """Run this Python with arguments.

    Args:
        arguments: of it, such as `-m genrecall …`.
        output: where standard output and standard error go.
    """
    with tempfile.TemporaryDirectory(prefix="genrecall-took-") as folder:
        file = Path(folder, "took.json")
        command = [sys.executable, "-c", _LAUNCHER, str(file), sys.executable, *arguments]
        start = time.perf_counter()
        subprocess.run(command, stdout=output, stderr=output, check=True)
        seconds = time.perf_counter() - start
        status, cpu, peak = json.loads(file.read_text("utf-8"))
    # Linux counts in KiB, macOS in bytes.
    return Took(status, seconds, cpu, peak * (1 if sys.platform == "darwin" else 1024))
