"""Cleaning up, judged by what Blender shows afterwards."""

from __future__ import annotations

from fractions import Fraction

import bpy
import numpy as np
import pytest
import synthetic
import walking
from adapt_motion.blender_addon.blender import compat, filters, pose_curves, rotations, timing
from adapt_motion.blender_addon.character import contacts, scene
from adapt_motion.blender_addon.cleanup import edits, key_reduction, loops, root_motion
from adapt_motion.blender_addon.errors import UserError
from effort import counted_calls
from inside import joints_at, worst_distance
from synthetic import NAMES

FRAMES = np.arange(1, 121)


def bring(target, path):
    timing.set_scene_rate(target, Fraction(30))
    return scene.import_people([path], target).people[0]


@pytest.fixture
def walker(blank, tmp_path):
    return bring(blank, walking.write_walker(tmp_path / "clip"))


@pytest.fixture
def dancer(blank, tmp_path):
    """All joints move, on a curve, through more than a whole turn."""
    return bring(blank, synthetic.write_person(tmp_path / "dance", frames=120, turns=2.5))


def shown(armature, frames=FRAMES) -> np.ndarray:
    """(T, 24, 3) joints as Blender evaluates them."""
    return np.stack([joints_at(armature, frame) for frame in frames])


def own_turns(armature, frames=FRAMES) -> np.ndarray:
    """(T, 24, 4) rotations of the pose bones as Blender evaluates them."""
    rows = []
    for frame in frames:
        bpy.context.scene.frame_set(int(frame))
        rows.append([list(armature.pose.bones[name].matrix_basis.to_quaternion()) for name in NAMES])
    return np.array(rows)


def key_count(armature) -> int:
    return sum(len(curve.keyframe_points) for curve in compat.curves_of(armature) if "pose" in curve.data_path)


@pytest.mark.parametrize(("degrees", "millimetres"), [(1.0, 5.0), (0.2, 1.0), (5.0, 2.0), (0.5, 100.0)])
def test_reduced_curves_stay_inside_both_bounds(blank, dancer, degrees, millimetres):
    before, keys = own_turns(dancer.armature), key_count(dancer.armature)
    poses = pose_curves.read(dancer.armature)
    reduced = key_reduction.reduce(poses, 1.0, key_reduction.Bound(degrees, millimetres))
    key_reduction.write(dancer.armature, poses, reduced)
    assert worst_distance(dancer.armature, FRAMES, dancer.motion.joints3d_world) * 1000 < millimetres
    assert np.degrees(rotations.angle(before, own_turns(dancer.armature)).max()) < degrees
    assert key_count(dancer.armature) < keys / 2
    assert reduced.after < reduced.before / 2


def test_a_looser_bound_needs_fewer_keys(blank, dancer):
    poses = pose_curves.read(dancer.armature)
    counts = [
        key_reduction.reduce(poses, 1.0, key_reduction.Bound(*bound)).after for bound in ((0.1, 0.5), (1, 5), (4, 30))
    ]
    assert counts[0] > 1.5 * counts[1] > 2 * counts[2]


def test_a_still_bone_keeps_two_keys_and_types_stay(blank, walker):
    for curve in compat.curves_of(walker.armature):
        if "pose" in curve.data_path:
            curve.keyframe_points[0].type = "JITTER"
    poses = pose_curves.read(walker.armature)
    key_reduction.write(walker.armature, poses, key_reduction.reduce(poses, 1.0, key_reduction.Bound()))
    hand = [curve for curve in compat.curves_of(walker.armature) if '"left_hand"' in curve.data_path]
    assert [len(curve.keyframe_points) for curve in hand] == [2] * 4, "the hand does not turn in the wrist"
    assert {curve.keyframe_points[0].type for curve in hand} == {"JITTER"}


def test_reduction_of_euler_angles(blank, dancer):
    edits.set_rotation_mode(dancer.armature, "YXZ")
    poses = pose_curves.read(dancer.armature)
    key_reduction.write(dancer.armature, poses, key_reduction.reduce(poses, 1.0, key_reduction.Bound(1, 5)))
    assert worst_distance(dancer.armature, FRAMES, dancer.motion.joints3d_world) < 0.005


def test_the_work_of_reducing_grows_with_the_frames_alone(blank, tmp_path):
    """Calls counted; how long ten thousand frames take is in the benchmark."""
    work = []
    for frames in (1000, 2000):
        person = bring(blank, synthetic.write_person(tmp_path / str(frames), frames=frames, turns=frames / 150))
        with counted_calls() as calls:
            poses = pose_curves.read(person.armature)
            reduced = key_reduction.reduce(poses, 1.0, key_reduction.Bound())
            key_reduction.write(person.armature, poses, reduced)
        assert reduced.after < 0.1 * reduced.before
        work.append(calls[0])
    assert work[1] - work[0] < 100 * 1000, "for 24 bones"


