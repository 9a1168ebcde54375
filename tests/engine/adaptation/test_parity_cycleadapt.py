"""CycleAdapt's denoiser, learning rates, losses and merging of windows against the official code."""

import pytest
import torch
from parity_fixtures import agree, arrays, filled, needs_fixtures, shapes, shapes_of

from engine.adaptation import losses
from engine.adaptation.mdnet import (
    MdNet,
    evaluation_mask,
    hidden_loss,
    merge_windows,
    random_masks,
    window_starts,
)
from engine.adaptation.schedule import WarmupCosine, make_optimiser
from engine.body.rotations import axis_angle_to_matrix, matrix_to_six, six_to_matrix


@pytest.fixture
def network():
    return filled(MdNet)


@needs_fixtures
def test_the_denoiser_has_the_tensors_of_the_published_file(network):
    assert shapes_of(network) == shapes("mdnet_cycleadapt")


@needs_fixtures
def test_the_denoiser_computes_what_the_official_code_does(network):
    official = arrays("mdnet_cycleadapt")
    poses = matrix_to_six(axis_angle_to_matrix(official["axis_angle"]), "interleaved").flatten(2)
    agree(poses, official["poses6d"])
    denoised = network(poses, official["mask"])
    agree(denoised, official["denoised6d"])
    agree(six_to_matrix(denoised[:, 24].unflatten(1, (24, 6)), "interleaved"), official["denoised_rotmat_frame24"])
    assert torch.equal(evaluation_mask(), official["mask"][0])


@needs_fixtures
@pytest.mark.parametrize("wrap", [
    lambda state: {"model": state},
    lambda state: {"model_state_dict": {f"md_net.{name}": value for name, value in state.items()}},
])  # fmt: skip
def test_the_published_wrappings_load_whole(tmp_path, network, wrap, caplog):
    path = tmp_path / "md_basemodel.pt"
    torch.save(wrap(network.state_dict()), path)
    loaded = MdNet.from_checkpoint(path)
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in loaded.state_dict().items())
    assert caplog.messages == []


@needs_fixtures
def test_five_steps_of_adaptation_give_the_official_losses_and_weights(network):
    official = arrays("cycleadapt_schedule")
    network.requires_grad_(True)
    poses, masks, before = official["md_poses6d"], official["md_masks"], network.motion_fc_in.weight.detach().clone()
    optimiser, schedule = make_optimiser(network.parameters()), WarmupCosine()
    for cycle, mask in enumerate(masks):
        optimiser.rate = schedule.rate(cycle)
        loss = hidden_loss(network(poses, mask), poses, mask)
        agree(loss.detach(), official["md_losses"][cycle], 0, 1e-5)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        agree(network(poses, masks[0]), official["md_out_after_5_steps"])
        change = network.motion_fc_in.weight - before
    agree(change[:8, :8], official["md_fc_in_weight_delta"], 1e-7, 0)


@needs_fixtures
def test_the_learning_rates_are_the_official_ones():
    rates = [WarmupCosine().rate(cycle) for cycle in range(13)]
    assert rates == pytest.approx(arrays("cycleadapt_schedule")["lr_per_cycle"].tolist(), rel=1e-9)


def test_a_schedule_of_any_length_starts_warm_and_ends_low():
    schedule = WarmupCosine(cycles=5, warmup=0, highest=1.0, lowest=0.1)
    rates = [schedule.rate(cycle) for cycle in range(6)]
    assert rates[0] == 1.0
    assert rates[-1] == pytest.approx(0.1)
    assert rates == sorted(rates, reverse=True)


@needs_fixtures
def test_the_losses_are_the_official_ones():
    o = arrays("cycleadapt_schedule")
    valid = o["loss_frame_valid"]
    matrices = [o[name].reshape(3, 24, 3, 3) for name in ("loss_pred_rotmat", "loss_target_rotmat")]
    pose = losses.pose_loss(*matrices, valid)
    shape = losses.shape_loss(o["loss_pred_betas"], o["loss_target_betas"], valid)
    projection = losses.projection_loss(o["loss_pred_joint_px"], o["loss_target_joint_px"], o["loss_joint_valid"])
    agree(pose, o["loss_pose"], 0, 1e-6)
    agree(shape, o["loss_shape"], 0, 1e-6)
    agree(projection, o["loss_proj"], 0, 1e-6)
    agree(1.0 * pose + 0.001 * shape + 0.1 * projection, o["loss_total"], 0, 1e-6)


@needs_fixtures
def test_windows_merge_as_the_official_code_merges_them():
    official = arrays("cycleadapt_schedule")
    agree(merge_windows(official["windows"]), official["windows_merged"], 1e-6)
    assert len(window_starts(54)) == 6
    assert len(window_starts(48)) == 0


def test_random_masks_hide_the_middle_and_24_others():
    masks = random_masks(200, torch.Generator().manual_seed(6))
    assert masks.shape == (200, 49)
    assert (masks.sum(1) == 24).all()
    assert not masks[:, 24].any()
    shown = masks.mean(0)
    assert ((shown > 0.3) & (shown < 0.7))[torch.arange(49) != 24].all()
