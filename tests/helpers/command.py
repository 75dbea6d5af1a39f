"""Commands run in this process or in one of their own."""

import json
import subprocess
import sys

import pytest

from genrecall.cli.app import main


def main_code(arguments):
    """Run a command in this process; returns its exit code."""
    with pytest.raises(SystemExit) as done:
        main([str(argument) for argument in arguments])
    return done.value.code or 0


def read_json(path):
    return json.loads(path.read_text("utf-8"))


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
