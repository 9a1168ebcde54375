"""Fewer keys of any motion, judged by the curves that Blender draws through them."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from adapt_motion.blender_addon.blender import compat, pose_curves, rotations
from adapt_motion.blender_addon.cleanup import key_reduction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

BONES = ("hip", "knee", "ankle")


@pytest.fixture
def leg(blank):
    """An armature of three bones in a row, each 0.4 long."""
    made = bpy.data.objects.new("leg", bpy.data.armatures.new("leg"))
    blank.collection.objects.link(made)
    bpy.context.view_layer.objects.active = made
    bpy.ops.object.mode_set(mode="EDIT")
    above = None
    for number, name in enumerate(BONES):
        bone = made.data.edit_bones.new(name)
        bone.head, bone.tail, bone.parent = (0, 0, -0.4 * number), (0, 0.1, -0.4 * number - 0.4), above
        above = bone
    bpy.ops.object.mode_set(mode="OBJECT")
    return made


def moving(leg, seed: int, count: int, wild: float, mode: str) -> pose_curves.Poses:
    """Keys at every frame, or at odd places in time: a swing of the leg, with as much noise as `wild` says."""
    noise = np.random.default_rng(seed)
    frames = 1 + np.cumsum(noise.choice([1.0, 1.0, 1.5, 3.0], count))
    swing = np.sin(frames[:, None, None] * noise.uniform(0, 0.4) + noise.uniform(0, 6, (3, 3)))
    turns = rotations.quaternions(swing * noise.uniform(0, 0.8, (3, 3)) + wild * noise.normal(size=(count, 3, 3)))
    path = np.cumsum(noise.normal(size=(count, 3)), axis=0) * 0.02
    compat.new_action(leg, "swing")
    maker = compat.curve_maker(leg)
    for number, name in enumerate(BONES):
        leg.pose.bones[name].rotation_mode = mode
        values = pose_curves.from_quaternions(pose_curves.smooth_signs(turns)[:, number], mode)
        pose_curves.write_channels(maker, name, pose_curves.rotation_property(mode), frames, values)
    pose_curves.write_channels(maker, "hip", "location", frames, path)
    return pose_curves.read(leg)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    *(st.integers(0, 2**32 - 1), st.integers(2, 40), st.sampled_from([0.0, 0.01, 0.5])),
    *(st.sampled_from(["QUATERNION", "XYZ", "AXIS_ANGLE"]), st.floats(0.2, 6), st.floats(0.5, 40)),
)
def test_any_motion_stays_inside_the_bound_with_fewer_keys(leg, seed, count, wild, mode, degrees, millimetres):
    poses = moving(leg, seed, count, wild, mode)
    reduced = key_reduction.reduce(poses, 1.0, key_reduction.Bound(degrees, millimetres))
    key_reduction.write(leg, poses, reduced)
    after = pose_curves.read(leg, poses.frames)
    assert np.degrees(rotations.angle(after.turns, poses.turns).max()) <= degrees
    off = np.linalg.norm(after.forward()[1] - poses.forward()[1], axis=-1)
    assert off.max() * 1000 <= millimetres
    kept = [*reduced.kept.T, *reduced.kept_location.values()]
    assert all(one[0] and one[-1] for one in kept), "the ends stay"
    assert reduced.after == sum(one.sum() for one in kept) <= reduced.before == 4 * count


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.integers(0, 2**32 - 1), st.integers(3, 40))
def test_joints_that_are_planted_hardly_move(leg, seed, count):
    poses = moving(leg, seed, count, 0.0, "QUATERNION")
    planted = np.zeros((count, 3), dtype=bool)
    planted[count // 3 :, 2] = True
    key_reduction.write(leg, poses, key_reduction.reduce(poses, 1.0, key_reduction.Bound(5, 50), planted))
    off = np.linalg.norm(pose_curves.read(leg, poses.frames).forward()[1] - poses.forward()[1], axis=-1)
    assert off[planted].max() * 1000 <= key_reduction.PLANTED_MM
