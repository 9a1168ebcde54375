from dataclasses import replace

import numpy as np
import pytest
import torch
from training_clips import StopAt, corpus_clip

from engine.backbones.landmark import LandmarkBackbone, read_network
from engine.backbones.landmark_network import NetworkShape
from engine.errors import CancelledError, UsageError
from engine.runtime.progress import Silent
from engine.training.authored import author, performers
from engine.training.backbone import BackboneTraining, rate, train_backbone
from engine.training.corpus import read_corpus, write_corpus

SHORT = BackboneTraining(
    steps=4, batch=3, frames=6, dense_share=0.5, checkpoint_every=2,
    network=NetworkShape(32, 1, 4), score_windows=2,
)  # fmt: skip


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Two performances to learn from and two that are held out, one of them called captured."""
    path, clips = tmp_path_factory.mktemp("corpus") / "corpus.npz", []
    for i, person in enumerate(performers(2, np.random.default_rng(0))):
        for j, action in enumerate(("wave", "crouch")):
            clip = author(action, person, np.random.default_rng(1))
            clips.append(corpus_clip(action, clip, person.name, synthetic=j == 0, held_out=i == 1))
    write_corpus(path, clips)
    return path


def test_a_stopped_run_goes_on_as_if_it_had_not_been(corpus, tmp_path):
    once, twice, other = (tmp_path / f"{name}.safetensors" for name in ("once", "twice", "other"))
    scores = train_backbone(corpus, once, SHORT, 7, Silent())
    with pytest.raises(CancelledError):
        train_backbone(corpus, twice, SHORT, 7, StopAt(3))
    assert not twice.exists()
    assert train_backbone(corpus, twice, SHORT, 7, Silent()).rounded() == scores.rounded()
    assert once.read_bytes() == twice.read_bytes()
    train_backbone(corpus, other, SHORT, 8, Silent())
    assert once.read_bytes() != other.read_bytes()
    shipped = LandmarkBackbone.from_file(once).network
    assert (shipped.shape.width, shipped.shape.layers) == (32, 1)


def test_training_lowers_the_loss_and_the_error(corpus, tmp_path):
    out = tmp_path / "out.safetensors"
    settings = replace(
        SHORT,
        steps=60,
        batch=8,
        learning_rate=3e-3,
        warm_up=5,
        dense_share=0.1,
        log_every=10,
    )
    trained = train_backbone(corpus, out, settings, 0, Silent()).captured
    untrained = train_backbone(corpus, tmp_path / "none.safetensors", replace(SHORT, steps=1), 0, Silent()).captured
    assert trained.mpjpe < 0.8 * untrained.mpjpe
    lines = (tmp_path / "out.safetensors.log").read_text().splitlines()
    assert len(lines) == 6
    assert all(name in lines[0] for name in ("loss", "projection", "contacts", "speed", "place", "six", "betas"))


def test_a_run_may_start_from_an_earlier_network_of_the_same_size(corpus, tmp_path):
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    train_backbone(corpus, first, SHORT, 7, Silent())
    still = replace(SHORT, steps=1, learning_rate=1e-12)
    train_backbone(corpus, second, still, 8, Silent(), start=first)
    one, other = read_network(first).state_dict(), read_network(second).state_dict()
    assert all(torch.allclose(one[name], other[name], atol=1e-3) for name in one)
    with pytest.raises(UsageError, match="another size"):
        train_backbone(
            corpus, tmp_path / "third", replace(still, network=NetworkShape(64, 1, 4)), 8, Silent(), start=first
        )


def test_rate_warms_up_and_falls_to_a_hundredth():
    settings = BackboneTraining(steps=1000, warm_up=100)
    rates = [rate(step, settings) for step in range(1000)]
    assert rates[0] == pytest.approx(0.01, rel=0.1)
    assert max(rates) == pytest.approx(1, abs=0.05)
    assert rates[-1] == pytest.approx(0.01, rel=0.05)
    assert rates[100:] == sorted(rates[100:], reverse=True)


def test_bad_settings_and_checkpoints_are_refused(corpus, tmp_path):
    for wrong in ({"steps": 0}, {"batch": 2}, {"frames": 61}):
        with pytest.raises(UsageError, match="at least 1 step"):
            replace(SHORT, **wrong)
    out = tmp_path / "out.safetensors"
    checkpoint = tmp_path / "out.safetensors.checkpoint"
    for content in (b"nonsense", b""):
        checkpoint.write_bytes(content)
        with pytest.raises(UsageError, match="no checkpoint of this training"):
            train_backbone(corpus, out, SHORT, 0, Silent())
    torch.save({"network": {}}, checkpoint)
    with pytest.raises(UsageError, match="no checkpoint of this training"):
        train_backbone(corpus, out, SHORT, 0, Silent())
    with pytest.raises(UsageError, match="is no corpus file"):
        train_backbone(tmp_path / "none.npz", out, SHORT, 0, Silent())


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        (lambda clip: clip.held_out, "no clip that is not held out"),
        (lambda clip: not (clip.held_out and clip.synthetic), "no held-out clips"),
        (lambda clip: clip.synthetic, "no held-out clips"),
    ],
)
def test_a_corpus_that_lacks_a_part_is_refused_before_training(corpus, tmp_path, kept, message):
    path = tmp_path / "corpus.npz"
    write_corpus(path, [clip for clip in read_corpus(corpus) if kept(clip)])
    with pytest.raises(UsageError, match=message):
        train_backbone(path, tmp_path / "out.safetensors", SHORT, 0, Silent())
    assert not (tmp_path / "out.safetensors.checkpoint").exists()
