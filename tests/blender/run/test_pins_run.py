"""A run around pins: the engine gets them as a file, and what it changes is keyed on the armature alone."""

import json

import bpy
import numpy as np
import pytest
from adapt_motion.blender_addon.blender import compat
from adapt_motion.blender_addon.character import clip_times, motion_io, scene
from adapt_motion.blender_addon.run import pins_run, prefs, running
from adapt_motion.engine.files.array_file import read_all
from addon_fixtures import refused
from synthetic import write_person

pytestmark = pytest.mark.short
ELBOW = 18


@pytest.fixture
def pinned(fake, tmp_path):
    """A character with a pin, and the engine's result in which its left elbow is turned in frames 41 to 50."""
    fake("good")
    bpy.context.scene.render.fps = 30
    path = write_person(tmp_path / "clip", frames=90)
    (tmp_path / "clip" / "report.json").write_text(
        json.dumps({"footage": {"sha256": "ab" * 32}, "versions": {"engine": "0.0.1"}})
    )
    armature = scene.import_people([path], bpy.context.scene, with_mesh=False, with_camera=False).people[0].armature
    bpy.context.scene.adapt_motion.character = bpy.context.view_layer.objects.active = armature
    arrays = read_all(path, 2**30)
    arrays["poses"] = arrays["poses"].copy()
    arrays["poses"][40:50, 3 * ELBOW + 1] -= 0.5
    (tmp_path / "out").mkdir(exist_ok=True)
    np.savez(tmp_path / "out" / "person_1.npz", **arrays)
    bpy.context.scene.frame_set(46)
    bpy.ops.adapt_motion.pin_limb(limb="left_leg")
    return armature


def test_the_result_is_keyed_and_the_pins_go_to_the_engine(pinned, tmp_path):
    before = motion_io.read_motion(pinned[clip_times.PERSON])
    assert bpy.ops.adapt_motion.adapt_around_pins() == {"FINISHED"}
    assert running.latest().message.startswith("10 frames follow the pins")
    (file,) = (prefs.log_folder().with_name("jobs")).glob("corrections-*.json")
    written = json.loads(file.read_text())
    assert written["footage"] == "ab" * 32
    assert [one["kind"] for one in written["corrections"]] == ["pose"]
    after = motion_io.read_motion(pinned[clip_times.PERSON])
    assert (after.poses != before.poses).any(1).sum() == 10
    bone = pinned.pose.bones["left_elbow"]
    turns = []
    for frame in (30, 46):
        bpy.context.scene.frame_set(frame)
        turns.append(bone.rotation_quaternion.copy())
    assert len(pinned.adapt_motion_pins) == 1
    assert turns[1].angle > 0.1


def test_without_pins_or_without_the_motion_file_a_sentence_says_so(pinned):
    pinned.adapt_motion_pins[0].use = False
    assert "Nothing is pinned" in refused(bpy.ops.adapt_motion.adapt_around_pins)
    pinned[clip_times.PERSON] = "/nowhere/person_1.npz"
    assert "is gone" in refused(bpy.ops.adapt_motion.adapt_around_pins)


def test_an_armature_that_was_renamed_meanwhile_is_named(pinned, monkeypatch):
    launch = pins_run.clip_run.launch

    def renames(*arguments, **more):
        pinned.name = "renamed"
        return launch(*arguments, **more)

    monkeypatch.setattr(pins_run.clip_run, "launch", renames)
    message = refused(bpy.ops.adapt_motion.adapt_around_pins)
    assert "was renamed or removed meanwhile" in message
    assert len(pinned.adapt_motion_pins) == 1


def test_an_engine_that_fails_changes_no_key(pinned, fake):
    fake("error")
    before = [[point.co[1] for point in curve.keyframe_points] for curve in compat.curves_of(pinned)]
    assert "Nobody was found" in refused(bpy.ops.adapt_motion.adapt_around_pins)
    assert before == [[point.co[1] for point in curve.keyframe_points] for curve in compat.curves_of(pinned)]
    assert len(pinned.adapt_motion_pins) == 1
