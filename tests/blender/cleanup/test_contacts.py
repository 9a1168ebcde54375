"""Foot contacts as ranges: what they are on the timeline, how they are edited, and who goes by them."""

from __future__ import annotations

from fractions import Fraction

import bpy
import numpy as np
import pytest
import walking
from adapt_motion.blender_addon.blender import compat, filters, pose_curves, timing
from adapt_motion.blender_addon.character import contact_edits, contacts, scene
from adapt_motion.blender_addon.cleanup import edits, key_reduction
from inside import joints_at

FRAMES = np.arange(1, 121)
SOLES = [7, 10, 8, 11]
"""Ankles over heels, and toes, in the order of the contacts."""


@pytest.fixture
def walker(blank, tmp_path):
    timing.set_scene_rate(blank, Fraction(30))
    return scene.import_people([walking.write_walker(tmp_path / "clip")], blank).people[0].armature


def touching(armature) -> np.ndarray:
    return contacts.read(armature, FRAMES)


def sliding(armature, touches: np.ndarray) -> float:
    """The most that a point moves from one frame to the next in contact, in metres."""
    points = np.stack([joints_at(armature, frame) for frame in FRAMES])[:, SOLES]
    steps = np.linalg.norm(np.diff(points, axis=0), axis=-1)
    return float((steps * (touches[1:] & touches[:-1])).max())


def shake(armature) -> None:
    """Let the hips wander, so that feet slide by centimetres."""
    noise = filters.gaussian(np.random.default_rng(1).normal(size=(120, 3)), 4) * 0.05
    for curve in compat.curves_of(armature):
        if curve.data_path.endswith("location"):
            for row, key in enumerate(curve.keyframe_points):
                key.co[1] += noise[row, curve.array_index]


def test_contacts_come_as_ranges_with_a_key_at_each_end(walker):
    curves = contacts.curves_of(walker)
    assert set(curves) == set(contacts.NAMES)
    assert all(contacts.is_held(curve) for curve in curves.values())
    assert max(len(curve.keyframe_points) for curve in curves.values()) < 25, "not one a frame"
    with np.load(walker["adapt_motion_person"]) as motion:
        assert (touching(walker) == (motion["contacts"] > 0.5)).mean() > 0.98
    for curve in curves.values():
        for one in contact_edits.ranges(curve):
            assert one.first <= one.last < one.after


def test_ranges_are_the_same_at_another_rate(blank, walker):
    before = touching(walker)
    blank.render.fps = 24
    from adapt_motion.blender_addon.character import clip_times

    clip_times.lay(blank, Fraction(24))
    assert (contacts.read(walker, 1 + (FRAMES - 1) * 24 / 30) == before).all()


def left(armature) -> list[tuple[float, float]]:
    return [(one.first, one.last) for one in contact_edits.ranges(contacts.curves_of(armature)[contacts.NAMES[0]])]


def test_a_range_is_begun_ended_split_and_removed(blank, walker):
    (first, last), later = left(walker)[1], left(walker)[2:]
    middle = round((first + last) / 2)

    def edit(how, frame):
        blank.frame_set(round(frame))
        assert edits.edit_contact(walker, blank, "LEFT", how)

    right = touching(walker)[:, 2:].copy()
    edit("SPLIT", middle)
    assert left(walker)[1:3] == [(first, middle - 1), (middle + 1, last)]
    edit("END", middle - 3)
    assert left(walker)[1] == (first, middle - 3)
    edit("START", first - 2)
    assert left(walker)[1] == (first - 2, middle - 3)
    edit("REMOVE", last)
    assert left(walker)[2:] == later
    edit("ADD", middle)
    assert left(walker)[2][0] == middle
    assert left(walker)[3:] == later
    assert (touching(walker)[:, 2:] == right).all(), "the other foot stays"
    blank.frame_set(middle)
    assert not edits.edit_contact(walker, blank, "LEFT", "ADD"), "it stands there already"


def test_a_split_of_one_frame_lets_the_foot_go_elsewhere(blank, walker):
    first, last = left(walker)[1]
    blank.frame_set(round((first + last) / 2))
    edits.edit_contact(walker, blank, "LEFT", "SPLIT")
    assert not touching(walker)[blank.frame_current - 1, 0], "short gaps of an edit are meant"


def test_feet_that_were_lifted_are_not_locked(blank, walker):
    shake(walker)
    touches = touching(walker)
    for one in list(left(walker)):
        blank.frame_set(round(one[0]) + 1)
        edits.edit_contact(walker, blank, "LEFT", "REMOVE")
    for _ in range(20):  # what is left of the toes alone
        rest = contact_edits.ranges(contacts.curves_of(walker)[contacts.NAMES[1]])
        if not rest:
            break
        blank.frame_set(round(rest[0].first))
        edits.edit_contact(walker, blank, "LEFT", "REMOVE")
    assert not touching(walker)[:, :2].any()
    locked = edits.lock_feet(walker, blank)
    assert locked.frames == touching(walker).any(1).sum()
    alone = np.zeros_like(touches)
    alone[:, 2:] = touches[:, 2:]
    assert sliding(walker, alone) < 1e-3
    alone = np.zeros_like(touches)
    alone[:, :2] = touches[:, :2]
    assert sliding(walker, alone) > 2e-3


