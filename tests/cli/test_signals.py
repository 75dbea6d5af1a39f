"""Ctrl-C and SIGTERM: what was trained is kept, and the command says where it goes on."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from tiny_shop import in_domain, write_shop

COMMAND = "import sys; from genrecall.cli.app import main; main(sys.argv[1:])"


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, *map(str, arguments)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(told, process):
    deadline = time.monotonic() + 120
    while not told():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def config(tmp_path):
    """Of a shop whose encoder takes long, and leaves a point of its curve every 20 steps."""
    return write_shop(tmp_path, settings={"embed": in_domain(steps=2000)})


def measured(folder):
    """Whether a training has begun since it was asked last."""
    log = folder / "log.jsonl"
    events = map(json.loads, log.read_text("utf-8").splitlines()) if log.exists() else ()
    return sum(event["event"] == "measured" for event in events)


def test_a_signal_saves_the_step_that_it_finds(config, tmp_path):
    """Long before a minute is over; the second signal finds what the first has saved."""
    out, seen, saved = tmp_path / "run", 0, []
    for number in (signal.SIGTERM, signal.SIGINT):
        process = start("run", config, "--out", out)
        wait_for(lambda known=seen: measured(out) > known, process)
        seen = measured(out)
        process.send_signal(number)
        _, told = process.communicate(timeout=60)
        assert process.returncode == 128 + number
        lines = told.splitlines()
        assert lines[-2] == "ending after this step; once more to end at once"
        pattern = (
            r"interrupted: two-tower encoder is saved at step ([\d,]+) of 2,000\. "
            r"The same command goes on\."
        )
        saved.append(re.fullmatch(pattern, lines[-1])[1])
        resumed = [line for line in lines if "resumes" in line]
        assert resumed == [f"  two-tower encoder: resumes at step {step}" for step in saved[:-1]]
    assert {path.name for path in (out / "stages").iterdir()} == {"data", "queries"}


def test_a_signal_before_a_training_says_that_the_stage_starts_over(config, tmp_path):
    out = tmp_path / "run"
    process = start("run", config, "--out", out)
    wait_for((out / "stages/data").exists, process)
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    ended = re.search(r"^interrupted: (.*)\. The same command goes on\.$", told, re.MULTILINE)[1]
    assert re.fullmatch(
        r"stage \w+ starts over|finished stages are kept|two-tower .* is saved at .*",
        ended,
    )


def test_an_interrupted_shop_is_not_half_there(tmp_path):
    process = start("shop", "--out", tmp_path / "shop")
    wait_for(lambda: any(tmp_path.iterdir()), process)
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert told.endswith("interrupted: nothing was written. The same command starts over.\n")
    assert not (tmp_path / "shop").exists()
