"""*Put on One Floor*: characters that stand over or under the floor come onto it, feet where the picture has them."""

from __future__ import annotations

from fractions import Fraction

import bpy
import numpy as np
import pytest
import walking
from adapt_motion.blender_addon.blender import timing
from adapt_motion.blender_addon.character import scene
from adapt_motion.blender_addon.cleanup import edits, one_floor
from adapt_motion.blender_addon.errors import UserError
from bpy_extras.object_utils import world_to_camera_view
from inside import joints_at
from mathutils import Vector

FRAMES = (1, 40, 80)


@pytest.fixture
def people(blank, tmp_path):
    """Two walkers of one clip, the second 0.3 m over the floor of the first; and their camera."""
    timing.set_scene_rate(blank, Fraction(30))
    files = [walking.write_walker(tmp_path / "clip", number) for number in (1, 2)]
    with np.load(files[1]) as stored:
        arrays = dict(stored)
    arrays["camera_to_world"][2, 3] -= 0.3  # its own world begins at its own floor
    np.savez(files[1], **arrays)
    imported = scene.import_people(files, blank)
    return [person.armature for person in imported.people], imported.camera


def heights(armature) -> float:
    points, touching = edits.soles(edits.read(armature), 30.0)
    return float(np.median(points[touching], axis=0)[2])


def in_picture(armature, camera) -> np.ndarray:
    """(F, 24, 2) where the joints are in the picture, in parts of it."""
    bpy.context.view_layer.update()
    places = np.concatenate([joints_at(armature, frame) for frame in FRAMES])
    view = [world_to_camera_view(bpy.context.scene, camera, Vector(place))[:2] for place in places]
    return np.array(view).reshape(len(FRAMES), 24, 2)


def test_feet_come_onto_the_floor(blank, people):
    (first, second), camera = people
    assert heights(second) - heights(first) == pytest.approx(0.3, abs=0.01)
    before = in_picture(second, camera)
    put = one_floor.put_on_floor([first, second], blank, camera)
    bpy.context.view_layer.update()
    assert put.left == {}
    assert put.moved[second.name] == pytest.approx(0.3, abs=0.05)
    assert [heights(one) for one in (first, second)] == pytest.approx([0, 0], abs=1e-3)
    assert tuple(second.scale) == pytest.approx((1, 1, 1), abs=1e-5)
    moved = np.abs(in_picture(second, camera) - before)[:, [7, 8]]
    assert moved.mean() < 0.03, "the feet stay about where the picture has them"


def test_resized_it_stays_over_the_footage(blank, people):
    (first, second), camera = people
    before = in_picture(second, camera)
    one_floor.put_on_floor([first, second], blank, camera, resize=True)
    bpy.context.view_layer.update()
    assert heights(second) == pytest.approx(0, abs=1e-3)
    assert second.scale.x > 1.1
    assert np.abs(in_picture(second, camera) - before).max() < 1e-4


def test_without_a_camera_straight_down(blank, people):
    (_, second), _ = people
    place = second.matrix_world.translation.copy()
    one_floor.put_on_floor([second], blank)
    moved = second.matrix_world.translation - place
    assert tuple(moved) == pytest.approx((0, 0, -heights_before(second, moved)), abs=1e-5)


def heights_before(armature, moved) -> float:
    bpy.context.view_layer.update()
    return heights(armature) - moved.z


def test_who_stands_far_from_the_floor_is_left(blank, people):
    (first, second), camera = people
    place = second.matrix_world.copy()
    put = one_floor.put_on_floor([first, second], blank, camera, reach=0.15)
    assert list(put.left) == [second.name]
    assert second.matrix_world == place


def test_travel_on_the_object_goes_along(blank, people):
    from adapt_motion.blender_addon.cleanup import root_motion

    (_, second), camera = people
    root_motion.set_travel(second, "OBJECT", blank)
    bpy.context.view_layer.update()
    assert abs(heights(second)) > 0.2
    one_floor.put_on_floor([second], blank, camera)
    blank.frame_set(2)
    assert heights(second) == pytest.approx(0, abs=2e-3)


def test_feet_that_never_touch_are_reported(blank, people):
    (_, second), camera = people
    for curve in list(edits.contacts.curves_of(second).values()):
        for point in curve.keyframe_points:
            point.co[1] = 0
    with pytest.raises(UserError, match="No foot touches"):
        one_floor.put_on_floor([second], blank, camera)


def test_the_button_moves_all_of_the_clip(addon, people):
    bpy.context.view_layer.objects.active = people[0][0]
    assert bpy.ops.adapt_motion.one_floor() == {"FINISHED"}
    bpy.context.view_layer.update()
    assert [heights(one) for one in people[0]] == pytest.approx([0, 0], abs=1e-3)
