"""Events: what is sent, how often, and what a reader that is gone means."""

import io

import pytest

from engine.errors import CancelledError, FootageError
from engine.protocol import ExitCode, parse_event
from engine.runtime.cancel import Cancel
from engine.runtime.reporter import JsonLines, Part, Reporter, Terminal


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def stream():
    return io.StringIO()


@pytest.fixture
def reporter(stream, clock):
    reporter = Reporter(JsonLines(stream), Cancel(), clock)
    reporter.begin_clip("walk")
    return reporter


def events(stream, name=None):
    parsed = [parse_event(line) for line in stream.getvalue().splitlines()]
    assert all(event["event"] != "log" for event in parsed)
    return [event for event in parsed if name in (None, event["event"])]


def test_progress_is_throttled_and_closed(reporter, stream, clock):
    with reporter.stage("detect", 2, 7):
        for done in range(500):
            reporter(done, 500)
            clock.now += 0.01
    sent = events(stream, "progress")
    assert 45 <= len(sent) <= 52
    assert (sent[0]["done"], sent[-1]["done"], sent[-1]["total"]) == (0, 500, 500)
    assert events(stream, "stage") == [{"event": "stage", "clip": "walk", "stage": "detect", "index": 2, "count": 7}]
    assert reporter.seconds["detect"] == pytest.approx(5)


def test_time_left_counts_from_where_the_stage_went_on(reporter, stream, clock):
    with reporter.stage("detect", 1, 1):
        reporter(50, 100)
        clock.now += 10
        reporter(60, 100)
    assert events(stream, "progress")[1]["eta_s"] == 40


def test_a_stage_that_never_reports_still_closes(reporter, stream):
    with reporter.stage("track", 3, 7):
        pass
    assert [(event["done"], event["total"]) for event in events(stream, "progress")] == [(1, 1)]


def test_a_failing_stage_closes_where_it_was(reporter, stream, clock):
    def work():
        with reporter.stage("detect", 1, 1):
            reporter(1, 9)
            reporter(2, 9)
            raise FootageError("broken.")

    with pytest.raises(FootageError):
        work()
    assert events(stream, "progress")[-1]["done"] == 2


def test_people_share_a_stage(reporter, stream, clock):
    with reporter.stage("predict", 4, 7):
        for index in range(2):
            part = Part(reporter, index, 2)
            for done in (0, 5):
                part(done, 10)
                clock.now += 1
    assert [(event["done"], event["total"]) for event in events(stream, "progress")] == [
        (0, 20), (5, 20), (10, 20), (15, 20), (20, 20),
    ]  # fmt: skip


def test_a_warning_is_sent_once_for_each_clip_and_kept(reporter, stream):
    for _ in range(3):
        reporter.warn("x", "Careful.")
    assert reporter.warnings == [{"code": "x", "message": "Careful."}]
    reporter.begin_clip("run")
    assert reporter.warnings == []
    reporter.warn("x", "Careful.")
    assert [event["clip"] for event in events(stream, "warning")] == ["walk", "run"]


def test_an_error_is_an_event_and_a_sentence_on_stderr(reporter, stream, capsys):
    reporter.error(FootageError("There is no file a.mp4.", "Check the path."))
    (event,) = events(stream, "error")
    assert (event["code"], event["clip"], event["hint"]) == ("footage", "walk", "Check the path.")
    assert capsys.readouterr().err == "Error: walk: There is no file a.mp4. Check the path.\n"


def test_the_end_is_reported_once(reporter, stream):
    reporter.succeeded = 2
    reporter.end(ExitCode.DONE)
    reporter.last_words()
    assert events(stream) == [{"event": "end", "exit_code": 0, "succeeded": 2, "failed": 0}]


def test_a_reader_that_is_gone_stops_the_run(clock):
    class Closed(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    reporter = Reporter(JsonLines(Closed()), Cancel(), clock)
    with pytest.raises(CancelledError):
        reporter.start(["walk"])
    reporter.end(ExitCode.CANCELLED)  # nothing more is tried


def test_the_terminal_shows_sentences_and_puts_only_paths_on_stdout(stream, clock, capsys):
    reporter = Reporter(Terminal(stream), Cancel(), clock)
    reporter.begin_clip("[walk]")
    with reporter.stage("detect", 1, 7):
        reporter(1, 2)
    reporter.warn("x", "Careful.")
    reporter.error(FootageError("Broken.", "Repair it."))
    reporter.send(
        "result", clip="[walk]", person=1, motion="out/person_1.npz", body="", report="", exports=[], frames=1
    )
    shown = capsys.readouterr().err
    assert "[walk]: detect (1/7)" in shown
    assert "Warning: [walk]: Careful." in shown
    assert "Error: [walk]: Broken. Repair it." in shown
    assert stream.getvalue() == "out/person_1.npz\n"
