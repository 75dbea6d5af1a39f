"""Signals end the work at once, or after the step that is under way."""

import os
import signal
import threading

import pytest

from genrecall.foundation.interrupt import Interrupted, asked, interruptible, until_step_ends


def ask(number=signal.SIGTERM):
    os.kill(os.getpid(), number)


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


def test_another_thread_may_not_change_signals_and_does_not():
    before, found = signal.getsignal(signal.SIGINT), []

    def work():
        with interruptible():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [before]
