"""MotionCLIP against the official code."""

import pytest
import torch
from parity_fixtures import agree, arrays, filled, needs_fixtures, shapes, shapes_of
from torch.nn import functional

from engine.body.rotations import axis_angle_to_matrix
from engine.semantics.motionclip import (
    MotionClip,
    camera_to_z_up,
    motion_tokens,
    position_table,
    right_ankle_path,
    token_rotations,
)


@pytest.fixture(scope="module")
def network():
    network = filled(MotionClip)
    for part in (network.encoder, network.decoder):
        part.sequence_pos_encoder.pe.copy_(position_table())
    return network


@needs_fixtures
def test_it_has_the_tensors_of_the_published_file(network):
    assert shapes_of(network) == shapes("motionclip")


@needs_fixtures
def test_it_computes_what_the_official_code_does(network):
    official = arrays("motionclip")
    real = official["mask"]
    motion = motion_tokens(axis_angle_to_matrix(official["axis_angle"]), official["translation"])
    motion = motion * real[:, None, None]
    agree(motion, official["x"])
    feature = network.encode(motion, real)
    agree(feature, official["mu"])
    agree(functional.normalize(feature, dim=-1), official["mu_unit"], 1e-6)
    agree(network.decoder(feature, real), official["decoded"])
    agree(network.decode(official["feature_in"]), official["decoded_from_feature"])


@needs_fixtures
def test_gradients_reach_the_motion_and_the_weights_stay(network):
    official = arrays("motionclip")
    motion = official["x"][:1].clone().requires_grad_()
    (1 - functional.cosine_similarity(network.encode(motion), official["feature_in"][:1])).sum().backward()
    assert torch.isfinite(motion.grad).all()
    assert (motion.grad[0, :24].abs().amax((0, 1)) > 0).all(), "a frame without a gradient"
    assert all(parameter.grad is None for parameter in network.parameters())
    with torch.no_grad():  # PyTorch's fast path without gradients gives the same
        agree(network.encode(official["x"][:1]), network.encode(motion).detach())


@needs_fixtures
def test_the_published_file_loads_whole_and_without_its_tables(tmp_path, network, caplog):
    state = network.state_dict()
    path = tmp_path / "checkpoint_0100.pth.tar"
    for left_out in ((), ("encoder.sequence_pos_encoder.pe", "decoder.sequence_pos_encoder.pe")):
        torch.save({name: value for name, value in state.items() if name not in left_out}, path)
        loaded = MotionClip.from_checkpoint(path)
        path.unlink()
        assert all(torch.equal(value, state[name]) for name, value in loaded.state_dict().items())
        assert not any(parameter.requires_grad for parameter in loaded.parameters())
    assert caplog.messages == []


def test_rotations_come_back_from_tokens_whatever_the_ankle_does():
    generator = torch.Generator().manual_seed(4)
    rotations = axis_angle_to_matrix(torch.randn(2, 5, 24, 3, generator=generator))
    path = torch.randn(2, 5, 3, generator=generator)
    tokens = motion_tokens(rotations, path)
    assert tokens.shape == (2, 25, 6, 5)
    torch.testing.assert_close(token_rotations(tokens), rotations)
    torch.testing.assert_close(tokens[:, 24, :3, 3], path[:, 3] - path[:, 0])
    assert not tokens[:, 24, 3:].any()


def test_the_ankle_path_forgets_where_the_body_is():
    joints = torch.randn(1, 4, 24, 3, generator=torch.Generator().manual_seed(5))
    torch.testing.assert_close(right_ankle_path(joints + 3.0), right_ankle_path(joints))
    moved = joints.clone()
    moved[..., 8, 0] += 1.0  # the right ankle alone
    torch.testing.assert_close((right_ankle_path(moved) - right_ankle_path(joints))[..., 0], torch.ones(1, 4))


def test_someone_upright_before_a_level_camera_stands_with_z_up():
    upright = torch.eye(3).repeat(24, 1, 1)
    upright[0] = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
    turned = camera_to_z_up(upright)
    body_up = turned[0] @ torch.tensor([0.0, 1.0, 0.0])
    torch.testing.assert_close(body_up, torch.tensor([0.0, 0.0, 1.0]))
    assert torch.equal(turned[1:], upright[1:])
