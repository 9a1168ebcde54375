"""What the user's arguments stand for."""

from pathlib import Path

import pytest

from engine.errors import FootageError
from engine.footage.decoding import expand
from engine.footage.sources import images_in, natural_key, sequence_files


@pytest.fixture
def shelf(tmp_path):
    for name in (
        "take 2.mp4",
        "take 10.MOV",
        "танец.avi",
        "notes.txt",
        "shot/a_1.png",
        "shot/a_2.png",
        "shot/a_10.png",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def names(paths, base):
    return [str(path.relative_to(base)) for path in paths]


def test_files_stand_for_themselves_each_once(shelf):
    arguments = [str(shelf / name) for name in ("take 10.MOV", "take 2.mp4", "take 10.MOV")]
    assert names(expand(arguments), shelf) == ["take 10.MOV", "take 2.mp4"]


def test_globs_are_expanded_in_natural_order(shelf):
    assert names(expand([str(shelf / "take*")]), shelf) == ["take 2.mp4", "take 10.MOV"]


def test_a_glob_over_images_is_the_sequence_they_belong_to(shelf):
    assert names(expand([str(shelf / "shot" / "*.png")]), shelf) == ["shot"]


def test_a_folder_of_images_is_one_clip_and_one_of_videos_is_its_videos(shelf):
    assert names(expand([str(shelf / "shot")]), shelf) == ["shot"]
    assert names(expand([str(shelf)]), shelf) == ["take 2.mp4", "take 10.MOV", "танец.avi"]


@pytest.mark.parametrize("pattern", ["a_%d.png", "a_#.png"])
def test_patterns_are_one_clip_in_the_order_of_numbers(shelf, pattern):
    (path,) = expand([str(shelf / "shot" / pattern)])
    assert names(sequence_files(path), shelf / "shot") == ["a_1.png", "a_2.png", "a_10.png"]


def test_a_pattern_asks_for_as_many_digits_as_it_has(shelf):
    assert names(sequence_files(shelf / "shot" / "a_%02d.png"), shelf / "shot") == ["a_10.png"]


def test_what_matches_nothing_is_handed_on_for_the_clip_to_fail_alone(shelf):
    missing = str(shelf / "nowhere*.mp4")
    assert expand([missing, str(shelf / "take 2.mp4")]) == [Path(missing), shelf / "take 2.mp4"]


def test_brackets_in_a_name_are_no_pattern(shelf):
    path = shelf / "take [1].mp4"
    path.write_bytes(b"x")
    assert expand([str(path)]) == [path]


def test_videos_are_no_sequence(shelf):
    assert sequence_files(shelf / "take 2.mp4") is None


def test_the_kind_that_most_images_are_of_is_the_sequence(shelf):
    (shelf / "shot" / "thumb.jpg").write_bytes(b"x")
    assert names(images_in(shelf / "shot"), shelf / "shot") == ["a_1.png", "a_2.png", "a_10.png"]
    assert images_in(shelf / "take 2.mp4") == []


def test_numbers_sort_as_numbers():
    paths = [Path("f10.png"), Path("f9.png"), Path("F1.png")]
    assert sorted(paths, key=natural_key) == [Path("F1.png"), Path("f9.png"), Path("f10.png")]


def test_an_empty_folder_has_no_sequence(tmp_path):
    with pytest.raises(FootageError, match="has no images"):
        sequence_files(tmp_path)
