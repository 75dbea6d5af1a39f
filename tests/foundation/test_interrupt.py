"""Signals end the work at once, or after the step that is under way."""

import importlib
import signal
import threading
import time

import pytest

from genrecall.foundation.interrupt import Interrupted, asked, interruptible, until_step_ends


def ask(number=signal.SIGTERM):
    signal.raise_signal(number)


def test_outside_of_a_step_a_signal_ends_at_once():
    with pytest.raises(Interrupted) as ended, interruptible():
        ask()
    assert (ended.value.signal, ended.value.kept) == (signal.SIGTERM, "")


def test_within_a_step_the_first_waits_and_the_second_does_not(capsys):
    done = []
    with pytest.raises(Interrupted) as ended, interruptible(), until_step_ends():
        ask(signal.SIGINT)
        done.append(asked())
        ask(signal.SIGTERM)
        done.append("never")
    assert done == [signal.SIGINT]
    assert ended.value.signal == signal.SIGTERM
    assert capsys.readouterr().err == "ending after this step; once more to end at once\n"


def test_nothing_that_waits_is_forgotten_behind_the_last_step():
    with pytest.raises(Interrupted), interruptible():
        with until_step_ends():
            ask()
        pytest.fail("the signal waits for ever")


def test_afterwards_signals_do_what_they_did():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Interrupted), interruptible(), interruptible(), until_step_ends():
        ask()
        ask()
    assert signal.getsignal(signal.SIGTERM) is before
    assert asked() is None


def test_a_module_that_swallows_it_while_it_is_imported_does_not_lose_it(tmp_path, monkeypatch):
    """As compiled modules do, those of NumPy among them."""
    (tmp_path / "swallowing.py").write_text(
        "import os, signal, time\n"
        "try:\n"
        "    for _ in range(2):\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "    time.sleep(0.1)\n"
        "except BaseException:\n"
        "    pass\n"
        "whole = True\n",
        "utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(Interrupted) as ended, interruptible():
        swallowing = importlib.import_module("swallowing")
        time.sleep(30)
    assert ended.value.signal == signal.SIGTERM
    assert swallowing.whole
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    assert signal.getsignal(signal.SIGALRM) is before


def test_a_program_that_runs_while_it_is_imported_is_ended_as_any_other(tmp_path, monkeypatch):
    (tmp_path / "running.py").write_text(
        "import os, signal, time\n"
        "from genrecall.foundation.interrupt import interruptible\n"
        "with interruptible():\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    time.sleep(30)\n",
        "utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(Interrupted):
        importlib.import_module("running")


def test_what_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interruptible():
            ask(signal.SIGINT)
            assert signal.getsignal(signal.SIGTERM) is not before
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_line_that_cannot_be_printed_now_does_not_end_the_step(monkeypatch):
    class Busy:
        def write(self, _):
            raise RuntimeError("reentrant call inside <_io.BufferedWriter name='<stderr>'>")

    monkeypatch.setattr("sys.stderr", Busy())
    with pytest.raises(Interrupted), interruptible(), until_step_ends():
        ask()
        assert asked() == signal.SIGTERM


def test_another_thread_may_not_change_signals_and_does_not():
    before, found = signal.getsignal(signal.SIGINT), []

    def work():
        with interruptible():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [before]
