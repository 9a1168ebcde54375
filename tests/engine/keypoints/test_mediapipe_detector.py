"""The detector on real footage: the demo clip, which is shipped, and the test footage beside the checkout."""

import itertools
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.errors import ModelFileError
from engine.footage.decoding import Frame, frames, probe
from engine.keypoints.joint_sets import LIMBS, MEDIAPIPE_33, mirror_order
from engine.keypoints.mediapipe_detector import MODELS, MediaPipeDetector
from engine.keypoints.tracking import track_people

ROOT = Path(__file__).resolve().parents[3]
DEMO = ROOT / "presets" / "demo" / "demo.mp4"
SHARED = ROOT.parent / "shared" / "data"
FULL = MODELS["full"]
LIMB_INDICES = [MEDIAPIPE_33.index(name) for name in LIMBS]
needs_footage = pytest.mark.skipif(
    not (SHARED / "footage").is_dir(), reason="the test footage is not beside this checkout"
)


@pytest.fixture(scope="module")
def demo_frames():
    return list(itertools.islice(frames(DEMO), 4))


@pytest.fixture(scope="module")
def demo_found(demo_frames):
    return list(MediaPipeDetector(FULL, threads=3).detect(demo_frames))


def tallest(found):
    return max(found.keypoints, key=lambda person: np.ptp(person[:, 1]))


def changed(whole, change):
    return [Frame(frame.index, frame.time_s, np.ascontiguousarray(change(frame.rgb))) for frame in whole]


def apart(first, second):
    """Mean distance of the limbs' keypoints over the height of the person."""
    distance = np.linalg.norm(first[LIMB_INDICES, :2] - second[LIMB_INDICES, :2], axis=1)
    return distance.mean() / np.ptp(second[:, 1])


def test_the_demo_has_its_man_and_the_one_in_the_background(demo_frames, demo_found):
    assert [one.index for one in demo_found] == [frame.index for frame in demo_frames]
    assert [one.time_s for one in demo_found] == [frame.time_s for frame in demo_frames]
    for one in demo_found:
        assert one.keypoints.dtype == one.landmarks3d.dtype == np.float32
        assert one.keypoints.shape == one.landmarks3d.shape == (2, 33, 3)
        assert np.isfinite(one.keypoints).all()
        assert ((one.keypoints[..., 2] >= 0) & (one.keypoints[..., 2] <= 1)).all()
        man = tallest(one)
        assert 600 < np.ptp(man[:, 1]) < 1000
        assert (man[LIMB_INDICES, 2] > 0.3).all()


def test_landmarks_are_metres_in_camera_axes(demo_found):
    man = int(np.argmax(np.ptp(demo_found[0].keypoints[..., 1], axis=1)))
    landmarks = demo_found[0].landmarks3d[man]
    nose, ankles = landmarks[0], landmarks[[27, 28]].mean(0)
    assert 1.2 < np.linalg.norm(nose - ankles) < 1.9
    assert nose[1] < -0.4 < 0.4 < ankles[1]  # y points down
    hips = landmarks[[23, 24]].mean(0)
    np.testing.assert_allclose(hips, 0, atol=0.05)


@pytest.mark.skipif(not (SHARED / "real").is_dir(), reason="the yardstick is not beside this checkout")
@pytest.mark.parametrize(("kind", "pixels"), [("heavy", 8.5), ("full", 11.0)])
def test_keypoints_lie_where_several_cameras_saw_the_joints(kind, pixels, demo_frames):
    import cv2

    truth = np.load(SHARED / "real" / "demo_balance_gt.npz")
    found = list(MediaPipeDetector(MODELS[kind], max_people=1).detect(demo_frames))
    errors = []
    for frame, one in zip(demo_frames, found, strict=True):
        joints = truth["gt3d_cam"][frame.index].astype(np.float64)
        expected = cv2.projectPoints(joints, np.zeros(3), np.zeros(3), truth["K"], truth["dist"])[0][:, 0]
        man = tallest(one)
        for name, point, valid in zip(truth["joint_names"], expected, truth["valid"][frame.index], strict=True):
            if valid and name in LIMBS:
                errors.append(np.linalg.norm(man[MEDIAPIPE_33.index(name), :2] - point))
    assert len(errors) > 40
    assert np.mean(errors) < pixels


