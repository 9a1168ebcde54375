"""Footage that is cut in the scene: a camera for each shot, a marker that switches to it, bodies in their shots."""

from __future__ import annotations

from fractions import Fraction

import bpy
import numpy as np
import pytest
import synthetic
from adapt_motion.blender_addon.character import chosen, clip_times, cut_markers, matching, scene, shots, takes
from adapt_motion.blender_addon.export import files
from adapt_motion.blender_addon.run import labels
from bpy_extras.object_utils import world_to_camera_view
from conftest import REPOSITORY
from inside import joints_at
from mathutils import Vector

pytestmark = pytest.mark.short

DEMO = REPOSITORY / "presets" / "demo" / "demo.mp4"
CUTS, FRAMES = (12, 30), 50


@pytest.fixture
def files_of(tmp_path):
    return synthetic.write_shots(tmp_path / "clip", CUTS, FRAMES, rate=Fraction(60), image_size=(1088, 1920))


def marks(target):
    return sorted((one.frame, one.name, one.camera) for one in target.timeline_markers if one.camera is not None)


def cameras(target):
    return [item for item in target.objects if item.type == "CAMERA"]


def test_each_shot_has_a_camera_and_a_marker_that_switches_to_it(blank, files_of):
    blank.render.fps = 60
    imported = scene.import_people(files_of, blank, footage=DEMO, start_frame=101)
    assert [(frame, name) for frame, name, _ in marks(blank)] == [(101, "Shot 1"), (113, "Shot 2"), (131, "Shot 3")]
    assert [camera for _, _, camera in marks(blank)] == imported.cameras == cameras(blank)
    for frame, number in [(101, 0), (112, 0), (113, 1), (130, 1), (131, 2), (150, 2)]:
        blank.frame_set(frame)
        assert blank.camera == imported.cameras[number]
    for camera in imported.cameras:
        assert [one.clip for one in camera.data.background_images] == [imported.movie_clip]


@pytest.mark.parametrize("is_joined", [False, True])
def test_the_body_lies_over_the_footage_in_every_shot(blank, files_of, is_joined):
    paths = [synthetic.join(files_of)] if is_joined else files_of
    blank.render.fps = 60
    imported = scene.import_people(paths, blank)
    scene.match_scene(blank, imported)
    for row in (0, 11, 12, 29, 30, 49):
        shot = sum(row >= cut for cut in CUTS)
        person = imported.people[0 if is_joined else shot]
        at = row if is_joined else row - (0, *CUTS)[shot]
        blank.frame_set(blank.frame_start + row)
        motion = person.motion
        seen = motion.joints3d_cam[at] @ motion.intrinsics.T
        wanted = seen[:, :2] / seen[:, 2:] / motion.image_size
        joints = joints_at(person.armature, blank.frame_start + row)
        views = [world_to_camera_view(blank, blank.camera, Vector(joint)) for joint in joints.tolist()]
        assert np.abs(np.array([(view.x, 1 - view.y) for view in views]) - wanted).max() < 1e-3


def shown(target, imported, frame):
    target.frame_set(frame)
    layer = bpy.context.evaluated_depsgraph_get()
    return [not one.mesh.evaluated_get(layer).hide_render and one.mesh.visible_get() for one in imported.people]


def test_a_body_is_shown_in_its_own_shot_alone(blank, files_of):
    blank.render.fps = 60
    imported = scene.import_people(files_of, blank, start_frame=1)
    at_once = [one.mesh.hide_viewport for one in imported.people]
    assert at_once == [False, True, True], "at the current frame, which nobody has changed yet"
    assert shown(blank, imported, 1) == shown(blank, imported, 12) == [True, False, False]
    assert shown(blank, imported, 13) == shown(blank, imported, 30) == [False, True, False]
    assert shown(blank, imported, 31) == shown(blank, imported, 99) == [False, False, True]


def test_a_shot_alone_and_a_joined_motion_hide_nothing(blank, files_of):
    assert shown(blank, scene.import_people(files_of[1:2], blank), 1) == [True]
    assert shown(blank, scene.import_people([synthetic.join(files_of)], blank), 40) == [True]


