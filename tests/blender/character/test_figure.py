"""How the body looks: clothes of its own surface, relaxed hands; the joints and the floor stay where they are."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
import synthetic
from adapt_motion.blender_addon.character import clothes, figure, motion_io, rig, scene, shoes, surface
from adapt_motion.blender_addon.ui import preferences


@pytest.fixture(scope="module")
def body():
    return motion_io._bundled_body(motion_io.ROOT / "engine" / "assets" / "open_body.npz", np.zeros(10))


@pytest.fixture(scope="module")
def rest(body):
    return rig.rest_pose(body, motion_io.read_skeleton())


@pytest.fixture(scope="module")
def dressed(body, rest):
    return rig.look_of(body, rest, "DRESSED")


def heavy(weights, rest, *joints):
    """(V,) which vertices follow these joints alone."""
    columns = [rest.skeleton.names.index(joint) for joint in joints]
    return weights[:, columns].sum(1) > 0.9


def part_of(dressed, part):
    return surface.chosen(dressed.surface, dressed.surface.faces[dressed.parts == part])


def head(rest, joint):
    return rest.heads[rest.skeleton.names.index(joint)]


def test_every_part_of_the_body_wears_what_belongs_there(dressed, rest):
    def worn_on(*joints):
        faces = heavy(dressed.surface.weights, rest, *joints)[dressed.surface.faces].all(1)
        return set(dressed.parts[faces])

    assert worn_on("spine3", "left_collar", "right_shoulder") == {figure.SHIRT, figure.SKIN}, "the arm reaches in"
    assert worn_on("spine1", "spine2", "spine3") == {figure.SHIRT}
    assert worn_on("left_hip", "right_knee") <= {figure.TROUSERS, figure.SHIRT, figure.SKIN}
    assert worn_on("head", "left_wrist", "right_elbow") == {figure.SKIN}
    assert worn_on("left_foot") == {figure.SHOES, figure.SOLES}


def test_clothes_end_in_straight_lines(dressed, rest):
    trousers, shirt = part_of(dressed, figure.TROUSERS), part_of(dressed, figure.SHIRT)
    where = clothes.lines(rest.heads, rest.skeleton.names)
    for part, line in ((trousers, where.trousers_end), *((shirt, sleeve) for sleeve in where.sleeves)):
        inside = line(part.vertices)
        assert inside.min() > -clothes.HEM_M, "nothing is beyond, but for hems that turn in"
        assert (np.abs(inside) < 1e-9).sum() > 20, "a ring of vertices is on the line"
    ends = head(rest, "left_shoulder")[0] < shirt.vertices[:, 0].max() < head(rest, "left_elbow")[0]
    assert ends, "above the elbow"
    assert head(rest, "left_ankle")[2] < trousers.vertices[:, 2].min() < head(rest, "left_ankle")[2] + 0.06


def test_weights_sum_to_one_and_no_vertex_is_left_over(dressed):
    assert np.allclose(dressed.surface.weights.sum(1), 1, atol=1e-5)
    assert dressed.surface.weights.min() >= 0
    used = np.unique(dressed.surface.faces)
    assert len(used) == len(dressed.surface.vertices)
    assert np.isfinite(dressed.surface.vertices).all()


def test_clothes_lie_off_the_body_and_hide_its_details(body, rest, dressed):
    shirt = part_of(dressed, figure.SHIRT)
    bare = surface.Surface(rest.vertices, body.faces, body.weights)
    roughest = []
    for one in (bare, shirt):
        trunk = heavy(one.weights, rest, "spine2", "spine3") & (one.vertices[:, 2] < head(rest, "neck")[2] - 0.08)
        roughness, length = _roughness(one.vertices, one.faces)
        roughest.append(roughness[trunk & (length < 0.015)].max())  # elsewhere it is the shape of the trunk
    assert roughest[1] < 0.65 * roughest[0]
    off = np.linalg.norm(shirt.vertices[trunk][:, None] - rest.vertices, axis=-1).min(1)
    assert 0.004 < np.median(off) < 0.03
    assert shirt.vertices[:, 2].max() < (head(rest, "neck")[2] + head(rest, "head")[2]) / 2, "none on the chin"


def _roughness(vertices, faces):
    """(V,) how far each vertex's normal is from its neighbours', as a share of all directions; mean length of edges."""
    normals = surface.normals(vertices, faces)
    ones, others = surface.edges(faces)
    count = np.maximum(np.bincount(ones, minlength=len(vertices)), 1)
    lengths = np.linalg.norm(vertices[ones] - vertices[others], axis=1)
    turns = 1 - (normals[ones] * normals[others]).sum(1)
    return tuple(np.bincount(ones, values, len(vertices)) / count for values in (turns, lengths))


def test_shoes_are_flat_below_and_hold_the_feet(body, rest, dressed):
    soles, uppers = part_of(dressed, figure.SOLES), part_of(dressed, figure.SHOES)
    assert dressed.surface.vertices[:, 2].min() == soles.vertices[:, 2].min() == 0, "they stand where the feet stood"
    down = surface.normals(soles.vertices, soles.faces)[:, 2] < -0.99
    assert down.sum() > 60
    assert np.ptp(soles.vertices[down, 2]) == 0
    both = np.concatenate([soles.vertices, uppers.vertices])
    for axis in (0, 1):
        feet = rest.vertices[heavy(body.weights, rest, "left_foot", "right_foot")]
        assert both[:, axis].min() < feet[:, axis].min()
        assert both[:, axis].max() > feet[:, axis].max()
    assert uppers.vertices[:, 2].max() < part_of(dressed, figure.TROUSERS).vertices[:, 2].min(), "the ankle is free"


@pytest.mark.parametrize("betas", [(3, 2, -2, 2), (-3, -2, 2, -1), (0, 4, 0, -3)])
def test_bodies_of_every_shape_are_dressed(betas):
    body = motion_io._bundled_body(motion_io.ROOT / "engine" / "assets" / "open_body.npz", np.array(betas, dtype=float))
    rest = rig.rest_pose(body, motion_io.read_skeleton())
    dressed = rig.look_of(body, rest, "DRESSED")
    assert set(dressed.parts) == set(range(len(figure.NAMES)))
    # the surface of the shoes faces outwards
    for part in (figure.SHOES, figure.SOLES):
        shoe = part_of(dressed, part)
        corners = shoe.vertices[shoe.faces]
        left = corners[:, :, 0].mean(1) > 0
        inside = corners[left].reshape(-1, 3).mean(0)
        across = np.cross(corners[left, 1] - corners[left, 0], corners[left, 2] - corners[left, 0])
        assert (across * (corners[left].mean(1) - inside)).sum() > 0


@pytest.mark.parametrize("size", [0.5, 1.0, 1.3])
def test_clothes_of_small_bodies_lie_off_them_too(body, rest, size):
    """Their edges are shorter, so they are smoothed more, which draws limbs thinner."""
    heads, vertices = rest.heads * size, rest.vertices * size
    dressed = figure.figure(vertices, body.faces, body.weights, heads, rest.skeleton.names, "DRESSED")
    shirt = part_of(dressed, figure.SHIRT)
    arms = heavy(shirt.weights, rest, "left_shoulder", "left_elbow")
    ring = arms & (np.abs(clothes.lines(heads, rest.skeleton.names).sleeves[0](shirt.vertices)) < 1e-9)
    middle = shirt.vertices[ring].mean(0)
    on_arm = np.abs(vertices[:, 0] - middle[0]) < 0.02 * size
    cloth, skin = (np.linalg.norm(at[:, 1:] - middle[1:], axis=1) for at in (shirt.vertices[ring], vertices[on_arm]))
    assert np.median(cloth) > np.median(skin) + 0.002


BENT = {"knee": 100, "ankle": -40, "foot": 40, "elbow": 90}


def test_bent_knees_ankles_and_elbows_tear_nothing(body, rest, dressed):
    """No edge grows much more than on the body itself."""

    def longest(vertices, faces, weights):
        posed = _bent(vertices, weights, rest)
        ones, others = surface.edges(faces)
        before, after = (np.linalg.norm(at[ones] - at[others], axis=1) for at in (vertices, posed))
        return (after - before).max()

    plain = longest(rest.vertices, body.faces, body.weights)
    for part in range(len(figure.NAMES)):
        piece = part_of(dressed, part)
        assert longest(piece.vertices, piece.faces, piece.weights) < 1.3 * plain + 0.002, figure.NAMES[part]


def _bent(vertices, weights, rest):
    """Vertices skinned to joints that are turned about the x-axis by `BENT` degrees."""
    names, parents = rest.skeleton.names, rest.skeleton.parents
    placed = []
    for joint, name in enumerate(names):
        angle = np.radians(BENT.get(name.split("_")[-1], 0))
        turn = np.eye(4)
        turn[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        turn[:3, 3] = rest.heads[joint] - turn[:3, :3] @ rest.heads[joint]
        placed.append(turn if parents[joint] < 0 else placed[parents[joint]] @ turn)
    each = np.einsum("vj,jab->vab", weights, np.stack(placed))
    return np.einsum("vab,vb->va", each[:, :3, :3], vertices) + each[:, :3, 3]


def test_a_foot_of_a_few_vertices_goes_bare(rest):
    few = surface.Surface(rest.vertices[:50], np.zeros((0, 3), dtype=int), np.ones((50, 24)) / 24)
    assert shoes.shoe(few, head(rest, "left_ankle"), head(rest, "left_foot")) is None


def test_a_triangle_is_cut_where_the_line_passes():
    square = surface.Surface(
        np.array([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)], dtype=float),
        np.array([(0, 1, 2), (0, 2, 3)]),
        np.eye(4),
    )
    part, border = surface.clip(square, square.vertices[:, 0] - 0.25)
    corners = part.vertices[part.faces]
    areas = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2] / 2
    assert areas.min() > 0, "faces look the same way as before"
    assert areas.sum() == pytest.approx(0.75)
    assert np.allclose(part.vertices[border][..., 0], 0.25)
    assert np.allclose(part.weights.sum(1), 1)
    none, border = surface.clip(square, square.vertices[:, 0] - 2)
    assert len(none.faces) == len(border) == 0


def test_a_mannequin_keeps_its_feet_and_head(body, rest):
    worn = rig.look_of(body, rest, "MANNEQUIN").surface.vertices
    assert worn[:, 2].min() == rest.vertices[:, 2].min()
    for joints in (("left_foot", "right_foot"), ("head",)):
        kept = heavy(body.weights, rest, *joints)
        assert (worn[kept] == rest.vertices[kept]).all()


def test_fingers_hang_relaxed_on_both_hands(body, rest):
    worn = rig.look_of(body, rest, "MANNEQUIN").surface.vertices
    for sign in (1, -1):
        tip = np.argmax(sign * rest.vertices[:, 0])
        assert rest.vertices[tip, 2] - worn[tip, 2] > 0.02, "the tips point down"
        assert sign * worn[tip, 0] < sign * rest.vertices[tip, 0]


def test_a_body_as_in_its_file_is_untouched(body, rest):
    assert rig.look_of(body, rest, "PLAIN").surface.vertices is rest.vertices


def test_characters_come_in_as_the_preferences_say_and_share_materials(addon, tmp_path):
    assert addon.look == "DRESSED", "the default"
    assert {item[0] for item in preferences.LOOKS} == set(figure.LOOKS)
    path = synthetic.write_person(tmp_path / "clip")
    bodies = []
    for look in ("DRESSED", "DRESSED", "PLAIN"):
        addon.look = look
        bpy.ops.adapt_motion.import_motion(filepath=str(path))
        bodies.append(bpy.context.scene.adapt_motion.character.children[0].data)
    assert [len(mesh.materials) for mesh in bodies] == [5, 5, 0]
    assert list(bodies[0].materials) == list(bodies[1].materials)
    assert {polygon.material_index for polygon in bodies[0].polygons} == {0, 1, 2}


def test_the_look_changes_no_motion(blank, tmp_path):
    blank.render.fps = 30
    person = scene.import_people([synthetic.write_person(tmp_path / "clip")], blank, look="DRESSED").people[0]
    plain = scene.import_people([synthetic.write_person(tmp_path / "clip")], blank).people[0]
    assert [group.name for group in person.mesh.vertex_groups] == synthetic.NAMES
    for frame in (1, 5):
        blank.frame_set(frame)
        for bone, other in zip(person.armature.pose.bones, plain.armature.pose.bones, strict=True):
            assert np.allclose(bone.matrix, other.matrix, atol=1e-6)
