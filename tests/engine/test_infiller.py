import hashlib

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from training_clips import StopAt, corpus_clip

from engine.adaptation.infiller import INFILLER, MotionInfiller, infill_track
from engine.backbones.landmark import LANDMARK_WEIGHTS
from engine.body.rotations import axis_angle_to_matrix
from engine.errors import CancelledError, ModelFileError, UsageError
from engine.progress import Silent
from engine.semantics.dictionary import MotionDictionary
from engine.training.authored import author, performers
from engine.training.corpus import LabelRow, read_corpus, write_corpus
from engine.training.infiller import InfillerTraining, train_infiller
from engine.training.infiller_batches import EMPTY, RIGHT, WRONG, Telling, labelled_pieces, tell
from engine.training.infiller_score import score_infiller
from engine.training.sentences import read_sentences

LABELS = ("walk", "kick")


def random_network():
    torch.manual_seed(0)
    network = MotionInfiller(LABELS, width=32, layers=2)
    network.sentences.normal_()
    with torch.no_grad():
        network.leave.weight.normal_(0, 0.05)
    return network.requires_grad_(False).eval()


def track(frames=40, seed=0):
    generator = torch.Generator().manual_seed(seed)
    ends = torch.randn(2, 24, 3, generator=generator) * 0.5
    share = torch.linspace(0, 1, frames)[:, None, None]
    return axis_angle_to_matrix(ends[0] * (1 - share) + ends[1] * share)


def inputs(frames=40):
    return track(frames), torch.ones(frames, 24), torch.ones(frames, 24), torch.arange(frames) / 30


def nothing(frames=40):
    """One sentence, that says nothing, for all frames."""
    return torch.zeros(1, 384), torch.zeros(frames, dtype=torch.long)


def test_untrained_what_is_shown_passes():
    rotations, *rest = inputs()
    filled, chance = infill_track(MotionInfiller(LABELS, 32, 2).eval(), rotations, *rest, *nothing())
    torch.testing.assert_close(filled, rotations, atol=1e-4, rtol=0)
    assert chance.shape == (40,)


def test_what_is_not_shown_is_not_looked_at_and_the_root_always_is():
    network, (rotations, shown, confidence, times) = random_network(), inputs()
    shown[10:20, [0, 4, 5]] = 0
    other = rotations.clone()
    other[10:20, 4:6] = track(seed=5)[10:20, 4:6]
    filled, _ = infill_track(network, rotations, shown, confidence, times, *nothing())
    again, _ = infill_track(network, other, shown, confidence, times, *nothing())
    torch.testing.assert_close(again, filled, atol=1e-5, rtol=0)
    other[10:20, 0] = track(seed=5)[10:20, 0]
    again, _ = infill_track(network, other, shown, confidence, times, *nothing())
    assert (again - filled).abs().max() > 1e-2


def test_results_are_rotations_and_depend_on_what_is_said():
    network, given = random_network(), inputs()
    sentences = torch.stack((torch.zeros(384), network.sentence_of("kick")))
    filled, _ = infill_track(network, *given, sentences, torch.ones(40, dtype=torch.long))
    torch.testing.assert_close(filled @ filled.mT, torch.eye(3).expand_as(filled), atol=1e-5, rtol=0)
    silent, _ = infill_track(network, *given, *nothing())
    assert (filled - silent).abs().max() > 1e-2
    assert not network.sentence_of("").any()
    assert not network.sentence_of("no such label").any()


@pytest.mark.parametrize("frames", [1, 2, 59, 60, 61, 200])
def test_tracks_of_any_length_come_back_as_long(frames):
    filled, chance = infill_track(random_network(), *inputs(frames), *nothing(frames))
    assert filled.shape == (frames, 24, 3, 3)
    assert filled.isfinite().all()
    assert chance.shape == (frames,)
    assert ((chance > 0) & (chance < 1)).all()


def test_no_step_where_windows_meet():
    still = track()[:1].expand(150, -1, -1, -1)
    rest = (torch.ones(150, 24), torch.ones(150, 24), torch.arange(150) / 30)
    filled, _ = infill_track(random_network(), still, *rest, *nothing(150))
    inside = filled.diff(dim=0).abs().amax((1, 2, 3))
    assert inside.max() < 0.1


def test_a_file_holds_weights_and_labels(tmp_path):
    network, path = random_network(), tmp_path / "infiller.safetensors"
    network.to_file(path)
    read = MotionInfiller.from_file(path)
    assert read.labels == LABELS
    assert not any(weight.requires_grad for weight in read.parameters())
    one, other = (infill_track(some, *inputs(), *nothing())[0] for some in (network, read))
    torch.testing.assert_close(one, other, atol=5e-3, rtol=0)  # half precision


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.write_bytes(b"nothing"), "cannot be read"),
        (lambda path: save_file({"norm.weight": torch.ones(8)}, path, {"labels": "[]"}), "another network"),
    ],
)
def test_other_files_are_refused(tmp_path, make, message):
    path = tmp_path / "infiller.safetensors"
    make(path)
    with pytest.raises(ModelFileError, match=message):
        MotionInfiller.from_file(path)


def test_weights_that_are_no_numbers_are_refused(tmp_path):
    network, path = random_network(), tmp_path / "infiller.safetensors"
    network.leave.bias.data[0] = torch.nan
    network.to_file(path)
    with pytest.raises(ModelFileError, match="no numbers"):
        MotionInfiller.from_file(path)


