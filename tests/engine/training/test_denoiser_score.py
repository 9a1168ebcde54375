from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.adaptation.denoiser import MotionDenoiser
from engine.body.rotations import matrix_to_six, six_to_matrix
from engine.errors import UsageError
from engine.training.authored import author, performers
from engine.training.corpus import CorpusClip
from engine.training.denoiser_score import score_denoiser, score_windows
from engine.training.figure import vectors
from engine.training.motion_noise import Noise


@pytest.fixture(scope="module")
def clips():
    person = performers(1, np.random.default_rng(0))[0]
    return [
        as_clip(author(action, person, np.random.default_rng(1)), action == "wave")
        for action in ("wave", "push something heavy")
    ]


def as_clip(motion, synthetic):
    poses = vectors(motion.rotations).reshape(-1, 72).astype(np.float32)
    contacts = motion.contacts.astype(np.int8)
    betas = np.zeros(10, np.float32)
    return CorpusClip("clip", "x", "ann", synthetic, True, poses, motion.pelvis.astype(np.float32), contacts, betas, ())


class Nothing(MotionDenoiser):
    """Gives back what is seen; fills gaps with a straight line."""

    def forward(self, rotations, shown):
        six, out = matrix_to_six(rotations).numpy(), matrix_to_six(rotations).numpy().copy()
        for b, j in np.argwhere((shown.reshape(*shown.shape[:2], -1) == 0).any(1).numpy()):
            seen = np.flatnonzero(shown[b, :, j])
            for k in range(6):
                out[b, :, j, k] = np.interp(np.arange(49), seen, six[b, seen, j, k])
        return six_to_matrix(torch.from_numpy(out))


def test_scores_of_a_network_that_does_nothing_are_the_noise_itself(clips):
    score = score_denoiser(Nothing(), clips, Noise())
    for kind in (score.captured, score.authored):
        for level in kind.levels:
            assert level.acceleration_denoised == pytest.approx(level.acceleration_noisy, rel=1e-3, abs=1e-3)
            assert level.pa_mpjpe_denoised == pytest.approx(level.pa_mpjpe_noisy, rel=1e-3, abs=1e-3)
        for gap in kind.gaps:
            assert gap.infill == pytest.approx(gap.interpolated, rel=1e-3)
        full, half, _, none = kind.levels
        assert full.pa_mpjpe_noisy == pytest.approx(2 * half.pa_mpjpe_noisy, rel=0.05)
        assert none.acceleration_noisy == 0
        assert kind.gaps[0].infill < kind.gaps[1].infill


def test_longer_gaps_and_legs_alone_are_scored(clips):
    score = score_denoiser(MotionDenoiser().eval(), clips, Noise())
    assert [(gap.frames, gap.lower_body_only) for gap in score.captured.gaps] == [
        (10, False), (20, False), (10, True), (20, True)
    ]  # fmt: skip
    assert all(np.isfinite(gap.infill) for gap in score.captured.gaps)


def test_captured_and_authored_are_kept_apart(clips):
    both = score_denoiser(MotionDenoiser().eval(), clips, Noise())
    alone = score_denoiser(MotionDenoiser().eval(), clips[:1], Noise())
    assert alone.captured is None
    assert alone.authored == both.authored
    assert both.captured.windows == len(clips[1].poses) // 49


def test_clips_without_a_window_are_refused(clips):
    short = replace(clips[0], poses=clips[0].poses[:40], pelvis=clips[0].pelvis[:40])
    with pytest.raises(UsageError, match="as long as a window"):
        score_windows([short])
