"""Who is looked at, how often, in scenes whose people are known: the network is replaced by what is in each crop."""

import numpy as np

from engine.footage.decoding import FootageInfo, Frame
from engine.keypoints.following import Pose
from engine.keypoints.glimpses import overlooked
from engine.keypoints.joint_sets import MEDIAPIPE_33
from engine.keypoints.search import GLANCE_S, Search
from engine.keypoints.tracking import track_people

SIZE, RATE = (640, 360), 30
FIGURE = np.random.default_rng(4).uniform(-0.5, 0.5, (len(MEDIAPIPE_33), 2))
FIGURE[:, 0] *= 0.4
FIGURE[[11, 12, 23, 24]] = [[-0.08, -0.3], [0.08, -0.3], [-0.06, 0.05], [0.06, 0.05]]


class Scene:
    """People on paths: each gives x, y and height in pixels at a second, or None where they are not there."""

    def __init__(self, *paths):
        self.paths, self.time_s = paths, 0.0

    def find(self, jobs):
        return [[pose for pose in self.people() if self._shows(pose, crop)] for _, crop in jobs]

    def people(self):
        for place in filter(None, (path(self.time_s) for path in self.paths)):
            keypoints = np.ones((len(MEDIAPIPE_33), 3), np.float32)
            keypoints[:, :2] = FIGURE * place[2] + place[:2]
            yield Pose(keypoints, np.zeros((len(MEDIAPIPE_33), 3), np.float32))

    def _shows(self, pose, crop):
        middle = pose.keypoints[:, :2].mean(0) - (crop.left, crop.top)
        return ((middle > 0) & (middle < crop.side)).all() and np.ptp(pose.keypoints[:, 1]) > 0.2 * crop.side

    def frames(self, seconds, size):
        for index in range(round(seconds * RATE)):
            self.time_s = index / RATE
            yield Frame(index, self.time_s, np.zeros((size[1], size[0], 3), np.uint8))


def searched(scene, seconds, everybody=False, size=SIZE):
    search, found = Search(scene.find, 4, everybody), []
    for frame in scene.frames(seconds, size):  # one at a time, as the scene has one time
        found += list(search.work([frame]))
    return found


def tracks_of(found, size=SIZE):
    info = FootageInfo(None, *size, RATE, False, len(found), len(found) / RATE, 0, None)
    return track_people(found, info)


def large(_):
    return 320.0, 180.0, 300.0


def small(time_s):
    return 100.0 + 20 * time_s, 200.0, 110.0


def test_the_main_person_is_looked_at_in_every_frame_and_others_now_and_then():
    scene = Scene(large, small)
    found = searched(scene, 2)
    main, other = tracks_of(found)
    assert main.detected.all()
    assert len(main.timestamps) == 60
    assert 8 <= other.detected.sum() <= 14
    gaps = np.diff(other.timestamps[other.detected])
    assert gaps.max() <= GLANCE_S + 1.5 / RATE
    assert overlooked(found, [main, other]) == []
    for frame in found:
        assert set(frame.glimpses) <= {1}


def test_with_everybody_all_are_in_every_frame():
    found = searched(Scene(large, small), 2, everybody=True)
    assert [len(frame.keypoints) for frame in found] == [2] * 60
    assert not any(frame.glimpses for frame in found)


def test_main_person_is_where_they_are_with_everybody():
    some, all_of_them = (searched(Scene(large, small), 1, everybody) for everybody in (False, True))
    for one, other in zip(some, all_of_them, strict=True):
        assert np.array_equal(one.keypoints[0], other.keypoints[0])


def test_whoever_comes_near_is_followed_closely_from_then_on():
    found = searched(Scene(large, lambda t: (220.0, 180.0, 100.0 + 80 * t)), 2.5)
    near = [frame for frame in found if frame.time_s > 1.6]
    assert all(len(frame.keypoints) == 2 and not frame.glimpses for frame in near)


def test_somebody_in_front_claims_the_pose_that_is_theirs():
    """A bystander, not looked at in this frame, walks across the main person's crop: nobody takes it for the latter."""
    scene = Scene(large, lambda t: (60.0 + 200 * t, 190.0, 120.0))
    for frame in searched(scene, 2.5):
        heights = np.ptp(frame.keypoints[..., 1], axis=1)
        main = [height for height in heights if height > 200]
        assert len(main) == 1


def test_the_main_person_is_found_again_as_soon_as_with_everybody():
    def away(time_s):
        return None if 0.5 < time_s < 1.4 else large(time_s)

    first = {}
    for everybody in (True, False):
        found = searched(Scene(away, small), 3, everybody)
        back = [one.time_s for one in found if one.time_s >= 1.4 and any(np.ptp(one.keypoints[..., 1], axis=1) > 200)]
        first[everybody] = back[0]
    assert first[False] <= first[True] + 0.34


def test_glimpses_of_who_turns_out_to_be_main_are_looked_at_again():
    """Somebody passes close by for half a second; the main person, smaller, is there throughout."""

    def passing(time_s):
        return (250.0 + 300 * time_s, 360.0, 330.0) if time_s < 0.8 else None

    scene, size = Scene(lambda _: (900.0, 400.0, 120.0), passing), (1280, 720)
    found = searched(scene, 3, size=size)
    tracks = tracks_of(found, size)
    main = next(one for one in tracks if len(one.timestamps) == 90)
    again = overlooked(found, tracks)
    missing = {int(index) for index in main.frame_indices[~main.detected]}
    assert missing
    assert missing <= set(again)
    assert max(again) < 1.1 * RATE


def test_nobody_is_overlooked_where_nobody_is():
    found = searched(Scene(), 0.3)
    assert not any(len(frame.keypoints) for frame in found)
    assert overlooked(found, []) == []
