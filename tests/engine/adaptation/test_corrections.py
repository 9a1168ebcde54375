"""The file with a user's corrections: what is taken, and which sentence says what is wrong."""

import json

import pytest

from engine.adaptation.corrections import LIMBS, MOST_CORRECTIONS, Contact, PosePin, read_corrections
from engine.body.landmarks import JOINT_NAMES
from engine.errors import UsageError

POSE = {"kind": "pose", "time_s": 1.5, "rotations": {"left_elbow": [0, -0.5, 0]}}
GOOD = [
    POSE,
    {"kind": "pose", "person": 2, "time_s": 2, "space": "camera", "positions": {"left_wrist": [0.1, 0.2, 3]}},
    {"kind": "keypoints", "time_s": 0.5, "points": {"right_ankle": [640.5, 300]}},
    {"kind": "unseen", "start_s": 0, "end_s": 1, "points": ["left_knee"]},
    {"kind": "swap", "start_s": 0, "end_s": 1, "limbs": "legs"},
    {"kind": "contact", "start_s": 1, "end_s": 2, "part": "left_foot"},
    {"kind": "ignore", "start_s": 1, "end_s": 2, "limb": "left_arm"},
]


@pytest.fixture
def written(tmp_path):
    def write(corrections=(), **others):
        path = tmp_path / "corrections.json"
        path.write_text(json.dumps({"format": 1, "corrections": list(corrections), **others}))
        return path

    return write


def test_every_kind_is_read(written):
    found = read_corrections(written(GOOD, footage="ab" * 32, engine="1.0.0"))
    assert [one.kind for one in found.corrections] == [one["kind"] for one in GOOD]
    assert isinstance(found.corrections[0], PosePin)
    assert found.corrections[1].person == 2
    assert isinstance(found.corrections[5], Contact)
    assert found.corrections[5].at is None


def test_limbs_are_made_of_joints():
    assert {joint for limb in LIMBS.values() for joint in limb} <= set(JOINT_NAMES)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({**POSE, "time_s": -1}, "entry 1.*greater than or equal to 0"),
        ({**POSE, "time_s": float("nan")}, "finite"),
        ({**POSE, "rotations": {"tail": [0, 0, 0]}}, "no joint 'tail'"),
        ({**POSE, "rotations": {"head": [0, 0]}}, "entry 1"),
        ({**POSE, "rotations": {"head": [0, 0, 1e9]}}, "less than or equal to 10"),
        ({**POSE, "rotations": {}}, "it pins no joint"),
        ({**POSE, "person": 0}, "greater than or equal to 1"),
        ({**POSE, "person": True}, "valid integer"),
        ({**POSE, "colour": "red"}, "colour"),
        ({"kind": "keypoints", "time_s": 0, "points": {}}, "at least 1"),
        ({"kind": "keypoints", "time_s": 0, "points": {"tail": [1, 1]}}, "no keypoint 'tail'"),
        ({"kind": "ignore", "start_s": 2, "end_s": 1, "limb": "head"}, "it ends before it starts"),
        ({"kind": "ignore", "start_s": 0, "end_s": 1, "limb": "tail"}, "entry 1"),
        ({"kind": "dance", "time_s": 0}, "dance"),
        (7, "entry 1"),
    ],
)
def test_a_wrong_entry_is_named(written, entry, words):
    with pytest.raises(UsageError, match=words) as caught:
        read_corrections(written([entry]))
    assert caught.value.message.count("\n") == 0
    assert caught.value.hint


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"format": 1}', b"\xff", b'{"format": "x", "corrections": []}']
)
def test_what_is_no_corrections_file_is_refused(tmp_path, content):
    path = tmp_path / "corrections.json"
    path.write_bytes(content)
    with pytest.raises(UsageError):
        read_corrections(path)


def test_a_file_that_is_not_there_and_one_of_a_newer_version(tmp_path, written):
    with pytest.raises(UsageError, match="cannot be read"):
        read_corrections(tmp_path / "none.json")
    with pytest.raises(UsageError, match="format 2, which a newer version has written"):
        read_corrections(written(format=2))


def test_there_may_not_be_endlessly_many(written):
    with pytest.raises(UsageError, match="at most"):
        read_corrections(written([POSE] * (MOST_CORRECTIONS + 1)))


def test_pins_that_contradict_each_other_are_named(written):
    other = {**POSE, "rotations": {"left_elbow": [0, -0.9, 0]}}
    with pytest.raises(UsageError, match=r"left_elbow of person 1 at 1\.50 s has two rotations"):
        read_corrections(written([POSE, other]))
    assert (
        len(read_corrections(written([POSE, POSE, {**other, "time_s": 1.6}, {**other, "person": 2}])).corrections) == 4
    )
    points = [{"kind": "keypoints", "time_s": 1, "points": {"nose": [x, 1]}} for x in (1, 9)]
    with pytest.raises(UsageError, match=r"nose of person 1 at 1\.00 s has two places"):
        read_corrections(written(points))
