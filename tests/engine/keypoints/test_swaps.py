"""Left and right exchanged in real tracks are found; real tracks without exchanges are left alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from stick_figures import detections, figure, info

from engine.footage.decoding import frames, probe
from engine.keypoints.joint_sets import LIMBS, MEDIAPIPE_33, mirror_order
from engine.keypoints.mediapipe_detector import MODELS, MediaPipeDetector
from engine.keypoints.swaps import find_swaps, repair_swaps
from engine.keypoints.tracking import track_people

ROOT = Path(__file__).resolve().parents[3]
FOOTAGE = ROOT.parent / "shared" / "data" / "footage"
PARTS = {
    "body": ("",),
    "arms": ("elbow", "wrist", "pinky", "index", "thumb"),
    "legs": ("knee", "ankle", "heel", "foot_index"),
    "legs with hips": ("hip", "knee", "ankle", "heel", "foot_index"),
}


def exchanged(track, parts, rows):
    moved = np.array([name.removeprefix("left_").removeprefix("right_").startswith(parts) for name in MEDIAPIPE_33])
    order = np.where(moved & [name != "nose" for name in MEDIAPIPE_33], mirror_order(MEDIAPIPE_33), np.arange(33))
    keypoints, landmarks = track.keypoints.copy(), track.landmarks3d.copy()
    keypoints[rows], landmarks[rows] = keypoints[rows][:, order], landmarks[rows][:, order]
    return replace(track, keypoints=keypoints, landmarks3d=landmarks)


def real_track(path, stop_s=None):
    detector = MediaPipeDetector(MODELS["full"], max_people=1)
    return track_people(detector.detect(frames(path, end_s=stop_s)), probe(path))[0]


@pytest.fixture(scope="module")
def balance():
    return real_track(ROOT / "presets" / "demo" / "demo.mp4", stop_s=1.0)


def still_wrong(repaired, truth):
    """Rows in which a limb is not where it was before the exchange, by more than 3 % of the person."""
    limbs = [MEDIAPIPE_33.index(name) for name in LIMBS]
    apart = np.linalg.norm(repaired.keypoints[:, limbs, :2] - truth.keypoints[:, limbs, :2], axis=-1).max(1)
    return np.flatnonzero(apart > 0.03 * np.ptp(truth.boxes[:, [1, 3]], axis=1))


def test_a_clean_real_track_is_left_alone(balance):
    assert len(balance.timestamps) == 60
    assert not find_swaps(balance).any()
    assert repair_swaps(balance) is balance


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(("start", "stop"), [(20, 21), (10, 22), (40, 55), (0, 6), (52, 60)])
def test_exchanges_in_a_real_track_are_repaired(balance, part, start, stop):
    broken = exchanged(balance, PARTS[part], slice(start, stop))
    repaired = repair_swaps(broken)
    assert len(still_wrong(broken, balance)) > (stop - start) / 2
    assert len(still_wrong(repaired, balance)) == 0


def test_landmarks_are_exchanged_with_their_keypoints(balance):
    broken = exchanged(balance, PARTS["body"], slice(10, 22))
    np.testing.assert_array_equal(repair_swaps(broken).landmarks3d, balance.landmarks3d)
    np.testing.assert_array_equal(repair_swaps(broken).keypoints, balance.keypoints)


def test_several_exchanges_at_different_times_are_repaired(balance):
    broken = exchanged(exchanged(balance, PARTS["legs"], slice(8, 15)), PARTS["body"], slice(30, 38))
    assert len(still_wrong(repair_swaps(broken), balance)) == 0


def crossing_legs(count=60, rate=30.0):
    """Somebody seen from the side: knees and ankles pass each other twice a second."""
    frames_of_people = []
    for n in range(count):
        person = figure(300 + 4 * n, 100, 300)
        person[:, 0] = 300 + 4 * n + (person[:, 0] - 300 - 4 * n) * 0.15
        for name, reach in {"knee": 35, "ankle": 70, "heel": 70, "foot_index": 70}.items():
            for side, sign in (("left", 1), ("right", -1)):
                person[MEDIAPIPE_33.index(f"{side}_{name}"), 0] += sign * reach * np.sin(2 * np.pi * n / rate)
        frames_of_people.append([person + np.random.default_rng(n).normal(0, [1, 1, 0], person.shape)])
    return track_people(detections(frames_of_people, rate), info())[0]


@pytest.mark.parametrize("rate", [24.0, 30.0, 60.0])
def test_limbs_that_pass_each_other_are_no_exchange(rate):
    assert not find_swaps(crossing_legs(rate=rate)).any()


def test_exchanges_beside_a_gap_are_repaired():
    clean = crossing_legs()
    detected = clean.detected.copy()
    detected[28:31] = False
    clean = replace(clean, detected=detected)
    broken = exchanged(clean, PARTS["legs"], slice(31, 37))
    rows = still_wrong(repair_swaps(broken), clean)
    assert len(rows[(rows < 28) | (rows > 30)]) == 0


def test_unseen_keypoints_are_no_evidence():
    clean = crossing_legs()
    unseen = clean.keypoints.copy()
    unseen[20:40, 25:, 2] = 0.2
    broken = exchanged(replace(clean, keypoints=unseen), PARTS["legs"], slice(25, 30))
    assert not find_swaps(broken).any()


def test_tracks_too_short_to_tell_are_left_alone():
    short = track_people(detections([[figure(300, 100, 300)]] * 2), info())[0]
    assert repair_swaps(short) is short


@pytest.mark.skipif(not FOOTAGE.is_dir(), reason="the test footage is not beside this checkout")
@pytest.mark.parametrize("clip", ["treadmill_teenage_hooligan.mp4"])
def test_real_walking_seen_from_the_side_is_left_alone_and_exchanges_in_it_repaired(clip):
    track = real_track(FOOTAGE / clip, stop_s=2.1)
    states = find_swaps(track)
    assert np.count_nonzero(states) <= 2
    clean = repair_swaps(track)
    for start, stop in ((8, 14), (20, 23), (32, 44)):
        for part in ("body", "legs with hips"):
            broken = exchanged(clean, PARTS[part], slice(start, stop))
            assert len(still_wrong(repair_swaps(broken), clean)) <= 2, (part, start, stop)


def test_a_person_without_any_size_is_left_alone():
    """All keypoints in one place, as a hostile file may have them: no division by zero, and nothing exchanged."""
    one_place = figure(400.0, 100.0, 400.0)
    track = track_people(detections([[one_place]] * 12), info())[0]
    keypoints = track.keypoints.copy()
    keypoints[..., :2] = 100.0
    track = replace(track, keypoints=keypoints, boxes=np.full_like(track.boxes, 100.0))
    with np.errstate(all="raise"):
        assert not find_swaps(track).any()
