from dataclasses import replace

import numpy as np
import pytest
import torch
from training_clips import corpus_clip

from engine.training.authored import author, performers
from engine.training.figure import INDEX, MIRROR
from engine.training.motion_batches import RATES, MotionWindows, Variation, clip_weights

AS_CAPTURED = Variation(mirror=0, mixed=0, jitter_rad=0, reach_rad=0, tilt_rad=0, speed=0, shape=0)


def clip(action, seconds=None):
    motion = author(action, performers(1, np.random.default_rng(0))[0], np.random.default_rng(1))
    frames = len(motion.pelvis) if seconds is None else int(seconds * 30)
    whole = corpus_clip(action, motion, "ann", synthetic=True, held_out=False)
    return replace(whole, poses=whole.poses[:frames], pelvis=whole.pelvis[:frames], contacts=whole.contacts[:frames])


def drawn(clips, variation, count=8, frames=49, seed=0):
    windows = MotionWindows(clips, frames, torch.device("cpu"))
    return windows.draw(count, torch.Generator().manual_seed(seed), variation)


def test_shapes_seeds_and_true_rotations():
    clips = [clip("wave"), clip("crouch")]
    batch, again, other = drawn(clips, Variation()), drawn(clips, Variation()), drawn(clips, Variation(), seed=1)
    assert batch.rotations.shape == (8, 49, 24, 3, 3)
    assert batch.pelvis.shape == (8, 49, 3)
    assert batch.contacts.shape == (8, 49, 4)
    torch.testing.assert_close(batch.rotations, again.rotations)
    assert (batch.rotations - other.rotations).abs().max() > 0.1
    eye = torch.eye(3).expand_as(batch.rotations)
    torch.testing.assert_close(batch.rotations @ batch.rotations.transpose(-1, -2), eye, atol=1e-5, rtol=0)


def test_unvaried_windows_are_the_clip_at_some_frame_rate():
    source = clip("crouch")
    batch = drawn([source], AS_CAPTURED, count=4)
    rates = 1 / batch.times_s.diff(dim=1)[:, 0]
    assert all(min(abs(float(rate) - known) for known in RATES) < 1e-3 for rate in rates)
    heights = source.pelvis[:, 2]
    assert float(batch.pelvis[..., 2].min()) >= heights.min() - 1e-5
    assert float(batch.pelvis[..., 2].max()) <= heights.max() + 1e-5


def test_mirrored_windows_change_sides():
    source = [clip("wave")]
    plain, mirrored = drawn(source, AS_CAPTURED), drawn(source, Variation(1, 0, 0, 0, 0, 0, 0))
    flip = torch.diag(torch.tensor([-1.0, 1, 1]))
    body = (flip @ plain.rotations[:, :, MIRROR] @ flip)[:, :, 1:]  # the root is turned by a random heading
    torch.testing.assert_close(mirrored.rotations[:, :, 1:], body, atol=1e-5, rtol=0)
    torch.testing.assert_close(mirrored.contacts, plain.contacts[..., [2, 3, 0, 1]])


def test_mixed_windows_have_other_legs_and_no_known_contact():
    clips = [clip("walk upstairs"), clip("wave")]
    plain, mixed = drawn(clips, AS_CAPTURED), drawn(clips, Variation(0, 1, 0, 0, 0, 0, 0))
    torch.testing.assert_close(mixed.rotations[1:, :, 4], plain.rotations[:-1, :, 4])
    torch.testing.assert_close(mixed.rotations[:, :, 16], plain.rotations[:, :, 16])
    assert (mixed.contacts == -1).all()


def test_clips_shorter_than_a_window_run_to_and_fro():
    batch = drawn([clip("wave", seconds=0.5)], AS_CAPTURED, count=2)
    assert torch.isfinite(batch.rotations).all()
    steps = batch.rotations[:, :, 1:].diff(dim=1).abs().amax()
    assert float(steps) < 0.4  # no jump where it turns back


def test_nothing_to_draw_from_is_an_error():
    with pytest.raises(ValueError, match="no clips"):
        MotionWindows([], 49, torch.device("cpu"))


def test_kept_frames_are_those_of_the_whole_window():
    windows = MotionWindows([clip("crouch")], 49, torch.device("cpu"))
    kept = torch.tensor([0, 3, 20, 48]).expand(8, 4)
    some = windows.draw(8, torch.Generator().manual_seed(0), AS_CAPTURED, kept)
    whole = windows.draw(8, torch.Generator().manual_seed(0), AS_CAPTURED)
    torch.testing.assert_close(some.rotations, whole.rotations[:, kept[0]], atol=1e-5, rtol=0)
    torch.testing.assert_close(some.times_s, whole.times_s[:, kept[0]])


@pytest.mark.parametrize("name", ["arms", "sway_rad", "wild", "bowed"])
def test_added_variation_turns_what_it_says_and_leaves_the_rest(name):
    clips = [clip("wave"), clip("crouch")]
    plain, varied = drawn(clips, AS_CAPTURED), drawn(clips, replace(AS_CAPTURED, **{name: 0.5}))
    turned = (varied.rotations - plain.rotations).abs().amax((-1, -2)) > 1e-3
    where = turned.any(1)  # windows, joints
    arms = [INDEX[f"{side}_{part}"] for side in ("left", "right") for part in ("collar", "shoulder", "elbow", "wrist")]
    if name == "arms":
        assert where[:, arms].any()
        assert not where[:, [joint for joint in range(22) if joint not in arms]].any()
    else:
        assert where[:, 1:].any()
    if name == "sway_rad":
        assert not where[:, 0].any()
        assert turned.float().mean((0, 2)).std() < 0.2  # it comes and goes at all times
    if name == "bowed":
        legs = [INDEX[f"{side}_{part}"] for side in ("left", "right") for part in ("knee", "ankle", "foot")]
        assert not where[:, legs].any()
        hip = INDEX["left_hip"]
        thighs = [part.rotations[:, :, 0] @ part.rotations[:, :, hip] for part in (plain, varied)]
        torch.testing.assert_close(*thighs, atol=1e-5, rtol=0, msg="thighs point where they did")
        up = torch.tensor([0.0, 1, 0])
        upright = [(part.rotations[:, :, 0] @ up)[..., 2].mean() for part in (plain, varied)]
        assert upright[1] < upright[0] - 0.01
    if name == "wild":
        chosen = where.any(1)
        assert 0 < chosen.sum() < len(chosen)
        assert where[chosen].all()
    eye = torch.eye(3).expand_as(varied.rotations)
    torch.testing.assert_close(varied.rotations @ varied.rotations.mT, eye, atol=1e-5, rtol=0)
    torch.testing.assert_close(varied.pelvis, plain.pelvis)


def test_authored_clips_are_drawn_as_often_as_their_share_says():
    clips = [replace(clip("wave", 4), synthetic=False), clip("wave", 4), clip("crouch", 1)]
    weights = clip_weights(clips, 0.25)
    torch.testing.assert_close(weights / weights.sum(), torch.tensor([0.75, 1 / 6, 1 / 12]), atol=1e-3, rtol=0)
    assert clip_weights(clips[:1], 0.25).sum() > 0
