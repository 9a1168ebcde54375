"""Where pins show in the view."""

import bpy
import numpy as np
import pytest
from adapt_motion.blender_addon.character import pin_marks, scene
from inside import joints_at
from synthetic import NAMES, write_person

pytestmark = pytest.mark.short


@pytest.fixture
def character(addon, tmp_path):
    bpy.context.scene.render.fps = 30
    path = write_person(tmp_path / "clip", frames=60)
    armature = scene.import_people([path], bpy.context.scene, with_mesh=False, with_camera=False).people[0].armature
    bpy.context.scene.adapt_motion.character = bpy.context.view_layer.objects.active = armature
    armature.location.x = 1.5
    bpy.context.scene.frame_set(31)
    return armature


def test_a_limb_shows_at_its_frame_and_a_place_always(character):
    bpy.ops.adapt_motion.pin_limb(limb="left_arm")
    wanted = joints_at(character, 31)
    arm = [NAMES.index(f"left_{part}") for part in ("shoulder", "elbow", "wrist", "hand")]
    found = pin_marks.marks(character, 31)
    assert np.array([mark.place for mark in found]) == pytest.approx(wanted[arm], abs=1e-4)
    assert all(mark.is_now for mark in found)
    assert pin_marks.marks(character, 40) == []
    bpy.ops.adapt_motion.remove_pin()
    character.data.bones.active = character.data.bones["right_wrist"]
    bpy.ops.adapt_motion.pin_joint()
    for frame in (31, 40):
        (mark,) = pin_marks.marks(character, frame)
        assert np.array(mark.place) == pytest.approx(wanted[NAMES.index("right_wrist")], abs=1e-4)
        assert mark.is_now == (frame == 31)


def test_what_stands_shows_in_its_range_and_what_is_not_ticked_does_not(character):
    bpy.ops.adapt_motion.pin_contact(part="left_foot", first=10, last=20)
    bpy.context.scene.frame_set(15)
    foot = joints_at(character, 15)[NAMES.index("left_ankle")]
    (mark,) = pin_marks.marks(character, 15)
    assert np.array(mark.place) == pytest.approx(foot, abs=1e-4)
    assert pin_marks.marks(character, 31) == []
    character.adapt_motion_pins[0].use = False
    assert pin_marks.marks(character, 15) == []
    character.animation_data.action = None
    assert pin_marks.marks(character, 15) == []
