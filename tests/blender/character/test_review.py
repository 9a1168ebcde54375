"""The list of weak stretches: read from the report beside the motion file, and gone to."""

import json

import bpy
import pytest
from adapt_motion.blender_addon.character import review, scene
from addon_fixtures import refused
from synthetic import write_person

pytestmark = pytest.mark.short
STRETCHES = [
    {"start_s": 0.5, "end_s": 1.5, "limb": "left arm", "why": "hidden", "value": 0},
    {"start_s": 2.0, "end_s": 2.4, "limb": "right leg", "why": "slide", "value": 0.3},
]


@pytest.fixture
def character(addon, tmp_path):
    bpy.context.scene.render.fps = 30
    path = write_person(tmp_path / "clip", frames=90)
    people = [{"motion": "person_1.npz", "review": STRETCHES}, {"motion": "person_2.npz", "review": STRETCHES[:1]}]
    (tmp_path / "clip" / "report.json").write_text(json.dumps({"people": people}))
    armature = scene.import_people([path], bpy.context.scene, with_mesh=False, with_camera=False).people[0].armature
    bpy.context.scene.adapt_motion.character = bpy.context.view_layer.objects.active = armature
    return armature


def test_the_stretches_of_the_person_are_listed_and_gone_to(character):
    assert bpy.ops.adapt_motion.review() == {"FINISHED"}
    assert [(one.limb, one.why) for one in character.adapt_motion_weak] == [
        ("left arm", "hidden"),
        ("right leg", "slides"),
    ]
    bpy.ops.adapt_motion.go_to_weak(index=0)
    assert bpy.context.scene.frame_current == 31
    bpy.ops.adapt_motion.go_to_weak(index=1)
    assert bpy.context.scene.frame_current == 67
    assert bpy.ops.adapt_motion.go_to_weak(index=9) == {"CANCELLED"}


@pytest.mark.parametrize(
    "content", ["", "{}", '{"people": [{"motion": "person_1.npz", "review": [{"start_s": "x"}]}]}']
)
def test_a_report_that_is_none_is_named_and_the_list_stays(character, tmp_path, content):
    review.read(character)
    (tmp_path / "clip" / "report.json").write_text(content)
    assert "is no report of this version" in refused(bpy.ops.adapt_motion.review)
    assert len(character.adapt_motion_weak) == 2
