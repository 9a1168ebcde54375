"""How the camera turns, read from pictures of a room whose camera is known."""

import cv2
import numpy as np
import pytest
from virtual_camera import pan, shake

from engine.camera.background import CameraTurns, follow_background, rotation_between
from engine.camera.turns import (
    boxes_of,
    describe_turns,
    kind_of,
    pack_turns,
    turns_by_frame,
    unpack_turns,
)
from engine.footage.decoding import Frame
from engine.keypoints.types import FrameDetections

WIDTH, HEIGHT, FOCAL, COUNT = 480, 360, 560.0, 24
K = np.array([[FOCAL, 0, WIDTH / 2], [0, FOCAL, HEIGHT / 2], [0, 0, 1]])


def wall(seed=0, size=(900, 1200)):
    """A picture with corners everywhere."""
    patches = np.random.default_rng(seed).integers(0, 255, (size[0] // 12, size[1] // 12, 3)).astype(np.uint8)
    return cv2.GaussianBlur(cv2.resize(patches, size[::-1], interpolation=cv2.INTER_NEAREST), (0, 0), 1.5)


def seen(picture, turn, shift=0.0):
    """A far wall, in front of a camera that turns and moves sideways."""
    to_wall = np.array([[FOCAL, 0, picture.shape[1] / 2 + shift], [0, FOCAL, picture.shape[0] / 2], [0, 0, 1]])
    matrix = to_wall @ turn @ np.linalg.inv(K)
    return cv2.warpPerspective(picture, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)


def film(turns, first=0):
    picture = wall()
    return [Frame(first + row, row / 25, seen(picture, turn)) for row, turn in enumerate(turns)]


def degrees_apart(first, second):
    cosine = (np.trace(first.transpose(0, 2, 1) @ second, axis1=1, axis2=2) - 1) / 2
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


@pytest.mark.parametrize("turns", [pan(COUNT, 12), shake(COUNT, 0.6)], ids=["pan", "shake"])
def test_turns_are_found(turns):
    (shot,) = follow_background(film(turns, first=7), {}, (), K)
    assert shot.kind == "turning"
    assert shot.indices.tolist() == list(range(7, 7 + COUNT))
    assert degrees_apart(turns, shot.turns).max() < 0.05
    assert not shot.lost


def test_a_still_camera_stays_exactly_where_it_is():
    noise = np.random.default_rng(1)
    frames = [
        Frame(one.index, one.time_s, cv2.add(one.rgb, noise.integers(0, 12, one.rgb.shape).astype(np.uint8)))
        for one in film(pan(COUNT, 0))
    ]
    (shot,) = follow_background(frames, {}, (), K)
    assert shot.kind == "still"
    np.testing.assert_array_equal(shot.turns, np.repeat(np.eye(3)[None], COUNT, 0))


def test_people_are_no_background():
    """Somebody large walks through the picture of a still camera, striped, over two thirds of it."""
    person, boxes, frames = wall(5), {}, []
    for row, one in enumerate(film(pan(COUNT, 0))):
        rgb, left = one.rgb.copy(), 10 + 5 * row
        rgb[20:, left : left + 330] = person[: HEIGHT - 20, :330]
        boxes[row] = np.array([[left, 20, left + 330, HEIGHT]], float)
        frames.append(Frame(row, one.time_s, rgb))
    (with_boxes,) = follow_background(frames, boxes, (), K)
    assert with_boxes.kind == "still"
    (without,) = follow_background(frames, {}, (), K)
    assert without.kind != "still", "the test would be empty"


def test_a_camera_that_moves_leaves_parallax():
    near, far = wall(2), wall(3)
    frames = []
    for row in range(COUNT):
        rgb = seen(far, np.eye(3), shift=2.0 * row)
        rgb[: HEIGHT // 2] = seen(near, np.eye(3), shift=9.0 * row)[: HEIGHT // 2]
        frames.append(Frame(row, row / 25, rgb))
    (shot,) = follow_background(frames, {}, (), K)
    assert shot.kind == "moving"


def test_each_shot_begins_anew():
    turns = np.concatenate([pan(COUNT, 6), pan(COUNT, 0)])
    first, second = follow_background(film(turns), {}, {COUNT}, K)
    assert (first.kind, second.kind) == ("turning", "still")
    assert second.indices[0] == COUNT
    by_frame = turns_by_frame([first, second])
    assert by_frame.shape == (2 * COUNT, 3, 3)
    np.testing.assert_array_equal(by_frame[COUNT:], np.repeat(np.eye(3)[None], COUNT, 0))


def test_nothing_behind_the_people():
    grey = [Frame(row, row / 25, np.full((HEIGHT, WIDTH, 3), 90, np.uint8)) for row in range(5)]
    (shot,) = follow_background(grey, {}, (), K)
    assert shot.kind == "unknown"
    assert turns_by_frame([shot]) is None
    assert "counts as still" in describe_turns([shot], True, False)[0]


def test_a_whip_pan_is_reported_and_the_rest_followed():
    frames = film(pan(COUNT, 3))
    other = wall(9)[:HEIGHT, :WIDTH]
    frames[12:] = [Frame(one.index, one.time_s, np.roll(other, row, 1)) for row, one in enumerate(frames[12:])]
    (shot,) = follow_background(frames, {}, (), K)
    assert 12 in shot.lost
    assert np.isfinite(shot.turns).all()
    assert "lost at 1 frame" in " ".join(describe_turns([shot], True, False))


def test_one_frame_and_a_frozen_one():
    (one,) = follow_background(film(pan(1, 0)), {}, (), K)
    assert one.kind == "unknown"
    frozen = film(pan(1, 0)) * 6
    (shot,) = follow_background([Frame(row, row, item.rgb) for row, item in enumerate(frozen)], {}, (), K)
    assert shot.kind == "still"


def test_half_of_the_rays_may_be_anything():
    random = np.random.default_rng(4)
    rays = random.normal(size=(200, 3)) * 0.3 + (0, 0, 1)
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    turn = pan(9, 9)[2]
    moved = rays @ turn  # turn.T @ ray
    moved[:90] = random.permutation(moved[:90])
    found, left_over = rotation_between(rays, moved)
    np.testing.assert_allclose(found, turn, atol=1e-4)
    assert np.median(left_over[90:]) < 1e-4


def test_the_cache_keeps_all_of_it():
    shots = [
        CameraTurns("turning", np.array([0, 1]), pan(2, 3), (1,)),
        CameraTurns("still", np.array([2]), np.eye(3)[None]),
    ]
    again = unpack_turns(pack_turns(shots))
    assert [(one.kind, one.indices.tolist(), one.lost) for one in again] == [
        ("turning", [0, 1], (1,)),
        ("still", [2], ()),
    ]
    np.testing.assert_array_equal(again[0].turns, shots[0].turns)
    assert kind_of(again) == "turning"
    assert kind_of([]) == "unknown"
    assert unpack_turns(pack_turns([])) == []


def test_boxes_reach_beyond_the_keypoints():
    keypoints = np.zeros((3, 4, 3), np.float32)
    keypoints[0] = [[100, 100, 0.9], [200, 300, 0.9], [0, 0, 0.1], [150, 200, 0.5]]
    keypoints[2] = [[10, 10, 0.9]] * 4
    boxes = boxes_of(
        [FrameDetections(4, 0.1, keypoints, keypoints), FrameDetections(5, 0.2, keypoints[:0], keypoints[:0])]
    )
    np.testing.assert_allclose(boxes[4], [[60, 60, 240, 340], [10, 10, 10, 10]])
    assert boxes[5].shape == (0, 4)


def test_whoever_was_glimpsed_is_in_the_frames_about():
    keypoints = np.tile(np.array([[10, 10, 0.9], [30, 50, 0.9]], np.float32), (1, 1, 1))
    nobody = keypoints[:0]
    frames = [FrameDetections(index, index / 30, nobody, nobody) for index in range(20)]
    frames[10] = FrameDetections(10, 10 / 30, keypoints, keypoints, glimpses=(0,))
    assert [index for index, boxes in boxes_of(frames).items() if len(boxes)] == list(range(4, 16))
    frames[10] = FrameDetections(10, 10 / 30, keypoints, keypoints)
    assert [index for index, boxes in boxes_of(frames).items() if len(boxes)] == [10]
