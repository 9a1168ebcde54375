"""The command line: what is reported when it is used wrongly, and what comes out when it is used rightly."""

import json
import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from made_footage import numbered_film

from engine.protocol import EVENTS, STAGES, Job

ROOT = Path(__file__).resolve().parents[2]
DEMO_CLIP = ROOT / "presets" / "demo" / "demo.mp4"


def write_video(path, pictures):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def nobody(tmp_path_factory):
    """Footage of an empty wall."""
    wall = np.full((240, 320, 3), 120, np.uint8)
    wall[100:110] = 90
    return write_video(tmp_path_factory.mktemp("nobody") / "wall.mp4", [wall] * 5)


def assert_refused(ran, code, *words):
    """One sentence with a hint, as an event and on stderr; the run closes properly; no traceback."""
    assert ran.code == code, ran.stderr
    assert len(ran.errors) == 1
    for word in words:
        assert word in ran.errors[0], ran.errors
    (event,) = ran.named("error")
    assert event["message"].endswith(".")
    assert event["hint"].endswith((".", "?"))
    assert f"{event['message']} {event['hint']}" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert ran.events[-1]["event"] == "end"
    assert ran.events[-1]["exit_code"] == code
    assert not ran.named("log")


WRONG = [
    (("--preset", "slow"), 2, ("no preset 'slow'", "balanced, fast")),
    (("--labeler", "guess"), 2, ("'guess'", "none, ", "retrieval", "openai")),
    (("--backbone", "hmr2", "--set", "models.folder=nowhere"), 5, ("--backbone hmr2 needs HMR2.0", "4D-Humans")),
    (("--backbone", "cnn"), 2, ("'cnn'", "fit, landmark, hmr, hmr2")),
    (("--device", "tpu"), 2, ("no device 'tpu'", "auto, cpu, cuda, mps")),
    (("--person", "both"), 2, ("'both' is no choice of person", "main")),
    (("--person", "0"), 2, ("'0' is no choice of person",)),
    (("--focal-px", "-3"), 2, ("--focal-px is -3",)),
    (("--focal-px", "1e-300"), 2, ("--focal-px is 1e-300", "from 1 to 1e+07 pixels")),
    (("--focal-px", "1e300"), 2, ("--focal-px is 1e+300",)),
    (("--focal-px", "nan"), 2, ("--focal-px is nan",)),
    (("--height-m", "0.4"), 2, ("--height-m is 0.4, not a person's height from 0.5 to 2.5 m",)),
    (("--height-m", "180"), 2, ("--height-m is 180", "in metres")),
    (("--height-m", "nan"), 2, ("--height-m is nan",)),
    (("--start-s", "2", "--end-s", "1"), 2, ("ends at 1 s, not after its start at 2 s",)),
    (("--start-s", "nan"), 2, ("--start-s is nan",)),
    (("--seed", "-1"), 2, ("seed -1",)),
    (("--set", "detection.modle=full"), 2, ("no setting 'detection.modle'", "Did you mean detection.model?")),
    (("--set", "detektion.model=full"), 2, ("no setting 'detektion", "Did you mean detection?")),
    (("--set", "detection.model=huge"), 2, ("detection.model", "'huge'")),
    (("--set", "model"), 2, ("'model' is no setting", "section.name=value")),
    (("--label", "walk", "--labels", "x.json"), 2, ("exclude each other",)),
    (("--labels", "no such file.json"), 2, ("labels file", "cannot be read")),
    (("--camera", "no such file.json"), 2, ("camera file", "cannot be read")),
    (("--body", "no such file.npz"), 5, ("no such file.npz",)),
    (("--keypoints", "no such folder"), 2, ("keypoints folder", "does not exist")),
    (("--person", "9" * 5000), 2, ("is no choice of person",)),
    (("--set", "footage.image_rate=" + "9" * 5000), 2, ("footage.image_rate", "too long")),
    (("--set", "detection.max_people=0x" + "f" * 5000), 2, ("detection.max_people", "too long")),
    (("--set", "detection.max_people=" + "[" * 2000 + "]" * 2000), 2, ("nested too deeply",)),
    (("--set", "detection.max_people=" + "{a=" * 500 + "1" + "}" * 500), 2, ("nested too deeply",)),
    (("--labels", "/dev/zero"), 2, ("labels file", "cannot be read")),
    (("--camera", "a\0b"), 2, ("--camera", "no file name has")),
    (("--label", "walk " * 100), 2, ("more than 200 characters",)),
]


