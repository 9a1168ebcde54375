import numpy as np
import pytest
from effort import counted_calls
from stick_figures import detections, figure, info

from engine.errors import NobodyFoundError, UsageError
from engine.keypoints.joint_sets import MEDIAPIPE_33
from engine.keypoints.tracking import choose, track_people


def middles(track):
    return (track.boxes[:, 0] + track.boxes[:, 2]) / 2


def walkers(count, *paths, rng=None, rate=30.0):
    """Detections of people whose middles follow functions of time, in shuffled order."""
    rng = rng or np.random.default_rng(0)
    frames = []
    for n in range(count):
        people = [figure(path(n / rate), 200, 300, np.sin(n * 0.4)) for path in paths if path(n / rate) is not None]
        noisy = [one + rng.normal(0, [2, 2, 0], one.shape) for one in people]
        frames.append([noisy[i] for i in rng.permutation(len(noisy))])
    return detections(frames, rate)


def test_one_person_is_one_track_with_all_there_is():
    found = walkers(20, lambda t: 200 + 100 * t, rate=25.0)
    (track,) = track_people(found, info())
    assert track.person == 1
    assert track.detected.all()
    assert track.keypoint_names == MEDIAPIPE_33
    assert track.image_size == (1280, 720)
    np.testing.assert_array_equal(track.frame_indices, np.arange(20))
    np.testing.assert_allclose(track.timestamps, np.arange(20) / 25)
    np.testing.assert_array_equal(track.keypoints, [one.keypoints[0] for one in found])
    assert (track.boxes[:, 0] < track.boxes[:, 2]).all()


@pytest.mark.parametrize("seed", range(5))
def test_tracks_survive_crossing(seed):
    found = walkers(90, lambda t: 200 + 250 * t, lambda t: 950 - 250 * t, rng=np.random.default_rng(seed))
    first, second = sorted(track_people(found, info()), key=lambda one: middles(one)[0])
    np.testing.assert_allclose(middles(first), 200 + 250 * first.timestamps, atol=25)
    np.testing.assert_allclose(middles(second), 950 - 250 * second.timestamps, atol=25)


@pytest.mark.parametrize("seed", range(5))
def test_tracks_survive_crossing_while_one_hides_the_other(seed):
    hidden = lambda t: None if 1.3 < t < 1.7 else 950 - 250 * t  # noqa: E731
    found = walkers(90, lambda t: 200 + 250 * t, hidden, rng=np.random.default_rng(seed))
    first, second = sorted(track_people(found, info()), key=lambda one: middles(one)[0])
    assert middles(first)[-1] == pytest.approx(200 + 250 * 89 / 30, abs=25)
    assert middles(second)[-1] == pytest.approx(950 - 250 * 89 / 30, abs=25)
    assert np.count_nonzero(~second.detected) == 11
    np.testing.assert_allclose(middles(second), 950 - 250 * second.timestamps, atol=25)  # boxes go on through the gap
    assert (second.keypoints[~second.detected, :, 2] == 0).all()
    assert np.isnan(second.landmarks3d[~second.detected]).all()


@pytest.mark.parametrize("gap_s", [0.2, 0.6, 1.2])
def test_a_short_disappearance_keeps_the_track(gap_s):
    found = walkers(90, lambda t: None if 1 <= t < 1 + gap_s else 300 + 60 * t)
    (track,) = track_people(found, info())
    assert len(track.timestamps) == 90
    assert not track.detected[30 : 30 + int(gap_s * 30) - 1].any()


def test_somebody_elsewhere_is_somebody_else():
    found = walkers(60, lambda t: 200 if t < 1 else None, lambda t: 1000 if t >= 1.1 else None)
    assert len(track_people(found, info())) == 2


def test_somebody_of_another_size_is_somebody_else():
    found = detections([[figure(300, 200, 300 if n < 30 else 90)] for n in range(60)])
    assert len(track_people(found, info())) == 2


def test_flashes_are_nobody():
    frames = [[figure(300, 200, 300)] for _ in range(60)]
    frames[20].append(figure(900, 100, 200))
    frames[21].append(figure(903, 100, 200))
    assert len(track_people(detections(frames), info())) == 1


def test_footage_of_one_frame_has_its_person():
    assert len(track_people(detections([[figure(300, 200, 300)]]), info())) == 1


def test_the_first_is_the_largest_and_longest_in_view():
    small_but_long = [figure(300, 200, 150)]
    frames = [[*small_but_long, *([figure(800, 100, 500)] if 20 <= n < 80 else [])] for n in range(100)]
    tracks = track_people(detections(frames), info())
    assert [track.person for track in tracks] == [1, 2]
    assert len(tracks[0].timestamps) == 60
    brief = [[*small_but_long, *([figure(800, 100, 500)] if n < 15 else [])] for n in range(100)]
    assert len(track_people(detections(brief), info())[0].timestamps) == 100


def test_keypoints_under_the_threshold_do_not_count():
    frames = []
    for n in range(30):
        person = figure(300, 200, 300)
        person[25:, :2], person[25:, 2] = (900 - 20 * n, 50), 0.29  # the legs seem far away
        frames.append([person])
    (track,) = track_people(detections(frames), info())
    assert track.boxes[:, 2].max() < 400


def test_nobody_and_empty_footage():
    assert track_people(detections([[] for _ in range(10)]), info()) == []
    assert track_people([], info()) == []


def test_choices():
    tracks = track_people(walkers(30, lambda t: 200, lambda t: 800), info())
    assert choose(tracks, "main") == choose(tracks, "1") == tracks[:1]
    assert choose(tracks, "2") == tracks[1:]
    assert choose(tracks, "all") == choose(tracks, "2, 1") == tracks
    with pytest.raises(NobodyFoundError, match="no person 3 in the footage: only 2 people were found"):
        choose(tracks, "3")
    with pytest.raises(NobodyFoundError, match="only one person was found"):
        choose(tracks[:1], "2")
    for wrong in ("", "0", "-1", "1,", "1,all", "first", "1.5", "²"):
        with pytest.raises(UsageError, match="no choice of person"):
            choose(tracks, wrong)
    for person in ("main", "all", "1"):
        with pytest.raises(NobodyFoundError, match="Nobody was found"):
            choose([], person)


@pytest.mark.slow
def test_the_work_for_a_crowd_grows_with_its_frames_alone():
    rng = np.random.default_rng(0)
    frames = [  # somebody new every two seconds at each of four places
        [figure(150 + 300 * place, 100 + (n // 60 % 3) * 40, 250) for place in range(4) if rng.random() > 0.1]
        for n in range(600)
    ]
    work = []
    for length in (300, 600):
        with counted_calls() as calls:
            assert track_people(detections(frames[:length]), info())
        work.append(calls[0])
    assert work[1] < 2.5 * work[0]
