import hashlib
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from training_clips import StopAt, corpus_clip

from engine.adaptation.draws import Flow, draw_track
from engine.adaptation.infiller import INFILLER, MotionEvidence, MotionInfiller, pelvis_path, upper_of, upper_path
from engine.backbones.landmark import LANDMARK_WEIGHTS, read_network
from engine.backbones.summary import rotation_confidence
from engine.body.model import load_body
from engine.body.rotations import axis_angle_to_matrix, six_to_matrix
from engine.errors import CancelledError, ModelFileError, UsageError
from engine.runtime.progress import Silent
from engine.semantics.dictionary import MotionDictionary
from engine.training.authored import author, performers
from engine.training.corpus import LabelRow, read_corpus, write_corpus
from engine.training.detector_model import DetectorModel
from engine.training.infiller import NOT_SPOILED, InfillerTraining, Spoils, evidence_of, train_infiller
from engine.training.infiller_score import score_infiller
from engine.training.infiller_windows import WindowMaker, labelled_pieces
from engine.training.sentences import read_sentences

LABELS = ("walk", "kick")


def random_network():
    torch.manual_seed(0)
    network = MotionInfiller(LABELS, width=32, layers=2)
    network.sentences.normal_()
    with torch.no_grad():
        network.leave.weight.normal_(0, 0.05)
    return network.requires_grad_(False).eval()


def turns(frames=40, seed=0):
    generator = torch.Generator().manual_seed(seed)
    ends = torch.randn(2, 24, 3, generator=generator) * 0.5
    share = torch.linspace(0, 1, frames)[:, None, None]
    return axis_angle_to_matrix(ends[0] * (1 - share) + ends[1] * share)


def evidence(frames=40, **changed):
    """One track (1, T, ...) of which everything is seen, without a label."""
    parts = {
        "rotations": turns(frames)[None],
        "shown": torch.ones(1, frames, 24),
        "confidence": torch.ones(1, frames, 24),
        "pelvis": torch.tensor([0.0, 0.0, 3.0]).expand(1, frames, 3),
        "upper": torch.zeros(1, frames, 2, 3),
        "velocity": torch.zeros(1),
        "times_s": torch.arange(frames)[None] / 30,
        "sentence": torch.zeros(1, frames, 384),
    }
    return MotionEvidence(**{**parts, **changed})


TWO = Flow(draws=2, steps=3)


def drawn(network, given, flow=TWO, seed=0):
    return draw_track(network, given, flow, torch.Generator().manual_seed(seed))


def test_untrained_the_expected_motion_is_what_is_shown():
    given = evidence()
    expected = drawn(MotionInfiller(LABELS, 32, 2).eval(), given, Flow(draws=1)).rotations[0]
    torch.testing.assert_close(expected, given.rotations[0], atol=1e-4, rtol=0)


def test_hidden_rotations_are_not_looked_at_and_the_root_always_is():
    network, shown = random_network(), torch.ones(1, 40, 24)
    shown[0, 10:20, [0, 4, 5]] = 0
    given = evidence(shown=shown)
    other = given.rotations.clone()
    other[0, 10:20, 4:6] = turns(seed=5)[10:20, 4:6]
    first = drawn(network, given).rotations
    again = drawn(network, evidence(shown=shown, rotations=other)).rotations
    torch.testing.assert_close(again, first, atol=1e-5, rtol=0)
    other[0, 10:20, 0] = turns(seed=5)[10:20, 0]
    assert (drawn(network, evidence(shown=shown, rotations=other)).rotations - first).abs().max() > 1e-2


def test_draws_are_rotations_differ_and_depend_on_label_and_seed():
    network = random_network()
    one = drawn(network, evidence())
    torch.testing.assert_close(
        one.rotations @ one.rotations.mT, torch.eye(3).expand_as(one.rotations), atol=1e-5, rtol=0
    )
    assert (one.rotations[0] - one.rotations[1]).abs().max() > 1e-2
    assert ((one.contacts > 0) & (one.contacts < 1)).all()
    assert torch.equal(drawn(network, evidence()).rotations, one.rotations)
    assert torch.equal(drawn(network, evidence(), seed=1).rotations[0], one.rotations[0]), (
        "the expected motion has no noise"
    )
    assert (drawn(network, evidence(), seed=1).rotations[1] - one.rotations[1]).abs().max() > 1e-2
    labelled = evidence(sentence=network.sentence_of("kick").expand(1, 40, 384))
    assert (drawn(network, labelled).rotations[0] - one.rotations[0]).abs().max() > 1e-2
    assert not network.sentence_of("").any()
    assert not network.sentence_of("no such label").any()


