import hashlib

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from training_clips import StopAt, corpus_clip

from engine.adaptation.denoiser import SHIPPED, MotionDenoiser, denoise_track, load_denoiser
from engine.body.rotations import axis_angle_to_matrix
from engine.errors import CancelledError, ModelFileError, UsageError
from engine.runtime.progress import Silent
from engine.training.authored import author, performers
from engine.training.corpus import read_corpus, write_corpus
from engine.training.denoiser import DenoiserTraining, Noise, score_denoiser, spoiled, train_denoiser


def random_network():
    torch.manual_seed(0)
    network = MotionDenoiser(width=32, blocks=2)
    with torch.no_grad():
        network.leave.weight.normal_(0, 0.05)
    return network.eval()


def windows(count=3, seed=0, size=0.5):
    generator = torch.Generator().manual_seed(seed)
    ends = torch.randn(count, 2, 24, 3, generator=generator) * size
    share = torch.linspace(0, 1, 49)[None, :, None, None]
    return axis_angle_to_matrix(ends[:, :1] * (1 - share) + ends[:, 1:] * share)


def seen(count=3, hidden=()):
    shown = torch.ones(count, 49)
    shown[:, list(hidden)] = 0
    return shown


def test_untrained_network_bridges_gaps_and_smooths():
    clean = windows(size=0.2)
    spoilt = clean.clone()
    spoilt[:, 20:25] = torch.eye(3)
    out = MotionDenoiser()(spoilt, seen(hidden=range(20, 25)))
    assert (out[:, 6:-6] - clean[:, 6:-6]).abs().max() < 0.01
    noisy = spoiled(clean, Noise(wander=0, burst_share=0), torch.Generator().manual_seed(0))
    out = MotionDenoiser()(noisy, seen())
    assert out.diff(n=2, dim=1).abs().mean() < 0.2 * noisy.diff(n=2, dim=1).abs().mean()


def test_results_are_rotations_and_hidden_frames_are_not_looked_at():
    network, clean, shown = random_network(), windows(), seen(hidden=(0, 7, 8, 48))
    out = network(clean, shown)
    torch.testing.assert_close(out @ out.transpose(-1, -2), torch.eye(3).expand_as(out), atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.det(out), torch.ones(out.shape[:-2]), atol=1e-5, rtol=0)
    other = clean.clone()
    other[:, [0, 7, 8, 48]] = windows(seed=5)[:, [0, 7, 8, 48]]
    torch.testing.assert_close(network(other, shown), out)
    assert (out - clean).abs().max() > 1e-3


@pytest.mark.parametrize("turn", [(0, 0, 2.0), (3.1, 0, 0), (0.5, -1, 0.3)])
def test_orientation_of_the_camera_does_not_matter(turn):
    network, clean, shown = random_network(), windows(), seen(hidden=(3, 4))
    about = axis_angle_to_matrix(torch.tensor(turn, dtype=torch.float32))
    turned = clean.clone()
    turned[:, :, 0] = about @ clean[:, :, 0]
    out, expected = network(turned, shown), network(clean, shown)
    torch.testing.assert_close(out[:, :, 0], about @ expected[:, :, 0], atol=1e-4, rtol=0)
    torch.testing.assert_close(out[:, :, 1:], expected[:, :, 1:], atol=1e-4, rtol=0)


def test_joints_are_hidden_each_for_itself():
    network, clean = random_network(), windows()
    shown = torch.ones(3, 49, 24)
    shown[:, 10:30, 4] = 0
    out, other = network(clean, shown), clean.clone()
    other[:, 10:30, 4] = windows(seed=5)[:, 10:30, 4]
    torch.testing.assert_close(network(other, shown), out)
    frames_alone = torch.ones(3, 49, 24)
    frames_alone[:, 7:9] = 0
    torch.testing.assert_close(network(clean, frames_alone), network(clean, seen(hidden=(7, 8))), atol=1e-4, rtol=0)


def test_what_is_never_seen_is_taken_as_it_comes_in():
    network, clean = random_network(), windows()
    torch.testing.assert_close(network(clean, torch.zeros(3, 49)), network(clean, seen()))
    shown = torch.ones(3, 49, 24)
    shown[:, :, 5] = 0
    torch.testing.assert_close(network(clean, shown), network(clean, seen()), atol=1e-4, rtol=0)


