import functools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from training_clips import corpus_clip

from engine.backbones.landmark_network import LandmarkNetwork, NetworkOutput, NetworkShape, in_camera
from engine.backbones.observation import look_at
from engine.body.model import load_body
from engine.body.rotations import axis_angle_to_matrix
from engine.body.similarity import aligned
from engine.evaluation.metrics import aligned_errors
from engine.keypoints.joint_sets import COCO_17, MEDIAPIPE_33
from engine.training.authored import author, performers
from engine.training.backbone_batches import NOT_SPOILT, BackboneBatch, BatchMaker, Spoiling, kept_frames
from engine.training.backbone_losses import Weights, backbone_losses, posed, total
from engine.training.backbone_score import score_backbone
from engine.training.detector_model import DetectorModel
from engine.training.motion_batches import MotionWindows
from engine.training.observations import LOWER_BODY_UNSEEN, NOTHING_HIDDEN

CPU = torch.device("cpu")


@functools.cache
def body():
    return load_body(None)


@functools.cache
def clip():
    motion = author("wave", performers(1, np.random.default_rng(0))[0], np.random.default_rng(1))
    return corpus_clip("wave", motion, "someone", synthetic=True, held_out=True)


def batch(spoiling=NOT_SPOILT, conditions=NOTHING_HIDDEN, count=8, frames=10, seed=0, legs_guessed=0.0):
    windows = MotionWindows([clip()], 60, CPU)
    detector = DetectorModel.from_file()
    maker = BatchMaker(windows, body(), detector, conditions=conditions, spoiling=spoiling, legs_guessed=legs_guessed)
    return maker.draw(count, frames, torch.Generator().manual_seed(seed))


def points(drawn: BackboneBatch):
    return drawn.features[..., :198].unflatten(-1, (33, 6))


def truth_as_output(drawn: BackboneBatch, betas_off=0.0) -> NetworkOutput:
    """What a network that knows everything would say."""
    virtual = (drawn.turn.mT @ drawn.pelvis[..., None])[..., 0]
    rotations = drawn.rotations.clone()
    rotations[:, :, 0] = drawn.turn.mT @ rotations[:, :, 0]
    return NetworkOutput(
        rotations,
        drawn.betas + betas_off,
        (virtual[..., 2] * drawn.scale).log(),
        virtual[..., :2] / virtual[..., 2:] / drawn.scale[..., None],
        torch.where(drawn.contacts > 0.5, 20.0, -20.0),
        torch.zeros(*drawn.rotations.shape[:3]),
    )


def test_kept_frames_are_increasing_and_some_are_neighbours():
    kept = kept_frames(300, 20, 60, torch.Generator().manual_seed(0))
    assert kept.shape == (300, 20)
    assert (kept.diff(dim=1) > 0).all()
    assert 0 <= kept.min() <= kept.max() < 60
    runs = (kept[:, -1] - kept[:, 0] == 19).float().mean()
    assert 0.2 < runs < 0.45
    assert (kept_frames(4, 60, 60, torch.Generator().manual_seed(0)) == torch.arange(60)).all()


def test_a_seed_fixes_a_batch():
    one, again, other = batch(Spoiling()), batch(Spoiling()), batch(Spoiling(), seed=1)
    assert all(torch.equal(a, b) for a, b in zip(vars(one).values(), vars(again).values(), strict=True))
    assert not torch.equal(one.features, other.features)
    assert one.features.isfinite().all()


def test_the_truth_has_no_loss():
    drawn = batch(Spoiling(focal=1.0))
    losses = backbone_losses(truth_as_output(drawn), drawn, body())
    assert all(float(value) < 2e-3 for value in losses.values()), losses


@pytest.mark.parametrize("name", [item for item in vars(Weights()) if item != "contacts"])
def test_each_error_has_a_loss(name):
    drawn = batch()
    true = truth_as_output(drawn)
    turn = axis_angle_to_matrix(0.3 * torch.randn(*true.rotations.shape[:3], 3, generator=torch.Generator()))
    wrong = NetworkOutput(
        true.rotations @ turn,
        true.betas + 1,
        true.log_depth + 0.2,
        true.offset + 0.1,
        true.contact_logits,
        true.log_error,
    )
    assert backbone_losses(wrong, drawn, body())[name] > 0.02


