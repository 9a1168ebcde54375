"""What the bench scores on: only held-out performers, categories alike, cases that hold together."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from bench_cases import clip, corpus, labelled, quiet_detector

from engine.body.model import load_body
from engine.camera.pinhole import project
from engine.errors import UsageError
from engine.evaluation.data import CLEAR, CONDITIONS, OCCLUDED, CorpusCases, choose_pieces, held_out_clips, planned
from engine.evaluation.joints import LIMB_SET, marks_of
from engine.keypoints.joint_sets import MEDIAPIPE_33
from engine.keypoints.types import SEEN_CONFIDENCE
from engine.training.corpus import write_corpus


@pytest.fixture(scope="module")
def cases():
    return CorpusCases(load_body(None), quiet_detector(), seed=3)


@pytest.fixture(scope="module")
def piece():
    return choose_pieces(corpus(), 1, authored=False, seed=0)[0]


@pytest.fixture(scope="module")
def made(cases, piece):
    return {condition: cases.make(piece, condition) for condition in CONDITIONS}


def test_training_performers_are_never_scored_on(tmp_path):
    write_corpus(tmp_path / "corpus.npz", corpus())
    names = {one.name for one in held_out_clips(tmp_path / "corpus.npz")}
    assert names == {"a", "b", "c", "authored"}
    with_trained = choose_pieces(corpus(), 99, authored=False, seed=0)
    assert {piece.clip.name for piece in with_trained} == {"a", "b", "c"}


@pytest.mark.parametrize(
    "extra", [clip("d", "hdm_tr", held_out=False), clip("d", "somebody")], ids=["on both sides", "of another split"]
)
def test_a_corpus_that_does_not_keep_performers_apart_is_refused(tmp_path, extra):
    write_corpus(tmp_path / "corpus.npz", [*corpus(), extra])
    with pytest.raises(UsageError, match="does not keep performers apart"):
        held_out_clips(tmp_path / "corpus.npz")


def test_a_corpus_without_held_out_clips_is_refused():
    with pytest.raises(UsageError, match="no clips of held-out performers"):
        choose_pieces([clip("trained", "ann", held_out=False)], 3, authored=False, seed=0)


def test_categories_and_labels_are_chosen_alike():
    many = [clip(f"w{i}", label="walk", category="walk") for i in range(9)]
    many += [clip(f"k{i}", label=f"kick {i % 2}", category="kick") for i in range(8)]
    chosen = choose_pieces([*many, clip("t", label="throw", category="throw")], 7, authored=False, seed=1)
    counts = {name: sum(piece.category == name for piece in chosen) for name in ("walk", "kick", "throw")}
    assert counts == {"walk": 3, "kick": 3, "throw": 1}
    assert {piece.label for piece in chosen} >= {"kick 0", "kick 1"}
    again = choose_pieces([*many, clip("t", label="throw", category="throw")], 7, authored=False, seed=1)
    assert [piece.name for piece in again] == [piece.name for piece in chosen]


def test_authored_actions_are_apart():
    assert [piece.clip.name for piece in choose_pieces(corpus(), 9, authored=True, seed=0)] == ["authored"]


def test_long_intervals_are_cut_and_short_ones_left_out():
    long = labelled(clip("long", frames=300), (0, 290, "walk", "walk"), (290, 300, "turn", "walk"))
    pieces = choose_pieces([long], 9, authored=False, seed=0)
    assert sorted((piece.start, piece.end) for piece in pieces) == [(0, 120), (120, 240)]


def test_each_piece_is_seen_clear_and_under_one_occlusion_in_turn():
    pieces = choose_pieces([clip(name) for name in "abc"], 3, authored=False, seed=0)
    plan = planned(pieces, every_condition=False)
    assert [condition for _, condition in plan if condition != CLEAR] == list(OCCLUDED)
    assert len(plan) == 6
    others = [clip(name, label=name, category=name) for name in "abc"]
    few = planned(choose_pieces(others, 3, authored=False, seed=0), every_condition=False)
    assert {condition for _, condition in few} == set(CONDITIONS)
    assert len(planned(pieces, every_condition=True)) == 12


def test_the_truth_is_what_the_camera_sees(made, cases):
    for case in made.values():
        matrix = torch.as_tensor(case.camera.intrinsics)
        marks = torch.as_tensor(marks_of(cases.body, case.truth.pose, MEDIAPIPE_33))
        assert project(marks, matrix).numpy() == pytest.approx(case.truth.points, abs=0.1)
        joints = LIMB_SET.of(cases.body, case.truth.pose)
        assert joints == pytest.approx(case.truth.joints, abs=1e-4)
        assert case.truth.joints.shape == (case.frames, 12, 3)


def test_conditions_hide_what_they_say(made):
    assert made[CLEAR].truth.seen.mean() > 0.9
    for condition in OCCLUDED:
        assert made[condition].truth.seen.mean() < 0.95
    limb = ~made["limb"].truth.seen
    assert limb.all(0).any()  # hidden throughout
    legs = [LIMB_SET.names.index(f"{side}_ankle") for side in ("left", "right")]
    assert not made["truncated"].truth.seen[:, legs].any()


def test_the_track_is_like_the_pipelines(made):
    case = made["truncated"]
    track = case.track
    assert track.keypoint_names == MEDIAPIPE_33
    assert track.detected.all()
    seen = track.keypoints[..., 2] >= SEEN_CONFIDENCE
    limbs = [MEDIAPIPE_33.index(name) for name in LIMB_SET.names]
    assert np.array_equal(seen[:, limbs], case.truth.seen)
    assert (track.boxes[:, 3] <= track.image_size[1]).all()
    assert (np.diff(track.timestamps) > 0).all()
    near = np.abs(track.keypoints[..., :2] - case.truth.points)[seen]
    assert near.max() < 0.05 * (track.boxes[:, 3] - track.boxes[:, 1]).max()


def test_the_same_seed_gives_the_same_case_and_another_seed_another(cases, piece, made):
    again = cases.make(piece, "limb")
    assert np.array_equal(again.track.keypoints, made["limb"].track.keypoints)
    other = CorpusCases(cases.body, cases.detector, seed=4)
    assert not np.array_equal(other.make(piece, "limb").track.keypoints, again.track.keypoints)
    assert other.key(piece, "limb") != cases.key(piece, "limb")


def test_the_key_knows_the_motion(cases, piece):
    moved = replace(piece, clip=replace(piece.clip, poses=piece.clip.poses + 0.01))
    assert cases.key(moved, CLEAR) != cases.key(piece, CLEAR)
