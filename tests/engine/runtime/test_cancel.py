"""Stopping a real process: by signal, by stdin, and hard where the work does not listen."""

import os
import signal
import subprocess
import sys
import time

import pytest

from engine.runtime import cancel as cancelling
from engine.runtime.cancel import Cancel

# work that listens, or a long call that does not give the interpreter a chance to run Python handlers
PROGRAM = """
import sys, time
from engine.runtime.cancel import Cancel
from engine.errors import CancelledError
cancel = Cancel(lambda: print("last words", flush=True))
with cancel.listening(watch_stdin=True):
    print("ready", flush=True)
    try:
        while sys.argv[1] == "listens":
            cancel.check()
            time.sleep(0.05)
        if sys.argv[1] == "sleeps":
            while True: time.sleep(60)
        import ctypes
        while True: ctypes.CDLL(None).sleep(60)
    except CancelledError:
        print("unwound", flush=True)
        sys.exit(7)
"""


@pytest.fixture
def start():
    started = []

    def start(kind):
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def ask(process, how):
    if how == "line":
        process.stdin.write("hello\ncancel\n")
        process.stdin.flush()
    elif how == "half line":
        process.stdin.write("can")
        process.stdin.flush()
        time.sleep(0.2)
        process.stdin.write("cel\r\n")
        process.stdin.flush()
    elif how == "eof":
        process.stdin.close()
    else:
        process.send_signal(how)


HOWS = ["line", "half line", "eof", signal.SIGINT]
if os.name == "posix":
    HOWS += [signal.SIGTERM, signal.SIGHUP]


@pytest.mark.parametrize("how", HOWS, ids=str)
def test_work_that_listens_unwinds_at_once(start, how):
    process = start("listens")
    ask(process, how)
    assert process.stdout.read() == "unwound\n", "and not the last words of a hard end"
    assert process.wait(60) == 7


@pytest.mark.parametrize("how", ["line", signal.SIGTERM], ids=str)
@pytest.mark.parametrize("kind", ["sleeps", "stuck"])
def test_work_that_does_not_listen_is_ended(start, how, kind):
    if kind == "stuck" and os.name != "posix":
        pytest.skip("the stuck call is a POSIX one")
    process = start(kind)
    ask(process, how)
    assert process.wait(60) == 7
    assert process.stdout.read() == "last words\n"


def test_the_hard_end_comes_within_two_seconds():
    assert cancelling.GRACE_S + cancelling._LAST_WORDS_S < 2


def test_other_lines_do_not_stop_the_work(start):
    process = start("listens")
    process.stdin.write("hello\ncancelled\n\n")
    process.stdin.flush()
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.4)


def test_nothing_is_cancelled_until_somebody_asks():
    cancel = Cancel()
    cancel.check()
    assert not cancel.requested


def test_signal_handlers_are_given_back():
    before = signal.getsignal(signal.SIGTERM)
    with Cancel().listening(watch_stdin=False):
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before
