import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from engine.adaptation.denoiser import MotionDenoiser, bridge, denoise_track
from engine.body.rotations import axis_angle_to_matrix, matrix_to_axis_angle, matrix_to_six, six_to_matrix
from engine.errors import CancelledError, ModelFileError, UsageError
from engine.progress import Silent
from engine.training.authored import author, performers
from engine.training.corpus import CorpusClip, read_corpus, write_corpus
from engine.training.denoiser import DenoiserTraining, Noise, masks, score_denoiser, spoiled, train_denoiser
from engine.training.figure import vectors


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


def test_bridge_interpolates_holds_the_ends_and_leaves_seen_frames():
    values = torch.arange(8.0)[None, :, None].clone()
    values[0, 3:5] = 99
    shown = torch.tensor([[0.0, 1, 1, 0, 0, 1, 1, 0]])
    np.testing.assert_allclose(bridge(values, shown)[0, :, 0], [1, 1, 2, 3, 4, 5, 6, 6], atol=1e-5)


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


def test_noise_is_as_strong_as_told_and_repeats_with_its_seed():
    clean = windows(40)
    noise = Noise(white=0.1, wander=0, burst_share=0)
    noisy = spoiled(clean, noise, torch.Generator().manual_seed(1))
    angle = matrix_to_axis_angle(clean.transpose(-1, -2) @ noisy).norm(dim=-1)
    assert 0.02 < float(angle.mean()) < 0.1
    torch.testing.assert_close(noisy, spoiled(clean, noise, torch.Generator().manual_seed(1)))
    quiet = Noise(white=0, wander=0, burst_share=0)
    torch.testing.assert_close(spoiled(clean, quiet, torch.Generator().manual_seed(1)), clean)


def test_masks_leave_something_to_see():
    shown = masks(500, Noise(hidden=1.0, longest_gap=49), torch.Generator().manual_seed(0))
    assert (shown.sum(1) >= 1).all()
    assert float(shown.mean()) < 0.7


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Six performances, half of them of a performer that is held out (and called captured, to be scored)."""
    path, clips = tmp_path_factory.mktemp("corpus") / "corpus.npz", []
    for i, person in enumerate(performers(2, np.random.default_rng(0))):
        for action in ("wave", "crouch", "walk upstairs"):
            clip = author(action, person, np.random.default_rng(1))
            poses = vectors(clip.rotations).reshape(-1, 72).astype(np.float32)
            contacts = clip.contacts.astype(np.int8)
            pelvis = clip.pelvis.astype(np.float32)
            clips.append(
                CorpusClip(
                    action, "x", person.name, i == 0, i == 1, poses, pelvis, contacts, np.zeros(10, np.float32), ()
                )
            )
    write_corpus(path, clips)
    return path


class StopAt(Silent):
    def __init__(self, step):
        self.step = step

    def __call__(self, done, total):
        if done == self.step:
            raise CancelledError("Stopped.")


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
    before = score_denoiser(MotionDenoiser().eval(), held_out, Noise())
    score = train_denoiser(corpus, out, DenoiserTraining(steps=40, batch=6), 0, Silent())
    assert score.windows >= 5
    assert score.acceleration_denoised < 0.5 * score.acceleration_noisy
    assert score.pa_mpjpe_denoised < before.pa_mpjpe_denoised
    again = MotionDenoiser.from_file(out)
    assert torch.isfinite(again(windows(), seen())).all()


class Nothing(MotionDenoiser):
    def forward(self, rotations, shown):
        return six_to_matrix(bridge(matrix_to_six(rotations).flatten(2), shown).unflatten(-1, (24, 6)))


def test_scores_of_a_network_that_does_nothing_are_the_noise_itself(corpus):
    held_out = [c for c in read_corpus(corpus) if c.held_out]
    score = score_denoiser(Nothing(), held_out, Noise())
    assert score.acceleration_denoised == pytest.approx(score.acceleration_noisy, rel=1e-3)
    assert score.pa_mpjpe_denoised == pytest.approx(score.pa_mpjpe_noisy, rel=1e-3)
    assert score.infill == pytest.approx(score.infill_bridged, rel=1e-3)
    assert score.infill > 1
    quiet = score_denoiser(Nothing(), held_out, Noise(white=0, wander=0, burst_share=0))
    assert quiet.acceleration_noisy == pytest.approx(0, abs=1e-3)


def test_bad_settings_and_checkpoints_are_refused(corpus, tmp_path):
    with pytest.raises(UsageError, match="at least 1 step"):
        DenoiserTraining(steps=0)
    out = tmp_path / "out.safetensors"
    (tmp_path / "out.safetensors.checkpoint").write_bytes(b"garbage")
    with pytest.raises(UsageError, match="no checkpoint of this training"):
        train_denoiser(corpus, out, SHORT, 0, Silent())
    with pytest.raises(UsageError, match="is no corpus file"):
        train_denoiser(tmp_path / "absent.npz", out, SHORT, 0, Silent())
