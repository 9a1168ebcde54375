"""The whole path, on the start of the demo clip: files, report, what is reused, and what an interruption costs."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.output.motion_file import read_motion

ROOT = Path(__file__).resolve().parents[2]
DEMO_CLIP = ROOT / "presets" / "demo" / "demo.mp4"


def report_of(folder):
    return json.loads((folder / "report.json").read_text(encoding="utf-8"))


def test_a_run_leaves_the_motion_the_body_and_the_report_and_nothing_else(real_run):
    assert real_run.ran.code == 0, real_run.ran.stderr
    names = sorted(path.name for path in real_run.folder.iterdir())
    assert names == [".cache", "person_1.npz", "person_1_body.npz", "report.json"]
    assert [path.name for path in real_run.out.iterdir()] == [real_run.clip.stem]
    assert sorted(path.name for path in real_run.clip.parent.iterdir()) == sorted(
        [real_run.clip.name, real_run.out.name]
    )


def test_the_motion_is_that_of_the_clip(real_run):
    motion = read_motion(real_run.folder / "person_1.npz")
    assert len(motion.timestamps) == 21
    assert motion.timestamps == pytest.approx(np.arange(21) / 60)
    assert motion.mocap_framerate == 60
    assert motion.image_size.tolist() == [1080, 1920]
    assert motion.intrinsics[0, 0] == pytest.approx(np.hypot(1080, 1920))
    assert set(motion.labels) == {"balance"}
    seen = motion.keypoints2d[..., 2] >= 0.3
    assert (motion.keypoints2d_origin == seen).all()
    assert seen.mean() > 0.8
    # the world is the camera's frame moved rigidly
    moved = motion.joints3d_cam @ motion.camera_to_world[:3, :3].T + motion.camera_to_world[:3, 3]
    assert moved == pytest.approx(motion.joints3d_world, abs=2e-3)
    # the body lies over the person: its wrists project near the detected ones
    projected = motion.joints3d_cam @ motion.intrinsics.T
    projected = projected[..., :2] / projected[..., 2:]
    wrists = [motion.keypoint_names.tolist().index(f"{side}_wrist") for side in ("left", "right")]
    offset = np.linalg.norm(projected[:, [20, 21]] - motion.keypoints2d[:, wrists, :2], axis=-1)
    assert np.median(offset) < 60


def test_the_body_file_is_a_skinned_mesh(real_run):
    with np.load(real_run.folder / "person_1_body.npz", allow_pickle=False) as body:
        assert body["joints"].shape == (24, 3)
        assert body["weights"].sum(1) == pytest.approx(1, abs=1e-4)
        assert body["faces"].max() < len(body["vertices"])


def test_the_report_says_how_it_came_about(real_run):
    report = report_of(real_run.folder)
    assert report["preset"] == "fast"
    assert report["settings"]["detection"]["model"] == "full"
    assert report["seed"] == 0
    assert report["versions"]["torch"]
    assert report["footage"]["frame_rate"] == "60/1"
    assert report["camera"]["focal_source"] == "guess"
    assert report["height_m"] is None
    assert report["range_s"] == [None, 0.35]
    assert list(report["seconds"]) == [
        "footage",
        "shots",
        "detect",
        "track",
        "predict",
        "segment",
        "adapt",
        "world",
        "write",
    ]
    assert report["seconds"]["detect"] > 0.1
    assert report["reused"] == []
    assert report["error"] is None
    assert {warning["code"] for warning in report["warnings"]} <= {"label_unlike"}
    (person,) = report["people"]
    assert person["frames"] == 21
    assert person["frames_detected"] >= 20
    assert person["keypoints_seen"]["nose"] <= 21
    assert 0 < person["residual_px"]["median"] < 100
    assert person["labels"] == {"balance": 21}
    assert 1.5 < person["standing_height_m"] < 1.9, "near the mean person's"


def test_another_label_runs_nothing_again_before_the_segments(copied_run, run_here, quick):
    before = read_motion(copied_run.folder / "person_1.npz")
    ran = run_here("run", copied_run.clip, "-o", copied_run.out, "--resume", "--label", "kick", *quick)
    assert ran.code == 0, ran.stderr
    report = report_of(copied_run.folder)
    assert report["reused"] == ["shots", "detect", "track", "predict", "camera"]
    after = read_motion(copied_run.folder / "person_1.npz")
    assert set(after.labels) == {"kick"}
    apart = np.abs(before.joints3d_cam - after.joints3d_cam)
    assert apart.max() < 5e-3, "in full view the evidence decides, not the label"


def test_a_setting_runs_again_what_depends_on_it(copied_run, run_here, quick):
    arguments = ("run", copied_run.clip, "-o", copied_run.out, "--resume", "--focal-px", "2000", *quick)
    assert run_here(*arguments).code == 0
    assert report_of(copied_run.folder)["reused"] == ["shots", "detect", "track"]
    assert report_of(copied_run.folder)["camera"]["focal_source"] == "given"
    assert run_here(*arguments, "--set", "tracking.repair_swaps=false").code == 0
    assert report_of(copied_run.folder)["reused"] == ["shots", "detect", "camera"]


def test_a_height_scales_body_depth_and_path_and_detects_nothing_again(copied_run, run_here, quick):
    before = read_motion(copied_run.folder / "person_1.npz")
    assert run_here("run", copied_run.clip, "-o", copied_run.out, "--resume", "--height-m", "2", *quick).code == 0
    report = report_of(copied_run.folder)
    assert report["reused"] == ["shots", "detect", "track", "camera"]
    assert report["height_m"] == 2.0
    assert report["people"][0]["standing_height_m"] == pytest.approx(2.0, abs=1e-4)
    with np.load(copied_run.folder / "person_1_body.npz", allow_pickle=False) as body:
        assert np.ptp(body["vertices"][:, 1]) == pytest.approx(2.0, abs=1e-3)
    after = read_motion(copied_run.folder / "person_1.npz")
    farther = after.joints3d_cam[:, 0, 2].mean() / before.joints3d_cam[:, 0, 2].mean()
    assert farther == pytest.approx(2.0 / 1.71, rel=0.1)


def test_damaged_cache_entries_are_made_again(copied_run, run_here, quick):
    before = (copied_run.folder / "person_1.npz").read_bytes()
    for path in (copied_run.folder / ".cache").glob("*.npz"):
        path.write_bytes(path.read_bytes()[:100] if path.name.startswith("track") else b"garbage")
    ran = run_here("run", copied_run.clip, "-o", copied_run.out, "--resume", "--label", "balance",
                   "--events", "jsonl", *quick)  # fmt: skip
    assert ran.code == 0, ran.stderr
    assert [event["code"] for event in ran.named("warning")].count("cache") == 6
    assert report_of(copied_run.folder)["reused"] == []
    assert (copied_run.folder / "person_1.npz").read_bytes() == before, "same seed, same bytes"


def test_labels_beyond_the_clip_are_reported(copied_run, run_here, tmp_path, quick):
    (tmp_path / "labels.json").write_text('[{"start": 0.1, "end": 9, "label": "kick"}]')
    ran = run_here("run", copied_run.clip, "-o", copied_run.out, "--resume", "--labels", tmp_path / "labels.json",
                   "--events", "jsonl", *quick)  # fmt: skip
    assert ran.code == 0
    assert any("reaches beyond the footage" in event["message"] for event in ran.named("warning"))
    motion = read_motion(copied_run.folder / "person_1.npz")
    assert motion.labels.tolist() == [""] * 6 + ["kick"] * 15


@pytest.mark.parametrize("options", [("--fbx",), ("--preview",)])
def test_exports_are_reported_in_the_result(copied_run, run_here, options, quick):
    if "--fbx" in options and not shutil.which("blender"):
        pytest.skip("no Blender")
    ran = run_here("run", copied_run.clip, "-o", copied_run.out, "--resume", "--events", "jsonl", *options, *quick)
    assert ran.code == 0, ran.stderr
    (result,) = ran.named("result")
    assert result["exports"]
    for path in result["exports"]:
        assert os.path.getsize(path) > 1000
    assert ran.named("stage")[-1]["stage"] == "export"


def test_an_export_that_fails_leaves_the_motion_and_the_report(copied_run, run_here, monkeypatch, tmp_path, quick):
    (copied_run.folder / "person_1.npz").unlink()
    monkeypatch.setenv("ADAPT_MOTION_BLENDER", str(tmp_path / "no blender here"))
    ran = run_here("run", copied_run.clip, "-o", copied_run.out, "--resume", "--fbx", "--events", "jsonl", *quick)
    assert ran.code == 1
    assert [event["code"] for event in ran.named("error")] == ["export"]
    read_motion(copied_run.folder / "person_1.npz")
    assert report_of(copied_run.folder)["error"]["code"] == "export"


SMALL_PIECES = "from engine.keypoints import pieces; pieces.FRAMES = 5; from engine.cli import main; main()"


@pytest.mark.nightly("detects three times; test_kills.py kills runs every day")
def test_a_run_that_is_killed_goes_on_where_it_was(run_here, tmp_path, monkeypatch, quick):
    words = ["run", str(DEMO_CLIP), "-o", str(tmp_path), "--events", "jsonl", *quick]
    command = [sys.executable, "-c", SMALL_PIECES, *words]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] == "progress" and event["stage"] == "detect" and event["done"] >= 12:
                process.kill()
    folder = tmp_path / "demo"
    kept = {path.name: path.stat().st_mtime_ns for path in (folder / ".cache").glob("detect-*.npz")}
    assert 2 <= len(kept) <= 3
    assert not (folder / "person_1.npz").exists()
    monkeypatch.setattr("engine.keypoints.pieces.FRAMES", 5)
    ran = run_here(*words, "--resume")
    assert ran.code == 0, ran.stderr
    first = next(event for event in ran.named("progress") if event["stage"] == "detect")
    assert first["done"] >= 10
    for name, time in kept.items():
        assert (folder / ".cache" / name).stat().st_mtime_ns == time
    assert report_of(folder)["reused"] == ["shots", "detect"]
    assert read_motion(folder / "person_1.npz").timestamps == pytest.approx(np.arange(21) / 60)
    assert_same_detections_without_interruption(folder, tmp_path)


def assert_same_detections_without_interruption(folder, tmp_path):
    from engine import detection, stages
    from engine.footage.clip import Clip
    from engine.footage.decoding import fingerprint, probe
    from engine.protocol import Job
    from engine.run_options import check_options
    from engine.runtime.cache import Cache
    from engine.runtime.progress import Silent

    options = check_options(Job([], str(tmp_path), preset="fast", end_s=0.35))
    clip = Clip(DEMO_CLIP, probe(DEMO_CLIP), fingerprint(DEMO_CLIP))
    clip = stages.find_cuts(clip, options, Cache(folder, True, print), Silent())
    resumed = detection.detect(clip, options, Cache(folder, True, print), Silent())
    fresh = detection.detect(clip, options, Cache(tmp_path / "fresh", False, print), Silent())
    assert len(resumed) == len(fresh) == 21
    for one, other in zip(resumed, fresh, strict=True):
        assert (one.index, one.time_s) == (other.index, other.time_s)
        assert np.array_equal(one.keypoints, other.keypoints)
        assert np.array_equal(one.landmarks3d, other.landmarks3d)


@pytest.fixture
def openpose_folder(real_run, tmp_path):
    """What was detected in the real run, as OpenPose would have written it, with a second person beside the first."""
    from engine.keypoints.joint_sets import BODY_25

    motion = read_motion(real_run.folder / "person_1.npz")
    names = motion.keypoint_names.tolist()
    folder = tmp_path / "keypoints"
    folder.mkdir()
    for frame, row in enumerate(motion.keypoints2d):
        points = np.array([row[names.index(name)] if name in names else (0, 0, 0) for name in BODY_25])
        other = points * 0.8 + (points[:, 2:] > 0) * (700, 100, 0)
        people = [{"pose_keypoints_2d": one.round(3).ravel().tolist()} for one in (other, points)]
        (folder / f"walk_{frame:012d}_keypoints.json").write_text(json.dumps({"version": 1.3, "people": people}))
    return folder


def test_keypoints_of_openpose_and_several_people(run_here, openpose_folder, tmp_path, quick):
    from engine.keypoints.joint_sets import BODY_25

    ran = run_here("run", DEMO_CLIP, "-o", tmp_path / "out", "--keypoints", openpose_folder, "--person", "all",
                   "--events", "jsonl", *quick)  # fmt: skip
    assert ran.code == 0, ran.stderr
    assert [result["person"] for result in ran.named("result")] == [1, 2]
    motions = [read_motion(Path(result["motion"])) for result in ran.named("result")]
    for motion in motions:
        assert tuple(motion.keypoint_names) == BODY_25
        assert len(motion.timestamps) == 21
    left, right = (np.median(motion.cam_transl[:, 0] / motion.cam_transl[:, 2]) for motion in motions)
    assert right - left > 0.05, "the smaller one, on the right, comes second"
    first, second = (motion.camera_to_world for motion in motions)
    apart = any("the floor of the others" in event["message"] for event in ran.named("warning"))
    assert np.array_equal(first, second) != apart, "on one floor, or reported"
    predict = [event for event in ran.named("progress") if event["stage"] == "predict"]
    assert predict[-1]["done"] == predict[-1]["total"]
    assert [event["done"] / event["total"] for event in predict] == sorted(e["done"] / e["total"] for e in predict)


def test_people_are_adapted_side_by_side_with_the_same_result(run_here, openpose_folder, tmp_path, quick):
    command = ("run", DEMO_CLIP, "--keypoints", openpose_folder, "--person", "all", "--label", "balance", *quick)
    for cores in ("1", "2"):
        assert run_here(*command, "-o", tmp_path / cores, "--cores", cores).code == 0
    for name in ("person_1.npz", "person_2.npz"):
        one, two = (np.load(tmp_path / cores / "demo" / name) for cores in ("1", "2"))
        assert [key for key in one.files if not np.array_equal(one[key], two[key])] == []
    one, two = (report_of(tmp_path / cores / "demo") for cores in ("1", "2"))
    assert one["warnings"] == two["warnings"]


def test_changed_keypoints_are_read_again(run_here, openpose_folder, tmp_path, quick):
    command = ("run", DEMO_CLIP, "-o", tmp_path / "out", "--keypoints", openpose_folder, "--resume", *quick)
    assert run_here(*command).code == 0
    assert run_here(*command).code == 0
    assert report_of(tmp_path / "out" / "demo")["reused"] == ["shots", "detect", "track", "predict", "adapt", "camera"]
    file = sorted(openpose_folder.iterdir())[3]
    file.write_text(file.read_text().replace("1.3", "1.4"))
    assert run_here(*command).code == 0
    assert report_of(tmp_path / "out" / "demo")["reused"] == ["shots"]


def test_a_corrected_run_detects_and_adapts_nothing_again(copied_run, run_here, quick, tmp_path):
    """A wrist is pinned 8 cm from where it was; a file for other footage is refused."""
    wrist = 20
    before = read_motion(copied_run.folder / "person_1.npz")
    there = (before.joints3d_world[10, wrist] + np.array([0, 0, 0.08], np.float32)).tolist()
    pin = {"kind": "pose", "time_s": float(before.timestamps[10]), "positions": {"left_wrist": there}}
    late = {**pin, "time_s": 9.0}
    file = tmp_path / "corrections.json"
    file.write_text(json.dumps({"format": 1, "corrections": [pin, late]}))
    arguments = ("run", copied_run.clip, "-o", copied_run.out, "--resume", "--label", "balance",
                 "--corrections", file, *quick)  # fmt: skip
    assert run_here(*arguments).code == 0
    report = report_of(copied_run.folder)
    assert {"detect", "track", "predict", "adapt"} <= set(report["reused"])
    assert report["corrections"] == {"pose": 2}
    assert "correct" in report["seconds"]
    assert any("9.00 s has no effect" in text["message"] for text in report["warnings"])
    after = read_motion(copied_run.folder / "person_1.npz")
    assert after.joints3d_world[10, wrist] == pytest.approx(there, abs=5e-3)
    assert np.array_equal(after.initial_poses, before.initial_poses)
    for kept in (copied_run.folder / ".cache").glob("adapt-*"):
        kept.unlink()
    file.write_text(json.dumps({"format": 1, "engine": "0.0.1", "corrections": [pin, late]}))
    assert run_here(*arguments).code == 0
    words = " ".join(text["message"] for text in report_of(copied_run.folder)["warnings"])
    assert "adapted from scratch for the corrections" in words
    assert "by version 0.0.1" in words
    again = read_motion(copied_run.folder / "person_1.npz")
    assert again.joints3d_world[10, wrist] == pytest.approx(there, abs=5e-3)
    file.write_text(json.dumps({"format": 1, "footage": "0" * 64, "corrections": [pin]}))
    refused = run_here(*arguments)
    assert refused.code == 2
    assert "other footage" in refused.stderr