def test_lock_feet_states_how_far_it_moved_the_body(blank, walker):
    shake(walker)
    before = np.stack([joints_at(walker, frame) for frame in FRAMES])
    locked = edits.lock_feet(walker, blank)
    moved = np.linalg.norm(np.stack([joints_at(walker, frame) for frame in FRAMES]) - before, axis=-1).max(0)
    assert locked.hips_m == pytest.approx(moved[0], abs=1e-4)
    assert locked.feet_m == pytest.approx(max(moved[7], moved[8]), abs=1e-4)


def test_reduced_keys_bring_no_sliding_back(blank, walker):
    """0.0 mm a frame had become 0.5, 0.4 had become 1.2."""
    shake(walker)
    touches = touching(walker)
    edits.lock_feet(walker, blank)
    locked = sliding(walker, touches)
    poses = pose_curves.read(walker)
    loose, planted = (
        key_reduction.reduce(poses, 1.0, key_reduction.Bound(), standing)
        for standing in (None, key_reduction.planted_joints(walker, poses))
    )
    key_reduction.write(walker, poses, planted)
    after = sliding(walker, touches)
    print(
        f"\nsliding {1000 * locked:.2f} mm a frame, {1000 * after:.2f} reduced;"
        f" {planted.after} keys ({loose.after} without)"
    )
    assert after < locked + 2e-4
    assert planted.after < 0.8 * planted.before


def test_probabilities_of_older_files_become_ranges_when_edited(blank, walker):
    maker = compat.curve_maker(walker)
    values = touching(walker).astype(float)
    for column, name in enumerate(contacts.NAMES):
        pose_curves.set_keys(maker.replace(contacts.path_of(name), 0, "Contacts"), FRAMES, 0.9 * values[:, column])
    assert (touching(walker) == values).mean() > 0.98
    blank.frame_set(round(left_start(walker)))
    edits.edit_contact(walker, blank, "LEFT", "REMOVE")
    assert all(contacts.is_held(curve) for curve in contacts.curves_of(walker).values())


def left_start(armature) -> float:
    return 1 + np.flatnonzero(touching(armature)[:, 0])[0]


def test_the_buttons_are_there(addon, tmp_path):
    from adapt_motion.blender_addon.ui import motion_panels
    from recorder import draw

    path = walking.write_walker(tmp_path / "clip")
    bpy.context.scene.render.fps = 30
    bpy.ops.adapt_motion.import_motion(filepath=str(path))
    armature = bpy.context.scene.adapt_motion.character
    assert motion_panels.ADAPT_MOTION_PT_contacts.poll(bpy.context)
    bpy.context.scene.frame_set(int(left_start(armature)))
    layout = draw(motion_panels.ADAPT_MOTION_PT_contacts, bpy.context)
    assert "adapt_motion.edit_contact" in layout.operators
    assert bpy.ops.adapt_motion.edit_contact(side="LEFT", how="REMOVE") == {"FINISHED"}
    assert not contacts.read(armature, FRAMES)[bpy.context.scene.frame_current - 1, 0]


def slide(path) -> None:
    """Let the person of a motion file glide forward, so that planted feet slide."""
    with np.load(path) as file:
        arrays = dict(file)
    glide = np.outer(np.arange(len(arrays["trans"])), [0.0, -0.004, 0.0]).astype(np.float32)
    arrays["trans"] += glide
    arrays["initial_trans"] = arrays["trans"].copy()
    arrays["joints3d_world"] += glide[:, None]
    np.savez(path, **arrays)


@pytest.mark.parametrize("wanted", [True, False])
def test_feet_of_what_comes_in_are_locked_as_the_preferences_want_it(addon, tmp_path, wanted):
    assert addon.lock_feet, "the default"
    addon.lock_feet = wanted
    path = walking.write_walker(tmp_path / "clip")
    slide(path)
    bpy.context.scene.render.fps = 30
    bpy.ops.adapt_motion.import_motion(filepath=str(path))
    armature = bpy.context.scene.adapt_motion.character
    assert (sliding(armature, touching(armature)) < 0.0015) == wanted
    assert all(contacts.is_held(curve) for curve in contacts.curves_of(armature).values()), "ranges to be edited"


def test_motion_without_contacts_comes_in_as_it_is(addon, tmp_path):
    path = walking.write_walker(tmp_path / "clip")
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **{**arrays, "contacts": np.zeros_like(arrays["contacts"])})
    bpy.context.scene.render.fps = 30
    bpy.ops.adapt_motion.import_motion(filepath=str(path))
    armature = bpy.context.scene.adapt_motion.character
    joints = np.stack([joints_at(armature, frame) for frame in (1, 40, 120)])
    assert joints == pytest.approx(arrays["joints3d_world"][[0, 39, 119]], abs=2e-3)
