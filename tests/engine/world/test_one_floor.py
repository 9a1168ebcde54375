"""People of a clip who stand on one floor, though each one's size, and so each one's distance, was estimated alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from synthetic_people import camera_pose, seen, stand, walk

from engine.backbones.known_height import at_height, times_as_tall
from engine.body.rotations import axis_angle_to_matrix
from engine.body.stature import standing_height
from engine.world.one_floor import common_floors
from engine.world.still_camera import to_world

PITCH = 12.0


@pytest.fixture(scope="module")
def height(body):
    return float(standing_height(body, torch.zeros(10)))


def moved(who, aside=0.0, over=0.0):
    """The person elsewhere in the room."""
    step = camera_pose(PITCH, 0) @ [aside, over, 0]
    return replace(who.prediction, transl=(who.prediction.transl + step).astype(np.float32))


def two(body, height, times_as_tall=1.0, over=0.0):
    """Tracks and predictions of somebody who stands, and of a walker beside taken for `times_as_tall` as tall."""
    first, other = stand(body, seconds=2.0, pitch=PITCH), walk(body, seconds=2.0, pitch=PITCH)
    tracks = [seen(body, first), replace(seen(body, other), person=2)]
    beside = at_height(moved(other, 1.2, over), body, times_as_tall * height)
    return tracks, [first.prediction, beside], first.camera


def sized(people, floors, body):
    return [times_as_tall(one, body, scale) for one, scale in zip(people, floors.times_as_tall, strict=True)]


def worlds(tracks, people, floors, body, camera):
    found, shared = [], None
    for track, prediction, under in zip(tracks, people, floors.under_m, strict=True):
        found.append(to_world(prediction, track.timestamps, body, camera, shared, under))
        shared = found[0].camera_to_world
    return found


def soles(body, world, prediction):
    """Heights (T,) of the lowest vertex over z = 0."""
    rotations = axis_angle_to_matrix(torch.as_tensor(world.poses).reshape(-1, 24, 3))
    vertices = body.vertices(rotations, torch.as_tensor(prediction.betas), torch.as_tensor(world.trans))
    return vertices[..., 2].amin(1).numpy()


def pixels(prediction, body, camera):
    arguments = (prediction.rotations, prediction.betas, prediction.transl)
    joints = body.joints(*(torch.as_tensor(value) for value in arguments)).numpy() @ camera.intrinsics.T
    return joints[..., :2] / joints[..., 2:]


@pytest.mark.parametrize("tall", [0.88, 1.0, 1.12])
def test_a_wrong_size_is_made_up_for(body, height, tall):
    tracks, people, camera = two(body, height, tall)
    first, second = (to_world(one, tracks[0].timestamps, body, camera).camera_to_world for one in people)
    assert (abs(first[2, 3] - second[2, 3]) < 0.06) == (tall == 1.0)
    floors = common_floors(tracks, people, body)
    assert floors.apart_m == {}
    after = sized(people, floors, body)
    first, second = worlds(tracks, after, floors, body, camera)
    assert np.array_equal(first.camera_to_world, second.camera_to_world)
    for world, prediction in zip((first, second), after, strict=True):
        assert abs(np.median(soles(body, world, prediction))) < 0.02
    sizes = [float(standing_height(body, torch.as_tensor(one.betas))) for one in after]
    assert sizes[1] / sizes[0] == pytest.approx(1, abs=0.04)
    for one, other in zip(people, after, strict=True):
        assert np.linalg.norm(pixels(one, body, camera) - pixels(other, body, camera), axis=-1).mean() < 3


@pytest.mark.parametrize("over", [0.7, -0.7, 1.5])  # the last nearly as high as the camera
def test_a_platform_stays_one_and_is_reported(body, height, over):
    tracks, people, camera = two(body, height, over=over)
    floors = common_floors(tracks, people, body)
    assert list(floors.apart_m) == [2]
    assert floors.apart_m[2] == pytest.approx(over, abs=0.1)
    (sentence,) = floors.sentences()
    assert ("over the floor" in sentence) == (over > 0)
    assert floors.times_as_tall == [1.0, 1.0]
    first, second = worlds(tracks, people, floors, body, camera)
    between = second.camera_to_world[2, 3] - first.camera_to_world[2, 3]
    assert between == pytest.approx(-over, abs=0.1)


def test_depth_that_flickers_hardly_moves_the_floor(body, height):
    tracks, people, _ = two(body, height)
    random = np.random.default_rng(0)
    flickering = [
        replace(one, transl=one.transl * (1 + 0.03 * random.normal(size=(len(one.transl), 1)).astype(np.float32)))
        for one in people
    ]
    steady, floors = (common_floors(tracks, given, body) for given in (people, flickering))
    assert floors.apart_m == {}
    assert floors.under_m == pytest.approx(steady.under_m, abs=0.045)


def test_who_stands_longer_has_the_floor(body, height):
    tracks, people, _ = two(body, height, over=0.7)
    third = stand(body, seconds=2.0, pitch=PITCH)
    tracks.append(replace(seen(body, third), person=3))
    floors = common_floors(tracks, [*people, moved(third, -1.2)], body)
    assert list(floors.apart_m) == [2]


def test_a_known_height_is_kept(body, height):
    tracks, people, _ = two(body, height, 1.12)
    tracks[1] = replace(tracks[1], height_m=1.12 * height)
    floors = common_floors(tracks, people, body)
    assert floors.times_as_tall[1] == 1.0
    assert floors.times_as_tall[0] == pytest.approx(1.12, rel=0.04)
    assert sized(people, floors, body)[1] is people[1]


def test_one_person_alone_or_in_shots_of_their_own_stays_as_is(body, height):
    tracks, people, _ = two(body, height, 1.12)
    apart = [tracks[0], replace(tracks[1], shot=tracks[0].shot + 1)]
    for few in ((tracks[:1], people[:1]), (apart, people)):
        floors = common_floors(*few, body)
        assert set(floors.times_as_tall) == {1.0}
        assert set(floors.under_m) == {None}
        assert floors.sentences() == []


def test_somebody_no_foot_of_whom_is_seen_does_not_decide(body, height):
    tracks, people, _ = two(body, height, over=0.7)
    hidden = replace(people[0], joint_confidence=np.zeros_like(people[0].joint_confidence))
    floors = common_floors(tracks, [hidden, people[1]], body)
    assert floors.under_m[0] is None
    assert floors.under_m[1] == pytest.approx(common_floors(tracks, people, body).under_m[0] - 0.7, abs=0.1)
    assert floors.sentences() == [], "where nobody's feet are seen, nothing is known of a platform"
