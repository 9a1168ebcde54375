import pytest
import torch

from engine.backbones.limbs import ANSWERS, JOINTS, LIMBS, SeenLimbs, pointed, swing
from engine.body.landmarks import JOINT_NAMES
from engine.body.rotations import axis_angle_to_matrix
from engine.keypoints.joint_sets import MEDIAPIPE_33

SURE = 20.0
LEFT_ELBOW = JOINT_NAMES.index("left_elbow")
FOREARM = JOINTS.index(LEFT_ELBOW)


def answers(trust=0.0, by_picture=0.0, by_length=0.0):
    given = torch.zeros(1, 1, LIMBS, ANSWERS)
    given[..., 0], given[..., 1], given[..., 2] = trust, by_picture, by_length
    return given


def upright():
    return torch.diag(torch.tensor([1.0, -1, -1])).expand(1, 1, 24, 3, 3).clone()


def seen(flat=(0.0, 0.0), metres=(0.0, 0.0, 0.0)):
    return SeenLimbs(torch.tensor(flat).expand(1, 1, LIMBS, 2), torch.tensor(metres).expand(1, 1, LIMBS, 3))


def forearm(turns, body):
    """Direction of the left forearm in the virtual camera."""
    bone = body.joint_template[JOINT_NAMES.index("left_wrist")] - body.joint_template[LEFT_ELBOW]
    return torch.nn.functional.normalize(turns[0, 0, LEFT_ELBOW] @ bone, dim=0)


def test_every_joint_is_turned_for_one_limb_at_most():
    assert len(set(JOINTS)) == LIMBS


def test_no_trust_leaves_the_pose_as_it_is(body):
    turns = upright()
    got = pointed(turns, answers(trust=-100), seen(metres=(0.1, 0.2, 0.1)), torch.ones(1, 1), body)
    torch.testing.assert_close(got, turns)


def test_trusted_limbs_point_where_the_detector_says(body):
    way = torch.tensor([0.05, -0.2, 0.1])
    got = pointed(upright(), answers(SURE, -SURE, -SURE), seen(metres=tuple(way.tolist())), torch.ones(1, 1), body)
    torch.testing.assert_close(forearm(got, body), way / way.norm(), atol=1e-3, rtol=0)
    torch.testing.assert_close(got @ got.mT, torch.eye(3).expand_as(got), atol=1e-5, rtol=0)
    fixed = [joint for joint in range(24) if joint not in JOINTS]
    torch.testing.assert_close(got[:, :, fixed], upright()[:, :, fixed])


@pytest.mark.parametrize("side", [-0.01, 0.01])
def test_a_limb_that_looks_short_leans_to_the_side_that_the_detector_says(body, side):
    """Half of its length in the picture: 60 degrees out of it, however little the detector's 3D leans."""
    bone = body.joint_template[JOINT_NAMES.index("left_wrist")] - body.joint_template[LEFT_ELBOW]
    size = 0.8
    flat = (float(bone.norm()) / 2 / size, 0.0)
    picture = seen(flat, (0.2, 0.0, side))
    got = forearm(pointed(upright(), answers(SURE, SURE, SURE), picture, torch.full((1, 1), size), body), body)
    assert got[0] == pytest.approx(0.5, abs=0.01)
    assert got[2] == pytest.approx(0.866 * (1 if side > 0 else -1), abs=0.01)


def test_limbs_of_keypoints_that_were_not_seen_have_no_picture():
    points = torch.rand(1, 2, len(MEDIAPIPE_33), 6)
    points[:, 1, MEDIAPIPE_33.index("left_wrist"), 2] = 0
    limbs = SeenLimbs.of(points)
    elbow, wrist = (points[0, 0, MEDIAPIPE_33.index(f"left_{name}")] for name in ("elbow", "wrist"))
    torch.testing.assert_close(limbs.flat[0, 0, FOREARM], (wrist - elbow)[:2])
    torch.testing.assert_close(limbs.metres[0, 0, FOREARM], (wrist - elbow)[3:])
    assert not limbs.flat[0, 1, FOREARM].any()
    assert limbs.metres[0, 1, FOREARM].any()


def test_swing_turns_the_shortest_way_and_stays_finite_for_opposite_directions():
    torch.manual_seed(0)
    start, end = torch.nn.functional.normalize(torch.randn(2, 50, 3), dim=-1)
    keep = (start * end).sum(-1) > -0.9
    turn = swing(start[keep], end[keep])
    torch.testing.assert_close((turn @ start[keep][..., None])[..., 0], end[keep], atol=1e-4, rtol=0)
    axis = torch.linalg.cross(start[keep], end[keep])
    torch.testing.assert_close((turn @ axis[..., None])[..., 0], axis, atol=1e-4, rtol=0)
    opposite = start.clone().requires_grad_()
    swing(opposite, -start).sum().backward()
    assert opposite.grad.isfinite().all()


def test_gradients_are_finite_where_nothing_is_seen(body):
    given = answers().requires_grad_()
    turns = upright() @ axis_angle_to_matrix(0.1 * torch.randn(1, 1, 24, 3))
    pointed(turns, given, seen(), torch.ones(1, 1), body).square().sum().backward()
    assert given.grad.isfinite().all()
