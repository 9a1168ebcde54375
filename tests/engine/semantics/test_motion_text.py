import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from training_clips import StopAt, corpus_clip

from engine.body.rotations import axis_angle_to_matrix, matrix_to_six, six_to_matrix
from engine.errors import CancelledError, ModelFileError, UsageError
from engine.runtime.progress import Silent
from engine.semantics.dictionary import MotionDictionary
from engine.semantics.motion_text import MotionTextSpace, facing_ahead
from engine.training.authored import author, performers
from engine.training.corpus import LabelRow, mirrored_text, write_corpus
from engine.training.motion_text import MotionTextTraining, fit_space, train_motion_text
from engine.training.motion_text_score import score_motion_text
from engine.training.motion_text_windows import LabelledWindows, LabelVariation, mirrored_six
from engine.training.sentences import read_sentences

ACTIONS = ("wave", "crouch", "walk upstairs")
PLAIN = LabelVariation(*[0.0] * 9)


def random_space(labels=("walk", "run", "sit")):
    torch.manual_seed(0)
    space = MotionTextSpace(labels, width=24, layers=1, size=16)
    space.label_points.copy_(torch.nn.functional.normalize(torch.randn(len(labels), 16), dim=-1))
    return space.requires_grad_(False).eval()


def motions(count=3, seed=0, size=0.5):
    generator = torch.Generator().manual_seed(seed)
    ends = torch.randn(count, 2, 24, 3, generator=generator) * size
    share = torch.linspace(0, 1, 60)[None, :, None, None]
    return axis_angle_to_matrix(ends[:, :1] * (1 - share) + ends[:, 1:] * share)


def turned(rotations, angle):
    spin = axis_angle_to_matrix(torch.tensor([0.0, 0.0, angle]))
    out = rotations.clone()
    out[:, :, 0] = spin @ out[:, :, 0]
    return out


def test_motions_and_labels_are_unit_vectors_and_similarities_lie_between_minus_one_and_one():
    space = random_space()
    points, labels = space.encode_motion(matrix_to_six(motions())), space.encode_labels(["sit", "walk"])
    torch.testing.assert_close(points.norm(dim=-1), torch.ones(3))
    torch.testing.assert_close(labels, space.label_points[[2, 0]])
    assert float((points @ labels.T).abs().max()) <= 1 + 1e-6
    with pytest.raises(KeyError):
        space.encode_labels(["juggle"])


@pytest.mark.parametrize("angle", [0.4, 2.0, math.pi, -1.3])
def test_heading_does_not_matter_and_turning_does(angle):
    space, rotations = random_space(), motions(size=0.3)
    expected = space.encode_motion(matrix_to_six(rotations))
    torch.testing.assert_close(
        space.encode_motion(matrix_to_six(turned(rotations, angle))), expected, atol=1e-4, rtol=0
    )
    spinning = rotations.clone()
    spins = axis_angle_to_matrix(torch.linspace(0, 3, 60)[:, None] * torch.tensor([0.0, 0.0, 1.0]))
    spinning[:, :, 0] = spins @ spinning[:, :, 0]
    assert (space.encode_motion(matrix_to_six(spinning)) - expected).abs().max() > 1e-3


def test_facing_ahead_points_the_left_to_x():
    six = facing_ahead(matrix_to_six(turned(motions(size=0.2), 1.1)))
    left = six[:, :, 0, :2].mean(1)
    assert float(left[:, 0].min()) > 0.5
    assert float(left[:, 1].abs().max()) < 1e-3


def test_gradients_reach_the_motion_and_the_weights_stay():
    space = random_space()
    six = matrix_to_six(motions()).requires_grad_()
    (1 - space.encode_motion(six) @ space.encode_labels(["walk"]).T).sum().backward()
    assert torch.isfinite(six.grad).all()
    moved = six.grad.abs().sum((0, 3))
    assert float(moved.min(0).values[1:].min()) > 0  # every joint in every frame
    assert all(weight.grad is None for weight in space.parameters())
    step = (six - 2 * six.grad).detach()
    before, after = (space.encode_motion(m) @ space.encode_labels(["walk"]).T for m in (six.detach(), step))
    assert float((after - before).min()) > 0


def test_decoded_motion_is_of_rotations():
    six = random_space().decode(torch.randn(2, 16))
    matrices = six_to_matrix(six)
    assert six.shape == (2, 60, 24, 6)
    torch.testing.assert_close(matrix_to_six(matrices), six, atol=1e-5, rtol=0)


def test_windows_of_another_length_are_refused():
    with pytest.raises(ValueError, match="not \\(B, 60, 24, 6\\)"):
        random_space().encode_motion(torch.zeros(1, 49, 24, 6))


def test_the_file_brings_everything_back(tmp_path):
    space, path = random_space(), tmp_path / "space.safetensors"
    space.to_file(path)
    again = MotionTextSpace.from_file(path)
    six = matrix_to_six(motions())
    assert again.labels == space.labels
    close = {"atol": 2e-3, "rtol": 2e-2}  # half precision
    torch.testing.assert_close(again.encode_motion(six), space.encode_motion(six), **close)
    torch.testing.assert_close(again.decode(space.label_points), space.decode(space.label_points), atol=0.1, rtol=0)
    assert not any(weight.requires_grad for weight in again.parameters())


