"""Lenses that distort and zoom."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from engine.camera.lens import Distortion, make_lens
from engine.footage.decoding import Frame
from engine.keypoints.types import PersonTrack
from engine.output.motion_file import read_motion

CAMERA = np.array([[1400.0, 0, 980], [0, 1390, 520], [0, 0, 1]])
BENT = [
    Distortion("polynomial", (-0.28, 0.11, -0.02)),
    Distortion("polynomial", (0.06, -0.02, 0.004, 0.001), (0.004, -0.003)),
    Distortion("division", (-0.17, 0.03)),
    Distortion("reciprocal", (0.2, -0.02)),
]


def points(count=400):
    return np.random.default_rng(0).uniform((0, 0), (1920, 1080), (count, 2))


@pytest.mark.parametrize("distortion", BENT)
def test_there_and_back(distortion):
    lens = make_lens(CAMERA[None], distortion)
    straight = lens.to_pinhole(points(), CAMERA)
    assert np.abs(straight - points()).max() > 5, "pixels at the edges"
    assert np.abs(lens.to_footage(straight, CAMERA) - points()).max() < 1e-4


def test_polynomials_are_opencvs():
    k, p = (-0.28, 0.11, -0.02), (0.004, -0.003)
    lens = make_lens(CAMERA[None], Distortion("polynomial", k, p))
    wanted = cv2.undistortPoints(points()[:, None], CAMERA, np.array([k[0], k[1], *p, k[2]]), P=CAMERA)[:, 0]
    near = np.linalg.norm(points() - CAMERA[:2, 2], axis=1) < 800
    assert np.abs(lens.to_pinhole(points(), CAMERA) - wanted)[near].max() < 0.3, "OpenCV stops after five rounds"
    rays = np.column_stack([(wanted - CAMERA[:2, 2]) / (1400, 1390), np.ones(len(wanted))])
    there = cv2.projectPoints(rays, np.zeros(3), np.zeros(3), CAMERA, np.array([k[0], k[1], *p, k[2]]))[0][:, 0]
    assert np.abs(lens.to_footage(wanted, CAMERA) - there).max() < 1e-6


def test_division_is_reported_at_the_distorted_point_and_reciprocal_at_the_other():
    x = np.array([[0.3, 0.4]])
    assert np.allclose(Distortion("division", (-0.2, 0.1)).undistort(x), x / (1 - 0.2 / 4 + 0.1 / 16))
    assert np.allclose(Distortion("reciprocal", (-0.2, 0.1)).distort(x), x / (1 - 0.2 / 4 + 0.1 / 16))


def test_points_far_outside_stay_finite():
    lens = make_lens(CAMERA[None], BENT[0])
    far = np.array([[-4000.0, -3000.0], [9000.0, 5000.0]])
    assert np.isfinite(lens.to_pinhole(far, CAMERA)).all()


@pytest.mark.parametrize("model", ["polynomial", "division", "reciprocal"])
@pytest.mark.parametrize("k", [(1e6, -1e6), (-1.0, 0.0), (-1e6, 1e6)])
@pytest.mark.filterwarnings("error")
def test_what_no_lens_does_stays_finite_too(model, k):
    lens = make_lens(CAMERA[None], Distortion(model, k))
    around = CAMERA[:2, 2] + CAMERA[0, 0] * np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1e5]])
    for there in (lens.to_pinhole, lens.to_footage):
        assert np.abs(there(np.concatenate([points(), around]), CAMERA)).max() <= 1e7


def zooming():
    cameras = np.repeat(CAMERA[None], 5, 0)
    cameras[:, (0, 1), (0, 1)] *= np.array([0.8, 0.9, 1.0, 1.1, 1.4])[:, None]
    return cameras


def test_a_zoom_is_taken_out():
    """One ray is one pixel of the pinhole camera, whatever the focal length is."""
    lens = make_lens(zooming(), None)
    assert lens.zooms
    assert np.allclose(lens.pinhole, CAMERA)
    ray = np.array([0.21, -0.13])
    for camera in lens.rows(np.arange(5)):
        seen = ray * camera[(0, 1), (0, 1)] + camera[:2, 2]
        assert np.allclose(lens.to_pinhole(seen[None], camera), ray * (1400, 1390) + CAMERA[:2, 2])


def test_what_is_a_pinhole_needs_nothing():
    assert make_lens(CAMERA[None], None) is None
    assert make_lens(np.stack([CAMERA, CAMERA * [[1.0001], [1.0001], [1]]]), None) is None
    assert make_lens(CAMERA[None], Distortion("polynomial", (0.0, 0.0))) is None


def track(keypoints, indices):
    rows = len(keypoints)
    return PersonTrack(
        1, np.asarray(indices), np.arange(rows) / 30, np.float32(keypoints), np.zeros((rows, 2, 3), np.float32),
        np.tile(np.float32([800, 300, 1000, 900]), (rows, 1)), np.ones(rows, bool), ("a", "b"), (1920, 1080),
    )  # fmt: skip


def test_a_track_is_straightened_and_bent_again():
    lens = make_lens(zooming(), BENT[0])
    seen = np.concatenate([points(6).reshape(3, 2, 2), np.full((3, 2, 1), 0.7)], -1)
    one = track(seen, [2, 3, 4])
    straight = lens.straighten(one)
    assert (straight.keypoints[..., 2] == np.float32(0.7)).all()
    assert np.abs(straight.keypoints[0] - one.keypoints[0]).max() > 1
    assert (straight.boxes[:, 2:] > straight.boxes[:, :2]).all()
    assert straight.boxes[2, 2] - straight.boxes[2, 0] < 160, "a long lens shows people larger than they are"
    assert np.abs(lens.bend(straight.keypoints, one.frame_indices) - one.keypoints).max() < 0.01


def test_a_picture_is_straightened_with_its_points():
    """A blob in the footage lies in the straight picture where its keypoint is taken."""
    lens = make_lens(CAMERA[None], BENT[0])
    place = np.array([[1500.0, 860.0]])
    picture = np.zeros((1080, 1920, 3), np.uint8)
    cv2.circle(picture, (1500, 860), 9, (255, 255, 255), -1)
    first, again = lens.pictures([frame := Frame(0, 0.0, picture), replace(frame, index=1)])
    rows, columns = np.nonzero(first.rgb[..., 0] > 128)
    wanted = lens.to_pinhole(place + 0.5, CAMERA)[0]
    assert np.abs(np.array([columns.mean(), rows.mean()]) + 0.5 - wanted).max() < 0.6
    assert np.array_equal(first.rgb, again.rgb)


def test_the_key_tells_lenses_apart():
    keys = [make_lens(CAMERA[None], one).key() for one in BENT] + [make_lens(zooming(), None).key()]
    assert len({str(key) for key in keys}) == len(keys)


def test_a_run_with_a_lens_that_distorts_and_zooms(copied_run, run_here, quick, tmp_path):
    """Keypoints in the footage are those that were detected; those of the pinhole camera are theirs straightened."""
    # the fit, as adaptation moves keypoints
    words = ("run", copied_run.clip, "-o", copied_run.out, "--resume", "--backbone", "fit", *quick)
    assert run_here(*words).code == 0
    before = read_motion(copied_run.folder / "person_1.npz")
    width, height = before.image_size
    focal = np.linspace(1900, 2300, 100)
    cameras = [[[one, 0, width / 2], [0, one, height / 2], [0, 0, 1]] for one in focal]
    bent = {"model": "polynomial", "k": [-0.15, 0.02]}
    (tmp_path / "camera.json").write_text(json.dumps({"intrinsics": cameras, "distortion": bent}))
    assert run_here(*words, "--camera", tmp_path / "camera.json").code == 0
    motion = read_motion(copied_run.folder / "person_1.npz")
    seen = motion.keypoints2d_origin == 1
    assert np.abs(motion.keypoints2d_footage - before.keypoints2d)[seen].max() < 0.02
    assert motion.camera_intrinsics[:, 0, 0] == pytest.approx(focal[:21])
    assert motion.intrinsics[0, 0] == pytest.approx(2100)
    lens = make_lens(np.array(cameras), Distortion("polynomial", (-0.15, 0.02)))
    wanted = lens.to_pinhole(before.keypoints2d[0, :, :2].astype(float), np.array(cameras[0]))
    assert np.abs(motion.keypoints2d[0, :, :2] - wanted)[seen[0]].max() < 0.02
    report = json.loads((copied_run.folder / "report.json").read_text())
    assert report["camera"]["zooms"]
    assert report["camera"]["distortion"]["k"] == [-0.15, 0.02]
    assert {"detect", "track"} <= set(report["reused"])
    assert "predict" not in report["reused"]
    assert before.keypoints2d_footage is None
