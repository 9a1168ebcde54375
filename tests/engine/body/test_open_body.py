"""The bundled body: SMPL's skeleton with sound skin. `build_open_body.py` checks more while it builds."""

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.csgraph
import torch

from engine.body.landmarks import JOINT_NAMES
from engine.body.model import OPEN_BODY
from engine.body.rotations import axis_angle_to_matrix
from engine.body.smpl_file import PARENTS, read_body_file

BONES = json.loads((Path(__file__).parent / "mannequin_x_bones.json").read_text())["lengths"]
SHAPES = {
    "zero": (0, 0),
    "shape number 1 at -2": (-2, 0),
    "shape number 1 at +2": (2, 0),
    "shape number 2 at -2": (0, -2),
    "shape number 2 at +2": (0, 2),
}
SIDES = {name: name.replace("left", "right") for name in JOINT_NAMES if name.startswith("left")}


@pytest.fixture(scope="module")
def arrays():
    return read_body_file(OPEN_BODY)


def betas_of(shape: str) -> torch.Tensor:
    betas = torch.zeros(10)
    betas[:2] = torch.tensor(SHAPES[shape])
    return betas


def place(points, name):
    return points[JOINT_NAMES.index(name)]


@pytest.mark.parametrize("shape", SHAPES)
def test_bones_are_mannequin_xs_within_2_cm(body, shape):
    joints = body.rest_joints(betas_of(shape)).numpy()
    for name, wanted in BONES[shape].items():
        index = JOINT_NAMES.index(name)
        assert np.linalg.norm(joints[index] - joints[PARENTS[index]]) == pytest.approx(wanted, abs=0.02), name


def test_the_first_shape_number_is_stature_and_the_second_bulk(body):
    def stature(shape):
        return np.ptp(body.rest(betas_of(shape)).vertices[:, 1])

    def waist(shape):
        vertices = body.rest(betas_of(shape)).vertices
        torso = vertices[np.abs(vertices[:, 0]) < 0.3]
        spine = place(body.rest_joints(betas_of(shape)), "spine1")[1].item()
        return np.ptp(torso[np.abs(torso[:, 1] - spine) < 0.02, 2])

    assert stature("zero") == pytest.approx(1.72, abs=0.01)
    assert stature("shape number 1 at +2") - stature("shape number 1 at -2") > 0.3
    assert waist("shape number 2 at +2") - waist("shape number 2 at -2") > 0.05


def test_the_rest_pose_is_smpls(body):
    joints = body.rest_joints(torch.zeros(10))
    left_wrist, left_shoulder, left_ankle, left_foot, head, pelvis = (
        place(joints, name) for name in ("left_wrist", "left_shoulder", "left_ankle", "left_foot", "head", "pelvis")
    )
    assert left_wrist[0] > left_shoulder[0] + 0.4
    assert abs(left_wrist[1] - left_shoulder[1]) < 0.1
    assert head[1] > pelvis[1] + 0.5 > left_ankle[1] + 1
    assert left_foot[2] > left_ankle[2] + 0.05
    for left, right in SIDES.items():
        assert torch.allclose(place(joints, left), place(joints, right) * torch.tensor([-1, 1, 1]), atol=1e-4), left


@pytest.mark.parametrize("shape", SHAPES)
def test_both_feet_stand_on_one_plane_at_every_shape(body, shape):
    vertices = body.rest(betas_of(shape)).vertices
    ground = vertices[:, 1].min()
    for side in (1, -1):
        foot = vertices[side * vertices[:, 0] > 0]
        heel, toes = foot[foot[:, 2] < -0.05], foot[foot[:, 2] > 0.08]
        assert heel[:, 1].min() - ground < 0.012
        assert toes[:, 1].min() - ground < 0.012


def test_the_format_is_smpls(arrays):
    assert arrays.surface_model_type == "open-body"
    assert OPEN_BODY.stat().st_size < 5e6
    assert 5000 < len(arrays.v_template) < 14000
    assert (arrays.weights >= 0).all()
    assert np.allclose(arrays.weights.sum(1), 1, atol=1e-6)
    assert ((arrays.weights > 0).sum(1) <= 4).all()
    assert (arrays.joint_regressor >= 0).all()
    assert np.allclose(arrays.joint_regressor.sum(1), 1, atol=1e-5)
    assert np.array_equal(np.unique(arrays.faces), np.arange(len(arrays.v_template)))


