"""Labels by a vision-language model: what is sent, what is made of the answers, and servers that misbehave."""

import base64
import io
import itertools
import json
import logging
import re
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("openai")
from vlm_server import dripping, endless, half_a_reply, labels, serving, silence, status, text

from engine.errors import CancelledError, UsageError
from engine.footage.decoding import Frame
from engine.keypoints.joint_sets import MEDIAPIPE_33
from engine.keypoints.types import PersonTrack
from engine.protocol import ExitCode
from engine.semantics.segments import Segment, spread
from engine.semantics.types import Match
from engine.semantics.vlm_labeler import Plan, VlmLabeler
from engine.semantics.vlm_pictures import stretches, take
from engine.semantics.vlm_settings import VlmSettings

FPS, ROWS, SIZE = 30, 150, (320, 240)
SECRET = "sk-verysecretkey"
GREEN, RED = (20, 200, 40), (220, 20, 30)


class Words:
    """A dictionary of three actions."""

    labels = ("walk", "kick", "wave hand")

    def category(self, label):
        return "any"

    def paraphrases(self, label):
        return ()

    def exemplar(self, label):
        raise NotImplementedError

    def match(self, text):
        known = {"walking": "walk", "waving": "wave hand"}
        return Match(known.get(text), 0.9 if text in known else 0.1, self.labels)


class Listening:
    """Progress that keeps warnings."""

    def __init__(self, stop_after=None):
        self.warnings, self.begun, self.stop_after = [], time.monotonic(), stop_after

    def __call__(self, done, total):
        if self.stop_after is not None and time.monotonic() - self.begun > self.stop_after:
            raise CancelledError("The run was cancelled.")

    def warn(self, code, message):
        self.warnings.append((code, message))

    def __contains__(self, words):
        return any(words in message for _, message in self.warnings)


def labelled(rows, times):
    """Runs of one label as segments."""
    edges = [0, *(np.flatnonzero(rows[1:] != rows[:-1]) + 1).tolist(), len(rows)]
    ends = [*times.tolist(), times[-1] + 1 / FPS]
    return [Segment(times[a], ends[b], str(rows[a])) for a, b in itertools.pairwise(edges) if rows[a]]


def footage():
    """A green person walks to the right over a red picture."""
    for index in range(ROWS + 5):
        rgb = np.full((SIZE[1], SIZE[0], 3), RED, np.uint8)
        left = 40 + index
        rgb[60:180, left : left + 60] = GREEN
        yield Frame(index, index / FPS, rgb)


