"""Takes for a hidden stretch: what kinds there are, how they are scored and ordered, and proposed again."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from finished_motions import finished
from synthetic_people import seen, unseen, walk

from engine.adaptation import proposals
from engine.adaptation.evidence import Seen
from engine.adaptation.infill import hidden_share
from engine.adaptation.priors import load_priors
from engine.adaptation.proposals import Known, propose
from engine.adaptation.proposing import propose_again
from engine.adaptation.stage import estimate_of
from engine.body.landmarks import JOINT_NAMES
from engine.body.rotations import axis_angle_to_matrix
from engine.errors import UsageError
from engine.files.array_file import read_arrays
from engine.files.array_tables import TAKES
from engine.files.atomic import write_arrays
from engine.output.motion_file import write_motion
from engine.protocol import Job
from engine.run_options import check_options
from engine.runtime.progress import Silent
from engine.weights.model_settings import ModelSettings

LEGS = [f"{side}_{part}" for side in ("left", "right") for part in ("knee", "ankle", "heel", "foot_index")]
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def track_of(body):
    """Somebody who walks for three seconds and whose legs are hidden in the middle second."""
    person = walk(body, seconds=3.0)
    return person, unseen(seen(body, person), slice(30, 60), LEGS)


@pytest.fixture(scope="module")
def known(body, track_of):
    person, track = track_of
    evidence = Seen.of(track, person.camera, body, CPU)
    hidden = hidden_share(evidence.joints, evidence.gathered.times)
    priors = load_priors(ModelSettings(), "cpu", True, Silent())
    return Known(estimate_of(person.prediction, CPU), evidence, hidden, ["walk"] * len(track.timestamps), body, priors)


@pytest.fixture(scope="module")
def takes(known):
    return propose(known, 0)


def test_there_are_draws_near_labels_another_phase_and_a_mirrored_one(takes, known):
    assert takes["kinds"].shape == (1, 8)
    assert sorted(takes["kinds"][0]) == sorted(["draw"] * 4 + ["label"] * 2 + ["phase", "mirrored"])
    labels = dict(zip(takes["kinds"][0], takes["labels"][0], strict=True))
    assert labels["draw"] == labels["phase"] == labels["mirrored"] == "walk"
    near = {label for kind, label in zip(takes["kinds"][0], takes["labels"][0], strict=True) if kind == "label"}
    assert len(near) == 2
    assert near < set(known.priors.dictionary.labels) - {"walk"}
    assert takes["poses"].shape == (8, len(takes["rows"]), 72)
    start, end = takes["stretches"][0]
    assert 0.7 < start < 1.1
    assert 1.9 < end < 2.3


def test_those_come_first_for_which_most_speaks(takes):
    places = np.zeros(8)
    for name, sign in (("similarity", -1), ("slide_mm", 1), ("reprojection_px", 1)):
        values = sign * takes[name][0]
        assert np.isfinite(values).all()
        places += (values[None] < values[:, None]).sum(1)
    assert (np.diff(places) >= 0).all()


def test_what_lies_beside_seen_keypoints_and_slides_is_scored_so(known, body):
    rows = torch.arange(32, 58)
    true = known.motion.rotations[rows]
    standing = torch.ones(len(rows), 4)
    good = proposals._Take("draw", "walk", true, standing * 0)
    bent = true.clone()
    bent[:, JOINT_NAMES.index("spine1")] = axis_angle_to_matrix(torch.tensor([[0.5, 0.0, 0.0]]))
    bad = proposals._Take("draw", "sit", bent, standing)
    alike, other = (proposals._scores(known, one, rows).tolist() for one in (good, bad))
    assert alike[0] > other[0]
    assert alike[1] < other[1], "feet that walk and are taken to stand slide"
    assert alike[2] < 2.0, "pixels of the true motion"
    assert other[2] > alike[2] + 5


def test_mirrored_twice_is_as_before_and_a_period_is_found(known):
    order = torch.arange(24)[proposals._MIRROR][proposals._MIRROR]
    assert torch.equal(order, torch.arange(24))
    times = torch.arange(60) / 30
    turns = torch.zeros(60, 24, 3)
    knee = JOINT_NAMES.index("left_knee")
    turns[:, knee, 0] = (2 * math.pi * times).sin()
    hidden = torch.zeros(60, 24)
    hidden[:, knee] = 1
    assert proposals._half_period(axis_angle_to_matrix(turns), hidden, times) == 15
    assert proposals._half_period(axis_angle_to_matrix(0 * turns), hidden, times) == 15, "half a second without one"


def test_without_a_label_there_are_draws_alone_and_nothing_hidden_has_none(known):
    bare = replace(known, labels=[""] * len(known.labels), draws=None)
    found = propose(bare, 0)
    assert set(found["kinds"][0]) == {"draw", "phase", "mirrored"}
    assert not found["similarity"].any()
    assert propose(replace(known, hidden=torch.zeros_like(known.hidden)), 0) == {}


@pytest.fixture
def folder(tmp_path, body, track_of):
    person, track = track_of
    write_motion(finished(body, person, track).motion, tmp_path / "person_1.npz")
    return tmp_path


def again(folder, body, track_of, label, **options):
    person, track = track_of
    job = Job(footage=["-"], out="-", device="cpu", only="takes", **options)
    labels = np.array([label] * len(track.timestamps))
    return propose_again(folder, track, labels, person.camera, body, check_options(job), Silent())


def test_takes_are_proposed_again_for_one_stretch_and_the_others_stay(folder, body, track_of):
    person, track = track_of
    two = unseen(track, slice(75, 88), LEGS)
    file = again(folder, body, (person, two), "walk")
    before = read_arrays(file, TAKES)
    assert before["stretches"].shape == (2, 2)
    again(folder, body, (person, two), "jump", at_s=1.4)
    after = read_arrays(file, TAKES)
    assert "walk" in before["labels"][0]
    assert "walk" not in after["labels"][0]
    assert np.array_equal(after["labels"][1], before["labels"][1])
    later = after["rows"] >= 70
    assert np.array_equal(after["poses"][:, later], before["poses"][:, later])
    assert not np.array_equal(after["poses"][:, ~later], before["poses"][:, ~later])


def test_a_damaged_file_is_made_again_and_no_motion_is_a_sentence(folder, body, track_of):
    (folder / "person_1_takes.npz").write_bytes(b"garbage")
    file = again(folder, body, track_of, "walk", at_s=1.4)
    assert read_arrays(file, TAKES)["labels"].shape == (1, 8)
    arrays = dict(np.load(folder / "person_1.npz"))
    arrays["timestamps"] = arrays["timestamps"] + 5
    write_arrays(folder / "person_1.npz", arrays)
    with pytest.raises(UsageError, match="There is no motion of person 1"):
        again(folder, body, track_of, "walk")


def test_a_time_goes_with_takes_alone():
    with pytest.raises(UsageError, match="--at-s goes with --only takes"):
        check_options(Job(footage=["-"], out="-", at_s=1.0))
    with pytest.raises(UsageError, match="--at-s goes with --only takes"):
        check_options(Job(footage=["-"], out="-", only="takes", at_s=-1.0))
