from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import synthetic
from adapt_motion.blender_addon.blender import compat, timing
from adapt_motion.blender_addon.character import keying, motion_io, rig, scene
from effort import counted_calls
from inside import joints_at, worst_distance

pytestmark = pytest.mark.short

RATES = [Fraction(30), Fraction(30000, 1001), Fraction(24000, 1001), Fraction(60)]


def imported(path, target, rate=None, **options):
    if rate:
        timing.set_scene_rate(target, rate)
    return scene.import_people([path], target, **options).people[0]


@pytest.mark.parametrize("rate", RATES)
def test_bones_are_at_the_motions_joints_at_every_frame(blank, tmp_path, rate):
    person = imported(synthetic.write_person(tmp_path, rate=rate), blank, rate)
    frames = blank.frame_start + np.arange(40)
    assert worst_distance(person.armature, frames, person.motion.joints3d_world) < 1e-4
    keys = [key.co[0] for key in next(iter(compat.curves_of(person.armature))).keyframe_points]
    assert keys == frames.tolist(), "keys of a constant rate lie on whole frames"


def test_the_raised_arm_is_the_right_one(blank, tmp_path):
    person = imported(synthetic.write_person(tmp_path), blank, Fraction(30))
    joints = dict(zip(synthetic.NAMES, joints_at(person.armature, blank.frame_start), strict=True))
    assert joints["right_wrist"][2] > joints["right_shoulder"][2] + 0.2
    assert joints["left_wrist"][2] < joints["right_wrist"][2] - 0.2


def test_quaternions_do_not_flip(blank, tmp_path):
    person = imported(synthetic.write_person(tmp_path, frames=200, turns=3.5), blank, Fraction(30))
    values: dict[str, np.ndarray] = {}
    for curve in compat.curves_of(person.armature):
        if curve.data_path.endswith("rotation_quaternion"):
            keys = np.array([key.co[1] for key in curve.keyframe_points])
            values.setdefault(curve.data_path, np.zeros((200, 4)))[:, curve.array_index] = keys
    assert len(values) == 24
    for path, quaternions in values.items():
        assert (quaternions[1:] * quaternions[:-1]).sum(1).min() > 0.9, path
        assert np.linalg.norm(quaternions, axis=1) == pytest.approx(np.ones(200), abs=1e-5)


def test_between_frames_the_motion_goes_straight_on(blank, tmp_path):
    """Half-way between two frames every joint is near the middle of its two places: no flip, no overshoot."""
    person = imported(synthetic.write_person(tmp_path, turns=1.0), blank, Fraction(30))
    joints = person.motion.joints3d_world
    for index in range(39):
        middle = (joints[index] + joints[index + 1]) / 2
        assert np.abs(joints_at(person.armature, blank.frame_start + index + 0.5) - middle).max() < 0.03


def test_another_scene_rate_keeps_the_clips_speed(blank, tmp_path):
    rate = Fraction(30000, 1001)
    person = imported(synthetic.write_person(tmp_path, rate=rate), blank, Fraction(24), start_frame=101)
    frames = 101 + np.arange(40) * 24 * 1001 / 30000
    assert worst_distance(person.armature, frames, person.motion.joints3d_world) < 1e-3
    assert (blank.render.fps, blank.render.fps_base) == (24, 1.0), "the scene's rate is the user's"


def test_variable_rate_keeps_true_times(blank, tmp_path):
    seconds = np.cumsum(np.random.default_rng(1).uniform(0.02, 0.06, 40))
    seconds -= seconds[0]
    rate = Fraction(25)
    person = imported(synthetic.write_person(tmp_path, rate=rate, timestamps=seconds), blank, rate)
    frames = blank.frame_start + seconds * 25
    assert worst_distance(person.armature, frames, person.motion.joints3d_world) < 1e-3


def test_retime_goes_there_and_back_exactly(blank, tmp_path):
    rate = Fraction(24000, 1001)
    person = imported(synthetic.write_person(tmp_path, rate=rate, frames=300), blank, Fraction(60), start_frame=7)
    for target in (rate, Fraction(50), rate):
        ends = keying.retime(person.armature, target)
    assert ends == (7.0, 306.0)
    keys = [key.co[0] for key in next(iter(compat.curves_of(person.armature))).keyframe_points]
    assert keys == list(range(7, 307))


def test_one_action_for_each_person(blank, tmp_path):
    paths = [synthetic.write_person(tmp_path, number, seed=number) for number in (1, 2)]
    people = scene.import_people(paths, blank).people
    assert people[0].action != people[1].action
    assert [person.armature.animation_data.action for person in people] == [person.action for person in people]


def test_keys_are_written_in_bulk(blank, tmp_path):
    """No call for a frame; how long ten thousand frames take is in the benchmark."""
    work = []
    for frames in (500, 2000):
        path = synthetic.write_person(tmp_path / str(frames), frames=frames, turns=frames / 150)
        motion, skeleton = motion_io.read_motion(path), motion_io.read_skeleton()
        body, _ = motion_io.read_body(motion)
        rest = rig.rest_pose(body, skeleton)
        armature = rig.build_armature("long", rest, blank, blank.collection)
        with counted_calls() as calls:
            action = keying.apply(motion, rest, armature, Fraction(30), 1)
        assert action.frame_range[1] == frames
        work.append(calls[0])
    assert abs(work[1] - work[0]) < 500
