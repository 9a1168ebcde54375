"""What a run tells that stops early: who is there, and which labels."""

from fractions import Fraction

import cv2
import numpy as np
import pytest

from engine.footage.clip import Clip
from engine.keypoints.joint_sets import JOINT_SETS
from engine.keypoints.types import PersonTrack
from engine.output.people_summary import THUMBNAIL_PX, describe_people, label_segments, occluded, sparse_boxes

NAMES = next(iter(JOINT_SETS.values()))


def track_of(person, frames, box, seen=1.0, missed=()):
    """Somebody in `box` in frames (first, last + 1) at 10 a second, of whose keypoints a share is seen."""
    rows = np.arange(*frames)
    count = len(rows)
    keypoints = np.zeros((count, len(NAMES), 3), np.float32)
    keypoints[:, : round(seen * len(NAMES)), 2] = 0.9
    detected = ~np.isin(rows, missed)
    keypoints[~detected] = 0
    return PersonTrack(
        person, rows, rows / 10, keypoints, np.zeros_like(keypoints), np.tile(np.float32(box), (count, 1)), detected,
        NAMES, (64, 48),
    )  # fmt: skip


@pytest.fixture
def clip(tmp_path):
    """Ten pictures, each of them a grey of its own with a red square where the second person stands."""
    folder = tmp_path / "shot"
    folder.mkdir()
    for number in range(10):
        picture = np.full((48, 64, 3), 20 * number, np.uint8)
        picture[10:30, 40:60] = (0, 0, 255)
        cv2.imwrite(str(folder / f"shot_{number:04}.png"), picture)
    return Clip(folder, None, "key")


def test_everybody_is_reported_with_time_in_view_and_a_picture(clip, tmp_path):
    tracks = [track_of(1, (0, 10), (2, 5, 22, 45)), track_of(2, (4, 9), (40, 10, 60, 30), seen=0.5, missed=(5, 6))]
    first, second = describe_people(clip, tracks, tmp_path / "people", Fraction(10))
    assert (first["person"], first["first_s"], first["last_s"], first["seen_s"]) == (1, 0.0, 0.9, 1.0)
    assert first["occluded"] == 0
    assert (second["first_s"], second["last_s"]) == (0.4, 0.8)
    assert second["seen_s"] == pytest.approx(0.3), "the gap does not count"
    assert second["occluded"] == pytest.approx(1 - 3 / 5 * round(0.5 * len(NAMES)) / len(NAMES), abs=1e-3)
    picture = cv2.imread(second["thumbnail"])
    assert picture.shape == (THUMBNAIL_PX, THUMBNAIL_PX, 3)
    assert picture[80, 80].tolist() == [0, 0, 255], "it shows the person, in the right colours"


def test_a_person_at_the_edge_has_a_whole_picture(clip, tmp_path):
    (people,) = describe_people(clip, [track_of(1, (3, 6), (-30, -10, 10, 70))], tmp_path / "people", Fraction(10))
    picture = cv2.imread(people["thumbnail"])
    assert picture[80, 20].tolist() == [64, 64, 64]
    assert picture[80, 130].tolist() == [60, 60, 60], "the first of the frames in which most is seen"


def test_nobody_needs_no_footage(tmp_path):
    assert describe_people(Clip(tmp_path / "gone.mp4", None, ""), [], tmp_path, Fraction(24)) == []


def test_occlusion_is_the_share_of_unseen_keypoints():
    assert occluded(track_of(1, (0, 4), (0, 0, 9, 9), missed=(1,))) == pytest.approx(0.25)


def test_labels_become_stretches():
    labels = np.array(["", "walk", "walk", "kick", "kick", "kick", "", "walk"])
    similarity = np.array([0, 0.5, 0.7, 0.1, 0.2, 0.3, 0, 0.9], np.float32)
    people = label_segments(labels, similarity, np.arange(8) / 10)
    assert people == [
        {"start": 0.1, "end": 0.3, "label": "walk", "similarity": 0.6},
        {"start": 0.3, "end": 0.6, "label": "kick", "similarity": 0.2},
        {"start": 0.7, "end": 0.8, "label": "walk", "similarity": 0.9},
    ]
    assert label_segments(np.array([""]), np.zeros(1, np.float32), np.zeros(1)) == []


def test_a_run_can_stop_once_the_people_or_the_labels_are_known(copied_run, run_here, quick):
    before = (copied_run.folder / "person_1.npz").read_bytes()
    arguments = ("run", copied_run.clip, "-o", copied_run.out, "--resume", "--events", "jsonl", *quick)
    ran = run_here(*arguments, "--only", "people")
    assert ran.code == 0, ran.stderr
    (people,) = ran.named("people")
    assert [person["person"] for person in people["people"]] == [1, 2], "the one in front, and who looks on"
    assert cv2.imread(people["people"][0]["thumbnail"]).shape == (THUMBNAIL_PX, THUMBNAIL_PX, 3)
    assert [event["stage"] for event in ran.named("stage")] == ["footage", "shots", "detect", "track"]
    assert {event["count"] for event in ran.named("stage")} == {4}
    ran = run_here(*arguments, "--only", "labels", "--label", "kick")
    assert ran.code == 0, ran.stderr
    (people,) = ran.named("labels")
    assert [(segment["label"], segment["start"]) for segment in people["segments"]] == [("kick", 0.0)]
    assert ran.named("stage")[-1]["stage"] == "segment"
    assert not ran.named("result")
    assert (copied_run.folder / "person_1.npz").read_bytes() == before, "nothing else was done"


def test_boxes_are_parts_of_the_picture_about_four_a_second():
    boxes = sparse_boxes(track_of(1, (0, 10), (16, 12, 32, 48), missed=(3, 4)), 0.25)
    assert [box[0] for box in boxes] == [0.0, 0.5, 0.8], "where they are not seen there is none"
    assert boxes[0][1:] == [0.25, 0.25, 0.5, 1.0]


def test_an_hour_of_somebody_has_no_more_boxes_than_a_line_of_events_takes(clip, tmp_path):
    (person,) = describe_people(clip, [track_of(1, (0, 36000), (16, 12, 32, 48))], tmp_path / "people", Fraction(10))
    assert 200 < len(person["boxes"]) <= 241
