import io

import pytest

from engine.errors import CancelledError
from engine.runtime.cancel import Cancel
from engine.training.training_report import TrainingReport, checkpoint_of


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


class Terminal(io.StringIO):
    def isatty(self):
        return True


def made(tmp_path, checkpoint=False, stream=None):
    path = checkpoint_of(tmp_path / "out.safetensors")
    if checkpoint:
        path.write_bytes(b"")
    stream, clock, cancel = stream or io.StringIO(), Clock(), Cancel()
    return TrainingReport("denoiser", cancel, "Run it again.", stream, path, clock), stream, clock, cancel


def test_checkpoint_lies_beside_the_weights(tmp_path):
    assert checkpoint_of(tmp_path / "a.safetensors") == tmp_path / "a.safetensors.checkpoint"


def test_a_line_every_ten_seconds_where_there_is_no_terminal(tmp_path):
    report, stream, clock, _ = made(tmp_path)
    with report:
        for step in range(1, 101):
            clock.now += 3
            report(step, 100)
    lines = stream.getvalue().splitlines()
    assert lines[0] == "denoiser: 1 of 100"
    assert lines[1] == "denoiser: 5 of 100, 5 min left"
    assert lines[-2].endswith(", less than a minute left")
    assert lines[-1] == "denoiser: 100 of 100"
    assert len(lines) == 26


def test_a_bar_on_a_terminal(tmp_path):
    report, stream, _, _ = made(tmp_path, stream=Terminal())
    with report:
        report(30, 60)
        report.warn("code", "One clip is bad.")
    assert "30/60" in stream.getvalue()
    assert "Warning: One clip is bad." in stream.getvalue()
    assert "30 of 60" not in stream.getvalue()


def test_going_on_is_reported_once_and_only_if_there_is_something_to_go_on_from(tmp_path):
    report, stream, _, _ = made(tmp_path, checkpoint=True)
    report(41, 60)
    report(42, 60)
    assert stream.getvalue().count("Going on after step 40, from ") == 1
    afresh, stream, _, _ = made(tmp_path, checkpoint=True)
    afresh(1, 60)
    assert "Going on" not in stream.getvalue()


def test_a_run_that_is_complete_says_so(tmp_path):
    report, stream, _, _ = made(tmp_path, checkpoint=True)
    report.end()
    assert "is complete, so nothing was trained." in stream.getvalue()
    report, stream, _, _ = made(tmp_path, checkpoint=True)
    report(60, 60)
    report.end()
    assert "is complete" not in stream.getvalue()


def test_a_wish_to_stop_is_heard_and_reported_how_to_go_on(tmp_path, monkeypatch):
    report, stream, _, cancel = made(tmp_path)
    report(1, 2)
    monkeypatch.setattr(cancel, "_end_hard", lambda: None)
    cancel.request()
    with pytest.raises(CancelledError) as stopped:
        report(2, 2)
    assert stopped.value.hint == "Run it again."
    report.last_words()
    assert "Error" not in stream.getvalue()  # the command line says it, and once is enough
    other, stream, _, _ = made(tmp_path)
    other.last_words()
    assert stream.getvalue() == "Error: The training was stopped. Run it again.\n"
