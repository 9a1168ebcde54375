import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from engine.body.rotations import axis_angle_to_matrix
from engine.runtime.progress import Silent
from engine.semantics.motion_text import MotionTextSpace
from engine.semantics.retrieval_labeler import RetrievalSettings, fill_in, label_similarity, retrieve_labels
from engine.training.authored import author, performers
from engine.training.figure import vectors

LABELS = ("wave", "walk", "sit")


class Plain:
    """A space whose points are three numbers of the left elbow's rotation, and whose labels are the axes."""

    labels = LABELS
    label_points = torch.eye(3)

    def encode_motion(self, six):
        return functional.normalize(six[:, :, 18, 3:].mean(1), dim=-1)


def plain_poses(*parts):
    """Poses with what `Plain` sees: for each (frames, direction) that direction as the elbow's second column."""
    poses = []
    for frames, direction in parts:
        second = np.asarray(direction, float) / np.linalg.norm(direction)
        turn = np.cross((0, 1, 0), second)
        angle = math.atan2(np.linalg.norm(turn), second[1])
        vector = turn / max(np.linalg.norm(turn), 1e-9) * angle
        pose = np.zeros((frames, 24, 3), np.float32)
        pose[:, 18] = vector
        poses.append(pose.reshape(frames, 72))
    poses = np.concatenate(poses)
    return poses, np.arange(len(poses)) / 30


def found(*parts, **settings):
    poses, times = plain_poses(*parts)
    return retrieve_labels(poses, times, Plain(), Silent(), RetrievalSettings(**settings))


def test_changes_are_found_where_they_are():
    labels = found((150, (1, 0.1, 0)), (120, (0.1, 0, 1)))
    assert labels[0] == "wave"
    assert labels[-1] == "sit"
    changes = np.flatnonzero(labels[1:] != labels[:-1])
    assert len(changes) <= 2
    assert np.abs(changes - 150).max() <= 30


def test_what_fits_no_label_gets_none():
    assert set(found((150, (1, 1, 1)))) == {""}
    assert set(found((150, (1, 0.4, 0)))) == {"wave"}
    assert set(found((150, (1, 0.4, 0)), least=0.99)) == {""}


def test_a_flicker_is_not_worth_a_change():
    assert set(found((150, (1, 0.6, 0)), (8, (0.6, 1, 0)), (150, (1, 0.6, 0)), change=1.0)) == {"wave"}


def test_any_frame_rate_and_gaps_in_time():
    poses, _ = plain_poses((200, (1, 0, 0)))
    labels = retrieve_labels(poses, np.arange(200) / 60, Plain(), Silent())
    assert set(labels) == {"wave"}
    times = np.concatenate((np.arange(100) / 24, 9 + np.arange(100) / 24))
    assert set(retrieve_labels(poses, times, Plain(), Silent())) == {"wave"}


@pytest.mark.parametrize("frames", [1, 2, 10, 19])
def test_too_short_to_tell(frames):
    assert set(found((frames, (1, 0, 0)))) == {""}


@pytest.mark.parametrize("frames", [22, 45, 59, 60, 61])
def test_short_tracks_have_a_label_of_their_own(frames):
    assert set(found((frames, (1, 0, 0)))) == {"wave"}


def test_typed_labels_always_win():
    poses, times = plain_poses((150, (1, 0, 0)))
    typed = np.array(["a dance of my own"] * 40 + [""] * 110)
    labels = fill_in(typed, poses, times, Plain(), Silent())
    assert labels.tolist() == typed[:40].tolist() + ["wave"] * 110
    whole = np.array(["walk"] * 150)
    assert fill_in(whole, poses, times, None, Silent()) is whole


def test_similarity_is_that_of_each_rows_own_label():
    poses, times = plain_poses((90, (1, 0, 0)), (90, (0, 0, 1)), (20, (0, 1, 0)))
    labels = np.array(["wave"] * 90 + ["walk"] * 90 + [""] * 10 + ["not in it"] * 10)
    similarity = label_similarity(poses, times, labels, Plain())
    np.testing.assert_allclose(similarity[:90], 1, atol=1e-5)
    np.testing.assert_allclose(similarity[90:], 0, atol=1e-5)


class Stop(Silent):
    def __call__(self, done, total):
        raise InterruptedError


def test_progress_is_reported_so_that_a_run_can_be_cancelled():
    poses, times = plain_poses((300, (1, 0, 0)))
    with pytest.raises(InterruptedError):
        retrieve_labels(poses, times, Plain(), Stop())


def performed(action, person, seed):
    """(T, 72) of an authored action, z up, by somebody whom no network has seen."""
    clip = author(action, person, np.random.default_rng(seed))
    rotations = clip.rotations.copy()
    up = axis_angle_to_matrix(torch.tensor([math.pi / 2, 0, 0], dtype=torch.float64)).numpy()
    rotations[:, 0] = up @ rotations[:, 0]
    return vectors(rotations).reshape(-1, 72).astype(np.float32)


def test_the_shipped_space_finds_actions_of_somebody_it_does_not_know():
    person = performers(1, np.random.default_rng(2024))[0]
    parts = [performed(action, person, 5) for action in ("walk upstairs", "jumping jack", "sit")]
    poses = np.concatenate(parts)
    times = np.arange(len(poses)) / 30
    space = MotionTextSpace.from_file()
    labels = retrieve_labels(poses, times, space, Silent())
    true = np.repeat(["walk upstairs", "jumping jack", "sit"], [len(part) for part in parts])
    given = labels != ""
    assert given.mean() > 0.5
    assert (labels == true)[given].mean() > 0.8
    right = label_similarity(poses, times, true, space)
    assert float(right.mean()) > 0.75
    wrong = label_similarity(poses, times, np.roll(true, len(true) // 2), space)
    assert float(wrong.mean()) < float(right.mean()) - 0.2
    assert np.array_equal(labels, retrieve_labels(poses, times, space, Silent()))
