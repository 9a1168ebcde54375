import pytest

from engine.keypoints.joint_sets import (
    BODY_25,
    BONES,
    COCO_17,
    COCO_18,
    JOINT_SETS,
    LIMBS,
    MEDIAPIPE_33,
    mirror_order,
    mirrored_name,
    pairs,
)

SETS = pytest.mark.parametrize("names", JOINT_SETS.values(), ids=JOINT_SETS.keys())


def test_sets_have_their_sizes_and_known_places():
    assert [len(names) for names in (MEDIAPIPE_33, BODY_25, COCO_18, COCO_17)] == [33, 25, 18, 17]
    assert MEDIAPIPE_33[11] == "left_shoulder"
    assert MEDIAPIPE_33[24] == "right_hip"
    assert MEDIAPIPE_33[32] == "right_foot_index"
    assert BODY_25[8] == "mid_hip"
    assert BODY_25[21] == "left_heel"
    assert COCO_18[2] == "right_shoulder"
    assert COCO_17[5:7] == ("left_shoulder", "right_shoulder")
    assert COCO_17[16] == "right_ankle"


def test_mediapipe_names_are_in_mediapipes_own_order():
    vision = pytest.importorskip("mediapipe.tasks.python.vision")
    assert tuple(landmark.name.lower() for landmark in vision.PoseLandmark) == MEDIAPIPE_33


@SETS
def test_names_are_unique_and_limbs_are_in_every_set(names):
    assert len(set(names)) == len(names)
    assert set(LIMBS) <= set(names)


@SETS
def test_mirroring_exchanges_sides_and_is_its_own_inverse(names):
    order = mirror_order(names)
    assert [order[index] for index in order] == list(range(len(names)))
    for index, name in enumerate(names):
        mirrored = names[order[index]]
        assert mirrored == mirrored_name(name)
        assert (mirrored == name) == (name in ("nose", "neck", "mid_hip"))


def test_mirrored_names_of_both_spellings():
    assert mirrored_name("left_knee") == "right_knee"
    assert mirrored_name("mouth_right") == "mouth_left"
    assert mirrored_name("neck") == "neck"


@SETS
def test_pairs_are_left_then_right(names):
    for left, right in pairs(names):
        assert "left" in names[left]
        assert names[right] == mirrored_name(names[left])
    assert len(pairs(names)) * 2 == len(names) - sum(name in ("nose", "neck", "mid_hip") for name in names)
    assert [names[left] for left, _ in pairs(names, ["knee", "ankle"])] == ["left_knee", "left_ankle"]


def test_bones_join_known_keypoints():
    known = {name for names in JOINT_SETS.values() for name in names}
    assert {name for bone in BONES for name in bone} <= known


def test_the_body_knows_every_keypoint():
    landmarks = pytest.importorskip("engine.body.landmarks")
    assert {name for names in JOINT_SETS.values() for name in names} <= set(landmarks.LANDMARKS)