def test_the_result_does_not_depend_on_threads_and_repeats(demo_frames, demo_found):
    again = list(MediaPipeDetector(FULL, threads=1).detect(demo_frames))
    for one, other in zip(demo_found, again, strict=True):
        np.testing.assert_array_equal(one.keypoints, other.keypoints)


def test_footage_may_be_worked_through_in_pieces(demo_frames, demo_found):
    detector = MediaPipeDetector(FULL)
    pieces = [*detector.detect(demo_frames[:2]), *detector.detect(demo_frames[2:])]
    for one, other in zip(demo_found, pieces, strict=True):
        assert apart(tallest(one), tallest(other)) < 0.02


def test_networks_that_are_kept_between_pieces_give_the_same(demo_frames):
    detector = MediaPipeDetector(FULL)
    anew = [*detector.detect(demo_frames[:2]), *detector.detect(demo_frames[2:4])]
    with detector:
        kept = [*detector.detect(demo_frames[:2]), *detector.detect(demo_frames[2:4])]
    for one, other in zip(anew, kept, strict=True):
        assert np.array_equal(one.keypoints, other.keypoints)
        assert np.array_equal(one.landmarks3d, other.landmarks3d)


def test_a_mirrored_frame_gives_the_mirrored_person(demo_frames, demo_found):
    mirrored = changed(demo_frames[:2], np.fliplr)
    (one, _) = MediaPipeDetector(FULL).detect(mirrored)
    expected = tallest(demo_found[0])[mirror_order(MEDIAPIPE_33)]
    expected[:, 0] = mirrored[0].rgb.shape[1] - expected[:, 0]
    assert apart(tallest(one), expected) < 0.03


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_people_who_are_not_upright_are_found(demo_frames, demo_found, turns):
    turned = changed(demo_frames[:2], lambda rgb: np.rot90(rgb, turns))
    found = list(MediaPipeDetector(FULL).detect(turned))
    height, width = demo_frames[0].rgb.shape[:2]
    expected = tallest(demo_found[1]).copy()
    for _ in range(turns):
        expected[:, :2] = np.stack([expected[:, 1], width - expected[:, 0]], axis=1)
        width, height = height, width
    distances = [apart(person, expected) for person in found[1].keypoints]
    assert min(distances, default=1) < 0.08


