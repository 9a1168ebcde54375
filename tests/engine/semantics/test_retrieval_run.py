import numpy as np
import pytest

from engine.runtime.progress import Silent
from engine.semantics.retrieval_run import agreement, label_rows
from engine.training.authored import author, performers
from engine.training.figure import vectors


@pytest.fixture(scope="module")
def squatting():
    """(T, 72) of somebody who crouches, z up."""
    clip = author("crouch", performers(1, np.random.default_rng(77))[0], np.random.default_rng(1))
    rotations = clip.rotations.copy()
    rotations[:, 0] = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]) @ rotations[:, 0]
    poses = vectors(rotations).reshape(-1, 72).astype(np.float32)
    return poses, np.arange(len(poses)) / 30


class Notes(Silent):
    def __init__(self):
        self.warnings = []

    def warn(self, code, message):
        self.warnings.append((code, message))


def test_what_is_not_typed_is_labelled_from_the_motion(squatting):
    poses, times = squatting
    typed = np.full(len(poses), "", "<U20")
    typed[:10] = "something of mine"
    labels = label_rows(typed, poses, times, Silent())
    assert set(labels[:10]) == {"something of mine"}
    assert set(labels[30:]) == {"crouch"}


def test_motion_too_short_to_tell_gets_no_label_and_a_warning(squatting):
    poses, times = squatting
    notes = Notes()
    labels = label_rows(np.full(15, "", "<U5"), poses[:15], times[:15], notes)
    assert set(labels) == {""}
    assert [code for code, _ in notes.warnings] == ["labeler"]


def test_agreement_is_high_for_what_is_done_and_low_for_what_is_not(squatting):
    poses, times = squatting
    half = len(poses) // 2
    labels = np.array(["crouching down"] * half + ["do a cartwheel"] * (len(poses) - half))
    fits = agreement(labels, poses, times)
    assert float(fits[:half].mean()) > 0.7
    assert float(fits[half:].mean()) < 0.5
    unknown = np.array(["quantum mechanics"] * len(poses))
    assert not agreement(unknown, poses, times).any()
    assert not agreement(np.full(len(poses), "", "<U1"), poses, times).any()