@pytest.mark.parametrize("only", [0, 24, 48])
def test_one_seen_frame_fills_the_window(only):
    clean = windows()
    out = MotionDenoiser()(clean, seen(hidden=[t for t in range(49) if t != only]))
    torch.testing.assert_close(out, clean[:, only : only + 1].expand_as(clean), atol=1e-3, rtol=0)


def test_gradients_reach_the_motion():
    noisy = windows().requires_grad_()
    random_network()(noisy, seen(hidden=(3, 4))).sum().backward()
    assert torch.isfinite(noisy.grad).all()
    assert float(noisy.grad[:, 10].abs().sum()) > 0


@pytest.mark.parametrize("frames", [1, 2, 30, 49, 50, 120])
def test_tracks_of_any_length_come_back_as_long(frames):
    track = windows(1, size=0.3)[0].repeat(3, 1, 1, 1)[:frames]
    out = denoise_track(random_network(), track, torch.ones(frames))
    assert out.shape == track.shape
    assert torch.isfinite(out).all()
    assert denoise_track(random_network(), track, torch.zeros(frames)).shape == track.shape


def test_windows_join_without_a_step():
    still = windows(1, size=0.3)[0][:1].expand(130, -1, -1, -1)
    shown = torch.ones(130)
    shown[60:64] = 0
    out = denoise_track(MotionDenoiser(), still, shown)
    torch.testing.assert_close(out, still, atol=1e-5, rtol=0)


def test_windows_of_another_size_are_refused():
    with pytest.raises(ValueError, match="no windows of 49"):
        MotionDenoiser()(windows()[:, :40], seen()[:, :40])


def test_weights_survive_the_file_and_other_files_are_refused(tmp_path):
    network, path = random_network(), tmp_path / "denoiser.safetensors"
    save_file(network.state_dict(), path)
    again = MotionDenoiser.from_file(path)
    torch.testing.assert_close(again(windows(), seen()), network(windows(), seen()))
    save_file({"something": torch.zeros(3)}, path)
    with pytest.raises(ModelFileError, match="another network"):
        MotionDenoiser.from_file(path)
    path.write_bytes(b"no weights")
    with pytest.raises(ModelFileError, match="cannot be read"):
        MotionDenoiser.from_file(path)
    with pytest.raises(ModelFileError, match="cannot be read"):
        MotionDenoiser.from_file(tmp_path / "absent.safetensors")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Three performances to learn from and a short one that is held out (and called captured, to be scored)."""
    path, clips = tmp_path_factory.mktemp("corpus") / "corpus.npz", []
    for i, person in enumerate(performers(2, np.random.default_rng(0))):
        for action in ("wave",) if i else ("wave", "crouch", "walk upstairs"):
            clip = author(action, person, np.random.default_rng(1))
            clips.append(corpus_clip(action, clip, person.name, synthetic=i == 0, held_out=i == 1))
    write_corpus(path, clips)
    return path


SHORT = DenoiserTraining(steps=4, batch=4, checkpoint_every=2)


def test_a_stopped_run_goes_on_as_if_it_had_not_been(corpus, tmp_path):
    once, twice = tmp_path / "once.safetensors", tmp_path / "twice.safetensors"
    score = train_denoiser(corpus, once, SHORT, 7, Silent())
    with pytest.raises(CancelledError):
        train_denoiser(corpus, twice, SHORT, 7, StopAt(3))
    assert not twice.exists()
    assert train_denoiser(corpus, twice, SHORT, 7, Silent()) == score
    assert twice.read_bytes() == once.read_bytes()
    other = tmp_path / "other.safetensors"
    train_denoiser(corpus, other, SHORT, 8, Silent())
    assert other.read_bytes() != once.read_bytes()


def test_training_makes_motion_truer(corpus, tmp_path):
    out = tmp_path / "out.safetensors"
    held_out = [c for c in read_corpus(corpus) if c.held_out]
    before = score_denoiser(MotionDenoiser().eval(), held_out, Noise()).captured
    score = train_denoiser(corpus, out, DenoiserTraining(steps=40, batch=6, learning_rate=3e-4), 0, Silent()).captured
    assert score.windows >= 1
    assert score.levels[0].acceleration_denoised < before.levels[0].acceleration_denoised
    assert score.levels[0].pa_mpjpe_denoised < before.levels[0].pa_mpjpe_denoised
    again = MotionDenoiser.from_file(out)
    assert torch.isfinite(again(windows(), seen())).all()


def test_bad_settings_and_checkpoints_are_refused(corpus, tmp_path):
    with pytest.raises(UsageError, match="at least 1 step"):
        DenoiserTraining(steps=0)
    out = tmp_path / "out.safetensors"
    (tmp_path / "out.safetensors.checkpoint").write_bytes(b"garbage")
    with pytest.raises(UsageError, match="no checkpoint of this training"):
        train_denoiser(corpus, out, SHORT, 0, Silent())
    with pytest.raises(UsageError, match="is no corpus file"):
        train_denoiser(tmp_path / "absent.npz", out, SHORT, 0, Silent())


@pytest.mark.parametrize(("held_out", "message"), [(True, "no clip that is not held out"), (False, "No held-out clip")])
def test_a_corpus_of_one_side_alone_is_refused_before_training(corpus, tmp_path, held_out, message):
    path = tmp_path / "corpus.npz"
    write_corpus(path, [c for c in read_corpus(corpus) if c.held_out == held_out])
    with pytest.raises(UsageError, match=message):
        train_denoiser(path, tmp_path / "out.safetensors", SHORT, 0, Silent())
    assert not (tmp_path / "out.safetensors.checkpoint").exists()


CARD = SHIPPED.with_suffix(".md").read_text(encoding="utf-8")


def card_rows(*beginning):
    """Rows of the card's tables that begin with some cells, as numbers after them."""
    start = "| " + " | ".join(map(str, beginning)) + " | "
    return [
        [float(cell) for cell in line.removeprefix(start).strip(" |").split(" | ")]
        for line in CARD.splitlines()
        if line.startswith(start)
    ]


