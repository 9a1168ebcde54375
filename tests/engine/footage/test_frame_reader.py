"""Frames by their index: the same as when the whole footage is read, however they are reached."""

import random
from fractions import Fraction

import numpy as np
import pytest
from made_footage import DEMO, REAL, write_video

from engine.errors import FootageError
from engine.footage.decoding import frames
from engine.footage.frame_reader import FrameReader
from engine.footage.frame_table import TableMaker

RATE = Fraction(24)
CODED = {
    "closed": {"g": "6", "bf": "2"},
    "open": {"g": "6", "bf": "2", "x264-params": "open-gop=1:scenecut=0"},
    "refreshed": {"x264-params": "intra-refresh=1:keyint=6", "bf": "0"},
    "interlaced": {"g": "6", "flags": "+ildct+ilme", "x264-params": "tff=1"},
}


def noted(path, **options):
    maker = TableMaker()
    return {frame.index: frame for frame in frames(path, image_rate=RATE, table=maker, **options)}, maker.table()


def same(one, other):
    return (one.index, one.time_s) == (other.index, other.time_s) and np.array_equal(one.rgb, other.rgb)


@pytest.fixture(scope="module")
def moving():
    """(30, 64, 96, 3) noise that moves, so that a picture that was decoded without its references shows."""
    noise = np.random.default_rng(0).integers(0, 255, (64, 200, 3), np.uint8)
    return [np.ascontiguousarray(noise[:, 3 * shift : 3 * shift + 96]) for shift in range(30)]


@pytest.mark.parametrize("kind", CODED)
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi", "ts"])
def test_any_frame_is_the_one_that_reading_all_gives(tmp_path, moving, kind, suffix):
    path = tmp_path / f"clip.{suffix}"
    write_video(path, moving, 25, CODED[kind])
    whole, table = noted(path)
    assert table.times.tolist() == [frame.time_s for frame in whole.values()]
    order = random.Random(0).sample(range(30), 30)
    reader = FrameReader(path, table, RATE)
    for index in order:
        for frame in reader.read(range(index, min(index + 3, 30))):
            assert same(frame, whole[frame.index])
    reader.close()


def test_where_decoding_may_begin(tmp_path, moving):
    entries = {}
    for kind, options in CODED.items():
        write_video(tmp_path / f"{kind}.mp4", moving, 25, options)
        entries[kind] = noted(tmp_path / f"{kind}.mp4")[1].entries.tolist()
    assert entries == {"closed": [0, 6, 12, 18, 24], "open": [0, 6, 12, 18, 24], "refreshed": [0], "interlaced": [0]}


def test_a_reader_goes_on_where_it_is_and_seeks_only_where_that_saves_decoding(tmp_path, moving, monkeypatch):
    path = tmp_path / "clip.mp4"
    write_video(path, moving, 25, CODED["closed"])
    reader = FrameReader(path, noted(path)[1], RATE)
    opened = []
    monkeypatch.setattr(reader, "_opened", lambda *entry, real=reader._opened: opened.append(entry[0]) or real(*entry))
    for first in (0, 5, 8, 10, 25, 3):
        list(reader.read(range(first, first + 2)))
    assert opened == [0, 24, 0]
    reader.close()


def test_an_index_that_lies_about_entries_costs_time_alone(tmp_path, moving):
    path = tmp_path / "clip.mp4"
    write_video(path, moving, 25, CODED["closed"])
    whole, table = noted(path)
    table.ticks[2] += 700
    reader = FrameReader(path, table, RATE)
    assert all(same(frame, whole[frame.index]) for frame in reader.read(range(14, 20)))


def test_images_are_reached_at_once(tmp_path, moving):
    import cv2

    for number, picture in enumerate(moving[:6]):
        cv2.imwrite(str(tmp_path / f"a_{number}.png"), picture)
    whole, table = noted(tmp_path, mirrored=True)
    reader = FrameReader(tmp_path, table, RATE, mirrored=True)
    (frame,) = reader.read(range(4, 5))
    assert same(frame, whole[4])


def test_footage_that_is_another_one_by_now_is_refused(tmp_path, moving):
    path = tmp_path / "clip.mp4"
    write_video(path, moving, 25, CODED["closed"])
    table = noted(path)[1]
    write_video(path, moving[:10], 30, CODED["closed"])
    with pytest.raises(FootageError, match="changed while it was read"):
        list(FrameReader(path, table, RATE).read(range(8, 30)))


def test_ranges_of_seconds_are_those_that_reading_gives():
    whole, table = noted(DEMO)
    for start_s, end_s in [(None, None), (0.35, None), (0.4, 0.75), (None, 0.01), (0.5, 0.5)]:
        wanted = [
            index
            for index, frame in whole.items()
            if (start_s is None or frame.time_s >= start_s) and (end_s is None or frame.time_s < end_s)
        ]
        assert list(table.range(start_s, end_s)) == wanted


@pytest.mark.skipif(not REAL.is_dir(), reason="needs the footage in ../shared")
@pytest.mark.parametrize("name", ["roof_jump_three_people.mp4", "street_crowd_moving_camera.avi", "walk_sit_stand.mp4"])
def test_real_footage_is_sought_in(name):
    whole, table = noted(REAL / name)
    assert len(table.entries) > 1
    reader = FrameReader(REAL / name, table, RATE)
    for first in (len(whole) - 4, len(whole) // 2, 10):
        for frame in reader.read(range(first, first + 4)):
            assert same(frame, whole[frame.index])
    reader.close()