def test_a_second_take_has_the_cameras_and_markers_of_the_first(blank, files_of):
    first = scene.import_people(files_of, blank, footage=DEMO)
    before = marks(blank)
    second = scene.import_people(files_of, blank, footage=DEMO)
    assert marks(blank) == before
    assert second.cameras == first.cameras == cameras(blank)
    assert len(bpy.data.cameras) == 3
    assert shown(blank, second, 1) == [True, False, False]
    assert shown(blank, first, 1) == [False, False, False], "the first take is hidden in its shot too"
    takes.show(blank, first.people[0].armature)
    assert shown(blank, first, 1) == [True, False, False]
    without = [scene.import_people(files_of, blank).cameras for _ in range(2)]
    assert without[0] == without[1], "nor has one without footage"


def test_undo_takes_all_of_it_back_and_redo_brings_it_again(addon, files_of):
    bpy.ops.ed.undo_push(message="before")
    scene.import_people(files_of, bpy.context.scene, footage=DEMO)
    bpy.ops.ed.undo_push(message="after")
    bpy.ops.ed.undo()
    target = bpy.context.scene
    assert len(target.timeline_markers) == len(target.objects) == 0
    bpy.ops.ed.redo()
    assert [name for _, name, _ in marks(bpy.context.scene)] == ["Shot 1", "Shot 2", "Shot 3"]
    bpy.ops.ed.undo()
    scene.import_people(files_of, bpy.context.scene, footage=DEMO)
    assert len(cameras(bpy.context.scene)) == len(bpy.context.scene.timeline_markers) == 3


def test_a_camera_that_shows_the_footage_already_is_that_of_the_first_shot(addon, files_of):
    target = bpy.context.scene
    target.adapt_motion.footage = str(DEMO)
    bpy.ops.adapt_motion.show_footage()
    (ours,) = cameras(target)
    imported = scene.import_people(files_of, target, footage=DEMO)
    assert imported.cameras[0] == ours
    assert len(cameras(target)) == 3


def test_a_run_on_a_part_keeps_the_shots_elsewhere(blank, files_of, tmp_path):
    whole = scene.import_people(files_of, blank, footage=DEMO)
    seconds = np.arange(35, 45) / 60
    part = synthetic.write_person(tmp_path / "part", frames=10, timestamps=seconds, rate=Fraction(60), camera_yaw=2.0)
    again = scene.import_people([part], blank, footage=DEMO)
    assert again.cameras == whole.cameras
    assert len(marks(blank)) == 3
    blank.frame_set(blank.frame_start + 40)
    at = again.people[0].motion.camera_to_world[:3, 3]
    assert np.abs(np.array(whole.cameras[2].matrix_world.translation) - at).max() < 1e-5


def test_cuts_that_are_none_any_more_go(blank, files_of, tmp_path):
    scene.import_people(files_of, blank, footage=DEMO)
    uncut = synthetic.write_person(tmp_path / "clip", frames=FRAMES, rate=Fraction(60), image_size=(1088, 1920))
    imported = scene.import_people([uncut], blank, footage=DEMO)
    assert cameras(blank) == imported.cameras
    assert len(imported.cameras) == 1
    assert not len(blank.timeline_markers)
    assert len(bpy.data.cameras) == 1


def test_a_shot_with_nobody_in_it_has_a_camera_too(blank, files_of):
    imported = scene.import_people([files_of[0], files_of[2]], blank)
    assert [frame for frame, _, _ in marks(blank)] == [1, 6, 13]
    places = [tuple(camera.matrix_world.translation) for camera in imported.cameras]
    assert places[1] == places[0] != places[2]


def test_a_marker_whose_camera_was_deleted_is_used_again(blank, files_of):
    imported = scene.import_people(files_of, blank, footage=DEMO)
    bpy.data.objects.remove(imported.cameras[1])
    assert [one.name for one in blank.timeline_markers if one.camera is None] == ["Shot 2"]
    scene.import_people(files_of, blank, footage=DEMO)
    assert len(blank.timeline_markers) == len(marks(blank)) == 3


