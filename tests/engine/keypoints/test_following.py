"""Crops that follow people: geometry, without a detector."""

import numpy as np
import pytest
from stick_figures import figure

from engine.keypoints.following import (
    Crop,
    Followed,
    Pose,
    box_of,
    distinct,
    overlap,
    pose_distance,
    quarter_turns,
    tiles,
)

SIZE = (640, 480)


def pose(x, top, height, **more):
    return Pose(figure(x, top, height, **more), np.zeros((33, 3), np.float32))


def marked(size, points):
    """A black frame with a white 9 x 9 square about each point."""
    rgb = np.zeros((size[1], size[0], 3), np.uint8)
    for x, y in points:
        rgb[int(y) - 4 : int(y) + 5, int(x) - 4 : int(x) + 5] = 255
    return rgb


def centre_of_light(picture):
    weight = picture[..., 0].astype(float)
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]]
    return np.array([((x + 0.5) * weight).sum(), ((y + 0.5) * weight).sum()]) / weight.sum()


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("side", [200, 700, 1333, 2600])
@pytest.mark.parametrize(("x", "y"), [(300, 250), (40, 470), (620, 20)])
def test_what_is_seen_in_a_crop_is_found_again_in_the_frame(x, y, side, turns):
    crop = Crop.about(x + 20, y - 15, side, turns)
    assert abs(crop.side - side) <= 4
    picture = crop.picture(marked(SIZE, [(x, y)]))
    assert picture.shape[0] == picture.shape[1] <= 800
    seen = np.zeros((33, 3), np.float32)
    seen[:, :2] = centre_of_light(picture) / picture.shape[0]
    found = crop.to_frame(Pose(seen, np.zeros((33, 3), np.float32))).keypoints[0, :2]
    np.testing.assert_allclose(found, (x + 0.5, y + 0.5), atol=0.75)


def test_turned_landmarks_turn_back():
    up = np.zeros((33, 3), np.float32)
    up[0] = (0.1, -0.8, 0.3)  # the nose above the hips
    crop = Crop(0, 0, 100, turns=1)  # the frame was turned counter-clockwise: upright there lies to the right here
    found = crop.to_frame(Pose(np.zeros((33, 3), np.float32), up)).landmarks3d[0]
    np.testing.assert_allclose(found, (0.8, 0.1, 0.3))


@pytest.mark.parametrize(("degrees", "turns"), [(0, 0), (90, 1), (180, 2), (-90, 3), (270, 3), (30, 0), (-50, 0)])
def test_quarter_turns_bring_the_trunk_upright(degrees, turns):
    person = figure(300, 100, 200)
    angle = np.radians(degrees)  # clockwise, as y points down
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    person[:, :2] = (person[:, :2] - (300, 200)) @ turn.T + (300, 200)
    assert quarter_turns(person) == turns


def test_a_turn_is_kept_until_it_is_clearly_wrong():
    leaning = figure(300, 100, 200)
    leaning[:, 0] += (200 - leaning[:, 1]) * 1.2  # 50 degrees to the right
    assert quarter_turns(leaning, 0) == 0
    assert quarter_turns(leaning, 1) == 1
    assert quarter_turns(leaning, 2) in (0, 1)


def test_boxes_and_overlap():
    assert box_of(figure(10, -50, 300), SIZE)[:2].tolist() == [0, 0]
    a, b = np.array([0, 0, 10, 10.0]), np.array([5, 0, 25, 10.0])
    assert overlap(a, b) == overlap(b, a) == 0.5
    assert overlap(a, a + 20) == 0


def test_pose_distance_is_in_body_sizes_and_needs_something_seen():
    first = figure(300, 100, 200)
    second = first + np.array([20, 0, 0], np.float32)
    assert pose_distance(first, second) == pytest.approx(20 / np.ptp(first[:, 1]), rel=1e-3)
    assert pose_distance(first, figure(300, 100, 200, confidence=0.29)) == float("inf")


def test_crops_follow_motion():
    person = Followed(pose(100, 100, 200), 0.0)
    for n in range(1, 10):
        person.seen(pose(100 + 12 * n, 100, 200), n / 30, SIZE)
    ahead = person.crop(12 / 30, SIZE)
    assert ahead.left + ahead.side / 2 == pytest.approx(100 + 12 * 12, abs=8)
    assert ahead.side == pytest.approx(2 * 0.95 * 200, abs=2)
    smaller, other_way = person.crop(12 / 30, SIZE, attempt=1), person.crop(12 / 30, SIZE, attempt=2)
    assert smaller.side < ahead.side < other_way.side
    assert smaller.turns == ahead.turns != other_way.turns


@pytest.mark.parametrize("size", [(1920, 1080), (1080, 1920), (640, 640), (3000, 500)])
def test_tiles_cover_the_frame_at_every_level(size):
    rgb = np.ones((size[1], size[0], 1), bool)
    for level in (0, 1):
        side = min(size) >> level
        covered = np.zeros(rgb.shape[:2], bool)
        for tile in tiles(size, 2):
            if abs(tile.side - side) <= 4:
                covered[max(tile.top, 0) : tile.top + tile.side, max(tile.left, 0) : tile.left + tile.side] = True
        assert covered.mean() > 0.98
    whole = tiles(size, 0)
    assert len(whole) == 1
    assert abs(whole[0].side - max(size)) <= 8


@pytest.mark.parametrize("size", [(16384, 32), (32, 16384), (17, 900)])
def test_a_strip_is_searched_with_few_tiles_that_cover_it(size):
    areas = tiles(size, levels=2)
    assert len(areas) < 200
    along = int(size[1] > size[0])
    starts = np.array([(one.left, one.top)[along] for one in areas])
    ends = starts + [one.side for one in areas]
    for place in range(0, max(size), 10):
        assert (starts[1:] <= place).any()
        assert ((starts[1:] <= place) & (place <= ends[1:])).any()
    rgb = np.full((size[1], size[0], 3), 255, np.uint8)
    for area in areas:
        picture = area.picture(rgb)
        assert picture.shape[0] == picture.shape[1] > 0


def test_distinct_keeps_each_person_once_the_surest_first():
    one, again, other = pose(200, 100, 300), pose(203, 101, 300, confidence=0.7), pose(450, 100, 300, confidence=0.5)
    assert distinct([again, other, one], [], SIZE) == [one, other]
    assert distinct([again, other, one], [one], SIZE) == [other]
    beside = pose(245, 100, 300)
    assert distinct([one, beside], [], SIZE) == [one, beside]