def test_what_ships_is_small_knows_the_dictionary_and_its_card_names_it():
    network = MotionInfiller.from_file()
    assert set(network.labels) == set(MotionDictionary.from_files().labels)
    assert sum(weight.numel() for weight in network.parameters()) <= 2_000_000
    assert INFILLER.stat().st_size <= 4_000_000
    card = INFILLER.with_suffix(".md").read_text(encoding="utf-8")
    assert hashlib.sha256(INFILLER.read_bytes()).hexdigest() in card
    assert f"{INFILLER.stat().st_size:,}" in card


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Labelled performances to learn from, and one that is held out (and called captured)."""
    path, clips = tmp_path_factory.mktemp("corpus") / "corpus.npz", []
    for i, person in enumerate(performers(2, np.random.default_rng(0))):
        for action in ("clap",) if i else ("clap", "jumping jack"):
            motion = author(action, person, np.random.default_rng(1))
            rows = (LabelRow(0, len(motion.pelvis), action, "exercise"),)
            clips.append(corpus_clip(action, motion, person.name, False, i == 1, rows))
    write_corpus(path, clips)
    return path


SHORT = InfillerTraining(steps=3, batch=3, checkpoint_every=2, scored_windows=2)


def test_a_stopped_run_goes_on_as_if_it_had_not_been(corpus, tmp_path):
    once, twice = tmp_path / "once.safetensors", tmp_path / "twice.safetensors"
    score = train_infiller(corpus, once, SHORT, 7, Silent())
    with pytest.raises(CancelledError):
        train_infiller(corpus, twice, SHORT, 7, StopAt(1))
    assert not twice.exists()
    again = train_infiller(corpus, twice, SHORT, 7, Silent())
    assert [row.pa_mpjpe for row in again.captured] == [row.pa_mpjpe for row in score.captured]
    assert twice.read_bytes() == once.read_bytes()
    assert MotionInfiller.from_file(once).labels == MotionDictionary.from_files().labels
    assert [row.label for row in score.captured[:4]] == ["not in-filled", "right", "none", "wrong"]
    assert score.authored == ()


def test_bad_settings_and_corpora_are_refused_before_training(corpus, tmp_path):
    with pytest.raises(UsageError, match="at least 1 step"):
        InfillerTraining(steps=0)
    out = tmp_path / "out.safetensors"
    for held_out, message in ((True, "No clip has a label"), (False, "No held-out clip has a label")):
        path = tmp_path / "one_side.npz"
        write_corpus(path, [clip for clip in read_corpus(corpus) if clip.held_out == held_out])
        with pytest.raises(UsageError, match=message):
            train_infiller(path, out, SHORT, 0, Silent())
    (tmp_path / "out.safetensors.checkpoint").write_bytes(b"garbage")
    with pytest.raises(UsageError, match="no checkpoint of this training"):
        train_infiller(corpus, out, SHORT, 0, Silent())


def test_sentences_fit_or_not_as_they_are_told():
    sentences = read_sentences()
    label = torch.arange(100) % len(sentences.labels)

    def said(telling):
        return tell(label, 5, sentences, telling, torch.Generator().manual_seed(0))

    means = torch.from_numpy(sentences.of_labels)
    right, fits = said(RIGHT)
    torch.testing.assert_close(right[:, 0], means[label])
    assert (fits == 1).all()
    none, fits = said(EMPTY)
    assert not none.any()
    assert (fits == -1).all()
    wrong, fits = said(WRONG)
    assert (fits == 0).all()
    nearest = (wrong[:, 0] @ means.T).argmax(1)
    assert (nearest != label).all()
    worded, _ = said(Telling(0, 0, 0, paraphrase=1))
    every, owners = torch.from_numpy(sentences.embeddings), torch.from_numpy(sentences.rows)
    for row in (0, 41, 99):
        match = (every - worded[row, 0]).norm(dim=1).argmin()
        assert owners[match] == label[row]
        torch.testing.assert_close(every[match], worded[row, 0])
    partly, fits = said(Telling(0, 0, 1, 0))
    assert ((partly != 0).any(-1) == (fits == 1)).all()
    assert 0 < (fits == 1).float().mean() < 1


def test_pieces_are_stretches_of_one_label_and_their_mirror_has_the_label_of_the_mirror():
    rows = (LabelRow(0, 30, "kick with the left foot", "kick"), LabelRow(30, 50, "stand still", "stand"))
    motion = author("clap", performers(1, np.random.default_rng(0))[0], np.random.default_rng(1))
    clip = corpus_clip("a", motion, "ann", False, False, rows)
    pieces = labelled_pieces([clip], ("kick with the left foot", "kick with the right foot"))
    assert [piece.labels[0].label for piece in pieces] == ["kick with the left foot", "kick with the right foot"]
    assert all(len(piece.poses) == len(piece.pelvis) == len(piece.contacts) == 30 for piece in pieces)
    np.testing.assert_array_equal(pieces[0].poses, clip.poses[:30])


def test_with_the_right_label_the_shipped_weights_bring_hidden_joints_nearer():
    clips = []
    for number, person in enumerate(performers(2, np.random.default_rng(2024))):  # people who are in no corpus
        for action in ("clap", "drink", "walk downstairs", "sit down"):
            motion = author(action, person, np.random.default_rng((2024, number)))
            rows = (LabelRow(0, len(motion.pelvis), action, "x"),)
            clips.append(corpus_clip(action, motion, person.name, True, True, rows))
    score = score_infiller(MotionInfiller.from_file(), clips, LANDMARK_WEIGHTS, read_sentences(), windows=12, seed=3)
    hidden = {
        said: np.nanmean([row.hidden for row in score.authored if row.label == said])
        for said in ("not in-filled", "right", "none", "wrong")
    }
    assert hidden["right"] < 0.95 * hidden["none"]
    assert hidden["right"] < 0.95 * hidden["wrong"]
    assert hidden["right"] < hidden["not in-filled"]
