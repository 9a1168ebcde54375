"""The body's layer: against smplx, against the numbers of the official code, and in a mirror."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from parity_fixtures import agree, arrays, needs_fixtures
from torch.utils._python_dispatch import TorchDispatchMode

from engine.body.landmarks import JOINT_NAMES, LANDMARKS, SMPL_VERTEX_COUNT, SMPL_VERTICES
from engine.body.model import OPEN_BODY, BodyModel, load_body
from engine.body.rotations import axis_angle_to_matrix
from engine.body.smpl_file import PARENTS, BodyArrays, read_body_file
from engine.keypoints import joint_sets

MIRROR = torch.diag(torch.tensor([-1.0, 1.0, 1.0]))


def made_up_body(vertices: int = 40, landmarks: dict[str, list[int]] | None = None, seed: int = 0) -> BodyArrays:
    """A body of random numbers in the right shapes, pose directions included."""
    random = np.random.default_rng(seed)
    weights, regressor = random.random((vertices, 24)) ** 4, random.random((24, vertices))
    return BodyArrays(
        v_template=random.normal(size=(vertices, 3)),
        shapedirs=0.1 * random.normal(size=(vertices, 3, 10)),
        posedirs=0.01 * random.normal(size=(vertices, 3, 207)),
        joint_regressor=regressor / regressor.sum(1, keepdims=True),
        weights=weights / weights.sum(1, keepdims=True),
        faces=random.integers(0, vertices, (30, 3)),
        landmark_vertices=landmarks,
        surface_model_type="smpl",
    )


def some_motion(frames: int = 7, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    rotations = axis_angle_to_matrix(0.7 * torch.randn(frames, 24, 3, generator=generator))
    return rotations, torch.randn(10, generator=generator), torch.randn(frames, 3, generator=generator)


@pytest.fixture(scope="module")
def open_body() -> BodyModel:
    return load_body()


def by_smplx(found: BodyArrays, rotations, betas) -> tuple[torch.Tensor, torch.Tensor]:
    """Joints and vertices by the official package, in double precision."""
    smplx = pytest.importorskip("smplx", reason="smplx, which our own layer is compared with, is not installed")
    vertices, joints = smplx.lbs.lbs(
        betas.expand(len(rotations), 10),
        rotations,
        *(torch.tensor(single(array)) for array in (found.v_template, found.shapedirs)),
        torch.tensor(single(found.posedirs).reshape(-1, 207).T),
        torch.tensor(single(found.joint_regressor)),
        torch.tensor(PARENTS),
        torch.tensor(single(found.weights)),
        pose2rot=False,
    )
    return joints, vertices


def single(array):
    """The numbers as a body keeps them."""
    return array.astype(np.float32).astype(np.float64)


@pytest.mark.parametrize("kind", ["made up", "open body"])
def test_joints_and_vertices_agree_with_smplx(kind):
    found = made_up_body() if kind == "made up" else read_body_file(OPEN_BODY)
    rotations, betas, transl = (tensor.double() for tensor in some_motion())
    joints, vertices = by_smplx(found, rotations, betas)
    body = BodyModel(found).double()
    apart = {
        "joints": body.joints(rotations, betas, transl) - (joints + transl[:, None]),
        "vertices": body.vertices(rotations, betas, transl) - (vertices + transl[:, None]),
        "without a path": body.joints(rotations, betas) - joints,
        "a shape for each frame": body.vertices(rotations, betas.expand(7, 10)) - vertices,
    }
    for name, difference in apart.items():
        assert difference.abs().max() < 1e-6, name
    shaped = BodyModel(found).rest(betas.float()).vertices - (
        single(found.v_template) + single(found.shapedirs) @ betas.numpy()
    )
    assert np.abs(shaped).max() < 1e-5


@needs_fixtures
def test_numbers_of_the_official_code():
    official = arrays("conversions")
    numbers = {
        name: official[f"body_{name}"].double().numpy() for name in ("v_template", "shapedirs", "posedirs", "weights")
    }
    body = BodyModel(
        BodyArrays(
            **numbers,
            joint_regressor=official["body_J_regressor"].double().numpy(),
            faces=np.zeros((0, 3), dtype=np.int64),
            landmark_vertices=None,
            surface_model_type="smpl",
        )
    )
    rotations = axis_angle_to_matrix(official["body_pose_axis_angle"].reshape(2, 24, 3))
    agree(body.joints(rotations, official["body_betas"]), official["body_joints"])
    agree(body.vertices(rotations, official["body_betas"]), official["body_vertices"])


def test_landmarks_are_the_skinned_vertices_and_mixes_of_joints():
    body = BodyModel(made_up_body(landmarks={"nose": [3], "left_ear": [5, 8]}))
    rotations, betas, transl = some_motion()
    vertices, joints = body.vertices(rotations, betas, transl), body.joints(rotations, betas, transl)
    found = dict(zip(body.landmark_names, body.landmarks(rotations, betas, transl).unbind(1), strict=True))
    assert "right_ear" not in found
    assert torch.allclose(found["nose"], vertices[:, 3], atol=1e-5)
    assert torch.allclose(found["left_ear"], vertices[:, [5, 8]].mean(1), atol=1e-5)
    assert torch.allclose(found["left_knee"], joints[:, JOINT_NAMES.index("left_knee")], atol=1e-5)
    pelvis, left, right = (joints[:, JOINT_NAMES.index(name)] for name in ("pelvis", "left_hip", "right_hip"))
    assert torch.allclose(found["mid_hip"], 0.34 * pelvis + 0.33 * (left + right), atol=1e-5)


def test_smpls_own_mesh_is_known_by_its_size():
    body = BodyModel(made_up_body(SMPL_VERTEX_COUNT))
    rotations, betas, _ = some_motion(2)
    found = body.landmarks(rotations, betas)[:, body.landmark_names.index("left_foot_index")]
    assert torch.allclose(found, body.vertices(rotations, betas)[:, SMPL_VERTICES["left_big_toe"]], atol=1e-4)
    assert "left_pinky" not in body.landmark_names


def test_every_keypoint_of_the_detectors_is_on_the_open_body(open_body):
    for names in joint_sets.JOINT_SETS.values():
        assert set(names) <= set(open_body.landmark_names)
    for name, landmark in LANDMARKS.items():
        assert bool(landmark.vertex) != bool(landmark.joints), name
        if landmark.joints:
            assert sum(weight for _, weight in landmark.joints) == pytest.approx(1)


def test_everything_is_differentiable(open_body):
    rotations, betas, transl = (tensor.clone().requires_grad_() for tensor in some_motion(3))
    for function in (open_body.joints, open_body.landmarks, open_body.vertices):
        for tensor in (rotations, betas, transl):
            tensor.grad = None
        function(rotations, betas, transl).square().sum().backward()
        for tensor in (rotations, betas, transl):
            assert tensor.grad is not None
            assert tensor.grad.isfinite().all()
            assert tensor.grad.abs().sum() > 0


def test_one_shape_or_one_per_frame(open_body):
    rotations, betas, transl = some_motion(3)
    many = betas.expand(3, 10)
    for function in (open_body.joints, open_body.landmarks, open_body.vertices):
        assert torch.allclose(function(rotations, betas, transl), function(rotations, many, transl), atol=1e-6)


def test_turning_the_root_turns_about_the_pelvis_joint(open_body):
    rotations, betas, _ = some_motion(1)
    turned = rotations.clone()
    turned[:, 0] = axis_angle_to_matrix(torch.tensor([[0.4, 1.0, -0.7]])) @ rotations[:, 0]
    assert torch.allclose(open_body.joints(rotations, betas)[:, 0], open_body.joints(turned, betas)[:, 0], atol=1e-6)
    assert torch.allclose(open_body.joints(rotations, betas)[0, 0], open_body.rest_joints(betas)[0], atol=1e-6)


def test_mirrored_in_mirrored_out(open_body):
    """One arm is raised, so a mirror that does nothing would show."""
    rotations, betas, _ = some_motion(2)
    rotations[0] = torch.eye(3)
    rotations[0, JOINT_NAMES.index("left_shoulder")] = axis_angle_to_matrix(torch.tensor([0.0, 0.0, 1.2]))
    order = joint_sets.mirror_order(JOINT_NAMES)
    mirrored = MIRROR @ rotations[:, order] @ MIRROR
    assert torch.allclose(
        open_body.joints(mirrored, betas), (open_body.joints(rotations, betas) @ MIRROR)[:, order], atol=1e-4
    )
    names = open_body.landmark_names
    points, mirrored_points = open_body.landmarks(rotations, betas), open_body.landmarks(mirrored, betas)
    assert torch.allclose(mirrored_points, (points @ MIRROR)[:, joint_sets.mirror_order(names)], atol=1e-3)
    left_wrist, right_wrist = (points[0, names.index(name)] for name in ("left_wrist", "right_wrist"))
    assert left_wrist[1] - right_wrist[1] > 0.3
    assert left_wrist[0] > 0 > right_wrist[0]


def test_the_rest_body_is_the_body_that_is_posed(open_body):
    _, betas, _ = some_motion(1)
    rest = open_body.rest(betas)
    still = torch.eye(3).expand(1, 24, 3, 3)
    assert np.allclose(rest.vertices, open_body.vertices(still, betas)[0], atol=1e-5)
    assert np.allclose(rest.joints, open_body.joints(still, betas)[0], atol=1e-5)
    assert rest.faces.dtype == np.int32
    assert rest.vertices.dtype == rest.weights.dtype == np.float32
    assert np.allclose(rest.weights.sum(1), 1, atol=1e-5)


def test_wrong_shapes_are_named(open_body):
    with pytest.raises(ValueError, match=r"rotations is \(24, 3, 3\), not \(T, 24, 3, 3\)"):
        open_body.joints(torch.zeros(24, 3, 3), torch.zeros(10))
    with pytest.raises(ValueError, match=r"betas is \(12,\)"):
        open_body.vertices(torch.zeros(1, 24, 3, 3), torch.zeros(12))


def test_nothing_is_printed_where_events_go(capfd):
    BodyModel(made_up_body())
    assert capfd.readouterr().out == ""


class Operations(TorchDispatchMode):
    """Counts what PyTorch is called for."""

    count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.count += 1
        return function(*args, **(kwargs or {}))


def test_joints_take_a_call_for_each_level_of_the_tree_and_none_for_a_frame(open_body):
    counts = []
    for frames in (10, 100):
        rotations, betas, transl = some_motion(frames)
        with Operations() as operations:
            open_body.joints(rotations, betas, transl)
        counts.append(operations.count)
    assert counts[0] == counts[1] < 250


def test_the_presets_armature_is_this_skeleton(open_body):
    table = json.loads((Path(__file__).parents[3] / "presets" / "armature.json").read_text(encoding="utf-8"))["joints"]
    names = [joint["name"] for joint in table]
    assert tuple(names) == JOINT_NAMES
    assert tuple(names.index(joint["parent"]) if joint["parent"] else -1 for joint in table) == PARENTS
    assert np.allclose([joint["rest"] for joint in table], open_body.rest_joints(torch.zeros(10)), atol=1e-3)
