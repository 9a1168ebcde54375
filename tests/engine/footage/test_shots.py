"""Cuts in real footage, and what is none."""

import itertools
import random

import numpy as np
import pytest
from made_footage import DEMO, REAL, nearer, pictures, shaped_like, stream

from engine.footage.shots import Cuts, find_cuts

NONE = Cuts()


@pytest.fixture(scope="module")
def demo():
    return pictures(DEMO)[0][:60]


@pytest.mark.parametrize(("factor", "mirrored"), [(1.0, True), (1.3, False), (2.0, True)])
def test_another_shot_of_the_same_scene_is_a_cut(demo, factor, mirrored):
    assert find_cuts(stream([*demo[:25], *nearer(demo[25:50], factor, mirrored)])) == Cuts(sure=(25,))


def test_footage_as_it_was_filmed_has_no_cut(demo):
    assert find_cuts(stream(demo)) == NONE


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_footage_of_few_frames_has_none(demo, count):
    assert find_cuts(stream(demo[:count])) == NONE


def test_cuts_count_from_the_frames_own_index(demo):
    footage = [*demo[:25], *nearer(demo[25:50], 2.0, True)]
    assert find_cuts(itertools.islice(stream(footage), 10, None)).sure == (25,)


def test_shots_of_three_frames_and_more_are_kept_apart(demo):
    others = nearer(demo, 2.0, True)
    found = find_cuts(stream([*demo[:20], *others[20:23], *demo[40:60]]))
    assert found.sure in ((20, 23), ()), "an insert is two cuts or, as the picture is back at once, none"


def flash(rgb):
    lit = rgb.copy()
    lit[30], lit[31] = 255, np.clip(lit[31].astype(int) + 90, 0, 255)
    return lit


def slow_flash(rgb):
    lit = rgb.astype(float)
    lit[30:] += 255 * np.exp(-np.arange(len(rgb) - 30) / 4)[:, None, None, None]
    return np.clip(lit, 0, 255).astype(np.uint8)


def fade_through_black(rgb, frames_long):
    light = np.clip(np.abs(np.arange(len(rgb)) - 30) / frames_long, 0, 1)[:, None, None, None]
    return (rgb * light).astype(np.uint8)


def dissolve(rgb):
    share = np.clip((np.arange(len(rgb)) - 20) / 12, 0, 1)[:, None, None, None]
    return (rgb * (1 - share) + nearer(rgb, 2.0, True) * share).astype(np.uint8)


@pytest.mark.parametrize(
    "made",
    [
        flash,
        slow_flash,
        lambda rgb: fade_through_black(rgb, 12),
        lambda rgb: fade_through_black(rgb, 5),
        dissolve,
        lambda rgb: np.repeat(rgb[:1], 60, 0),
        lambda rgb: np.repeat(rgb[::4], 4, 0),
        lambda rgb: np.full_like(rgb, 120),
        lambda rgb: np.random.default_rng(0).integers(0, 255, rgb.shape, np.uint8),
        lambda rgb: np.array([nearer(rgb[n : n + 1], 1 + n / 60)[0] for n in range(60)]),
    ],
    ids=["flash", "slow_flash", "fade", "fast_fade", "dissolve", "frozen", "repeated", "no_texture", "noise", "zoom"],
)
def test_what_is_no_cut(demo, made):
    assert find_cuts(stream(made(demo))) == NONE


def test_a_cut_through_black_is_one(demo):
    black = np.zeros_like(demo[:5])
    footage = [*demo[:25], *black, *nearer(demo[25:50], 2.0, True)]
    assert find_cuts(stream(footage)).sure == (30,)


def test_a_cut_at_every_frame_is_taken_as_it_comes():
    rng = np.random.default_rng(1)
    scenes = [np.kron(rng.integers(0, 255, (8, 8, 3), np.uint8), np.ones((32, 32, 1), np.uint8)) for _ in range(40)]
    find_cuts(stream(scenes))  # nobody can be followed in it; it need only end


UNCUT = ("demo_balance.mp4", "roof_jump_three_people.mp4", "walk_sit_stand.mp4", "street_crowd_moving_camera.avi")
EDITED = {"treadmill_collapsing.mp4": 9, "treadmill_scuba_diver.mp4": 4, "treadmill_teenage_hooligan.mp4": 3}
"""Clips that their makers cut, though the camera stands as before and only the man jumps."""
real = pytest.mark.skipif(not REAL.is_dir(), reason="needs the footage in ../shared")


@real
@pytest.mark.nightly("a minute or two")
@pytest.mark.parametrize("name", UNCUT)
def test_real_footage_has_no_cut_that_is_none(name):
    assert find_cuts(stream(*pictures(REAL / name))).sure == ()


@real
@pytest.mark.parametrize("name", EDITED)
def test_the_cuts_that_real_footage_has_are_possible_ones(name):
    assert find_cuts(stream(*pictures(REAL / name))) == Cuts(possible=(EDITED[name],))


@real
@pytest.mark.nightly("a minute or two")
def test_forty_made_cuts():
    names, chance, found = [*UNCUT, *EDITED], random.Random(1), 0
    for number in range(40):
        name, kind = names[number % 7], ("other", "other", "mirrored", "nearer", "both", "other")[number // 7]
        rgb = pictures(REAL / name)[0]
        at = chance.randrange(20, len(rgb) - 20)
        if kind == "other":
            other = pictures(REAL / names[(number % 7 + 1 + number // 7) % 7])[0]
            start = chance.randrange(12, len(other) - 20)
            second = shaped_like(other[start : start + 20], rgb)
        else:
            second = nearer(rgb[at : at + 20], {"mirrored": 1, "nearer": 1.3, "both": 2}[kind], kind != "nearer")
        cuts = find_cuts(stream([*rgb[at - 20 : at], *second]))
        found += any(abs(cut - 20) <= 1 for cut in (*cuts.sure, *cuts.possible))
        assert set(cuts.sure) <= {19, 20, 21}, (name, kind)
    assert found >= 39