def test_expected_errors_are_best_as_large_as_the_real_ones():
    drawn = batch()
    true = truth_as_output(drawn)
    turn = axis_angle_to_matrix(0.3 * torch.randn(*true.rotations.shape[:3], 3, generator=torch.Generator()))
    wrong = replace(true, rotations=true.rotations @ turn)
    joints, _ = posed(in_camera(wrong, drawn.turn, drawn.scale)[0], drawn.betas, body())
    real = (aligned(joints, drawn.joints) - drawn.joints).norm(dim=-1).clamp(min=1e-6).log()
    found = [
        float(backbone_losses(replace(wrong, log_error=real + off), drawn, body())["error"]) for off in (-0.5, 0, 0.5)
    ]
    assert found[1] < min(found[0], found[2]) - 0.05


def test_acceleration_counts_between_even_frames_alone():
    drawn = batch(frames=60)
    even = backbone_losses(truth_as_output(drawn), drawn, body())["acceleration"]
    shaken = BackboneBatch(**{**vars(drawn), "joints": drawn.joints + 0.1 * torch.randn(drawn.joints.shape)})
    output = truth_as_output(drawn)
    assert backbone_losses(output, shaken, body())["acceleration"] > even + 0.2
    uneven = BackboneBatch(**{**vars(shaken), "times_s": 20 * drawn.times_s.square() + drawn.times_s})
    assert backbone_losses(output, uneven, body())["acceleration"] < 1e-6


def test_contacts_count_only_where_they_are_known():
    drawn = batch()
    true = truth_as_output(drawn)
    wrong = replace(true, contact_logits=-true.contact_logits)
    assert backbone_losses(wrong, drawn, body())["contacts"] > 5
    unknown = BackboneBatch(**{**vars(drawn), "contacts": torch.full_like(drawn.contacts, -1)})
    assert backbone_losses(wrong, unknown, body())["contacts"] == 0


