"""Pins in a finished motion: met, followed by what is near, and nothing else changed."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from finished_motions import finished
from synthetic_people import seen, stand, unseen, walk

from engine.adaptation import corrected as corrected_module
from engine.adaptation.corrected import WINDOW_S, Work, correct, windows
from engine.adaptation.corrected_rows import camera_pose
from engine.adaptation.corrections import Contact, Ignore, KeypointPin, PosePin, Swap, Unseen
from engine.adaptation.pin_field import limited
from engine.adaptation.reestimated import edited, reestimate
from engine.backbones.fit import FitBackbone
from engine.backbones.fit_settings import FitSettings
from engine.body.landmarks import JOINT_NAMES
from engine.body.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from engine.camera.pinhole import project
from engine.errors import CancelledError
from engine.protocol import Job
from engine.run_options import check_options
from engine.runtime.cache import Cache
from engine.runtime.progress import Silent

ELBOW, WRIST = JOINT_NAMES.index("left_elbow"), JOINT_NAMES.index("left_wrist")
MIDDLE_S = 3.0


class Notes(Silent):
    """Keeps warnings; stops the work after some calls."""

    def __init__(self, stop_after=None):
        self.warned, self.calls, self.stop_after = [], 0, stop_after

    def __call__(self, done, total):
        self.calls += 1
        assert 0 <= done <= total
        if self.stop_after is not None and self.calls > self.stop_after:
            raise CancelledError("stopped")

    def warn(self, code, message):
        self.warned.append((code, message))


@pytest.fixture(scope="module")
def person(body):
    return walk(body, seconds=6.0)


@pytest.fixture(scope="module")
def stretch(body, person):
    return finished(body, person, seen(body, person))


@pytest.fixture(scope="module")
def work(body, person):
    job = Job(footage=["a"], out="b", backbone="fit", device="cpu")
    backbone = FitBackbone(FitSettings(iterations=200))
    return Work(person.camera, body, lambda: backbone, check_options(job))


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path, True, lambda code, message: None)


def pinned(stretch, work, cache, *pins, notes=None):
    return correct(stretch, pins, work, cache, notes or Notes())


def row(stretch, time_s):
    return int(np.abs(stretch.motion.timestamps - time_s).argmin())


def bent(stretch, degrees=40.0, time_s=MIDDLE_S):
    """A pin that bends the left elbow further than it is."""
    rotations, _ = camera_pose(stretch.motion)
    more = axis_angle_to_matrix(torch.tensor([[0.0, -np.radians(degrees), 0.0]], dtype=torch.float32))[0]
    wanted = rotations[row(stretch, time_s), ELBOW] @ more
    return PosePin(kind="pose", time_s=time_s, rotations={"left_elbow": matrix_to_axis_angle(wanted).tolist()}), wanted


def test_a_rotation_is_met_and_those_near_follow_less_and_less(stretch, work, cache):
    pin, wanted = bent(stretch)
    result = pinned(stretch, work, cache, pin)
    before, after = camera_pose(stretch.motion)[0][:, ELBOW], camera_pose(result.motion)[0][:, ELBOW]
    here = row(stretch, MIDDLE_S)
    assert float(matrix_to_axis_angle(after[here].mT @ wanted).norm().rad2deg()) < 2
    moved = matrix_to_axis_angle(before.mT @ after).norm(dim=-1).rad2deg()
    places = [here, here + 6, here + 15, here + 30, here + 55]
    assert moved[places].tolist() == sorted(moved[places].tolist(), reverse=True)
    assert moved[here + 6] > 25, "a fifth of a second later most of the error is the same"
    assert 10 < moved[here + 15] < 35
    assert moved.diff().abs().max() < 4, "no step from frame to frame"


def test_what_lies_farther_away_stays_byte_for_byte(stretch, work, cache):
    pin, _ = bent(stretch, time_s=1.0)
    result = pinned(stretch, work, cache, pin)
    far = np.abs(stretch.motion.timestamps - 1.0) >= WINDOW_S
    assert far.sum() > 80
    for item in fields(stretch.motion):
        before, after = getattr(stretch.motion, item.name), getattr(result.motion, item.name)
        if isinstance(before, np.ndarray) and len(before.shape) and len(before) == len(far):
            assert before[far].tobytes() == after[far].tobytes(), item.name
    assert stretch.motion.poses[far].tobytes() == result.motion.poses[far].tobytes()
    assert (stretch.motion.poses != result.motion.poses).any()


def test_the_motion_stays_consistent(body, stretch, work, cache):
    motion = pinned(stretch, work, cache, bent(stretch)[0]).motion
    rotations, transl = camera_pose(motion)
    joints = body.joints(rotations, torch.from_numpy(motion.betas), transl).numpy()
    assert joints == pytest.approx(motion.joints3d_cam, abs=1e-4)
    world = joints @ motion.camera_to_world[:3, :3].T + motion.camera_to_world[:3, 3]
    assert world == pytest.approx(motion.joints3d_world, abs=1e-3)
    rest = body.rest_joints(torch.from_numpy(motion.betas))[0].numpy()
    assert motion.trans + rest == pytest.approx(motion.joints3d_world[:, 0], abs=1e-4)


@pytest.mark.parametrize("space", ["world", "camera"])
def test_a_place_is_met_by_the_arm(stretch, work, cache, space):
    here = row(stretch, MIDDLE_S)
    name = "joints3d_world" if space == "world" else "joints3d_cam"
    there = getattr(stretch.motion, name)[here, WRIST] + np.array([0.05, 0.08, 0.05])
    pin = PosePin(kind="pose", time_s=MIDDLE_S, space=space, positions={"left_wrist": there.tolist()})
    notes = Notes()
    result = pinned(stretch, work, cache, pin, notes=notes)
    assert getattr(result.motion, name)[here, WRIST] == pytest.approx(there, abs=5e-3)
    ankle = JOINT_NAMES.index("right_ankle")
    moved = np.linalg.norm(result.motion.joints3d_cam[:, ankle] - stretch.motion.joints3d_cam[:, ankle], axis=-1)
    assert moved.max() < 0.02, "the legs have nothing to do with it"
    assert not notes.warned


def test_a_place_out_of_reach_is_named(stretch, work, cache):
    there = stretch.motion.joints3d_world[row(stretch, MIDDLE_S), WRIST] + [0, 0, 3]
    pin = PosePin(kind="pose", time_s=MIDDLE_S, positions={"left_wrist": there.tolist()})
    notes = Notes()
    result = pinned(stretch, work, cache, pin, notes=notes)
    assert any("left wrist" in text and "3.0 m from the joint" in text for _, text in notes.warned)
    assert result.motion.poses.tobytes() == stretch.motion.poses.tobytes()


def test_an_elbow_that_bends_backwards_is_limited_and_named(stretch, work, cache):
    pin = PosePin(kind="pose", time_s=MIDDLE_S, rotations={"left_elbow": (0.0, 1.2, 0.0)})
    notes = Notes()
    pinned(stretch, work, cache, pin, notes=notes)
    assert [code for code, _ in notes.warned] == ["pin_limited"]
    assert "left elbow backwards" in notes.warned[0][1]
    for name, turn in (("left_elbow", (0, 1.2, 0)), ("right_elbow", (0, -1.2, 0)), ("left_knee", (-1.2, 0, 0))):
        backwards = axis_angle_to_matrix(torch.tensor([turn], dtype=torch.float32))[0]
        nearer, changed = limited(name, backwards)
        assert changed
        assert float(matrix_to_axis_angle(nearer).norm().rad2deg()) == pytest.approx(9.8, abs=1)
        assert not limited(name, backwards.mT)[1]


def test_a_dragged_keypoint_draws_the_limb_over_it_and_becomes_a_detected_one(body, stretch, work, cache):
    here, column = row(stretch, MIDDLE_S), stretch.track.keypoint_names.index("left_wrist")
    there = stretch.motion.keypoints2d[here, column, :2] + [25, -20]
    result = pinned(
        stretch,
        work,
        cache,
        KeypointPin(kind="keypoints", time_s=MIDDLE_S, points={"left_wrist": tuple(map(float, there))}),
    )
    camera = torch.from_numpy(stretch.motion.intrinsics)
    before, after = (
        project(torch.from_numpy(one.motion.joints3d_cam[here, WRIST]), camera).numpy() for one in (stretch, result)
    )
    assert np.linalg.norm(after - there) < 0.2 * np.linalg.norm(before - there)
    assert result.motion.keypoints2d[here, column].tolist() == pytest.approx([*there, 1.0])


def test_a_foot_with_a_pinned_contact_stands(stretch, work, cache):
    ankle = JOINT_NAMES.index("left_ankle")
    inside = (stretch.motion.timestamps >= 2.5) & (stretch.motion.timestamps <= 2.9)
    pin = Contact(kind="contact", start_s=2.5, end_s=2.9, part="left_foot")
    result = pinned(stretch, work, cache, pin)
    before, after = (np.ptp(one.motion.joints3d_world[inside, ankle], axis=0).max() for one in (stretch, result))
    assert after < 0.01 < 5 * 0.01 < before
    seat = JOINT_NAMES.index("pelvis")
    lower = stretch.motion.joints3d_world[inside, seat].mean(0) - np.array([0, 0, 0.05], np.float32)
    pin = Contact(kind="contact", start_s=2.5, end_s=2.9, part="seat", at=tuple(lower.tolist()))
    placed = pinned(stretch, work, cache, pin).motion.joints3d_world[inside, seat]
    assert placed == pytest.approx(np.tile(lower, (inside.sum(), 1)), abs=0.02)


def test_nothing_is_solved_again_that_was_solved_with_the_same_pins(stretch, work, cache, monkeypatch):
    pins = [bent(stretch, time_s=0.5)[0], bent(stretch, time_s=5.5)[0]]
    first = pinned(stretch, work, cache, *pins)
    calls = []
    real = corrected_module.pin_field.corrected
    monkeypatch.setattr(corrected_module.pin_field, "corrected", lambda *a: calls.append(1) or real(*a))
    assert pinned(stretch, work, cache, *pins).motion.poses.tobytes() == first.motion.poses.tobytes()
    assert not calls
    pinned(stretch, work, cache, pins[0], bent(stretch, degrees=20, time_s=5.5)[0])
    assert len(calls) == 1, "the window of the pin that changed"


def test_it_is_cancelled_between_steps(stretch, work, cache):
    with pytest.raises(CancelledError):
        pinned(stretch, work, cache, bent(stretch)[0], notes=Notes(stop_after=3))


def test_hidden_legs_come_nearer_to_the_truth_when_one_pose_is_pinned(body, person, work, cache):
    legs = [f"{side}_{part}" for side in ("left", "right") for part in ("knee", "ankle", "heel", "foot_index")]
    track = unseen(seen(body, person), names=legs)
    still = person.prediction.rotations.copy()
    for name in ("left_hip", "right_hip", "left_knee", "right_knee"):
        still[:, JOINT_NAMES.index(name)] = np.eye(3)
    confidence = person.prediction.joint_confidence.copy()
    confidence[:, [JOINT_NAMES.index(name) for name in ("left_knee", "right_knee", "left_ankle", "right_ankle")]] = 0.1
    guess = replace(person.prediction, rotations=still, joint_confidence=confidence)
    stretch = finished(body, person, track, guess)
    here = row(stretch, MIDDLE_S)
    true = matrix_to_axis_angle(torch.from_numpy(person.prediction.rotations[here]))
    names = ("left_hip", "right_hip", "left_knee", "right_knee")
    pin = PosePin(kind="pose", time_s=MIDDLE_S, rotations={n: true[JOINT_NAMES.index(n)].tolist() for n in names})
    result = pinned(stretch, work, cache, pin)
    truth = person.joints - person.joints[:, :1]
    knees = [JOINT_NAMES.index(name) for name in ("left_knee", "right_knee", "left_ankle", "right_ankle")]

    def far(one, rows):
        joints = one.motion.joints3d_cam - one.motion.joints3d_cam[:, :1]
        return np.linalg.norm(joints - truth, axis=-1)[rows][:, knees].mean()

    assert far(result, slice(here, here + 1)) < 0.2 * far(stretch, slice(here, here + 1))
    assert far(result, slice(here - 5, here + 6)) < 0.7 * far(stretch, slice(here - 5, here + 6))


def test_long_ranges_and_many_pins_are_cut_into_windows(stretch):
    times = np.arange(3000) / 30
    pins = [
        Contact(kind="contact", start_s=5, end_s=60, part="seat"),
        PosePin(kind="pose", time_s=80, rotations={"head": (0, 0, 0)}),
    ]
    found = list(windows(times, pins, 2.0, 0.5))
    assert max(len(one.fade) for one in found) <= 30 * 15
    covered = np.zeros(len(times), bool)
    for one in found:
        covered[one.rows][one.fade == 1] = True
    assert covered[(times >= 5) & (times <= 60)].all()
    assert found[-1].pins == (pins[1],)


def test_edits_of_the_evidence_change_the_track_there_alone(body, stretch):
    track, names = stretch.track, stretch.track.keypoint_names
    times = track.timestamps
    inside = (times >= 1) & (times <= 2)
    hidden = edited(track, [Unseen(kind="unseen", start_s=1, end_s=2, points=("left_knee",))])
    assert (hidden.keypoints[inside, names.index("left_knee"), 2] == 0).all()
    assert (hidden.keypoints[~inside] == track.keypoints[~inside]).all()
    arm = edited(track, [Ignore(kind="ignore", start_s=1, end_s=2, limb="left_arm")])
    gone = {name for name, column in zip(names, arm.keypoints[inside, :, 2].max(0), strict=True) if column == 0}
    assert {"left_elbow", "left_wrist"} <= gone
    assert not {"left_shoulder", "right_wrist"} & gone
    legs = edited(track, [Swap(kind="swap", start_s=1, end_s=2, limbs="legs")])
    left, right = names.index("left_knee"), names.index("right_knee")
    assert (legs.keypoints[inside, left] == track.keypoints[inside, right]).all()
    assert (legs.keypoints[:, names.index("nose")] == track.keypoints[:, names.index("nose")]).all()


def test_a_limb_whose_evidence_is_ignored_is_estimated_again_there_alone(body, work, cache):
    person = stand(body, seconds=7.0)
    track = seen(body, person)
    wrong = track.keypoints.copy()
    off = (person.times > 2.8) & (person.times < 3.4)
    for name in ("left_elbow", "left_wrist", "left_index", "left_pinky", "left_thumb"):
        wrong[off, track.keypoint_names.index(name)] += np.array([0, -120, 0], np.float32)
    prediction = FitBackbone(FitSettings(iterations=60)).predict(
        replace(track, keypoints=wrong, landmarks3d=np.full_like(track.landmarks3d, np.nan)),
        person.camera,
        body,
        Silent(),
    )
    stretch = finished(body, person, replace(track, keypoints=wrong), prediction)
    result = reestimate(stretch, [Ignore(kind="ignore", start_s=2.7, end_s=3.5, limb="left_arm")], work, cache, Notes())
    far = np.abs(person.times - 3.1) > 1.0
    assert stretch.motion.poses[far].tobytes() == result.motion.poses[far].tobytes()
    here = row(stretch, 3.1)
    true = person.joints[here, WRIST] - person.joints[here, 0]
    before, after = (
        np.linalg.norm(one.motion.joints3d_cam[here, WRIST] - one.motion.joints3d_cam[here, 0] - true)
        for one in (stretch, result)
    )
    assert after < 0.7 * before
    assert result.motion.keypoints2d_origin[here, track.keypoint_names.index("left_wrist")] == 0
