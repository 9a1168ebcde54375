"""Weak stretches of a motion, and the command that lists them over a folder."""

import json
from dataclasses import replace

import numpy as np
import pytest
from finished_motions import finished
from synthetic_people import seen, stand, unseen
from typer.testing import CliRunner

from engine.body.landmarks import JOINT_NAMES
from engine.cli import app
from engine.output.review import REASONS, weak_stretches


@pytest.fixture
def motion(body):
    person = stand(body, seconds=4.0)
    return finished(body, person, seen(body, person)).motion


def kinds(motion):
    return {(one["why"], one["limb"]) for one in weak_stretches(motion)}


def test_somebody_in_full_view_who_stands_still_is_not_weak(motion):
    assert weak_stretches(motion) == []


def test_a_hidden_limb_is_found_with_its_time(body):
    person = stand(body, seconds=4.0)
    track = unseen(seen(body, person), slice(30, 60), ("left_elbow", "left_wrist"))
    (one,) = weak_stretches(finished(body, person, track).motion)
    assert (one["why"], one["limb"]) == ("hidden", "left arm")
    assert one["start_s"] == pytest.approx(1.0, abs=0.05)
    assert one["end_s"] == pytest.approx(2.0, abs=0.05)


def test_moments_are_left_out_and_short_gaps_bridged(body):
    person = stand(body, seconds=4.0)
    track = seen(body, person)
    short = unseen(track, slice(30, 35), ("left_elbow", "left_wrist"))
    assert weak_stretches(finished(body, person, short).motion) == []
    apart = unseen(
        unseen(track, slice(30, 40), ("left_elbow", "left_wrist")), slice(43, 60), ("left_elbow", "left_wrist")
    )
    assert len(weak_stretches(finished(body, person, apart).motion)) == 1


def test_unsure_limbs_unlike_labels_and_sliding_feet(motion):
    points = motion.keypoints2d.copy()
    names = motion.keypoint_names.tolist()
    points[30:60, [names.index("right_knee"), names.index("right_ankle")], 2] = 0.4
    assert kinds(replace(motion, keypoints2d=points)) == {("unsure", "right leg")}
    labels, likeness = np.array(["walk"] * len(motion.poses)), np.full(len(motion.poses), 0.2, np.float32)
    assert kinds(replace(motion, labels=labels, label_similarity=likeness)) == {("label", "")}
    assert kinds(replace(motion, labels=labels, label_similarity=likeness * 0)) == set(), "it was not measured"
    joints = motion.joints3d_world.copy()
    joints[:, JOINT_NAMES.index("left_ankle"), 0] += np.linspace(0, 2, len(joints))
    standing = np.ones_like(motion.contacts)
    assert kinds(replace(motion, joints3d_world=joints, contacts=standing)) == {("slide", "left leg")}


@pytest.fixture
def folder(tmp_path):
    def person(clip, **seconds):
        stretches = [
            {"start_s": 1.0, "end_s": 1.0 + length, "limb": "left arm", "why": why, "value": 0}
            for why, length in seconds.items()
        ]
        (tmp_path / clip).mkdir()
        report = {"people": [{"motion": "person_1.npz", "review": stretches}]}
        (tmp_path / clip / "report.json").write_text(json.dumps(report))

    person("good")
    person("bad", hidden=3.0, slide=0.5)
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(app, ["review", *map(str, arguments)])


def test_a_folder_of_clips_becomes_a_table(folder):
    ran = run(folder)
    assert ran.exit_code == 0
    assert "1.00 to 4.00 s: left arm hidden" in ran.stdout
    assert "good" in ran.stdout


def test_a_limit_decides_the_exit_code(folder):
    assert run(folder, "--limit", "hidden=3.5").exit_code == 0
    assert run(folder, "--limit", "hidden=3.5", "--limit", "slide=0.2").exit_code == 1
    ran = run(folder / "bad", "--limit", "hidden=2", "--json")
    assert ran.exit_code == 1
    (person,) = json.loads(ran.stdout)["people"]
    assert person["beyond"] == ["hidden"]
    assert person["seconds"] == {"hidden": 3.0, "unsure": 0, "label": 0, "slide": 0.5}
    assert set(person["seconds"]) == set(REASONS)


@pytest.mark.parametrize("limit", ["hidden", "hidden=x", "hidden=-1", "hidden=nan", "legs=2", "=2"])
def test_a_limit_that_is_none_is_named(folder, limit):
    ran = run(folder, "--limit", limit)
    assert "--limit does not understand" in str(ran.exception)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"people": [{}]}', '{"people": [{"motion": "a", "review": [{"start_s": "x"}]}]}']
)
def test_a_file_that_is_no_report_and_a_folder_without_one_are_named(tmp_path, content):
    assert "There is no report in" in str(run(tmp_path).exception)
    (tmp_path / "report.json").write_text(content)
    assert "is no report of this version" in str(run(tmp_path).exception)
