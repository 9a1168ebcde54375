"""Takes for a hidden stretch: laid into the NLA, shown one at a time, kept or taken away."""

import bpy
import numpy as np
import pytest
from adapt_motion.blender_addon.blender import axes, compat
from adapt_motion.blender_addon.character import motion_io, pins, proposed, scene, take_keys
from addon_fixtures import refused
from synthetic import write_person

pytestmark = pytest.mark.short
ELBOW, FIRST, LAST = 18, 30, 60


@pytest.fixture
def character(addon, tmp_path):
    bpy.context.scene.render.fps = 30
    path = write_person(tmp_path / "clip", frames=90, hidden=(FIRST, LAST))
    motion = motion_io.read_motion(path)
    rows = np.arange(FIRST, LAST)
    poses = np.repeat(motion.poses[rows][None], 3, 0)
    for draw, turn in enumerate((0.3, 0.6, 0.9)):
        poses[draw, :, 3 * ELBOW + 1] -= turn
    stretches = np.array([motion.timestamps[[FIRST, LAST - 1]]])
    np.savez(path.with_name("person_1_takes.npz"), rows=rows, poses=poses[[1, 2, 0]].astype(np.float16),
             stretches=stretches, kinds=np.array([["draw", "label", "mirrored"]]),
             labels=np.array([["walk", "walk slowly", "walk"]]), similarity=np.array([[0.61, 0.4, 0.2]]),
             slide_mm=np.array([[3.0, 20.0, 40.0]]), reprojection_px=np.array([[5.0, 6.0, 70.0]]))  # fmt: skip
    armature = scene.import_people([path], bpy.context.scene, with_mesh=False, with_camera=False).people[0].armature
    bpy.context.scene.adapt_motion.character = bpy.context.view_layer.objects.active = armature
    bpy.context.scene.frame_set(46)
    return armature, motion


def elbow(armature, frame):
    bpy.context.scene.frame_set(frame)
    return np.array(armature.pose.bones["left_elbow"].matrix_basis.to_quaternion())


def keys(armature):
    return {
        (curve.data_path, curve.array_index): [tuple(point.co) for point in curve.keyframe_points]
        for curve in compat.curves_of(armature)
    }


def apart(one, other):
    return np.degrees(2 * np.arccos(min(1, abs(float(np.dot(one, other))))))


def test_takes_are_named_tracks_best_first_and_one_is_shown(character):
    armature, motion = character
    before = elbow(armature, 46)
    bpy.context.scene.frame_set(46)
    assert bpy.ops.adapt_motion.propose_takes() == {"FINISHED"}
    names = [track.name for track in armature.animation_data.nla_tracks if track.name.startswith("Take ")]
    assert names == [
        "Take 1: walk, 0.61 alike, slides 3 mm, 5 px off",
        "Take 2: walk slowly, 0.40 alike, slides 20 mm, 6 px off",
        "Take 3: walk mirrored, 0.20 alike, slides 40 mm, 70 px off",
    ]
    assert proposed.shown(armature) == names[0]
    for number, turn in ((1, 0.6), (2, 0.9), (3, 0.3)):
        armature.adapt_motion_take = number
        wanted = motion.poses[45].copy()
        wanted[3 * ELBOW + 1] -= turn
        rotation = axes.bone_rotations(wanted[None], motion_io.read_skeleton().names)[0, ELBOW]
        assert apart(elbow(armature, 46), rotation) < 1.0
        assert apart(elbow(armature, 80), elbow(armature, 80)) < 1e-3
    assert apart(before, elbow(armature, 46)) > 10


def test_a_kept_take_is_keyed_in_its_stretch_alone(character):
    armature, _ = character
    before, outside = keys(armature), elbow(armature, 80)
    bpy.context.scene.frame_set(46)
    bpy.ops.adapt_motion.propose_takes()
    armature.adapt_motion_take = 2
    shown = elbow(armature, 46)
    assert bpy.ops.adapt_motion.keep_take() == {"FINISHED"}
    assert proposed.proposed(armature) == 0
    assert apart(shown, elbow(armature, 46)) < 0.1
    assert apart(outside, elbow(armature, 80)) < 1e-3
    after = keys(armature)
    for path, points in after.items():
        changed = [frame for (frame, one), (_, other) in zip(points, before[path], strict=True) if one != other]
        assert all(FIRST < frame <= LAST for frame in changed)
        hidden = any(f"left_{part}" in path[0] for part in ("shoulder", "elbow", "wrist", "hand"))
        assert hidden or not changed, path
    assert not [track for track in armature.animation_data.nla_tracks if "ake" in track.name]
    assert not [action for action in bpy.data.actions if proposed.MARK in action]


def test_discarded_takes_leave_the_motion_as_it_was(character):
    armature, _ = character
    before, own = keys(armature), armature.animation_data.action
    turned = elbow(armature, 46)
    bpy.ops.adapt_motion.propose_takes()
    bpy.ops.adapt_motion.propose_takes()
    assert proposed.proposed(armature) == 3, "proposing again begins anew"
    bpy.ops.adapt_motion.discard_takes()
    assert keys(armature) == before
    assert armature.animation_data.action == own
    assert not any(curve.mute for curve in compat.curves_of(armature))
    assert apart(turned, elbow(armature, 46)) < 1e-3


def test_names_of_takes_fit_into_blenders(character):
    armature, _ = character
    path = take_keys.Path(armature["adapt_motion_person"]).with_name("person_1_takes.npz")
    arrays = dict(np.load(path))
    long = np.array([["walk like a very old person does it", "", "x" * 200]])
    np.savez(path, **{**arrays, "labels": long, "slide_mm": np.full((1, 3), 12345.0)})
    bpy.ops.adapt_motion.propose_takes()
    names = [track.name for track in proposed.tracks(armature)]
    assert len(names) == 3
    assert all(name.endswith("px off") for name in names), names
    assert "no label" in names[1]


@pytest.mark.parametrize("content", [b"", b"garbage"])
def test_a_file_that_is_gone_or_damaged_is_named(character, tmp_path, content):
    armature, _ = character
    path = tmp_path / "clip" / "person_1_takes.npz"
    path.write_bytes(content)
    assert "cannot be read as takes" in refused(bpy.ops.adapt_motion.propose_takes)
    path.unlink()
    assert "There are no takes" in refused(bpy.ops.adapt_motion.propose_takes)
    assert pins.seconds(armature, 46) == pytest.approx(1.5)
