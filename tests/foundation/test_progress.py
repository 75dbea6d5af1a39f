import io
import json
import os
import time
from pathlib import Path

import pytest
from kept_log import KeptLog

from genrecall.foundation.progress import FileLog, Progress, TerminalLog


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test sets by hand, in seconds."""
    hands = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: hands[0])
    return hands


def test_a_file_log_prints_lines_and_keeps_events_as_json_lines(tmp_path):
    stream = io.StringIO()
    log = FileLog(tmp_path / "runs" / "log.jsonl", stream=stream)
    log.say("½ done")
    log.event("figures", loss=0.5, path=tmp_path)
    assert stream.getvalue() == "½ done\n"
    lines = (tmp_path / "runs" / "log.jsonl").read_text("utf-8").splitlines()
    first, second = (json.loads(line) for line in lines)
    assert (first["event"], first["text"]) == ("say", "½ done")
    assert (second["event"], second["loss"], second["path"]) == ("figures", 0.5, str(tmp_path))
    assert abs(second["time"] - time.time()) < 60


def test_a_second_run_adds_to_the_log(tmp_path):
    for _ in range(2):
        FileLog(tmp_path / "log.jsonl", stream=io.StringIO()).event("run")
    assert len((tmp_path / "log.jsonl").read_text("utf-8").splitlines()) == 2


def test_progress_says_how_far_it_is_and_how_long_it_takes(clock):
    log = KeptLog()
    progress = Progress(log, "encoder", total=1000, every=10.0)
    clock[0] += 9.0
    progress.update(100, loss=1.0)
    assert log.said == []
    clock[0] += 1.0
    progress.update(100, loss=0.123456)
    assert log.said == ["  encoder:  20%  20 examples/s  loss 0.1235  40s left"]
    clock[0] += 90.0
    progress.update(800, loss=0.1)
    progress.finish(loss=0.1)
    assert log.said[1:] == [
        "  encoder: 100%  10 examples/s  loss 0.1  0s left",
        "  encoder: 100%  10 examples/s  loss 0.1  took 1m40s",
    ]


def test_progress_records_what_it_says(clock):
    log = KeptLog()
    progress = Progress(log, "encoder", total=8, unit="items")
    clock[0] += 2.0
    progress.update(8)
    progress.finish(loss=0.25)
    figures = {"stage": "encoder", "done": 8, "total": 8, "per_second": 4.0, "loss": 0.25}
    assert log.events == [("progress", figures)]
    assert log.said == ["  encoder: 100%  4 items/s  loss 0.25  took 2s"]


@pytest.mark.parametrize(
    ("seconds", "told"), [(0.4, "0s"), (59.4, "59s"), (59.6, "1m00s"), (3725.0, "62m05s")]
)
def test_durations_are_told_in_minutes_and_seconds(clock, seconds, told):
    log = KeptLog()
    progress = Progress(log, "work", total=1)
    clock[0] += seconds
    progress.finish()
    assert log.said[0].endswith(f"took {told}")


def test_no_work_and_no_time_are_no_error(clock):
    log = KeptLog()
    Progress(log, "work", total=0).finish()
    assert log.said == ["  work: 100%  0 examples/s  took 0s"]
    assert clock == [1000.0]


def test_progress_of_work_whose_end_nobody_knows(clock):
    log = KeptLog()
    progress = Progress(log, "log.jsonl", total=None, unit="rows")
    clock[0] += 20.0
    progress.update(50_000)
    assert log.said == ["  log.jsonl: 50,000 rows  2,500 rows/s  20s so far"]


def test_a_terminal_log_prints_lines_only(capsys):
    TerminalLog().say("½ done")
    TerminalLog().event("figures", loss=0.5)
    assert capsys.readouterr() == ("", "½ done\n")


def test_a_line_is_written_in_one_piece(monkeypatch):
    """So that no signal comes between a line and its end."""
    written = []
    stream = io.StringIO()
    monkeypatch.setattr(stream, "write", written.append)
    FileLog(Path(os.devnull), stream=stream).say("half done")
    assert written == ["half done\n"]


def test_a_training_curve_has_a_point_at_every_hundredth():
    log = KeptLog()
    progress = Progress(log, "encoder", total=1000)
    for loss in range(400):
        progress.update(2, loss=float(loss))
    points = [figures for name, figures in log.events if name == "measured"]
    assert [point["done"] for point in points] == list(range(10, 801, 10))
    assert points[1] == {"stage": "encoder", "done": 20, "total": 1000, "loss": 7.0}  # of 5 to 9


def test_a_training_curve_goes_on_where_an_interrupted_one_was():
    log = KeptLog()
    progress = Progress(log, "encoder", total=4, before=4)
    for _ in range(4):
        progress.update(1, loss=2.0)
    points = [figures for name, figures in log.events if name == "measured"]
    assert [(point["done"], point["total"]) for point in points] == [(5, 8), (6, 8), (7, 8), (8, 8)]