def test_the_mesh_is_the_skin_and_two_eyes_seen_from_outside(arrays):
    edges = np.concatenate((arrays.faces[:, :2], arrays.faces[:, 1:]))
    count = len(arrays.v_template)
    graph = scipy.sparse.coo_matrix((np.ones(len(edges)), edges.T), shape=(count, count))
    parts, label = scipy.sparse.csgraph.connected_components(graph, directed=False)
    assert parts == 3
    assert np.bincount(label).max() > 0.98 * count
    corners = arrays.v_template[arrays.faces]
    volume = np.einsum("fi,fi->f", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6
    assert 0.055 < volume < 0.08  # cubic metres, positive: faces are counter-clockwise from outside


def test_skin_moves_with_its_own_limb(body):
    """Bending one elbow by 90 degrees to the front moves that forearm alone, and keeps its thickness."""
    rotations = torch.eye(3).repeat(1, 24, 1, 1)
    rotations[0, JOINT_NAMES.index("left_elbow")] = axis_angle_to_matrix(torch.tensor([0.0, -torch.pi / 2, 0.0]))
    rest = body.rest(torch.zeros(10)).vertices
    bent = body.vertices(rotations, torch.zeros(10))[0].numpy()
    elbow = place(body.rest_joints(torch.zeros(10)), "left_elbow").numpy()
    still, forearm = rest[:, 0] < elbow[0] - 0.12, rest[:, 0] > elbow[0] + 0.12
    assert np.abs(bent[still] - rest[still]).max() < 0.005
    assert (bent[forearm, 2] > elbow[2] + 0.1).all()
    middle = np.abs(rest[:, 0] - elbow[0] - 0.13) < 0.01
    assert np.ptp(bent[middle, 1]) == pytest.approx(np.ptp(rest[middle, 1]), rel=0.05)


@pytest.mark.parametrize(
    ("joint", "turn"),
    [
        ("left_hip", (-1.6, 0, 0)),
        ("left_knee", (2.0, 0, 0)),
        ("left_shoulder", (0, 0, -1.3)),
        ("left_shoulder", (0, 0, 1.2)),
        ("left_elbow", (0, -2.0, 0)),
        ("spine2", (0.6, 0, 0)),
        ("neck", (0.5, 0, 0)),
    ],
)
def test_no_face_is_torn_by_a_common_pose(body, joint, turn):
    rotations = torch.eye(3).repeat(1, 24, 1, 1)
    rotations[0, JOINT_NAMES.index(joint)] = axis_angle_to_matrix(torch.tensor(turn, dtype=torch.float32))
    rest = body.rest(torch.zeros(10)).vertices
    bent = body.vertices(rotations, torch.zeros(10))[0].numpy()

    def lengths(vertices):
        corners = vertices[body.faces]
        return np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=-1)

    longer = lengths(bent) - lengths(rest)
    assert longer.max() < 0.035


def test_landmarks_lie_where_their_names_say(body):
    still = torch.eye(3).expand(1, 24, 3, 3)
    points = dict(zip(body.landmark_names, body.landmarks(still, torch.zeros(10))[0].numpy(), strict=True))
    ground = body.rest(torch.zeros(10)).vertices[:, 1].min()
    assert points["nose"][2] > points["left_eye"][2] > points["left_ear"][2] + 0.05
    assert points["left_eye"][1] > points["nose"][1] > points["mouth_left"][1]
    assert 0.05 < np.linalg.norm(points["left_eye"] - points["right_eye"]) < 0.07
    assert points["left_eye_outer"][0] > points["left_eye"][0] > points["left_eye_inner"][0] > 0
    assert 0.23 < np.linalg.norm(points["left_foot_index"] - points["left_heel"]) < 0.28
    assert points["left_heel"][1] - ground < 0.03
    assert points["left_big_toe"][0] < points["left_small_toe"][0]
    assert points["left_index"][2] > points["left_pinky"][2] + 0.04
    assert points["left_thumb"][2] > points["left_index"][2]
    for name in ("left_index", "left_pinky"):
        assert 0.06 < np.linalg.norm(points[name] - points["left_wrist"]) < 0.11
    assert 0.17 < np.linalg.norm(points["left_hip"] - points["right_hip"]) < 0.22