def test_smoothing_takes_jitter_from_the_chosen_limb_alone(blank, walker):
    clean = own_turns(walker.armature)
    noise = np.random.default_rng(3)
    for curve in compat.curves_of(walker.armature):
        if "elbow" in curve.data_path:
            for key in curve.keyframe_points:
                key.co[1] += noise.normal() * 0.03
    rough = own_turns(walker.armature)
    assert edits.smooth(walker.armature, {"LEFT_ARM"}, 0.25, blank) == 5
    after = own_turns(walker.armature)
    left, right = NAMES.index("left_elbow"), NAMES.index("right_elbow")
    errors = [np.degrees(rotations.angle(clean[:, left], turns[:, left])).mean() for turns in (rough, after)]
    assert errors[1] < 0.5 * errors[0]
    assert after[:, right] == pytest.approx(rough[:, right], abs=1e-5)
    walker.armature.animation_data.action = None
    with pytest.raises(UserError, match="no motion"):
        edits.smooth(walker.armature, {"LEFT_ARM"}, 0.2, blank)


def test_smoothing_legs_leaves_feet_standing(blank, walker):
    edits.smooth(walker.armature, {"LEFT_LEG", "RIGHT_LEG", "TORSO"}, 0.3, blank)
    assert slip(shown(walker.armature), touching(walker)) < 0.002


def touching(person) -> np.ndarray:
    with np.load(person.motion.path) as motion:
        return motion["contacts"] > 0.5


def slip(joints: np.ndarray, touches: np.ndarray) -> float:
    feet = joints[:, [7, 10, 8, 11]]
    return max(
        float(np.linalg.norm(feet[start:end, column] - feet[start:end, column].mean(0), axis=1).max())
        for column in range(4)
        for start, end in filters.runs(touches[:, column])
    )


@pytest.mark.parametrize("hips", [0.0, 1.0])
def test_locked_feet_stand_still_and_the_rest_stays(blank, walker, hips):
    """Feet that slide by centimetres stand; hands and hips stay nearly where they were."""
    noise = filters.gaussian(np.random.default_rng(1).normal(size=(120, 3)), 4) * 0.05
    for curve in compat.curves_of(walker.armature):
        if curve.data_path.endswith("location"):
            for row, key in enumerate(curve.keyframe_points):
                key.co[1] += noise[row, curve.array_index]
    before = shown(walker.armature)
    assert slip(before, touching(walker)) > 0.01
    assert edits.lock_feet(walker.armature, blank, hips=hips).frames == touching(walker).any(1).sum()
    after = shown(walker.armature)
    assert slip(after, touching(walker)) < 0.001
    assert np.linalg.norm(after[:, 0] - before[:, 0], axis=-1).max() < (0.05 if hips else 0.015)
    lengths = [np.linalg.norm(one[:, 1] - one[:, 4], axis=-1) for one in (before, after)]
    assert lengths[0] == pytest.approx(lengths[1], abs=1e-5), "legs are turned, not stretched"
    assert np.linalg.norm(np.diff(after, axis=0, n=2), axis=-1).max() < 0.06, "no jumps where feet land and leave"


def test_feet_that_stand_already_are_left_alone(blank, walker):
    edits.lock_feet(walker.armature, blank)
    assert worst_distance(walker.armature, FRAMES, walker.motion.joints3d_world) < 1e-4


def test_without_contacts_there_is_nothing_to_lock(blank, dancer):
    maker = compat.curve_maker(dancer.armature)
    for name in contacts.NAMES:
        maker.remove(contacts.path_of(name), 0)
    for curve in compat.curves_of(dancer.armature):
        if curve.data_path.endswith("location") and curve.array_index == 2:
            for row, key in enumerate(curve.keyframe_points):
                key.co[1] += 0.5 * (-1) ** row  # nothing is ever slow
    with pytest.raises(UserError, match="No foot touches"):
        edits.lock_feet(dancer.armature, blank)


@pytest.mark.parametrize("mode", ["XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX"])
def test_euler_angles_show_the_same_motion_without_jumps(blank, dancer, mode):
    assert edits.set_rotation_mode(dancer.armature, mode) == 24
    assert worst_distance(dancer.armature, FRAMES, dancer.motion.joints3d_world) < 1e-4
    for curve in compat.curves_of(dancer.armature):
        assert "quaternion" not in curve.data_path
        if curve.data_path.endswith("euler") and '"pelvis"' not in curve.data_path:
            steps = np.abs(np.diff([key.co[1] for key in curve.keyframe_points]))
            assert steps.max() < np.pi, "no turn more or less"
    assert edits.set_rotation_mode(dancer.armature, "QUATERNION") == 24
    assert worst_distance(dancer.armature, FRAMES, dancer.motion.joints3d_world) < 1e-4


