"""SMPL-H and SMPL-X files: the converted body moves as the file's own does, and says whose it is."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from engine.body.model import load_body
from engine.body.smpl_family import SMPLX_VERTICES, as_smpl
from engine.body.smpl_file import PARENTS, read_body_file
from engine.errors import ModelFileError

VERTICES = 200
BODY_PARENTS = list(PARENTS[:22])


def fingers(wrist: int, first: int) -> list[int]:
    """Parents of five fingers with three joints each."""
    return [wrist if part == 0 else first + 3 * finger + part - 1 for finger in range(5) for part in range(3)]


SMPLH_PARENTS = [*BODY_PARENTS, *fingers(20, 22), *fingers(21, 37)]
SMPLX_PARENTS = [*BODY_PARENTS, 15, 15, 15, *fingers(20, 25), *fingers(21, 40)]


def family_arrays(parents, shapes=16, vertices=VERTICES):
    """Made-up arrays with the names, shapes and types of the files for AMASS and of SMPL-X."""
    random = np.random.default_rng(1)
    joints = len(parents)
    weights = random.random((vertices, joints)) ** 8
    regressor = random.random((joints, vertices)) ** 8
    table = [[4294967295, *parents[1:]], range(joints)]
    return {
        "v_template": random.normal(size=(vertices, 3)),
        "shapedirs": 0.1 * random.normal(size=(vertices, 3, shapes)),
        "posedirs": 0.01 * random.normal(size=(vertices, 3, 9 * (joints - 1))),
        "J_regressor": regressor / regressor.sum(1, keepdims=True),
        "weights": weights / weights.sum(1, keepdims=True),
        "kintree_table": np.array(table, dtype=np.int64).astype(np.uint32),
        "f": random.integers(0, vertices, (50, 3)).astype(np.uint32),
        "J": random.normal(size=(joints, 3)),
    }


def posed_by_the_file(arrays, parents, rotations, betas):
    """Vertices and joints of the file's own skeleton, by smplx."""
    lbs = pytest.importorskip("smplx", reason="smplx, which our own layer is compared with, is not installed").lbs.lbs
    tensors = {name: torch.as_tensor(arrays[name]).float() for name in arrays if name not in ("f", "kintree_table")}
    directions = tensors["posedirs"].reshape(-1, tensors["posedirs"].shape[-1]).T
    return lbs(
        betas[None], rotations[None], tensors["v_template"][None], tensors["shapedirs"][..., :10], directions,
        tensors["J_regressor"], torch.tensor([-1, *parents[1:]]), tensors["weights"], pose2rot=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("parents", "kind", "shapes"),
    [(SMPLH_PARENTS, "smplh", 16), (SMPLX_PARENTS, "smplx", 400)],
    ids=["smplh", "smplx"],
)
def test_the_body_moves_as_the_file_s_own(tmp_path, parents, kind, shapes):
    arrays = family_arrays(parents, shapes)
    np.savez(tmp_path / "model.npz", **arrays)
    body = load_body(tmp_path / "model.npz")
    assert body.surface_model_type == kind
    random = np.random.default_rng(2)
    turns = torch.tensor(Rotation.from_rotvec(random.normal(scale=0.6, size=(24, 3))).as_matrix()).float()
    turns[22:] = torch.eye(3)
    whole = torch.eye(3).repeat(len(parents), 1, 1)
    whole[:22] = turns[:22]
    betas = torch.tensor(random.normal(size=10)).float()
    vertices, joints = posed_by_the_file(arrays, parents, whole, betas)
    torch.testing.assert_close(body.vertices(turns[None], betas), vertices, atol=2e-5, rtol=0)
    ours = body.joints(turns[None], betas)
    torch.testing.assert_close(ours[:, :22], joints[:, :22], atol=2e-5, rtol=0)
    for hand, first in ((22, len(parents) - 30), (23, len(parents) - 15)):
        knuckles = joints[:, [first, first + 3, first + 6, first + 9]]
        torch.testing.assert_close(ours[:, hand], knuckles.mean(1), atol=2e-5, rtol=0)


def test_a_turned_hand_takes_the_fingers_corrective_shapes_along():
    arrays = family_arrays(SMPLX_PARENTS)
    turn = Rotation.from_rotvec([0.3, -0.5, 0.2]).as_matrix() - np.eye(3)
    whole = np.zeros((54, 9))
    whole[[25 - 1 + 3 * finger for finger in range(5)]] = turn.ravel()
    ours = np.zeros((23, 9))
    ours[22 - 1] = turn.ravel()
    np.testing.assert_allclose(as_smpl(arrays)["posedirs"] @ ours.ravel(), arrays["posedirs"] @ whole.ravel())


def test_the_real_mesh_of_smplx_has_keypoints_on_its_skin(tmp_path):
    arrays = family_arrays(SMPLX_PARENTS, 20, 10475)
    np.savez(tmp_path / "SMPLX_NEUTRAL.npz", **arrays)
    body = load_body(tmp_path / "SMPLX_NEUTRAL.npz")
    at_rest = body.landmarks(torch.eye(3).repeat(1, 24, 1, 1), torch.zeros(10))[0]
    for name, vertex in (("nose", "nose"), ("left_foot_index", "left_big_toe"), ("right_heel", "right_heel")):
        place = arrays["v_template"][SMPLX_VERTICES[vertex]]
        np.testing.assert_allclose(at_rest[body.landmark_names.index(name)], place, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "gender"),
    [
        ("SMPL_NEUTRAL.npz", "neutral"), ("SMPL_FEMALE.npz", "female"), ("SMPLX_MALE.npz", "male"),
        ("basicmodel_m_lbs_10_207_0_v1.1.0.npz", "male"), ("basicModel_f_lbs_10_207_0_v1.0.0.npz", "female"),
        ("basicModel_neutral_lbs_10_207_0_v1.0.0.npz", "neutral"), ("smplh/female/model.npz", "female"),
        ("smplh/male/model.npz", "male"), ("mybody.npz", "neutral"),
    ],
)  # fmt: skip
def test_the_gender_is_known_from_the_name(tmp_path, name, gender):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **family_arrays(SMPLH_PARENTS))
    assert read_body_file(path).gender == gender
    assert load_body(path).gender == gender


def test_the_file_s_own_gender_goes_before_its_name(tmp_path):
    path = tmp_path / "male.npz"
    np.savez(path, **family_arrays(SMPLH_PARENTS), gender=np.array("female"))
    assert read_body_file(path).gender == "female"


@pytest.mark.parametrize("name", ["weights", "J_regressor", "posedirs"])
def test_a_file_whose_parts_do_not_fit_is_refused(tmp_path, name):
    arrays = family_arrays(SMPLX_PARENTS)
    arrays[name] = arrays[name][..., :-1]
    np.savez(tmp_path / "SMPLX_NEUTRAL.npz", **arrays)
    with pytest.raises(ModelFileError, match=name):
        read_body_file(tmp_path / "SMPLX_NEUTRAL.npz")


def test_a_smplx_file_with_another_tree_is_refused(tmp_path):
    arrays = family_arrays(SMPLX_PARENTS)
    arrays["kintree_table"][0, 7] = 5
    np.savez(tmp_path / "SMPLX_NEUTRAL.npz", **arrays)
    with pytest.raises(ModelFileError, match="not connected"):
        read_body_file(tmp_path / "SMPLX_NEUTRAL.npz")