@pytest.mark.parametrize(
    ("options", "code", "words"),
    WRONG,
    ids=lambda value: " ".join(map(str, value))[:60] if isinstance(value, tuple) else "",
)
def test_wrong_options_are_refused_before_any_work(run_here, tmp_path, options, code, words):
    ran = run_here("run", DEMO_CLIP, "-o", tmp_path / "out", "--events", "jsonl", *options)
    assert_refused(ran, code, *words)
    assert not ran.named("stage")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "a.mp4"), ("--out",)),
        (("run", "-o", "out"), ("footage",)),
        (("run", "a.mp4", "-o", "out", "--colour"), ("--colour",)),
        (("run", "a.mp4", "-o", "out", "--focal-px", "wide"), ("--focal-px", "number")),
        (("run", "a.mp4", "-o", "out", "--height-m", "tall"), ("--height-m", "number")),
        (("walk",), ("walk",)),
    ],
)
def test_a_command_line_that_makes_no_sense_is_refused(run_here, arguments, words):
    ran = run_here(*arguments, "--events", "jsonl")
    assert_refused(ran, 2, *words)


@pytest.mark.parametrize(("footage", "out", "words"), [("", "out", "empty"), ("a.mp4", "", "no name"),
                                                       ("a.mp4", "a\0b", "no file name has")])  # fmt: skip
def test_names_that_are_none_are_refused(run_here, tmp_path, monkeypatch, footage, out, words):
    monkeypatch.chdir(tmp_path)
    ran = run_here("run", footage, "-o", out, "--events", "jsonl")
    assert_refused(ran, 2, words)
    assert not list(tmp_path.iterdir())


LONG = "x" * 300


@pytest.mark.skipif(os.name == "nt", reason="Windows finds nothing under such names")
@pytest.mark.parametrize("option", ["--body", "--keypoints", "--labels", "--camera"])
def test_a_name_that_no_system_takes_is_refused(run_here, tmp_path, option):
    ran = run_here("run", DEMO_CLIP, "-o", tmp_path / "out", option, LONG, "--events", "jsonl")
    assert_refused(ran, 2, "xxx")
    assert not list(tmp_path.rglob("error.log"))


@pytest.mark.skipif(os.name == "nt", reason="Windows finds nothing under such names")
def test_footage_with_a_name_that_no_system_takes_does_not_stop_the_others(run_here, tmp_path):
    ran = run_here("run", LONG, bad_footage(tmp_path, "text"), "-o", tmp_path / "out", "--events", "jsonl")
    assert ran.code == 3
    assert [error["code"] for error in ran.named("error")] == ["footage", "footage"]


def test_the_home_of_nobody_is_an_ordinary_name(run_here, tmp_path):
    ran = run_here("run", "~nobody-of-this-name/a.mp4", "-o", tmp_path / "out", "--events", "jsonl")
    assert_refused(ran, 3, "no file", "nobody-of-this-name")


def test_an_unknown_kind_of_events_is_refused(run_here):
    ran = run_here("run", "a.mp4", "-o", "out", "--events", "xml")
    assert ran.code == 2
    assert "--events does not know 'xml'" in ran.stderr


def test_a_device_that_is_not_there_is_refused(run_here, tmp_path):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    ran = run_here("run", DEMO_CLIP, "-o", tmp_path, "--device", "cuda", "--events", "jsonl")
    assert_refused(ran, 2, "'cuda' is not available", "adapt-motion doctor")