def test_travel_goes_to_the_object_and_back(blank, dancer):
    wanted = dancer.motion.joints3d_world
    root_motion.set_travel(dancer.armature, "OBJECT", blank)
    assert worst_distance(dancer.armature, FRAMES, wanted) < 1e-4
    hips = [curve for curve in compat.curves_of(dancer.armature) if '"pelvis"].location' in curve.data_path]
    spread = [np.ptp([key.co[1] for key in curve.keyframe_points]) for curve in hips]
    assert max(spread[0], spread[2]) < 1e-4, "the hips only go up and down (the bone's y)"
    edits.mirror(dancer.armature)
    dancer.armature.animation_data.action = dancer.action
    if hasattr(dancer.armature.animation_data, "action_slot"):
        dancer.armature.animation_data.action_slot = dancer.action.slots[0]
    root_motion.set_travel(dancer.armature, "HIPS", blank)
    assert worst_distance(dancer.armature, FRAMES, wanted) < 1e-4
    assert not [curve for curve in compat.curves_of(dancer.armature) if curve.data_path == "location"]


def test_in_place_keeps_the_sway_and_the_steps(blank, walker):
    metres = root_motion.set_travel(walker.armature, "IN_PLACE", blank)
    assert metres == pytest.approx(119 / 30 / walking.STEP_S * walking.STRIDE_M, abs=0.01)
    after, before = shown(walker.armature), walker.motion.joints3d_world
    assert np.ptp(after[:, 0, 1]) < 0.02
    assert after[..., 2] == pytest.approx(before[..., 2], abs=1e-4), "heights stay"
    limbs = [one[:, 4] - one[:, 1] for one in (before, after)]
    assert limbs[0] == pytest.approx(limbs[1], abs=1e-4), "so does every direction"


def test_a_mirrored_copy_is_the_mirror_image(blank, walker):
    old = walker.action
    action = edits.mirror(walker.armature)
    assert walker.armature.animation_data.action == action != old
    assert old.use_fake_user
    partner = [NAMES.index(edits.flipped(name)) for name in NAMES]
    mirrored = walker.motion.joints3d_world[:, partner] * (-1, 1, 1)
    after = shown(walker.armature)
    for upper, lower in ((1, 4), (4, 7), (16, 18), (18, 20), (2, 5), (17, 19), (9, 12)):
        one, two = (joints[:, lower] - joints[:, upper] for joints in (mirrored, after))
        cosine = (one * two).sum(-1) / np.linalg.norm(one, axis=-1) / np.linalg.norm(two, axis=-1)
        assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).max() < 1.5, "but for the body not being symmetric"
    assert contacts.read(walker.armature, FRAMES) == pytest.approx(touching(walker)[:, [2, 3, 0, 1]].astype(float))
    edits.mirror(walker.armature)
    assert worst_distance(walker.armature, FRAMES, walker.motion.joints3d_world) < 1e-4


@pytest.mark.parametrize("in_place", [False, True])
def test_a_loop_of_a_walk_closes(blank, walker, in_place):
    noise = np.random.default_rng(5)
    for curve in compat.curves_of(walker.armature):
        if "quaternion" in curve.data_path:
            for key in curve.keyframe_points:
                key.co[1] += noise.normal() * 0.005
    action, cycle = loops.make_loop(walker.armature, blank, in_place=in_place)
    assert abs(cycle.end - cycle.start - 2 * walking.STEP_S * 30) <= 1
    first, last = int(action.frame_range[0]), int(action.frame_range[1])
    assert (first, last) == (blank.frame_start, blank.frame_start + cycle.end - cycle.start)
    turns = own_turns(walker.armature, [first, last])
    assert np.degrees(rotations.angle(turns[0], turns[1])).max() < 0.1
    joints = shown(walker.armature, [first, last, last + 1, first + 1])
    travel = joints[1, 0] - joints[0, 0]
    assert travel[2] == pytest.approx(0, abs=1e-4)
    length = 0 if in_place else (last - first) / 30 / walking.STEP_S * walking.STRIDE_M
    assert np.linalg.norm(travel) == pytest.approx(length, abs=0.03)
    assert joints[1] - travel == pytest.approx(joints[0], abs=1e-3)
    assert joints[2] - travel == pytest.approx(joints[3], abs=1e-3), "and goes on after its end"
    assert action.use_cyclic


def test_what_does_not_repeat_makes_no_loop(blank, tmp_path):
    person = bring(blank, synthetic.write_person(tmp_path, frames=60, turns=0.2))
    with pytest.raises(UserError, match="repeats"):
        loops.make_loop(person.armature, blank)
    assert person.armature.animation_data.action == person.action
    with pytest.raises(UserError, match="too short"):
        loops.make_loop(person.armature, blank, shortest_s=5.0, longest_s=9.0)


def test_limbs_of_a_strange_armature_are_not_known(blank):
    strange = bpy.data.objects.new("strange", bpy.data.armatures.new("strange"))
    blank.collection.objects.link(strange)
    with pytest.raises(UserError, match="limbs of strange are not known"):
        edits.mirror(strange)
