"""Black bars: found where they are, and nowhere else."""

import numpy as np
import pytest
from made_footage import DEMO, REAL, pictures, stream

from engine.footage.bars import Bars


def picture_of(rgb, rate=25.0):
    bars = Bars()
    for _ in bars.watch(stream(rgb, rate)):
        pass
    return bars.picture()


def framed(rgb, rows=0, columns=0, noise=6):
    """Pictures with bars of so many rows above and below and columns left and right, black as codecs have it."""
    count, height, width = rgb.shape[:3]
    size = (count, height + 2 * rows, width + 2 * columns, 3)
    frame = np.random.default_rng(0).integers(0, noise + 1, size, np.uint8)
    frame[:, rows : rows + height, columns : columns + width] = rgb
    return frame


@pytest.fixture(scope="module")
def film():
    return pictures(DEMO)[0][:60:2]


@pytest.mark.parametrize(("rows", "columns"), [(40, 0), (0, 130), (30, 40), (8, 0)])
def test_where_the_picture_is(film, rows, columns):
    height, width = film.shape[1:3]
    found = picture_of(framed(film, rows, columns))
    np.testing.assert_allclose(found, (columns, rows, columns + width, rows + height), atol=2)


@pytest.mark.parametrize("share", [0.08, 0.7])
def test_captions_in_a_bar_do_not_hide_it(film, share):
    """Short ones leave the rows mostly dark, long ones only some of the rows."""
    frame = framed(film, 60)
    width = frame.shape[2]
    frame[:, -40:-25, int(width * (0.5 - share / 2)) : int(width * (0.5 + share / 2))] = 235
    assert picture_of(frame) == pytest.approx((0, 60, width, 60 + film.shape[1]), abs=2)


def test_one_dark_side_is_no_bar(film):
    frame = framed(film, 40)
    assert picture_of(frame[:, 40:]) is None


def test_somebody_before_black_cloth_has_no_bars(film):
    """Nothing but the person is lit, and the cloth is as black as bars are."""
    black = np.zeros_like(film)
    height, width = film.shape[1:3]
    part = slice(height // 4, height // 4 + height // 2), slice(2 * width // 5, 3 * width // 5)
    rows, columns = np.meshgrid(
        np.linspace(-1, 1, height // 2), np.linspace(-1, 1, part[1].stop - part[1].start), indexing="ij"
    )
    black[:, part[0], part[1]][:, rows**2 + columns**2 < 1] = 180
    assert picture_of(black) is None


def test_night_has_no_bars(film):
    assert picture_of((film * 0.08).astype(np.uint8)) is None
    assert picture_of(np.zeros_like(film)) is None


def test_a_fade_from_black_does_not_hide_them(film):
    frame = framed(film, 40)
    frame[:5] = 0
    assert picture_of(frame)[1] == pytest.approx(40, abs=2)


def test_bars_of_some_shots_are_none_of_the_clip(film):
    wide = framed(film, 40)
    full = np.full_like(wide, 120)
    assert picture_of(np.concatenate([wide, full])) is None


@pytest.mark.parametrize("name", sorted(path.name for path in REAL.glob("*.*") if path.suffix != ".md") or ["none"])
def test_real_footage_without_bars(name):
    if not (REAL / name).is_file():
        pytest.skip("no real footage beside the checkout")
    rgb, rate = pictures(REAL / name)
    assert picture_of(rgb, rate) is None