@pytest.fixture(scope="module")
def shipped_score():
    """Figures of the shipped weights on authored motion of people who are in no corpus."""
    clips = []
    for i, person in enumerate(performers(2, np.random.default_rng(2024))):
        for action in ("walk downstairs", "clap", "pick something up with both hands", "jumping jack", "sit down"):
            motion = author(action, person, np.random.default_rng((2024, i)))
            clips.append(corpus_clip(action, motion, person.name, synthetic=True, held_out=True))
    return score_denoiser(load_denoiser(), clips, Noise(), seed=5).authored


def test_shipped_weights_halve_the_acceleration_error_and_do_not_raise_pa_mpjpe(shipped_score):
    assert [level.level for level in shipped_score.levels] == [1.0, 0.5, 0.25, 0.0]
    for level, name in zip(shipped_score.levels[:3], ("full", "half", "quarter"), strict=True):
        assert level.acceleration_denoised < 0.5 * level.acceleration_noisy
        assert level.acceleration_denoised < level.acceleration_smoothed
        assert level.pa_mpjpe_denoised < min(level.pa_mpjpe_noisy, level.pa_mpjpe_smoothed)
        ((noisy, _, denoised, pa_noisy, _, pa_denoised),) = card_rows("authored", name)
        assert level.acceleration_noisy == pytest.approx(noisy, rel=0.25)
        # these actions move more than most, so what is left of the noise is compared
        assert level.acceleration_denoised / level.acceleration_noisy < 2 * denoised / noisy
        assert level.pa_mpjpe_denoised / level.pa_mpjpe_noisy < 1.2 * pa_denoised / pa_noisy
    assert shipped_score.levels[3].pa_mpjpe_denoised < 1


def test_shipped_weights_fill_gaps_better_than_a_straight_line(shipped_score):
    for gap in shipped_score.gaps:
        ((straight, filled),) = card_rows("authored", "legs" if gap.lower_body_only else "whole body", gap.frames)
        assert gap.infill / gap.interpolated < min(1, 1.3 * filled / straight)
        if gap.frames == 10:
            assert gap.infill < 40


def test_card_reaches_the_bars_on_captured_motion_and_is_of_the_shipped_file():
    for name in ("full", "half", "quarter"):
        ((noisy, _, denoised, pa_noisy, _, pa_denoised),) = card_rows("captured", name)
        assert denoised < 0.5 * noisy
        assert pa_denoised < pa_noisy
    for part in ("whole body", "legs"):
        ((straight, filled),) = card_rows("captured", part, 10)
        assert filled < min(straight, 40)
    content = SHIPPED.read_bytes()
    assert f"| {len(content):,} | {hashlib.sha256(content).hexdigest()} |" in CARD
