"""A time left from the first moment of a first run, which corrects itself; what runs took is kept in a file."""

from __future__ import annotations

import pytest
from adapt_motion.blender_addon.run import job, paces
from adapt_motion.blender_addon.run.run_state import RunState
from adapt_motion.engine import protocol


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass when the test says so; nothing is known of this computer."""
    paces.forget()
    now = [0.0]
    monkeypatch.setattr(paces.time, "monotonic", lambda: now[0])

    def wait(seconds: float) -> None:
        now[0] += seconds

    yield wait
    paces.forget()


@pytest.fixture
def state(clock, tmp_path):
    return RunState("adapt", job.EventSource(tmp_path / "log"))


def enter(state, stage: str) -> None:
    state.feed({"event": "stage", "clip": "a", "stage": stage, "index": 1, "count": 2})


def progress(state, done: int, total: int, **left) -> str:
    state.feed({"event": "progress", "clip": "a", "stage": state.stage, "done": done, "total": total, **left})
    return state.progress_text


def test_usual_paces_are_of_stages_that_there_are():
    assert set(paces.USUAL_S) <= set(protocol.STAGES)


def test_the_first_run_has_a_time_left_from_its_first_moment(state, clock):
    """ "0 of 100" had stood there for many seconds, with no time left."""
    enter(state, "detect")
    assert progress(state, 0, 100) == "0 of 100, 0:19 left"
    clock(5)
    assert state.progress_text == "0 of 100, 0:14 left", "it goes down while nothing comes"
    clock(100)
    assert state.progress_text == "0 of 100, 0:02 left", "nothing is done yet, so it is not over"


def test_it_corrects_itself_as_the_run_goes(state, clock):
    """On a computer that is four times as slow: 80 s."""
    enter(state, "detect")
    progress(state, 0, 100)
    clock(8)
    assert progress(state, 10, 100, eta_s=72) == f"10 of 100, {_minutes(17.1 + 0.4 * (72 - 17.1))} left"
    clock(12)
    assert progress(state, 25, 100, eta_s=60) == "25 of 100, 1:00 left"
    clock(2)
    assert state.progress_text == "25 of 100, 0:58 left"


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60}:{round(seconds) % 60:02}"


def test_a_stage_that_was_there_before_goes_by_what_it_took(state, clock):
    enter(state, "adapt")
    progress(state, 0, 100)
    clock(20)
    progress(state, 100, 100)
    enter(state, "write")
    enter(state, "adapt")
    assert progress(state, 0, 50) == "0 of 50, 0:10 left"


def test_what_is_not_known_has_no_time(state):
    enter(state, "write")
    assert progress(state, 0, 100) == "0 of 100"
    assert progress(state, 5, 100, eta_s=7) == "5 of 100, 0:07 left"
    assert progress(state, 0, 0) == ""


@pytest.mark.parametrize(("first", "last"), [(60, 100), (0, 99)])
def test_half_a_stage_is_not_remembered(state, clock, first, last):
    """One that went on from an earlier run, or was cancelled."""
    enter(state, "detect")
    progress(state, first, 100)
    clock(1)
    progress(state, last, 100)
    state.feed({"event": "exited", "code": 3, "cancelled": True})
    assert paces.usual("detect") == paces.USUAL_S["detect"]


def test_paces_come_back_in_the_next_session(state, clock, tmp_path):
    paces.keep_in(tmp_path / "user")
    for seconds, known in ((40, 0.4), (20, 0.3)):
        enter(state, "detect")
        progress(state, 0, 100)
        clock(seconds)
        progress(state, 100, 100)
        state.feed({"event": "exited", "code": 0, "cancelled": False})
        assert paces.usual("detect") == pytest.approx(known), "the newest counts as much as those before"
        state.stage = ""
        state.guess = paces.Guess()
    paces.forget()
    assert paces.usual("detect") == paces.USUAL_S["detect"]
    paces.keep_in(tmp_path / "user")
    assert paces.usual("detect") == pytest.approx(0.3)


@pytest.mark.parametrize("text", ["", "[1]", '{"detect": "x", "adapt": -1, "world": NaN, "track": true}', "{" * 99])
def test_a_damaged_file_is_as_none(clock, tmp_path, text):
    (tmp_path / paces.FILE).write_text(text)
    paces.keep_in(tmp_path)
    assert {stage: paces.usual(stage) for stage in paces.USUAL_S} == paces.USUAL_S


def test_a_disk_that_refuses_stops_nothing(clock, tmp_path):
    (tmp_path / "file").touch()
    paces.keep_in(tmp_path / "file")
    paces.remember("detect", 10, 100)
    assert paces.usual("detect") == pytest.approx(0.1)
