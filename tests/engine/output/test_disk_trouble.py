"""The disk fills up, turns read-only or goes away at each stage of a run: a sentence, nothing half written.

Real disks, small ones in memory; skipped where they cannot be mounted.
"""

import json
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from engine.keypoints.joint_sets import BODY_25
from engine.output.motion_file import read_motion
from engine.runtime.reporter import Reporter

DEMO_CLIP = Path(__file__).resolve().parents[3] / "presets" / "demo" / "demo.mp4"
STAGES = ("detect", "write")
OTHERS = ("footage", "track", "predict", "segment", "world")
HARMS = ("full", "read-only", "gone")
STANDING = {
    "nose": (540, 500), "neck": (540, 620), "right_shoulder": (440, 630), "left_shoulder": (640, 630),
    "right_elbow": (400, 790), "left_elbow": (680, 790), "right_wrist": (390, 930), "left_wrist": (690, 930),
    "mid_hip": (540, 960), "right_hip": (480, 960), "left_hip": (600, 960), "right_knee": (470, 1200),
    "left_knee": (610, 1200), "right_ankle": (465, 1420), "left_ankle": (615, 1420),
}  # fmt: skip


@pytest.fixture(scope="module")
def keypoints(tmp_path_factory):
    """Somebody who stands still, as OpenPose would have seen them."""
    folder = tmp_path_factory.mktemp("keypoints")
    points = np.array([(*STANDING[name], 0.9) if name in STANDING else (0, 0, 0) for name in BODY_25], float)
    for frame in range(20):
        people = [{"pose_keypoints_2d": (points + [frame * 0.5, 0, 0] * (points > 0)).ravel().tolist()}]
        (folder / f"a_{frame:012d}_keypoints.json").write_text(json.dumps({"people": people}))
    return folder


@pytest.fixture
def disk(tmp_path):
    """A disk of 64 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(place)]
    if sys.platform != "linux" or subprocess.run(mounting, capture_output=True).returncode:
        pytest.skip("mounting a small disk is not permitted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def harm(disk, kind):
    if kind == "full":
        with (disk / "filler").open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(2**16))
            except OSError:
                return
    elif kind == "read-only":
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    else:
        shutil.rmtree(disk / "out")


def heal(disk):
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    (disk / "filler").unlink(missing_ok=True)


def harmful(monkeypatch, disk, kind, at):
    """From here on the disk is harmed when the stage `at` begins."""
    stage = Reporter.stage

    @contextmanager
    def harmed(self, name, index, count):
        with stage(self, name, index, count):
            if name == at:
                harm(disk, kind)
            yield

    monkeypatch.setattr(Reporter, "stage", harmed)


@pytest.mark.parametrize("at", [*STAGES, *(pytest.param(at, marks=pytest.mark.nightly) for at in OTHERS)])
@pytest.mark.parametrize("kind", HARMS)
def test_trouble_with_the_disk_is_reported_and_outlived(run_here, disk, keypoints, monkeypatch, kind, at):
    words = ("run", DEMO_CLIP, "-o", disk / "out", "--keypoints", keypoints, "--backbone", "fit", "--end-s", "0.25")
    words += ("--set", "fit.iterations=15", "--events", "jsonl", "--resume")
    with monkeypatch.context() as patch:
        harmful(patch, disk, kind, at)
        ran = run_here(*words)
    assert "Traceback" not in ran.stderr
    assert "unexpected" not in ran.stderr
    assert ran.events[-1]["event"] == "end"
    if kind == "gone":  # the folder is made anew where something is written
        assert ran.code in (0, 1)
    else:
        assert ran.code == 1
        (error,) = ran.named("error")
        assert error["code"] == "output"
        assert error["hint"]
    for file in disk.rglob("person_1.npz"):
        read_motion(file)
    assert not list(disk.rglob("*.tmp")) or kind == "read-only"
    heal(disk)
    ran = run_here(*words)
    assert ran.code == 0, ran.stderr
    assert len(read_motion(disk / "out" / "demo" / "person_1.npz").timestamps) > 5
