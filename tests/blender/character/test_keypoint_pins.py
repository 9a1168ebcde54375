"""Keypoints that are moved, hidden and shown over the footage become entries for the engine."""

import json
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from adapt_motion.blender_addon.character import keypoint_pins, keypoints, pins, scene
from adapt_motion.blender_addon.ui import keypoint_drag
from adapt_motion.engine.files.array_file import read_all
from addon_fixtures import refused
from mathutils import Matrix
from synthetic import write_person

pytestmark = pytest.mark.short


@pytest.fixture
def character(addon, tmp_path):
    bpy.context.scene.render.fps = 30
    path = write_person(tmp_path / "clip", frames=60, hidden=(10, 20), camera_yaw=0.3)
    arrays = read_all(path, 2**30)
    for origin, frame in ((0, 40), (0, 41)):  # nobody has found the left knee there
        column = arrays["keypoint_names"].tolist().index("left_knee")
        arrays["keypoints2d_origin"][frame, column] = origin
        arrays["keypoints2d"][frame, column] = 0
    np.savez(path, **arrays)
    imported = scene.import_people([path], bpy.context.scene, with_mesh=False)
    armature = imported.people[0].armature
    bpy.context.scene.adapt_motion.character = bpy.context.view_layer.objects.active = armature
    bpy.context.scene.frame_set(31)
    keypoints.read(armature)
    return armature


def handle(armature, name, frame):
    found = keypoint_pins.handles(bpy.context.scene, armature, frame)
    return next(one for one in found if one.name == name)


def entries(armature):
    return [json.loads(pin.entry) for pin in armature.adapt_motion_pins]


def test_handles_say_what_is_known_of_each_keypoint(character):
    motion = keypoints.known(character)
    assert handle(character, "left_wrist", 5).state == keypoint_pins.SEEN
    assert handle(character, "left_wrist", 16).state == keypoint_pins.FILLED
    knee = handle(character, "left_knee", 41)
    assert knee.state == keypoint_pins.NONE
    column = motion.keypoint_names.index("left_knee")
    assert (knee.x, knee.y) == pytest.approx(motion.keypoints2d[39, column, :2], abs=40), "where the joint is"
    assert keypoint_pins.handles(bpy.context.scene, character, 0) == []


def test_keypoints_of_one_frame_are_one_pin_for_the_engine(character):
    bpy.ops.adapt_motion.drag_keypoints(name="left_wrist", what="MOVE", x=600.5, y=310.25)
    bpy.ops.adapt_motion.drag_keypoints(name="left_elbow", what="MOVE", x=500, y=300)
    bpy.ops.adapt_motion.drag_keypoints(name="left_wrist", what="MOVE", x=610, y=320)
    (entry,) = entries(character)
    assert entry["kind"] == "keypoints"
    assert entry["time_s"] == keypoints.known(character).timestamps[30]
    assert entry["points"] == {"left_wrist": [610, 320], "left_elbow": [500, 300]}
    assert character.adapt_motion_pins[0].what == "2 keypoints dragged"
    assert handle(character, "left_wrist", 31).state == keypoint_pins.DRAGGED
    assert handle(character, "left_wrist", 32).state == keypoint_pins.SEEN
    bpy.ops.adapt_motion.drag_keypoints(name="left_elbow", what="BACK")
    assert character.adapt_motion_pins[0].what == "left_wrist dragged"
    bpy.ops.adapt_motion.drag_keypoints(name="left_wrist", what="BACK")
    assert not character.adapt_motion_pins


def test_a_hidden_keypoint_is_not_seen_in_its_frames_alone(character):
    motion = keypoints.known(character)
    bpy.ops.adapt_motion.drag_keypoints(name="left_wrist", what="HIDE")
    (entry,) = entries(character)
    inside = (motion.timestamps >= entry["start_s"]) & (motion.timestamps <= entry["end_s"])
    assert np.flatnonzero(inside).tolist() == [30]
    assert handle(character, "left_wrist", 31).state == keypoint_pins.HIDDEN
    bpy.ops.adapt_motion.drag_keypoints(name="left_wrist", what="MOVE", x=600, y=300)
    assert [one["kind"] for one in entries(character)] == ["keypoints"], "who puts it somewhere sees it"
    current = bpy.context.scene
    current.use_preview_range, current.frame_preview_start, current.frame_preview_end = True, 21, 40
    bpy.ops.adapt_motion.drag_keypoints(name="left_wrist", what="HIDE")
    (entry,) = entries(character)
    inside = (motion.timestamps >= entry["start_s"]) & (motion.timestamps <= entry["end_s"])
    assert np.flatnonzero(inside).tolist() == list(range(20, 40))
    current.frame_set(25)
    bpy.ops.adapt_motion.drag_keypoints(name="left_wrist", what="BACK")
    assert not character.adapt_motion_pins


def test_what_is_not_ticked_counts_as_not_done(character):
    bpy.ops.adapt_motion.drag_keypoints(name="left_wrist", what="HIDE")
    character.adapt_motion_pins[0].use = False
    assert handle(character, "left_wrist", 31).state == keypoint_pins.SEEN
    bpy.ops.adapt_motion.drag_keypoints(name="left_knee", what="HIDE")
    assert [one["kind"] for one in pins.corrections(character)["corrections"]] == ["unseen"]


def test_an_unknown_keypoint_and_a_frame_without_the_person_are_named(character):
    drag = bpy.ops.adapt_motion.drag_keypoints
    assert "has no keypoint tail" in refused(drag, name="tail", what="HIDE")
    bpy.context.scene.frame_set(200)
    assert "is not tracked at frame 200" in refused(drag, name="left_wrist", what="HIDE")
    character["adapt_motion_person"] = "/nowhere/person_1.npz"
    assert "nowhere" in refused(drag, name="left_wrist", what="HIDE")
    assert not character.adapt_motion_pins


def test_the_way_from_the_picture_to_the_view_leads_back(character):
    motion = keypoints.known(character)
    camera = next(item for item in bpy.context.scene.objects if item.type == "CAMERA")
    bpy.context.view_layer.update()
    view = camera.matrix_world.inverted()
    window = Matrix(((2.2, 0, 0.1, 0), (0, 3.9, -0.05, 0), (0, 0, -1.002, -0.2), (0, 0, -1, 0)))
    region = SimpleNamespace(width=900, height=500)
    data = SimpleNamespace(
        perspective_matrix=window @ view, view_matrix=view, window_matrix=window, is_perspective=True,
        view_perspective="CAMERA",
    )  # fmt: skip
    for x, y in ((640, 360), (100, 600), (1200, 20)):
        pixel = keypoint_drag.pixel_of(region, data, camera, motion, x, y)
        assert keypoint_drag.place_of(region, data, camera, motion, pixel) == pytest.approx((x, y), abs=0.05)