@pytest.mark.parametrize("fps", [24, 25, 30, 120])
def test_markers_follow_rate_and_first_frame(addon, files_of, fps):
    target = bpy.context.scene
    target.render.fps, target.frame_end = fps, 400  # a scene of the user's own
    settings = target.adapt_motion
    settings.footage = str(DEMO)
    bpy.ops.adapt_motion.show_footage()
    imported = scene.import_people(files_of, target, footage=DEMO)

    def frames(rate, start):
        return [start + int(np.ceil(cut * rate / 60 - 1e-6)) for cut in (0, *CUTS)]

    assert [frame for frame, _, _ in marks(target)] == frames(fps, 1)
    settings.footage_start = 40
    assert [frame for frame, _, _ in marks(target)] == frames(fps, 40)
    assert shown(target, imported, frames(fps, 40)[1]) == [False, True, False]
    assert shown(target, imported, frames(fps, 40)[1] - 1) == [True, False, False]
    scene.set_clip_rate(target, imported.people[0].armature)
    assert [frame for frame, _, _ in marks(target)] == frames(60, 40)
    assert shown(target, imported, 40 + CUTS[0] - 1) == [True, False, False]
    assert shown(target, imported, 40 + CUTS[0]) == [False, True, False]
    target.render.fps = fps
    clip_times.lay(target, Fraction(fps))
    assert [frame for frame, _, _ in marks(target)] == frames(fps, 40)


def test_cuts_are_no_labels(addon, files_of):
    target = bpy.context.scene
    target.render.fps = 60
    scene.import_people(files_of, target)
    with pytest.raises(RuntimeError, match="There are no markers"):
        bpy.ops.adapt_motion.markers_to_labels()
    target.timeline_markers.new("walk", frame=5)
    assert labels.read_markers(target) == 1
    assert [one.label for one in target.adapt_motion.labels] == ["walk"]
    assert target.adapt_motion.labels[0].frame_end > 20, "it goes on across the cut"
    target.adapt_motion.labels[0].label = "Shot 2"
    target.adapt_motion.labels[0].frame_start = 13
    assert len(target.timeline_markers) == 5, "three cuts, the label's start and its end"
    bpy.ops.adapt_motion.clear_labels()
    assert [(frame, name) for frame, name, _ in marks(target)] == [(1, "Shot 1"), (13, "Shot 2"), (31, "Shot 3")]
    target.adapt_motion.labels.add().label = "kick"
    marks(target)[0][2].name = "renamed"
    for marker in target.timeline_markers:
        if cut_markers.is_cut(marker):
            marker.frame += 3
    assert not labels.follow_markers(target), "moving a cut moves no label"


def test_the_clip_is_seen_through_the_camera_of_the_shot_at_hand(addon, files_of):
    target = bpy.context.scene
    target.render.fps = 60
    target.adapt_motion.footage = str(DEMO)
    imported = scene.import_people(files_of, target, footage=DEMO)
    target.adapt_motion.character = imported.people[0].armature
    for frame, number in [(1, 0), (14, 1), (45, 2)]:
        target.frame_set(frame)
        assert chosen.camera_of(bpy.context) == matching.whose(bpy.context)[1] == imported.cameras[number]
    views = [chosen.camera_where_it_begins(target, person.armature) for person in imported.people]
    assert views == imported.cameras


def test_a_body_is_exported_whichever_shot_is_shown(blank, files_of, tmp_path):
    imported = scene.import_people(files_of, blank)
    blank.frame_set(1)
    path = files.export(imported.people[2].armature, tmp_path / "third.fbx", "fbx")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.import_scene.fbx(filepath=str(path))
    (body,) = [item for item in bpy.data.objects if item.type == "MESH"]
    assert len(body.data.vertices) == 24 * 8
    assert body.visible_get()


def test_shots_from_the_times_alone():
    assert [(one.start_s, one.end_s) for one in shots.shots_of([motion(1.0, 2.0)])] == [(0.0, np.inf)]
    found = shots.shots_of([motion(1.0, 2.0, 1.5)], [0.5, 1.2, 5.0])
    assert [one.start_s for one in found] == [0.0, 0.5, 1.5, 5.0], "1.2 s is looked at, and no cut"
    assert [one.filmed is not None for one in found] == [False, True, True, False]


def motion(first, last, *cuts):
    from adapt_motion.blender_addon.character.motion_io import Motion

    times = np.linspace(first, last, 11)
    values = dict.fromkeys(Motion.__dataclass_fields__)
    given = {"timestamps": times, "camera_to_world": np.eye(4), "cuts_s": np.array(cuts) if cuts else None}
    return Motion(**values | given)
