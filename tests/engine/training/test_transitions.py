import csv
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from engine.body.model import load_body
from engine.training.authored import author, performers
from engine.training.bvh import read_bvh
from engine.training.figure import INDEX, MotionClip, figure_of, matrices, vectors
from engine.training.ground import contact_slide
from engine.training.retarget import retarget
from engine.training.source_pose import read_joint_maps
from engine.training.transitions import join

PERSON = performers(1, np.random.default_rng(0))[0]
OLDER = Path(__file__).resolve().parents[4] / "shared" / "data" / "motions"
FOUR = ("walk happily", "sit down", "pick something up with both hands", "point")


def performed(action, seed=0):
    return author(action, PERSON, np.random.default_rng(seed))


def of_bridge(joined, figure=PERSON.figure):
    """Joints and skin about the bridge, three frames of each motion with it."""
    part = slice(joined.start - 3, joined.end + 3)
    joints, turned = figure.pose(joined.clip.rotations[part], joined.clip.pelvis[part])
    return joints, figure.skin_points(joints, turned), joined.clip.contacts[part]


@pytest.mark.parametrize(("first", "second"), [pair for pair in permutations(FOUR, 2) if pair[0] != "sit down"])
def test_bridges_are_smooth_on_planted_feet_and_out_of_the_floor(first, second):
    joined = join(performed(first), performed(second), PERSON.figure)
    joints, skin, contacts = of_bridge(joined)
    acceleration = np.linalg.norm(np.diff(joints, 2, axis=0), axis=-1) * 30**2
    assert acceleration.max() < 160
    assert skin[..., 1].min() > -0.02
    assert contact_slide(skin[:, PERSON.figure.soles], contacts, 30.0) < 0.06
    grounded = contacts.reshape(len(contacts), 2, 2).max(2)
    assert grounded.max(1).min() > 0.5  # one foot at least stands


def test_both_motions_are_in_it_unchanged_but_for_their_place():
    first, second = performed("point"), performed("walk happily")
    joined = join(first, second, PERSON.figure)
    assert len(joined.clip.pelvis) == len(first.pelvis) + len(second.pelvis) + joined.end - joined.start
    np.testing.assert_array_equal(joined.clip.rotations[: joined.start], first.rotations)
    np.testing.assert_array_equal(joined.clip.rotations[joined.end :, 1:], second.rotations[:, 1:])
    np.testing.assert_allclose(joined.clip.pelvis[joined.end :, 1], second.pelvis[:, 1])
    ours = np.linalg.norm(np.diff(joined.clip.pelvis[joined.end :], axis=0), axis=1)
    np.testing.assert_allclose(ours, np.linalg.norm(np.diff(second.pelvis, axis=0), axis=1), atol=1e-9)


def test_the_second_motion_faces_where_the_first_one_ends():
    first = performed("point")
    turn = matrices(np.array([0.0, 1.2, 0.0]))
    turned = MotionClip(first.name, first.rotations.copy(), first.pelvis @ turn.T + (3, 0, 5), first.contacts)
    turned.rotations[:, 0] = turn @ first.rotations[:, 0]
    plain, moved = (join(one, performed("walk happily"), PERSON.figure).clip for one in (first, turned))
    np.testing.assert_allclose(moved.pelvis, plain.pelvis @ turn.T + (3, 0, 5), atol=1e-6)


def test_a_motion_joined_with_its_own_rest_hardly_moves():
    clip = performed("point")
    half = len(clip.pelvis) // 2
    parts = [
        MotionClip("p", clip.rotations[s], clip.pelvis[s], clip.contacts[s]) for s in (slice(half), slice(half, None))
    ]
    joined = join(*parts, PERSON.figure)
    bridge = joined.clip.rotations[joined.start : joined.end]
    ahead = np.swapaxes(bridge, -1, -2) @ clip.rotations[half]
    assert np.degrees(np.linalg.norm(vectors(ahead), axis=-1)).max() < 6
    assert joined.end - joined.start <= 13


def test_what_cannot_be_joined_is_refused():
    clip = performed("point")
    with pytest.raises(ValueError, match="at least two frames"):
        join(clip, MotionClip("x", clip.rotations[:1], clip.pelvis[:1], clip.contacts[:1]), PERSON.figure)
    with pytest.raises(ValueError, match="30 and 60"):
        join(clip, MotionClip("x", clip.rotations, clip.pelvis, clip.contacts, 60.0), PERSON.figure)


@pytest.mark.skipif(not OLDER.is_dir(), reason="the motion capture folder is not here")
def test_a_captured_walk_goes_over_into_sitting_down():
    """It ends in full walk, one foot in the air."""
    figure = figure_of(load_body(None))
    with (OLDER / "labels.csv").open(encoding="utf-8", newline="") as file:
        row = next(r for r in csv.DictReader(file) if r["label"] == "walk" and r["source"] == "cmu_expmap")
    source = row["source"]
    bvh = read_bvh(OLDER / "bvh" / source / f"{row['clip']}.bvh")
    walk, _ = retarget(bvh, read_joint_maps(OLDER / "skeletons.json")[source], figure)
    person = performers(1, np.random.default_rng(0), [figure])[0]
    joined = join(walk, author("sit down", person, np.random.default_rng(0)), figure)
    joints, skin, contacts = of_bridge(joined, figure)
    assert np.linalg.norm(np.diff(joints, 2, axis=0), axis=-1).max() * 30**2 < 160
    assert skin[..., 1].min() > -0.06
    assert contact_slide(skin[:, figure.soles], contacts, 30.0) < 0.15
    assert joined.clip.pelvis[-1, 1] < joined.clip.pelvis[joined.start, 1] - 0.25
    assert (joints[:, INDEX["head"], 1] > 1.2).all()
