"""Retargeting between skeletons of any lengths and bone axes, in any pose, anywhere. Needs no Blender."""

from __future__ import annotations

import numpy as np
import pytest
from adapt_motion.blender_addon.blender import rotations
from adapt_motion.blender_addon.blender.bones import Bones, Placing
from adapt_motion.blender_addon.retarget import transfer
from hypothesis import given
from hypothesis import strategies as st
from synthetic import NAMES, PARENTS, REST_JOINTS

INTO_WORLD = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # z up, facing -y
JOINTS = {name: number for number, name in enumerate(NAMES)}
LIMBS = [(JOINTS[joint], JOINTS[child]) for joint, (child, _) in transfer.LIMBS.items()]
HIPS, STILL = [JOINTS["left_hip"], JOINTS["right_hip"]], np.array([1.0, 0, 0, 0])

seeds = st.integers(0, 2**32 - 1)
placings = st.builds(
    lambda yaw, scale, x, y, z: Placing(rotations.about_z(np.array(yaw)), scale, np.array([x, y, z])),
    *(st.floats(-3, 3), st.sampled_from([0.01, 1.0, 2.5]), st.floats(-9, 9), st.floats(-9, 9), st.floats(-2, 2)),
)


def some_turns(noise: np.random.Generator, *shape: int) -> np.ndarray:
    """(..., 4) turns about any axes by up to about a half turn."""
    return rotations.quaternions(noise.normal(size=(*shape, 3)))


def skeleton(seed: int, placing: Placing, arms_down: float = 0.0) -> transfer.Figure:
    """A figure that stands upright, with bones of lengths and axes of its own."""
    noise = np.random.default_rng(seed)
    offsets = (REST_JOINTS - REST_JOINTS[[max(parent, 0) for parent in PARENTS]]) @ INTO_WORLD.T
    offsets *= noise.uniform(0.7, 1.4, (len(NAMES), 1))
    for side, sign in (("left", 1.0), ("right", -1.0)):
        hang = rotations.quaternions(np.array([0, sign * arms_down, 0]))
        for joint in ("elbow", "wrist", "hand"):
            offsets[JOINTS[f"{side}_{joint}"]] = rotations.turn(hang, offsets[JOINTS[f"{side}_{joint}"]])
    heads = np.zeros((len(NAMES), 3))
    for number, parent in enumerate(PARENTS):
        heads[number] = (heads[parent] if parent >= 0 else 0) + offsets[number]
    count = len(NAMES)
    bones = Bones(
        *(list(NAMES), np.array(PARENTS), some_turns(noise, count), heads / placing.scale, heads / placing.scale),
        *(np.ones(count, dtype=bool), np.ones(count, dtype=bool), ["QUATERNION"] * count, np.zeros(count, dtype=bool)),
    )
    floor = float(placing.points(bones.heads)[:, 2].min())
    return transfer.Figure(bones, placing, JOINTS, floor, {})


def some_motion(source: transfer.Figure, seed: int, frames: int = 3) -> transfer.Moving:
    noise = np.random.default_rng(seed)
    path = noise.normal(size=(frames, 3)) / source.placing.scale
    return transfer.moving(source, some_turns(noise, frames, len(NAMES)), {JOINTS["pelvis"]: path})


def retargeted(source, target, motion, in_world=True) -> transfer.Moving:
    result = transfer.retarget(source, target, motion, np.zeros((len(motion.turns), 4)), None, in_world)
    assert np.linalg.norm(result.turns, axis=-1) == pytest.approx(1)
    return transfer.moving(target, result.turns, {JOINTS["pelvis"]: result.location})


def directions(heads: np.ndarray) -> np.ndarray:
    """(T, L, 3) where each limb points."""
    lines = np.stack([heads[:, child] - heads[:, joint] for joint, child in LIMBS], axis=1)
    return lines / np.linalg.norm(lines, axis=-1, keepdims=True)


@given(seeds, seeds, seeds, placings, placings, st.floats(0, 1.2))
def test_limbs_of_any_two_skeletons_point_alike_and_steps_scale_with_the_legs(one, two, three, here, there, arms_down):
    source, target = skeleton(one, here), skeleton(two, there, arms_down)
    motion = some_motion(source, three)
    moved = retargeted(source, target, motion)
    assert directions(moved.heads) == pytest.approx(directions(motion.heads), abs=1e-6)
    steps = [np.diff(heads[:, HIPS].mean(1), axis=0) for heads in (motion.heads, moved.heads)]
    assert steps[1] == pytest.approx(steps[0] * target.leg_length() / source.leg_length(), abs=1e-6)
    assert moved.heads[0, HIPS, :2].mean(0) == pytest.approx(motion.heads[0, HIPS, :2].mean(0), abs=1e-6)


@given(seeds, seeds, seeds, placings, placings, st.floats(0, 1.2))
def test_in_its_own_place_any_skeleton_moves_as_it_is_turned(one, two, three, here, there, arms_down):
    source, target = skeleton(one, here), skeleton(two, there, arms_down)
    motion = some_motion(source, three)
    turned = rotations.multiply(target.frame(), rotations.inverse(source.frame()))
    moved = retargeted(source, target, motion, in_world=False)
    assert directions(moved.heads) == pytest.approx(rotations.turn(turned, directions(motion.heads)), abs=1e-6)
    scale = target.leg_length() / source.leg_length()
    way = motion.heads[:, HIPS].mean(1) - source.placing.origin
    found = moved.heads[:, HIPS].mean(1) - target.placing.origin
    assert found[:, :2] == pytest.approx(rotations.turn(turned, way * scale)[:, :2], abs=1e-6)


@given(seeds, seeds, placings)
def test_a_skeleton_with_other_bone_axes_moves_joint_by_joint_as_the_first(one, two, here):
    """The same body: nothing is left to scale or to align."""
    source = skeleton(one, here)
    axes = some_turns(np.random.default_rng(two), len(NAMES))
    target = transfer.Figure(Bones(**{**vars(source.bones), "rest": axes}), here, JOINTS, source.floor, {})
    motion = some_motion(source, two)
    assert retargeted(source, target, motion).heads == pytest.approx(motion.heads, abs=1e-6)


@given(seeds, placings)
def test_a_pose_at_rest_stays_at_rest(one, here):
    source = skeleton(one, here)
    motion = transfer.moving(source, np.broadcast_to(STILL, (2, len(NAMES), 4)), {})
    assert motion.heads[0] == pytest.approx(source.heads)
    assert retargeted(source, source, motion).turns == pytest.approx(motion.turns, abs=1e-6)
