"""Files that travel with a task: what comes out is what went in, and nothing gets out of its folder."""

import numpy as np
import pytest

from engine.errors import FootageError
from engine.farm import luggage
from engine.footage.sources import fingerprint


def write(path, content=b"x"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.fixture
def clip(tmp_path):
    """A clip's folder with entries in its cache, and what is none."""
    for name in ("shots-0123456789abcdef.npz", "detect-0123456789abcdef-00003.npz", "clip.json", ".adapt-1.tmp"):
        write(tmp_path / "clip" / ".cache" / name, name.encode())
    return tmp_path / "clip"


def test_a_video_and_the_cache_arrive(tmp_path, clip):
    video = write(tmp_path / "here" / "Läufer 歩く.mp4", bytes(range(256)) * 100)
    cache = luggage.packed_cache(clip)
    assert sorted(cache) == ["detect-0123456789abcdef-00003.npz", "shots-0123456789abcdef.npz"]
    path, folder = luggage.unpacked("a", video, luggage.packed_footage(video), cache)
    assert path != video
    assert path.name == video.name
    assert fingerprint(path) == fingerprint(video)
    assert (folder / ".cache" / "shots-0123456789abcdef.npz").read_bytes() == b"shots-0123456789abcdef.npz"
    assert luggage.packed_cache(folder).keys() == cache.keys()


@pytest.mark.parametrize("named", ["shot", "shot/frame_##.png", "shot/frame_07.png"])
def test_images_keep_names_and_order(tmp_path, named):
    for number in (7, 8, 10):
        write(tmp_path / "shot" / f"frame_{number:02}.png", bytes([number]))
    footage = tmp_path / named
    path, _ = luggage.unpacked(named, footage, luggage.packed_footage(footage), {})
    assert path.parent != tmp_path
    assert fingerprint(path) == fingerprint(footage)


def test_the_next_clip_takes_the_place_of_the_last(tmp_path):
    first, second = (write(tmp_path / name, name.encode()) for name in ("one.mp4", "two.mp4"))
    before, _ = luggage.unpacked("one", first, luggage.packed_footage(first), {})
    stamp = before.stat().st_mtime_ns
    again, folder = luggage.unpacked("one", first, luggage.packed_footage(first), {})
    assert again.stat().st_mtime_ns == stamp, "footage is written once"
    assert list((folder / ".cache").glob("*")) == []
    luggage.unpacked("two", second, luggage.packed_footage(second), {})
    assert not before.exists()


def test_only_entries_are_taken_back(clip, tmp_path):
    names = [
        "adapt-00000000deadbeef.npz",
        "../../evil.npz",
        "person_1.npz",
        "adapt-00000000deadbeef.npz/..",
        "clip.json",
    ]
    luggage.store({name: np.frombuffer(b"new", np.uint8) for name in names}, clip)
    assert (clip / ".cache" / names[0]).read_bytes() == b"new"
    assert (clip / ".cache" / "clip.json").read_bytes() == b"clip.json"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip"]
    assert sorted(path.name for path in clip.iterdir()) == [".cache"]


def test_footage_that_is_gone_is_named(tmp_path):
    with pytest.raises(FootageError, match="There is no file"):
        luggage.packed_footage(tmp_path / "gone.mp4")
