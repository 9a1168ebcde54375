from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from adapt_motion.blender_addon.blender import timing
from hypothesis import given
from hypothesis import strategies as st

NTSC = [Fraction(24000, 1001), Fraction(30000, 1001), Fraction(60000, 1001), Fraction(120000, 1001)]
WHOLE = [Fraction(rate) for rate in (1, 12, 15, 24, 25, 30, 50, 60, 120, 240)]


@pytest.mark.parametrize("rate", [*NTSC, *WHOLE])
def test_exact_rate_of_a_float(rate):
    assert timing.exact_rate(float(rate)) == rate
    assert timing.exact_rate(float(np.float32(rate))) == rate


def test_odd_rate_stays_near():
    assert float(timing.exact_rate(14.93)) == pytest.approx(14.93, rel=1e-9)
    assert float(timing.exact_rate(29.5)) == 29.5


@pytest.mark.parametrize(("rate", "fps", "base"), [(NTSC[1], 30, 1.001), (NTSC[0], 24, 1.001), (Fraction(25), 25, 1.0)])
def test_scene_rate_goes_in_and_out_exactly(rate, fps, base):
    scene = SimpleNamespace(render=SimpleNamespace(fps=0, fps_base=0.0))
    timing.set_scene_rate(scene, rate)
    assert (scene.render.fps, scene.render.fps_base) == (fps, base)
    scene.render.fps_base = float(np.float32(scene.render.fps_base))  # Blender keeps single precision
    assert timing.scene_rate(scene) == rate


@pytest.mark.parametrize("rate", [*NTSC, *WHOLE])
def test_constant_rate_gives_whole_frames_for_hours(rate):
    seconds = np.arange(300_000) / float(rate)
    assert (timing.frames_at(seconds, rate, rate, 1) == np.arange(300_000) + 1).all()


def test_milliseconds_of_a_container_are_whole_frames():
    rate = NTSC[1]
    seconds = np.round(np.arange(1000) / float(rate), 3)
    assert (timing.clip_frames(seconds, rate) == np.arange(1000)).all()


def test_a_trimmed_clip_starts_at_its_own_frame():
    assert timing.frames_at(np.array([2.0, 2.04]), Fraction(25), Fraction(25), 1).tolist() == [51, 52]


def test_variable_rate_keeps_true_places():
    seconds = np.array([0.0, 0.033, 0.1, 0.15])
    assert timing.frames_at(seconds, Fraction(30), Fraction(30), 1) == pytest.approx(1 + seconds * 30)


def test_another_scene_rate_keeps_the_speed():
    frames = timing.frames_at(np.arange(100) / float(NTSC[1]), NTSC[1], Fraction(24), 10)
    assert frames == pytest.approx(10 + np.arange(100) * 24 * 1001 / 30000)


rates = st.sampled_from([*NTSC, *WHOLE])


@given(rates, rates, st.integers(-1000, 100_000), st.lists(st.integers(1, 1000), min_size=1, max_size=30))
def test_any_frames_keep_order_and_seconds_at_any_rate(clip, scene, start, steps):
    numbers = np.cumsum(steps)
    seconds = numbers * float(1 / clip)
    frames = timing.frames_at(seconds, clip, scene, start)
    assert (frames - start) / float(scene) == pytest.approx(seconds, rel=1e-9)
    assert (np.diff(frames) > 0).all()
    if clip == scene:
        assert (frames == start + numbers).all()
    assert timing.frames_at(seconds, clip, scene, start + 7) == pytest.approx(frames + 7)


@given(rates, st.lists(st.floats(0.001, 3), min_size=1, max_size=30))
def test_any_times_are_whole_frames_or_the_true_places(rate, steps):
    seconds = np.cumsum(steps)
    frames = timing.clip_frames(seconds, rate)
    off = np.abs(frames - seconds * float(rate))
    assert off.max() < timing.JITTER
    assert (np.diff(frames) > 0).all(), "no two times share a frame"
    assert (frames == np.round(frames)).all() or off.max() < 1e-9


@given(st.integers(1, 1000), st.integers(1, 1001))
def test_any_rate_that_blender_can_be_set_to_is_found_again(fps, thousandths):
    base = float(np.float32(thousandths / 1000))
    rate = timing.exact_rate(fps / base)
    assert float(rate) == pytest.approx(fps / base, rel=1e-6)
    scene = SimpleNamespace(render=SimpleNamespace(fps=0, fps_base=0.0))
    timing.set_scene_rate(scene, rate)
    assert scene.render.fps / scene.render.fps_base == pytest.approx(float(rate), rel=1e-9)