def damaged_files(folder):
    space = random_space()
    weights = {name: value.contiguous() for name, value in space.state_dict().items()}
    labels = {"labels": json.dumps(space.labels)}
    (folder / "garbage").write_bytes(b"no weights")
    save_file(weights, folder / "nameless")
    save_file({"something": torch.zeros(3)}, folder / "other", labels)
    save_file(weights, folder / "fewer", {"labels": json.dumps(space.labels[:2])})
    save_file(weights | {"label_points": torch.full((3, 16), math.nan)}, folder / "nan", labels)
    return folder


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("garbage", "cannot be read"),
        ("absent", "cannot be read"),
        ("nameless", "cannot be read"),
        ("other", "another network"),
        ("fewer", "another network"),
        ("nan", "no numbers"),
    ],
)
def test_damaged_files_are_refused(tmp_path, name, message):
    with pytest.raises(ModelFileError, match=message):
        MotionTextSpace.from_file(damaged_files(tmp_path) / name)


def test_sentences_go_through_the_map_that_the_file_holds():
    space = random_space()
    space.sentence_map.copy_(torch.randn(385, 16))
    points = space.encode_sentences(torch.randn(5, 384))
    torch.testing.assert_close(points.norm(dim=-1), torch.ones(5))


# --- training -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clips():
    """Three actions of four people, one of them held out."""
    found = []
    for i, person in enumerate(performers(4, np.random.default_rng(0))):
        for action in ACTIONS:
            clip = author(action, person, np.random.default_rng(i))
            turn = axis_angle_to_matrix(torch.tensor([math.pi / 2, 0.0, 0.0], dtype=torch.float64)).numpy()
            clip.rotations[:, 0] = turn @ clip.rotations[:, 0]
            labels = (LabelRow(0, len(clip.pelvis), action, "x"),)
            found.append(corpus_clip(f"{action}_{i}", clip, person.name, i == 0, i == 3, labels))
    return found


@pytest.fixture
def corpus(clips, tmp_path):
    write_corpus(tmp_path / "corpus.npz", clips)
    return tmp_path / "corpus.npz"


SHORT = MotionTextTraining(steps=2, misled_steps=2, batch=4, checkpoint_every=1)


def test_a_stopped_run_goes_on_as_if_it_had_not_been(corpus, tmp_path):
    once, twice = tmp_path / "once.safetensors", tmp_path / "twice.safetensors"
    score = train_motion_text(corpus, once, SHORT, 7, Silent())
    with pytest.raises(CancelledError):
        train_motion_text(corpus, twice, SHORT, 7, StopAt(3))
    assert not twice.exists()
    assert train_motion_text(corpus, twice, SHORT, 7, Silent()).both == score.both
    assert twice.read_bytes() == once.read_bytes()
    other = tmp_path / "other.safetensors"
    train_motion_text(corpus, other, replace(SHORT, misled_steps=0), 8, Silent())
    assert other.read_bytes() != once.read_bytes()


def test_training_brings_motions_to_their_labels(clips, tmp_path):
    known = [clip for clip in clips if not clip.held_out]
    settings = MotionTextTraining(
        steps=25, batch=12, misled_steps=0, learning_rate=1e-3, variation=replace(PLAIN, jitter=0.05)
    )
    sentences = read_sentences()
    space = fit_space(known, sentences, tmp_path / "out", settings, 0, Silent(), "cpu")
    score = score_motion_text(space, clips).both
    assert score.clips == 3
    assert score.top3 == 1
    assert score.right > 0.5 > score.wrong + 0.2
    torch.testing.assert_close(space.label_points.norm(dim=-1), torch.ones(len(space.labels)), atol=1e-3, rtol=0)
    own = space.encode_sentences(torch.from_numpy(sentences.of_labels))
    torch.testing.assert_close(own, space.label_points)


def test_bad_settings_checkpoints_and_corpora_are_refused(clips, corpus, tmp_path):
    with pytest.raises(UsageError, match="at least 1 step"):
        MotionTextTraining(steps=0)
    out = tmp_path / "out.safetensors"
    (tmp_path / "out.safetensors.checkpoint").write_bytes(b"garbage")
    with pytest.raises(UsageError, match="no checkpoint of this training"):
        train_motion_text(corpus, out, SHORT, 0, Silent())
    write_corpus(corpus, [clip for clip in clips if not clip.held_out])
    with pytest.raises(UsageError, match="No held-out clip has a label"):
        train_motion_text(corpus, out, SHORT, 0, Silent())


# --- windows ------------------------------------------------------------------------------------------------------


def test_plain_windows_are_the_clips_own(clips):
    windows = LabelledWindows(clips, ACTIONS, torch.device("cpu"))
    batch = windows.draw(16, torch.Generator().manual_seed(0), PLAIN)
    assert batch.six.shape == (16, 60, 24, 6)
    assert set(batch.label.tolist()) == {0, 1, 2}
    assert torch.equal(batch.label, batch.other)
    poses = torch.from_numpy(np.concatenate([clip.poses for clip in clips])).reshape(-1, 24, 3)
    own = matrix_to_six(axis_angle_to_matrix(poses)).flatten(1)
    distance = torch.cdist(batch.six[:, 30].flatten(1), own).min(1).values
    assert float(distance.max()) < 0.25  # between two frames of a fast motion
    assert float(distance.median()) < 0.05