class Nods(MotionInfiller):
    """A network whose answer to a sentence is a bent left knee that swings."""

    def forward(self, condition, state, level):
        swing = torch.sin(torch.arange(state.shape[1]) / 3)[None, :] * 0.1 + 0.3
        clean = condition.start.clone()
        clean[:, :, 4, 5] += swing * (condition.sentence[..., 0] != 0)
        return clean, torch.zeros(*state.shape[:2], 4)


def test_guidance_makes_a_sentence_move_joints_further_about_the_same_mean():
    network, still = Nods(LABELS, 32, 2).eval(), torch.eye(3).expand(1, 40, 24, 3, 3)
    given = evidence(rotations=still, sentence=torch.ones(1, 40, 384))
    one, three = (drawn(network, given, Flow(draws=1, guidance=value)).rotations[0, :, 4] for value in (1, 3))
    bent = [torch.atan2(knee[:, 2, 1], knee[:, 1, 1]) for knee in (one, three)]
    assert float(bent[1].mean()) == pytest.approx(float(bent[0].mean()), abs=0.02)
    assert bent[1].std() > 2 * bent[0].std()


def test_the_path_is_read_at_the_mean_depth_and_less_its_straight_part():
    times = torch.arange(40)[None] / 30
    straight = torch.tensor([0.2, 0.0, 3.0]) + times[..., None] * torch.tensor([0.5, 0.0, 0.0])
    reference = torch.eye(3)[None]
    path = pelvis_path(evidence(pelvis=straight, velocity=torch.ones(1)), reference)
    torch.testing.assert_close(path[0, :, :3], torch.zeros(40, 3), atol=1e-4, rtol=0)
    torch.testing.assert_close(path[0, 0, 3:], torch.tensor([0.5, 0, 0, 1]), atol=1e-4, rtol=0)
    assert not pelvis_path(evidence(pelvis=straight), reference)[..., 3:].any(), "no velocity where it is no evidence"
    wave = (times * 12).sin()
    nearer = torch.stack((torch.zeros_like(wave), torch.zeros_like(wave), 3 + 0.3 * wave), -1)
    bob = pelvis_path(evidence(pelvis=nearer), reference)[..., :3]
    assert bob.abs().max() < 1e-4, "depth alone is no bob"


