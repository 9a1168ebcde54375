"""How the body looks: clothes of its own surface, relaxed hands; the joints and the floor stay where they are."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
import synthetic
from adapt_motion.blender_addon.character import figure, motion_io, rig, scene
from adapt_motion.blender_addon.ui import preferences


@pytest.fixture(scope="module")
def body():
    return motion_io._bundled_body(motion_io.ROOT / "engine" / "assets" / "open_body.npz", np.zeros(10))


@pytest.fixture(scope="module")
def rest(body):
    return rig.rest_pose(body, motion_io.read_skeleton())


def of_joint(body, rest, *joints):
    columns = [rest.skeleton.names.index(joint) for joint in joints]
    return body.weights[:, columns].sum(1) > 0.9


def test_every_part_of_the_body_wears_what_belongs_there(body, rest):
    worn = rig.look_of(body, rest, "DRESSED")

    def share(part, *joints):
        faces = of_joint(body, rest, *joints)[body.faces].all(1)
        return (worn.parts[faces] == part).mean()

    assert share(figure.SHIRT, "spine3", "left_collar", "right_shoulder") == 1
    assert share(figure.TROUSERS, "pelvis", "left_hip", "right_knee") == 1
    assert share(figure.SKIN, "head", "left_wrist", "right_elbow", "left_foot") == 1


def test_clothes_lie_off_the_body_and_hide_its_details(body, rest):
    worn = rig.look_of(body, rest, "DRESSED")
    trunk = of_joint(body, rest, "spine2", "spine3")
    moved = np.linalg.norm(worn.vertices - rest.vertices, axis=1)
    assert 0.004 < np.median(moved[trunk]) < 0.02
    assert _roughness(worn.vertices, body.faces)[trunk].max() < 0.5 * _roughness(rest.vertices, body.faces)[trunk].max()
    assert moved[of_joint(body, rest, "head")].max() == 0


def _roughness(vertices, faces):
    """(V,) how far each vertex's normal is from its neighbours', as a share of all directions."""
    normals = figure._normals(vertices, faces)
    ones, others = figure._edges(faces)
    return np.bincount(ones, 1 - (normals[ones] * normals[others]).sum(1), len(vertices)) / np.bincount(ones)


def test_feet_stand_as_before(body, rest):
    worn = rig.look_of(body, rest, "DRESSED").vertices
    assert worn[:, 2].min() == rest.vertices[:, 2].min()
    feet = of_joint(body, rest, "left_foot", "right_foot")
    assert (worn[feet] == rest.vertices[feet]).all()


def test_fingers_hang_relaxed_on_both_hands(body, rest):
    worn = rig.look_of(body, rest, "MANNEQUIN").vertices
    for sign in (1, -1):
        tip = np.argmax(sign * rest.vertices[:, 0])
        assert rest.vertices[tip, 2] - worn[tip, 2] > 0.02, "the tips point down"
        assert sign * worn[tip, 0] < sign * rest.vertices[tip, 0]


def test_a_body_as_in_its_file_is_untouched(body, rest):
    assert rig.look_of(body, rest, "PLAIN").vertices is rest.vertices


def test_characters_come_in_as_the_preferences_say_and_share_materials(addon, tmp_path):
    assert addon.look == "DRESSED", "the default"
    assert {item[0] for item in preferences.LOOKS} == set(figure.LOOKS)
    path = synthetic.write_person(tmp_path / "clip")
    bodies = []
    for look in ("DRESSED", "DRESSED", "PLAIN"):
        addon.look = look
        bpy.ops.adapt_motion.import_motion(filepath=str(path))
        bodies.append(bpy.context.scene.adapt_motion.character.children[0].data)
    assert [len(mesh.materials) for mesh in bodies] == [3, 3, 0]
    assert list(bodies[0].materials) == list(bodies[1].materials)
    assert {polygon.material_index for polygon in bodies[0].polygons} == {0, 1, 2}


def test_the_look_changes_no_motion(blank, tmp_path):
    blank.render.fps = 30
    person = scene.import_people([synthetic.write_person(tmp_path / "clip")], blank, look="DRESSED").people[0]
    assert [group.name for group in person.mesh.vertex_groups] == synthetic.NAMES
    assert len(person.mesh.data.vertices) == 24 * 8