def test_mirrored_windows_have_mirrored_labels(clips):
    sided = [replace(clip, labels=(replace(clip.labels[0], label="kick left"),)) for clip in clips[:3]]
    labels = ("kick left", "kick right")
    windows = LabelledWindows(sided, labels, torch.device("cpu"))
    batch = windows.draw(12, torch.Generator().manual_seed(0), replace(PLAIN, mirror=1.0))
    assert batch.label.tolist() == [1] * 12
    assert mirrored_text(labels[0]) == labels[1]
    torch.testing.assert_close(
        windows.of_labels(torch.tensor([1]), 4, torch.Generator().manual_seed(1)),
        mirrored_six(windows.of_labels(torch.tensor([0]), 4, torch.Generator().manual_seed(1))),
    )
    assert windows.covered.tolist() == [0, 1]


def test_mirroring_twice_changes_nothing_and_mirroring_is_a_reflection():
    rotations = motions(2)
    six = matrix_to_six(rotations)
    torch.testing.assert_close(mirrored_six(mirrored_six(six)), six)
    flip = torch.diag(torch.tensor([-1.0, 1, 1]))
    torch.testing.assert_close(six_to_matrix(mirrored_six(six))[:, :, 0], flip @ rotations[:, :, 0] @ flip)


def test_legs_of_another_label_are_reported(clips):
    windows = LabelledWindows(clips, ACTIONS, torch.device("cpu"))
    batch = windows.draw(32, torch.Generator().manual_seed(0), replace(PLAIN, other_legs=1.0))
    assert torch.equal(batch.other, batch.label.roll(1))


def test_variation_leaves_rotations_and_repeats_with_its_seed(clips):
    windows = LabelledWindows(clips, ACTIONS, torch.device("cpu"))
    first, second = (windows.draw(8, torch.Generator().manual_seed(3), LabelVariation()) for _ in range(2))
    torch.testing.assert_close(first.six, second.six)
    torch.testing.assert_close(matrix_to_six(six_to_matrix(first.six)), first.six, atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match="no labelled intervals"):
        LabelledWindows(clips, ["juggle"], torch.device("cpu"))


# --- what ships ---------------------------------------------------------------------------------------------------


def test_sentences_are_those_of_the_dictionary(tmp_path):
    sentences = read_sentences()
    dictionary = MotionDictionary.from_files()
    assert sentences.labels == dictionary.labels
    assert len(sentences.embeddings) == sum(len(dictionary.texts(label)) for label in dictionary.labels)
    (tmp_path / "x.npz").write_bytes(b"no table")
    with pytest.raises(ModelFileError, match="cannot be read"):
        read_sentences(tmp_path / "x.npz")
    np.savez(tmp_path / "y.npz", texts=np.array(["walk"]), embeddings=np.ones((1, 384), np.float16))
    with pytest.raises(ModelFileError, match="another dictionary"):
        read_sentences(tmp_path / "y.npz")


_ANIMALS = ("imitate a", "act out a story")
"""Labels that held-out people alone perform: docs/training-data.md."""


def test_shipped_space_dictionary_and_exemplars_belong_together():
    space, dictionary = MotionTextSpace.from_file(), MotionDictionary.from_files()
    assert space.labels == dictionary.labels
    torch.testing.assert_close(space.label_points.norm(dim=-1), torch.ones(len(space.labels)), atol=1e-3, rtol=0)
    own = space.encode_sentences(torch.from_numpy(read_sentences().of_labels))
    torch.testing.assert_close(own, space.label_points, atol=2e-3, rtol=0)  # half precision
    exemplars = torch.stack([torch.from_numpy(dictionary.exemplar(label)) for label in dictionary.labels])
    similar = space.encode_motion(exemplars) @ space.label_points.T
    learnt = torch.tensor([not label.startswith(_ANIMALS) for label in space.labels])
    assert float(similar.diagonal()[learnt].mean()) > 0.85
    assert float((similar.argmax(1) == torch.arange(len(similar)))[learnt].float().mean()) > 0.9
    # half precision in the file, and a threshold far below what one sees
    torch.testing.assert_close(space.decode(space.label_points), exemplars, atol=5e-3, rtol=0)
    assert float(exemplars.diff(n=2, dim=1).abs().mean()) < 0.02


def test_similarity_of_shipped_labels_is_low_between_unlike_ones():
    space = MotionTextSpace.from_file()
    similar = space.label_points @ space.label_points.T
    others = similar[~torch.eye(len(similar), dtype=torch.bool)]
    assert float(others.mean()) < 0.2
    pick = [space.labels.index(label) for label in ("walk", "walk slowly", "push-up")]
    assert float(similar[pick[0], pick[1]]) > float(similar[pick[0], pick[2]]) + 0.2