@pytest.fixture
def track():
    rows = np.arange(ROWS)
    boxes = np.stack((40 + rows, np.full(ROWS, 60), 100 + rows, np.full(ROWS, 180)), 1).astype(np.float32)
    return PersonTrack(
        person=1, frame_indices=rows, timestamps=rows / FPS, keypoints=np.ones((ROWS, 33, 3), np.float32),
        landmarks3d=np.zeros((ROWS, 33, 3), np.float32), boxes=boxes, detected=np.ones(ROWS, bool),
        keypoint_names=MEDIAPIPE_33, image_size=SIZE,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def run(track, tmp_path, monkeypatch):
    """Label the track with a server that plays its script; gives the segments, the server and the warnings."""

    def run(*plays, consent=lambda plan: True, typed=(), check=None, progress=None, one=track, **settings):
        values = {"timeout_s": 1.0, "backoff_s": 0.01, "attempts": 3, "cache": str(tmp_path / "answers"), **settings}
        progress = progress or Listening()
        with serving(*plays) as (address, server):
            monkeypatch.setenv("OPENAI_BASE_URL", address)
            labeler = VlmLabeler(VlmSettings(**values), consent, check)
            rows = labeler.label(footage, one, Words(), spread(tuple(typed), one.timestamps), progress)
        return tuple(labelled(rows, one.timestamps)), server, progress

    return run


def pictures_of(request):
    parts = request["messages"][0]["content"][1:]
    raw = [base64.b64decode(part["image_url"]["url"].removeprefix("data:image/jpeg;base64,")) for part in parts]
    return [cv2.imdecode(np.frombuffer(one, np.uint8), cv2.IMREAD_COLOR_RGB) for one in raw]


# --- what is sent ----------------------------------------------------------------------------------------------------


def test_segments_are_of_two_seconds_and_shown_evenly():
    times = np.arange(150) / 30
    wanted = np.ones(150, bool)
    found = stretches(times, wanted, wanted, 4)
    assert [(one.first, one.last) for one in found] == [(0, 60), (60, 120), (120, 150)]
    assert found[0].shown == (0, 20, 39, 59)
    assert [one.last for one in stretches(times[:130], wanted[:130], wanted[:130], 4)] == [60, 130], "a short rest"
    wanted[:60] = False
    assert [one.first for one in stretches(times, wanted, np.ones(150, bool), 4)] == [60, 120]
    assert stretches(times, wanted, np.zeros(150, bool), 4) == []


def test_the_person_is_sent_and_the_rest_is_not(run):
    _, server, _ = run(labels("walk"), layout="single", pictures=3)
    for request in server.requests:
        for picture in pictures_of(request):
            assert picture.shape == (224, 224, 3)
            green = (np.abs(picture.astype(int) - GREEN).max(-1) < 40).mean()
            assert green > 0.25
    _, server, _ = run(labels("walk"), layout="single", pictures=3, whole_picture=True)
    green = (np.abs(pictures_of(server.requests[0])[0].astype(int) - GREEN).max(-1) < 40).mean()
    assert green < 0.15


def test_one_sheet_holds_all_pictures_of_a_segment(run, track):
    _, server, _ = run(labels("walk"), pictures=6)
    (sheet,) = pictures_of(server.requests[0])
    assert sheet.shape == (2 * 224, 4 * 224, 3)
    (one, *_) = take(footage, track, stretches(track.timestamps, track.detected, track.detected, 6), VlmSettings())
    assert len(one.tiles()) == 6
    assert one.tiles()[5].shape == (224, 224, 3)


def test_the_request_names_model_dictionary_and_schema(run):
    _, server, _ = run(labels("walk"), model="llava", pictures=2)
    request = server.requests[0]
    assert request["model"] == "llava"
    assert "walk; kick; wave hand" in request["messages"][0]["content"][0]["text"]
    schema = request["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["labels"]["items"]["enum"] == ["walk", "kick", "wave hand", "none"]
    assert request["max_tokens"] > 0
    assert server.headers[0]["authorization"] == f"Bearer {SECRET}"


def test_segments_are_requested_at_the_same_time(run):
    def slowly(handler, request):
        time.sleep(0.3)
        labels("walk")(handler, request)

    _, server, _ = run(slowly, at_once=3)
    assert len(server.requests) == 3
    assert server.busiest == 3
    _, server, _ = run(slowly, at_once=1, pictures=7)
    assert server.busiest == 1


# --- what is made of the answers -------------------------------------------------------------------------------------


def test_labels_become_segments_in_time(run):
    found, _, progress = run(labels("walk"))
    assert found == (Segment(0.0, pytest.approx(5.0), "walk"),)
    assert progress.warnings == []


def test_a_change_within_a_segment_is_where_the_pictures_change(run):
    def changing(handler, request):
        labels("walk", "walk", "kick", "kick")(handler, request)

    found, _, _ = run(changing, pictures=4, at_once=1)
    assert [one.label for one in found] == ["walk", "kick", "walk", "kick", "walk", "kick"]
    assert found[0].end_s == pytest.approx(1.0, abs=0.05)


def test_typed_labels_win_and_are_not_requested(run):
    found, server, _ = run(labels("walk"), typed=(Segment(0, 2, "kick"), Segment(4.5, 9, "kick")))
    assert len(server.requests) == 2
    assert [(one.start_s, one.label) for one in found] == [(0, "kick"), (pytest.approx(2.0), "walk"), (4.5, "kick")]
    found, server, _ = run(labels("walk"), typed=(Segment(0, 9, "kick"),))
    assert ([one.label for one in found], server.requests) == (["kick"], [])


def test_labels_from_nowhere_are_matched_or_dropped(run):
    found, _, progress = run(labels("walking"))
    assert {one.label for one in found} == {"walk"}
    assert progress.warnings == []
    found, _, progress = run(labels("moonwalk"), pictures=7)
    assert found == ()
    assert "not in the dictionary were dropped: 'moonwalk'" in progress
    found, _, progress = run(labels("none"), pictures=6)
    assert (found, progress.warnings) == ((), [])


def test_labels_that_do_not_look_right_are_put_before_the_user(run):
    plans = []

    def check(pictures, names):
        plans.append((pictures.stretch.first, tuple(names)))
        return 0.21 if pictures.stretch.first == 60 else 0.35

    found, _, progress = run(labels("walk"), check=check, pictures=2)
    assert [first for first, _ in plans] == [0, 60, 120]
    assert {one.label for one in found} == {"walk"}, "it stays until the user says otherwise"
    assert [code for code, _ in progress.warnings] == ["label_uncertain"]
    assert "'walk' from 2.0 s to 4.0 s may be wrong" in progress


# --- consent, budget, cache ------------------------------------------------------------------------------------------


def test_nothing_is_sent_without_consent(run, monkeypatch):
    plans = []

    def refuse(plan):
        plans.append(plan)
        return False

    with serving(labels("walk")) as (_, server):
        with pytest.raises(UsageError, match="nobody agreed") as raised:
            run(labels("walk"), consent=refuse)
        assert server.requests == []
    assert raised.value.exit_code == ExitCode.USAGE
    assert "--allow-upload" in raised.value.hint
    (plan,) = plans
    assert (plan.requests, plan.pictures, plan.server) == (3, 24, "127.0.0.1")
    assert plan.cost == 0, "a server of one's own costs nothing"
    assert "24 pictures of the person" in plan.sentence()


def test_the_cost_is_reported_before_it_is_made(run, monkeypatch):
    monkeypatch.setattr("engine.semantics.vlm_labeler.is_local", lambda: False)
    plans = []
    run(labels("walk"), consent=lambda plan: plans.append(plan) or True, price_in=1000.0)
    assert plans[0].cost > 0.5
    assert "$" in plans[0].sentence()
    with pytest.raises(UsageError, match="more than the budget") as raised:
        run(labels("walk"), price_in=10_000.0, most_cost=0.01, pictures=7)
    assert "labeler.most_cost" in raised.value.hint


@pytest.mark.parametrize(("name", "value"), [("most_requests", 2), ("most_tokens", 100)])
def test_more_than_the_budget_is_not_begun(run, name, value):
    with pytest.raises(UsageError, match="more than the budget") as raised:
        run(labels("walk"), **{name: value})
    assert f"labeler.{name}" in raised.value.hint


def test_repeated_requests_count_too(run):
    found, server, progress = run(status(500), most_requests=4, attempts=5, at_once=1)
    assert found == ()
    assert len(server.requests) == 4
    assert "the budget is used up" in progress


def test_nothing_is_sent_twice(run, tmp_path):
    first, server, _ = run(labels("walk"))
    assert len(server.requests) == 3
    plans = []
    second, server, _ = run(status(500), consent=lambda plan: plans.append(plan) or True)
    assert (second, server.requests, plans) == (first, [], [])
    _, server, _ = run(labels("walk"), model="another")
    assert len(server.requests) == 3
    kept = b"".join(path.read_bytes() for path in (tmp_path / "answers").iterdir())
    assert len(kept) < 2000, "labels, no pictures"
    assert SECRET.encode() not in kept
    for path in (tmp_path / "answers").iterdir():
        path.write_text("{damaged")
    third, server, _ = run(labels("walk"))
    assert (third, len(server.requests)) == (first, 3)


def test_only_what_failed_is_requested_again(run):
    _, server, _ = run(labels("walk"), status(500), attempts=1, at_once=1)
    assert len(server.requests) == 3
    found, server, _ = run(labels("walk"))
    assert len(server.requests) == 2
    assert {one.label for one in found} == {"walk"}


# --- servers that misbehave ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "play",
    [
        status(429), status(500), status(503), half_a_reply, silence(1.5), text("not JSON"),
        text('{"labels": ["walk"]}'), text('{"labels": 3}'), text("[]"), status(200, {"nothing": 1}),
        status(200, {"choices": []}), status(200, [1, 2]), endless,
    ],
    ids=["429", "500", "503", "half", "silence", "words", "too few", "no list", "a list", "no choices", "empty",
         "no object", "endless"],
)  # fmt: skip
def test_after_one_bad_answer_a_good_one_is_taken(run, play):
    found, server, progress = run(play, labels("walk"), at_once=1, timeout_s=0.5)
    assert {one.label for one in found} == {"walk"}
    assert found[0].start_s == 0
    assert len(server.requests) == 4
    assert progress.warnings == []


@pytest.mark.parametrize(
    ("play", "words"),
    [
        (status(429), "it answered with an error (429)"), (status(500), "it answered with an error (500)"),
        (half_a_reply, "the connection failed"), (silence(0.6), "it did not answer in time"),
        (dripping(3), "it did not answer in time"), (text("no"), "its answer was of no use"),
        (endless, "its answer does not end"),
    ],
    ids=["429", "500", "half", "silence", "dripping", "words", "endless"],
)  # fmt: skip
def test_a_server_that_never_answers_well_is_given_up(run, play, words):
    found, server, progress = run(play, attempts=2, timeout_s=0.3)
    assert found == ()
    assert len(server.requests) == 6
    assert words in progress
    assert "3 segments got no label from 127.0.0.1" in progress


def test_pauses_grow_and_the_server_s_wish_is_heeded(run):
    _, server, _ = run(status(500), attempts=4, at_once=1, backoff_s=0.1, typed=(Segment(2, 9, "kick"),))
    pauses = np.diff(server.times)
    assert (pauses > [0.08, 0.16, 0.32]).all()
    _, server, _ = run(status(429, Retry_After="0.5"), labels("walk"), typed=(Segment(2, 9, "kick"),), pictures=5)
    assert np.diff(server.times)[0] >= 0.5


def test_a_redirect_elsewhere_is_not_followed(run):
    with serving(labels("kick")) as (elsewhere, other):
        for code in (301, 302, 307, 308):
            found, server, progress = run(status(code, location=f"{elsewhere}/chat/completions"), at_once=1)
            assert found == ()
            assert len(server.requests) == 1, "nothing more is sent to it"
            assert "points to another address, which is not followed" in progress
        assert other.requests == []


@pytest.mark.parametrize(
    ("code", "words"),
    [(401, "refuses the key (401)"), (403, "refuses the key (403)"), (404, "the model 'gpt-4o' (404)"),
     (400, "does not accept the request (400)")],
)  # fmt: skip
def test_what_will_not_get_better_is_not_repeated(run, code, words):
    found, server, progress = run(status(code), at_once=1)
    assert found == ()
    assert len(server.requests) == 1
    assert words in progress


def test_servers_that_know_less_of_the_api_are_served(run):
    def choosy(handler, request):
        for name in ("response_format", "temperature"):
            if name in request:
                return handler.answer(400, {"error": {"message": f"Unsupported parameter: {name}", "param": name}})
        handler.answer(200, fenced(request))

    def fenced(request):
        from vlm_server import completion, requested

        return completion("Here it is:\n```json\n" + json.dumps({"labels": ["kick"] * requested(request)}) + "\n```")

    found, _, progress = run(choosy, attempts=4, at_once=1)
    assert {one.label for one in found} == {"kick"}
    assert progress.warnings == []


def test_a_server_that_is_not_there_is_reported(track, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    settings = VlmSettings(timeout_s=0.5, backoff_s=0.01, attempts=2, cache=str(tmp_path))
    progress = Listening()
    typed = np.zeros(ROWS, "<U1")
    found = VlmLabeler(settings, lambda plan: True).label(footage, track, Words(), typed, progress)
    assert (found == "").all()
    assert "the connection failed" in progress


def test_cancelling_does_not_wait_for_a_silent_server(run):
    released, awaited = threading.Event(), []

    def silent(handler, request):
        awaited.append(not released.wait(20))

    with pytest.raises(CancelledError):
        run(silent, timeout_s=30, progress=Listening(stop_after=0.3))
    assert awaited == []
    released.set()


def test_neither_key_nor_picture_is_in_any_log(run, capfd, monkeypatch):
    monkeypatch.setenv("OPENAI_LOG", "debug")
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    sent = []

    def echoing(handler, request):
        """A server that throws back what it was sent, where programs print it."""
        sent.append(request["messages"][0]["content"][1]["image_url"]["url"][30:200])
        handler.answer(500, {"error": {"message": f"{SECRET} {json.dumps(request)}"}})

    try:
        for play in (echoing, labels("walk"), status(401), half_a_reply, silence(0.4)):
            _, _, progress = run(play, timeout_s=0.2, attempts=2, pictures=len(sent) % 5 + 2)
            stream.write(" ".join(message for _, message in progress.warnings))
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
    output = capfd.readouterr()
    server = stream.getvalue() + output.out + output.err
    assert sent
    assert SECRET not in server
    assert "base64" not in server
    assert not any(part in server for part in sent)
    assert not re.search(r"[A-Za-z0-9+/]{200}", server)


def test_the_client_and_a_key_are_requested(run, monkeypatch):
    from engine.semantics.vlm_server import check_server, server_name

    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(UsageError, match="OPENAI_API_KEY"):
        check_server()
    monkeypatch.setenv("OPENAI_BASE_URL", "http://me:password@models.example:8000/v1")
    check_server()
    assert server_name() == "models.example"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="not installed"):
        check_server()


# --- in a run --------------------------------------------------------------------------------------------------------


@pytest.fixture
def run_labels(run_here, tmp_path, monkeypatch):
    """`run --only labels` on a fifth of a second of the demo clip."""
    monkeypatch.setenv("ADAPT_MOTION_MODELS", str(tmp_path))
    arguments = (
        "run", Path(__file__).parents[3] / "presets" / "demo" / "demo.mp4", "-o", tmp_path / "out", "--preset", "fast",
        "--end-s", "0.2", "--backbone", "fit", "--set", "fit.iterations=1", "--only", "labels", "--events", "jsonl",
        "--labeler", "openai", "--set", f"labeler.cache={tmp_path / 'answers'}", "--set", "labeler.backoff_s=0.01",
    )  # fmt: skip
    return lambda *more: run_here(*arguments, *more)


def test_a_run_asks_for_labels_that_are_not_typed(run_labels, monkeypatch):
    with serving(labels("walk")) as (address, server):
        monkeypatch.setenv("OPENAI_BASE_URL", address)
        done = run_labels("--allow-upload")
    assert done.code == ExitCode.DONE, done.errors
    assert len(server.requests) == 1
    (found,) = done.named("labels")
    assert [one["label"] for one in found["segments"]] == ["walk"]
    (plan,) = [event["message"] for event in done.named("warning") if event["code"] == "upload"]
    assert "127.0.0.1" in plan


def test_a_run_without_consent_sends_nothing_and_says_so_at_once(run_labels, monkeypatch):
    with serving(labels("walk")) as (address, server):
        monkeypatch.setenv("OPENAI_BASE_URL", address)
        done = run_labels()
    assert done.code == ExitCode.USAGE
    assert "nobody is here to agree" in done.errors[0]
    assert server.requests == []
    assert done.named("stage") == []


@pytest.mark.parametrize(
    ("address", "open_to_all"),
    [("http://models.example/v1", True), ("https://models.example/v1", False), ("http://localhost:1/v1", False)],
)
def test_what_others_on_the_way_can_read_is_stated(monkeypatch, address, open_to_all):
    monkeypatch.setenv("OPENAI_BASE_URL", address)
    plan = Plan(requests=1, pictures=2, tokens=3, cost=0.0, server="models.example", model="m", whole_picture=False)
    assert ("not encrypted" in plan.sentence()) == open_to_all