def test_a_wrong_focal_length_changes_what_is_reported_and_not_what_is_true():
    right, wrong = batch(), batch(replace(NOT_SPOILT, focal=1.0, focal_error=0.3))
    assert torch.equal(right.rotations, wrong.rotations)
    torch.testing.assert_close(right.scale, wrong.scale, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(right.turn, wrong.turn, atol=1e-3, rtol=0)
    given = (wrong.features - right.features)[..., -2]  # logarithm of the box in units of the focal length
    assert given.abs().amax() > 0.05
    assert given.std(1).max() < 1e-3  # the same in all frames of a window
    factor = (-given.mean(1)).exp()
    centre = wrong.features[..., -4:-2] * factor[:, None, None]
    torch.testing.assert_close(look_at(centre), wrong.turn, atol=2e-3, rtol=0)


def test_spoiling_takes_away_what_it_says():
    assert (points(batch(replace(NOT_SPOILT, no_3d=1.0)))[..., 3:] == 0).all()
    few = points(batch(replace(NOT_SPOILT, fewer_points=1.0)))
    missing = [place for place, name in enumerate(MEDIAPIPE_33) if name not in COCO_17]
    assert (few[:, :, missing] == 0).all()
    assert (few[:, :, MEDIAPIPE_33.index("nose"), 2] > 0).any()
    gaps = points(batch(replace(NOT_SPOILT, gap=1.0), count=20, frames=30))[..., 2].amax(-1) == 0
    plain = points(batch(NOT_SPOILT, count=20, frames=30))[..., 2].amax(-1) == 0
    assert gaps.float().mean() > plain.float().mean() + 0.1


def test_a_calmer_detector_errs_less():
    def error(drawn):
        rays = drawn.landmarks + drawn.pelvis[:, :, None]
        virtual = (drawn.turn.mT[:, :, None] @ rays[..., None])[..., 0]
        true = virtual[..., :2] / virtual[..., 2:] / drawn.scale[..., None, None]
        seen = points(drawn)
        known = (seen[..., 2] > 0) & (true.abs().amax(-1) < 2)
        return (seen[..., :2] - true).norm(dim=-1)[known].median()

    assert error(batch(Spoiling(0, 0, 0, 0, 0, 0, 1.0), count=40)) < 0.9 * error(batch(count=40))


def test_gradients_of_the_loss_reach_every_weight():
    torch.manual_seed(0)
    network = LandmarkNetwork(NetworkShape(32, 2, 4))
    drawn = batch(Spoiling())
    total(backbone_losses(network(drawn.features, drawn.times_s, body()), drawn, body()), Weights()).backward()
    without = [name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert not without


class _Knowing(torch.nn.Module):
    """Says what an untrained network says, whose weights tell the device."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.network = LandmarkNetwork(NetworkShape(32, 1, 4)).eval()

    def forward(self, features, times, body):
        return self.network(features, times, body)


def test_scores_of_an_untrained_network_are_bad_and_tell_seen_from_unseen():
    score = score_backbone(_Knowing(), [clip()], body(), DetectorModel.from_file(), LOWER_BODY_UNSEEN, windows=6)
    assert score.windows == 6
    assert 50 < score.pa_mpjpe < score.mpjpe < 2000
    assert math.isfinite(score.pa_unseen)
    assert score.rounded()["pa_seen"] == round(score.pa_seen, 1)
    whole = score_backbone(_Knowing(), [clip()], body(), DetectorModel.from_file(), NOTHING_HIDDEN, windows=2)
    assert whole.acceleration >= 0


def test_limbs_of_the_3d_are_turned_the_same_way_throughout_and_keep_their_lengths():
    plain, turned = (points(batch(replace(NOT_SPOILT, limbs=share), count=20)) for share in (0.0, 1.0))
    assert torch.equal(plain[..., :3], turned[..., :3])  # the picture stays
    shoulder, elbow, wrist = (MEDIAPIPE_33.index(f"left_{part}") for part in ("shoulder", "elbow", "wrist"))
    for start, end in ((shoulder, elbow), (elbow, wrist)):
        before, after = (drawn[:, :, end, 3:] - drawn[:, :, start, 3:] for drawn in (plain, turned))
        there = (before.norm(dim=-1) > 0.01) & (after.norm(dim=-1) > 0.01)
        assert there.float().mean() > 0.8
        torch.testing.assert_close(before.norm(dim=-1)[there], after.norm(dim=-1)[there], atol=2e-3, rtol=0)
        angle = torch.rad2deg(torch.arccos(torch.cosine_similarity(before, after, dim=-1).clamp(-1, 1)))
        assert 10 < angle[there].mean() < 60
    some = points(batch(replace(NOT_SPOILT, limbs=0.5), count=20))
    changed = (some - plain).abs().flatten(1).amax(1) > 1e-3
    assert 4 <= int(changed.sum()) <= 16


def test_a_share_of_the_windows_never_shows_the_legs():
    hidden = batch(count=10, legs_guessed=0.3).hidden
    ankles = [MEDIAPIPE_33.index(f"{side}_ankle") for side in ("left", "right")]
    assert hidden[7:, :, ankles].float().mean() > 0.9
    assert hidden[:7, :, ankles].float().mean() < 0.1


def test_points_are_aligned_as_the_metric_aligns_them():
    generator = torch.Generator().manual_seed(0)
    target = torch.randn(4, 5, 24, 3, generator=generator)
    points = torch.randn(4, 5, 24, 3, generator=generator)
    points[:2] = 2 * target[:2] * torch.tensor([-1.0, 1, 1]) + 0.1 * points[:2]  # mirrored: no turn does that
    errors = (aligned(points, target) - target).norm(dim=-1).flatten(0, 1)
    everywhere = np.ones((20, 24), bool)
    expected = aligned_errors(*(p.flatten(0, 1).double().numpy() for p in (points, target)), everywhere)
    np.testing.assert_allclose(errors.numpy(), expected, atol=1e-4)


def test_the_detector_can_be_surer_than_measured_and_never_less_sure():
    plain, sure = (points(batch(replace(NOT_SPOILT, sure=share), count=20))[..., 2] for share in (0.0, 1.0))
    assert (sure >= plain - 1e-6).all()
    unsure = (plain > 0.05) & (plain < 0.7)
    assert (sure - plain)[unsure].mean() > 0.1