def test_labels_that_overlap_are_refused_by_entry(run_here, tmp_path):
    entries = [{"start": 0, "end": 2, "label": "walk"}, {"start": 1, "end": 3, "label": "run"}]
    (tmp_path / "labels.json").write_text(json.dumps(entries))
    ran = run_here("run", DEMO_CLIP, "-o", tmp_path / "out", "--labels", tmp_path / "labels.json", "--events", "jsonl")
    assert_refused(ran, 2, "Entries 1 and 2", "overlap")


def bad_footage(folder, kind):
    path = folder / f"{kind}.mp4"
    if kind == "text":
        path.write_text("this is no video " * 100)
    elif kind == "cut off":
        content = DEMO_CLIP.read_bytes()
        path.write_bytes(content[: len(content) // 3])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "no frames":
        write_video(path, [])
    return path


@pytest.mark.parametrize("kind", ["missing", "text", "cut off", "empty", "no frames"])
def test_footage_that_is_none_is_reported(run_here, tmp_path, kind):
    ran = run_here("run", bad_footage(tmp_path, kind), "-o", tmp_path / "out", "--events", "jsonl")
    assert_refused(ran, 3, f"{kind}.mp4")
    assert ran.named("error")[0]["clip"] == kind


def test_footage_without_anybody_is_reported(run_here, tmp_path, nobody):
    ran = run_here("run", nobody, "-o", tmp_path / "out", "--preset", "fast", "--events", "jsonl")
    assert_refused(ran, 4, "obody")


def test_a_person_who_is_not_there_is_reported(run_here, real_run, quick):
    ran = run_here("run", real_run.clip, "-o", real_run.out, "--resume", "--person", "7", "--events", "jsonl", *quick)
    assert_refused(ran, 4, "7")


def test_an_output_folder_that_cannot_be_written_is_reported_before_any_work(run_here, tmp_path):
    (tmp_path / "out").write_text("a file")
    ran = run_here("run", DEMO_CLIP, "-o", tmp_path / "out", "--events", "jsonl")
    assert_refused(ran, 1, "cannot be written", "another output folder")
    assert not ran.named("stage")


def test_a_full_disk_is_reported_before_any_work(run_here, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if sys.platform != "linux" or subprocess.run(mounting, capture_output=True).returncode:
        pytest.skip("mounting a small disk is not permitted here")
    try:
        ran = run_here("run", DEMO_CLIP, "-o", disk / "out", "--events", "jsonl")
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    assert_refused(ran, 1, "is full", "Free some space")


def test_a_disk_that_fills_up_during_the_run_is_reported(run_here, tmp_path, monkeypatch):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(disk)]
    if sys.platform != "linux" or subprocess.run(mounting, capture_output=True).returncode:
        pytest.skip("mounting a small disk is not permitted here")
    monkeypatch.setattr("engine.output.folders.FREE_BYTES", 0)
    try:
        ran = run_here("run", DEMO_CLIP, "-o", disk, "--events", "jsonl", "--preset", "fast", "--end-s", "0.1")
        left = [path.name for path in disk.rglob("*") if path.suffix == ".tmp" or path.name == "person_1.npz"]
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    assert_refused(ran, 1, "could not be written: No space left", "Free some space")
    assert not left


def test_a_range_beyond_all_numbers_of_frames_is_reported(run_here, tmp_path):
    clip = numbered_film(tmp_path / "a.mp4", 5)
    range_s = ("--start-s", "1e307", "--end-s", "1e308")
    ran = run_here("run", clip, "-o", tmp_path / "out", "--events", "jsonl", *range_s)
    assert_refused(ran, 3, "has no frames between 1e+307 s and 1e+308 s")


def test_a_clip_that_fails_does_not_stop_the_others(run_here, copied_run, tmp_path, quick):
    arguments = ("run", tmp_path / "none.mp4", copied_run.clip, bad_footage(tmp_path, "text"), "--out", copied_run.out)
    ran = run_here(*arguments, "--resume", "--events", "jsonl", *quick)
    assert ran.code == 3
    assert ran.named("start")[0]["clips"] == ["none", copied_run.clip.stem, "text"]
    assert [event["clip"] for event in ran.named("error")] == ["none", "text"]
    (result,) = ran.named("result")
    assert os.path.isfile(result["motion"])
    assert ran.events[-1] == {"event": "end", "exit_code": 3, "succeeded": 1, "failed": 2}


def test_a_bug_ends_in_a_sentence_and_a_log_file(run_here, tmp_path, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("the sky fell")

    monkeypatch.setattr("engine.pipeline.probe", broken)
    ran = run_here("run", DEMO_CLIP, "-o", tmp_path / "out", "--events", "jsonl")
    assert_refused(ran, 1, "RuntimeError: the sky fell", "error.log")
    assert "Traceback" in (tmp_path / "out" / "demo" / "error.log").read_text()


def test_memory_that_runs_out_has_its_own_code(run_here, tmp_path, monkeypatch):
    def broken(*_, **__):
        raise MemoryError

    monkeypatch.setattr("engine.pipeline.probe", broken)
    ran = run_here("run", DEMO_CLIP, "-o", tmp_path / "out", "--events", "jsonl")
    assert_refused(ran, 6, "memory ran out")


def test_events_of_a_real_run_follow_the_protocol(real_run):
    ran = real_run.ran
    assert ran.code == 0, ran.stderr
    assert not ran.named("log"), "stdout carries events alone"
    assert all(key in event for event in ran.events for key in EVENTS[event["event"]])
    assert [ran.events[0]["event"], ran.events[-1]["event"]] == ["start", "end"]
    stages = [event["stage"] for event in ran.named("stage")]
    assert stages == [stage for stage in STAGES if stage in stages]
    assert {event["count"] for event in ran.named("stage")} == {len(stages)}
    for stage in stages:
        last = [event for event in ran.named("progress") if event["stage"] == stage][-1]
        assert last["done"] == last["total"] > 0
    (result,) = ran.named("result")
    assert result["clip"] == real_run.clip.stem
    assert result["frames"] == 21


def test_without_events_stdout_is_the_motion_files(run_here, copied_run, quick):
    ran = run_here("run", copied_run.clip, "-o", copied_run.out, "--resume", *quick)
    assert ran.code == 0
    assert ran.stdout.splitlines() == [str(copied_run.folder / "person_1.npz")]


def test_help_names_every_option_of_a_job():
    done = subprocess.run([sys.executable, "-m", "engine", "run", "--help"], cwd=ROOT, capture_output=True, text=True,
                          env={**os.environ, "COLUMNS": "200"})  # fmt: skip
    job = Job(["a.mp4"], "out", label="x", labels="y", body="z", focal_px=1.0, height_m=1.8, camera="c", start_s=0.0,
              end_s=1.0, exports=["fbx", "bvh", "glb", "usd"], overrides=["a.b=1"])  # fmt: skip
    options = [word for word in job.arguments() if word.startswith("--") and word != "--"]
    assert len(options) > 15
    for option in [*options, "--events", "--watch-stdin", "--preview", "--keypoints", "--debug"]:
        assert option in done.stdout, option


@pytest.fixture
def started(tmp_path):
    """A real run that has begun to detect, in a process that watches its stdin."""
    command = [sys.executable, "-m", "engine", "run", str(DEMO_CLIP), "-o", str(tmp_path / "out"), "--preset", "fast"]
    command += ["--events", "jsonl", "--watch-stdin"]
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8"
    )
    for line in process.stdout:
        event = json.loads(line)
        if event["event"] == "progress" and event["stage"] == "detect" and event["done"] > 0:
            break
    yield process
    process.kill()
    process.wait()


@pytest.mark.parametrize("how", ["line", "end of stdin"])
def test_cancel_ends_the_run(started, how):
    if how == "line":
        started.stdin.write("cancel\n")
        started.stdin.flush()
    else:
        started.stdin.close()
    rest = started.stdout.read()
    assert started.wait(60) == 7
    events = [json.loads(line) for line in rest.splitlines()]
    assert [event["code"] for event in events if event["event"] == "error"] == ["cancelled"]
    assert events[-1] == {"event": "end", "exit_code": 7, "succeeded": 0, "failed": 0}
