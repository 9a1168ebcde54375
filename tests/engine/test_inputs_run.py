"""The whole command on footage that is mirrored, or has black bars: people and camera are those of the plain clip."""

import json

import numpy as np
import pytest
from made_footage import DEMO, pictures, write_video

from engine.output.motion_file import read_motion

QUICK = ("--preset", "fast", "--set", "adaptation.enabled=false", "--set", "fit.iterations=40", "--events", "jsonl")
COUNT, BARS = 12, 48


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder, rgb = tmp_path_factory.mktemp("inputs"), pictures(DEMO)[0][: 2 * COUNT : 2]
    height, width = rgb.shape[1:3]
    boxed = np.zeros((COUNT, height, width + 2 * BARS, 3), np.uint8)
    boxed[:, :, BARS:-BARS] = rgb
    kinds = {"plain": rgb, "selfie": rgb[:, :, ::-1], "boxed": boxed}
    return {name: write_video(folder / f"{name}.mp4", kind, 30) for name, kind in kinds.items()}


def result(ran, out, name):
    assert ran.code == 0, ran.stderr
    motion = read_motion(out / name / "person_1.npz")
    return motion, json.loads((out / name / "report.json").read_text())


def test_a_selfie_flipped_back_is_the_plain_clip(clips, run_here, tmp_path):
    runs = {name: run_here("run", clips[name], "-o", tmp_path, *QUICK, *more)
            for name, more in (("plain", ()), ("selfie", ("--mirror",)))}  # fmt: skip
    (plain, _), (selfie, report) = (result(ran, tmp_path, name) for name, ran in runs.items())
    assert report["footage"]["mirrored"] is True
    seen = (plain.keypoints2d[..., 2] > 0.8) & (selfie.keypoints2d[..., 2] > 0.8)
    assert seen.mean() > 0.5
    apart = np.linalg.norm(plain.keypoints2d[..., :2] - selfie.keypoints2d[..., :2], axis=-1)[seen]
    assert np.median(apart) < 3, "left is left, where it is in the plain clip"
    as_it_is = run_here("run", clips["selfie"], "-o", tmp_path / "as it is", *QUICK)
    flipped, report = result(as_it_is, tmp_path / "as it is", "selfie")
    assert report["footage"]["mirrored"] is False
    apart = np.linalg.norm(plain.keypoints2d[..., :2] - flipped.keypoints2d[..., :2], axis=-1)
    assert np.median(apart) > 10


def test_black_bars_do_not_change_the_camera(clips, run_here, tmp_path):
    runs = {name: run_here("run", clips[name], "-o", tmp_path, *QUICK) for name in ("plain", "boxed")}
    (plain, _), (boxed, report) = (result(ran, tmp_path, name) for name, ran in runs.items())
    height, width = (int(side) for side in plain.image_size[::-1])
    assert report["footage"]["picture"] == pytest.approx([BARS, 0, BARS + width, height], abs=2)
    assert boxed.intrinsics[0, 0] == pytest.approx(plain.intrinsics[0, 0], rel=0.01)
    assert boxed.intrinsics[0, 2] - BARS == pytest.approx(plain.intrinsics[0, 2], abs=1.5)
    assert boxed.image_size[0] == width + 2 * BARS


@pytest.mark.parametrize("more", [("--camera", "camera.json"), ("--keypoints", ".")])
def test_what_was_measured_in_the_mirrored_picture_is_refused(clips, run_here, tmp_path, more):
    ran = run_here("run", clips["selfie"], "-o", tmp_path / "out", "--mirror", *more)
    assert ran.code == 2
    assert f"--mirror and {more[0]} exclude each other" in ran.stderr
