"""When a label leads against what the evidence suggests for hidden joints, and how far joints are hidden."""

import math
from types import SimpleNamespace

import pytest
import torch

from engine.adaptation.infill import Infilled, hidden_share, led_by_label, report_unseen
from engine.adaptation.track_inference import Estimate
from engine.body.landmarks import JOINT_NAMES
from engine.body.rotations import axis_angle_to_matrix

ROWS = 60
TIMES = torch.arange(ROWS) / 30
KNEE = JOINT_NAMES.index("left_knee")


def knee(mean, swing):
    """Motion in which the left knee bends about `mean`, by `swing` radians to and fro."""
    turn = torch.zeros(ROWS, 24, 3)
    turn[:, KNEE, 0] = mean + swing * (2 * math.pi * TIMES).sin()
    return axis_angle_to_matrix(turn)


def led(evidence, label, similarities):
    """The knee's bend after `led_by_label`, for the similarity of the evidence's take and of the label's."""
    hidden = torch.zeros(ROWS, 24)
    hidden[:, KNEE] = 1
    draws = SimpleNamespace(rotations=evidence[None], contacts=torch.zeros(1, ROWS, 4))
    infilled = Infilled(evidence, hidden, draws, (), 1, (label,))
    motion = Estimate(knee(0, 0), torch.zeros(ROWS, 10), torch.zeros(ROWS, 3))
    found = iter(similarities)
    named = torch.ones(ROWS, dtype=torch.bool)
    return led_by_label(infilled, motion, named, TIMES, lambda _: torch.full((ROWS,), next(found))).rotations[:, KNEE]


@pytest.mark.parametrize(
    ("evidence", "label", "similarities", "leads"),
    [
        ((1.5, 0.0), (0.1, 0.0), (0.1, 0.6), True),  # sits, says the upper body; stands, says the label
        ((1.5, 0.0), (0.4, 0.5), (0.1, 0.6), True),  # sits still; walks, says the label
        ((0.6, 0.5), (0.4, 0.5), (0.1, 0.6), False),  # an odd walk is in step
        ((1.5, 0.0), (0.1, 0.0), (0.7, 0.9), False),  # the evidence's motion is like the label
        ((1.5, 0.0), (0.1, 0.0), (0.1, 0.0), False),  # the label's own motion is no more like it
    ],
)
def test_a_label_leads_where_the_evidence_is_unlike_it_and_not_in_step(evidence, label, similarities, leads):
    result = led(knee(*evidence), knee(*label), similarities)
    wanted = knee(*(label if leads else evidence))[:, KNEE]
    torch.testing.assert_close(result, wanted, atol=1e-4, rtol=0)


def test_joints_are_hidden_as_far_as_they_and_their_children_are_not_seen():
    confidence = torch.ones(ROWS, 24)
    confidence[:, JOINT_NAMES.index("left_ankle")] = 0
    share = hidden_share(confidence, TIMES)
    assert share[:, KNEE].min() == 1, "the ankle shows how the knee is turned"
    assert share[:, JOINT_NAMES.index("left_hip")].max() == 0
    assert share[:, JOINT_NAMES.index("right_knee")].max() == 0


def test_the_trunk_is_seen_by_its_shoulders():
    confidence = torch.ones(ROWS, 24)
    legs = [i for i, name in enumerate(JOINT_NAMES) if name.rpartition("_")[2] in ("hip", "knee", "ankle", "foot")]
    confidence[:, legs] = 0
    trunk = [JOINT_NAMES.index(name) for name in ("pelvis", "spine1", "spine2", "spine3")]
    confidence[:, trunk] = 0.5
    assert hidden_share(confidence, TIMES)[:, trunk].max() == 0
    assert hidden_share(torch.zeros(ROWS, 24), TIMES)[:, trunk].min() == 1


def test_seconds_in_which_nothing_is_seen_are_reported_with_the_label_that_leads_there():
    hidden = torch.zeros(ROWS, 24)
    hidden[15:, 1:] = 1
    hidden[:15, KNEE] = 1
    reported = []
    progress = SimpleNamespace(warn=lambda code, text: reported.append((code, text)))
    report_unseen(hidden, TIMES, ["walk"] * 30 + ["sit"] * 30, progress)
    report_unseen(hidden, TIMES, [""] * ROWS, progress)
    report_unseen(hidden[:20], TIMES[:20], [""] * 20, progress)
    unseen = "Nothing of the person is seen from 0.5 s to 2.0 s: the motion there"
    assert reported == [
        ("nothing_seen", f"{unseen} follows the label 'sit', 'walk' alone."),
        ("nothing_seen", f"{unseen} is a guess."),
    ]


def test_hands_of_which_nothing_is_ever_seen_do_not_count_as_seen():
    hidden = torch.ones(ROWS, 24)
    hidden[:, [0, 22, 23]] = 0
    reported = []
    report_unseen(hidden, TIMES, [""] * ROWS, SimpleNamespace(warn=lambda code, text: reported.append(code)))
    assert reported == ["nothing_seen"]
