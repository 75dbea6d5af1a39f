"""The benchmark beside a busy process: what one of its processes measures."""

import json

import psutil
import pytest

from benchmarks.busy import busy, main
from genrecall.learning.threads import set_threads


@pytest.mark.parametrize("what", ["train", "recall"])
def test_a_process_measures_one_number(shop_run, capsys, what):
    main([str(shop_run.bundle), "--steps", "2", "--queries", "3", "--measure", what])
    assert json.loads(capsys.readouterr().out) > 0
    set_threads(1)


def test_a_busy_process_ends_with_the_measurement():
    def children():
        return [child for child in psutil.Process().children() if child.status() != "zombie"]

    before = len(children())
    with busy(2):
        assert len(children()) == before + 2
    assert len(children()) == before