def test_head_and_shoulders_are_read_in_metres_and_less_their_straight_way():
    names = ("nose", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_hip")
    times = torch.arange(40) / 30
    camera = torch.tensor([[1000.0, 0, 320], [0, 1000, 240], [0, 0, 1]])
    bob, walk = 0.02 * (12 * times).sin(), 0.5 * times
    points = torch.stack((1000 * walk / 4, 1000 * bob / 4), -1)[None, :, None].expand(1, 40, 6, 2) + 300
    confidence = torch.ones(1, 40, 6)
    confidence[:, 20:, :3] = 0
    upper = upper_of(points, confidence, names, camera, torch.full((1, 40), 4.0))
    assert upper[0, :20, 0, 2].all()
    assert not upper[0, 20:, 0].any(), "a head that is not seen says nothing"
    read = upper_path(evidence(upper=upper), torch.eye(3)[None])[0]
    straight = torch.stack((torch.ones(40), times), 1)
    left = bob - straight @ torch.linalg.lstsq(straight, bob[:, None]).solution[:, 0]
    torch.testing.assert_close(0.03 * read[:, 5], left, atol=1e-4, rtol=0)
    torch.testing.assert_close(read[:, 4], torch.zeros(40), atol=1e-3, rtol=0)
    assert read[:20, 3].all()
    assert not read[20:, :4].any()


def test_a_studios_label_reads_as_those_that_it_is_most_like():
    network = random_network()
    dictionary = SimpleNamespace(labels=("walk", "swagger", "hum"), nearest=lambda label: LABELS * (label != "hum"))
    knowing = network.knowing(dictionary)
    torch.testing.assert_close(knowing.sentence_of("swagger"), network.sentences.mean(0))
    assert not knowing.sentence_of("hum").any()
    assert not network.sentence_of("swagger").any(), "the network that was given stays as it is"
    assert network.knowing(SimpleNamespace(labels=LABELS)) is network


@pytest.mark.parametrize("frames", [1, 2, 63, 64, 65, 200])
def test_tracks_of_any_length_come_back_as_long(frames):
    result = drawn(random_network(), evidence(frames))
    assert result.rotations.shape == (2, frames, 24, 3, 3)
    assert result.rotations.isfinite().all()
    assert result.contacts.shape == (2, frames, 4)


def test_no_step_where_windows_meet():
    still = turns()[:1].expand(1, 150, -1, -1, -1)
    expected = drawn(random_network(), evidence(150, rotations=still), Flow(draws=1)).rotations[0]
    assert expected.diff(dim=0).abs().amax((1, 2, 3)).max() < 0.1


def test_a_file_holds_weights_and_labels(tmp_path):
    network, path = random_network(), tmp_path / "infiller.safetensors"
    network.to_file(path)
    read = MotionInfiller.from_file(path)
    assert read.labels == LABELS
    assert not any(weight.requires_grad for weight in read.parameters())
    one, other = (drawn(some, evidence()).rotations[0] for some in (network, read))
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
    assert sum(weight.numel() for weight in network.parameters()) <= 5_000_000
    assert INFILLER.stat().st_size <= 10_000_000
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


SHORT = InfillerTraining(steps=3, batch=3, windows=6, checkpoint_every=2, scored_windows=2)


def test_a_stopped_run_goes_on_as_if_it_had_not_been(corpus, tmp_path):
    once, twice = tmp_path / "once.safetensors", tmp_path / "twice.safetensors"
    score = train_infiller(corpus, once, SHORT, 7, Silent())
    with pytest.raises(CancelledError):
        train_infiller(corpus, twice, SHORT, 7, StopAt(2))
    assert not twice.exists()
    again = train_infiller(corpus, twice, SHORT, 7, Silent())
    assert [row.pa_mpjpe for row in again.captured] == [row.pa_mpjpe for row in score.captured]
    assert twice.read_bytes() == once.read_bytes()
    assert MotionInfiller.from_file(once).labels == MotionDictionary.from_files().labels
    assert [(row.method, row.label) for row in score.captured[:5]] == [
        ("network", ""), ("expected", "right"), ("drawn", "right"), ("expected", "none"), ("drawn", "none"),
    ]  # fmt: skip
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


def windows_of(corpus, **more):
    clips, labels = read_corpus(corpus), read_sentences().labels
    maker = WindowMaker(
        clips,
        labels,
        read_network(LANDMARK_WEIGHTS),
        load_body(None),
        DetectorModel.from_file(),
        whole_clips=False,
        **more,
    )
    drawn = maker.draw(6, torch.Generator().manual_seed(0))
    return drawn.rows(torch.arange(6))


def test_windows_have_the_label_of_their_motion_and_evidence_is_what_the_network_and_the_detector_say(corpus):
    sentences, windows = read_sentences(), windows_of(corpus)
    names = {sentences.labels[row] for row in windows.label.unique().tolist()}
    assert names <= {"clap", "jumping jack"}
    given = evidence_of(windows, sentences, NOT_SPOILED, torch.Generator().manual_seed(0))
    torch.testing.assert_close(given.rotations, six_to_matrix(windows.predicted))
    torch.testing.assert_close(given.sentence, torch.from_numpy(sentences.of_labels)[windows.label.long()])
    assert ((given.shown == 1) == (rotation_confidence(windows.confidence) >= 0.3)).all()


def test_spoils_hide_parts_drop_sentences_and_stop_the_pelvis(corpus):
    sentences, windows = read_sentences(), windows_of(corpus)

    def given(**more):
        return evidence_of(windows, sentences, replace(NOT_SPOILED, **more), torch.Generator().manual_seed(0))

    assert not given(no_sentence=1.0).sentence.any()
    assert given(part=1.0).shown.sum() < given().shown.sum()
    partly = given(partly=1.0).sentence.any(-1).float().mean()
    assert 0 < partly < 1
    times = (windows.times_s - windows.times_s.mean(1, keepdim=True))[..., None]
    pelvis = given(in_place=1.0).pelvis
    assert (times * (pelvis - pelvis.mean(1, keepdim=True))).sum(1).abs().max() < 1e-2
    near = given(nearer=1.0).rotations - six_to_matrix(windows.clean)
    assert near.abs().mean() < 0.9 * (given().rotations - six_to_matrix(windows.clean)).abs().mean()
    assert Spoils().no_sentence > 0


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
    score = score_infiller(MotionInfiller.from_file(), clips, LANDMARK_WEIGHTS, read_sentences(), windows=6, seed=3)
    hidden = {
        (method, label): np.nanmean([r.hidden for r in score.authored if (r.method, r.label) == (method, label)])
        for method, label in (("network", ""), ("expected", "right"), ("expected", "none"))
    }
    assert hidden["expected", "right"] < 0.95 * hidden["expected", "none"]
    assert hidden["expected", "right"] < hidden["network", ""]