def test_keypoints_outside_of_the_frame_claim_no_confidence(demo_frames):
    height = demo_frames[0].rgb.shape[0]
    cut = changed(demo_frames[:2], lambda rgb: rgb[: height // 2])
    found = list(MediaPipeDetector(FULL, max_people=1).detect(cut))
    for one in found:
        man = tallest(one)
        outside = (man[:, 1] > height // 2) | (man[:, 0] < 0) | (man[:, 1] < 0) | (man[:, 0] > cut[0].rgb.shape[1])
        assert outside[[27, 28]].all()  # the ankles are cut off
        assert (man[outside, 2] == 0).all()
        assert (man[[11, 12], 2] > 0.5).all()


def test_people_who_are_small_are_found(demo_frames, demo_found):
    """The man at a seventh of the height of a wide frame: the detector that sees the whole frame overlooks him."""
    import cv2

    def shrunk(rgb):
        canvas = np.full((720, 1280, 3), 120, np.uint8)
        canvas[300:513, 900:1020] = cv2.resize(rgb, (120, 213), interpolation=cv2.INTER_AREA)
        return canvas

    found = list(MediaPipeDetector(FULL).detect(changed(demo_frames[:4], shrunk)))
    expected = tallest(demo_found[3]).copy()
    expected[:, :2] = expected[:, :2] * (120 / demo_frames[0].rgb.shape[1]) + (900, 300)
    assert min(apart(person, expected) for person in found[3].keypoints) < 0.06


@pytest.mark.parametrize("max_people", [1, 3])
def test_several_people_are_found_up_to_the_limit(demo_frames, max_people):
    group = changed(demo_frames[:2], lambda rgb: np.hstack([rgb[300:1300, 150:], np.fliplr(rgb[300:1300, 150:])] * 2))
    found = list(MediaPipeDetector(FULL, max_people=max_people).detect(group))
    assert [len(one.keypoints) for one in found] == [max_people, max_people]


def test_nobody_is_found_where_nobody_is():
    noise = np.random.default_rng(0).integers(0, 255, (360, 640, 3)).astype(np.uint8)
    for rgb in (np.zeros((64, 48, 3), np.uint8), np.full((301, 77, 3), 200, np.uint8), noise):
        found = list(MediaPipeDetector(FULL).detect([Frame(n, n / 30, rgb) for n in range(3)]))
        assert [one.keypoints.shape for one in found] == [(0, 33, 3)] * 3
        assert found[0].landmarks3d.shape == (0, 33, 3)


def test_no_footage_gives_no_detections():
    assert list(MediaPipeDetector(FULL).detect([])) == []


def test_frames_are_streamed(demo_frames):
    taken = 0

    def announced():
        nonlocal taken
        for frame in demo_frames:
            taken += 1
            yield frame

    for number, _ in enumerate(MediaPipeDetector(FULL, max_people=1).detect(announced())):
        assert taken <= number + 2


def test_stopping_early_leaves_no_threads(demo_frames):
    import threading

    before = threading.active_count()
    detections = MediaPipeDetector(FULL, threads=2).detect(demo_frames)
    next(detections)
    detections.close()
    assert threading.active_count() == before


def test_a_missing_or_wrong_bundle_is_refused(tmp_path, demo_frames):
    with pytest.raises(ModelFileError, match="no pose bundle"):
        MediaPipeDetector(tmp_path / "nowhere.task")
    wrong = tmp_path / "wrong.task"
    wrong.write_bytes(b"PK\x03\x04 something else")
    with pytest.raises(ModelFileError, match="not a pose bundle"):
        list(MediaPipeDetector(wrong).detect(demo_frames[:1]))


def test_a_bundle_in_a_folder_with_other_letters(tmp_path, demo_frames):
    folder = tmp_path / "модель läuft 歩"
    folder.mkdir()
    (folder / "pose.task").write_bytes(FULL.read_bytes())
    (found,) = MediaPipeDetector(folder / "pose.task").detect(demo_frames[:1])
    assert len(found.keypoints)


DETECT = (
    "import os, sys, itertools; from pathlib import Path; from engine.footage.decoding import frames;"
    "from engine.keypoints.mediapipe_detector import MODELS, MediaPipeDetector;"
    "frames = list(itertools.islice(frames(Path(sys.argv[1])), 1));"
    "detector = MediaPipeDetector(MODELS['full'], max_people=1); found = list(detector.detect(frames));"
    "detector.__enter__(); found = list(detector.detect(frames)); detector.__exit__();"
    "sys.exit(0 if len(found[0].keypoints) and os.environ.get('https_proxy') == sys.argv[2] else 3)"
)


def test_stdout_stays_clean_and_nothing_is_reported_to_anybody():
    """MediaPipe reports its use through the proxy that the environment names: here one that listens for it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.5)
        proxy = f"http://127.0.0.1:{listener.getsockname()[1]}"
        environment = {**os.environ, "https_proxy": proxy}
        command = [sys.executable, "-c", DETECT, str(DEMO), proxy]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, env=environment)
        assert done.returncode == 0, done.stderr.decode()
        assert done.stdout == b""
        with pytest.raises(TimeoutError):
            listener.accept()


@needs_footage
def test_two_small_people_on_a_roof_and_below_keep_their_tracks():
    path = SHARED / "footage" / "roof_jump_three_people.mp4"
    found = list(MediaPipeDetector(FULL).detect(frames(path, start_s=3.0, end_s=3.9)))
    tracks = track_people(found, probe(path))
    assert len(tracks) == 2
    above, below = sorted(tracks, key=lambda track: track.boxes[0, 1])
    assert above.detected.mean() > 0.8
    assert below.detected.mean() > 0.8
    assert (above.boxes[:, 3] < below.boxes[:, 1] + 150).all()
    assert below.boxes[-1, 0] < below.boxes[0, 0] - 30  # walks to the left
