"""Results of stages on disk."""

import numpy as np
import pytest

from engine.runtime.cache import Cache, key_of


@pytest.fixture
def warnings():
    return []


@pytest.fixture
def cache(tmp_path, warnings):
    return Cache(tmp_path, read=True, warn=lambda code, text: warnings.append((code, text)))


def test_an_entry_comes_back(cache):
    cache.store("track", "k1", {"a": np.arange(3), "names": np.array(["über", "x"])})
    entry = cache.load("track", "k1")
    assert entry["a"].tolist() == [0, 1, 2]
    assert entry["names"].tolist() == ["über", "x"]
    assert cache.reused == ["track"]


def test_another_key_stage_or_part_finds_nothing(cache):
    cache.store("track", "k1", {"a": np.zeros(1)}, part=0)
    assert cache.load("track", "k2", 0) is None
    assert cache.load("detect", "k1", 0) is None
    assert cache.load("track", "k1", 1) is None
    assert cache.load("track", "k1") is None
    assert cache.reused == []


def test_without_resume_entries_are_written_but_not_read(tmp_path):
    fresh = Cache(tmp_path, read=False, warn=lambda *_: None)
    fresh.store("track", "k", {"a": np.zeros(1)})
    assert fresh.load("track", "k") is None
    assert Cache(tmp_path, read=True, warn=lambda *_: None).load("track", "k") is not None


@pytest.mark.parametrize("damage", ["cut", "garbage", "empty", "bit"])
def test_a_damaged_entry_is_reported_and_not_used(cache, warnings, damage):
    cache.store("track", "k", {"a": np.random.default_rng(0).random(1000)})
    path = cache.path("track", "k")
    content = bytearray(path.read_bytes())
    if damage == "cut":
        content = content[: len(content) // 2]
    elif damage == "garbage":
        content = bytearray(b"nothing of the kind")
    elif damage == "empty":
        content = bytearray()
    else:
        content[len(content) // 2] ^= 255
    path.write_bytes(content)
    assert cache.load("track", "k") is None
    assert [code for code, _ in warnings] == ["cache"]
    assert "made again" in warnings[0][1]
    assert cache.reused == []


def test_pickles_are_not_read(cache, warnings):
    path = cache.path("track", "k")
    path.parent.mkdir()
    np.savez(path, a=np.array([{"x": 1}], dtype=object))
    assert cache.load("track", "k") is None
    assert warnings


def test_keys_tell_their_parts_apart():
    keys = {
        key_of(footage="a", settings={"x": 1, "y": 2}),
        key_of(footage="a", settings={"x": 1, "y": 3}),
        key_of(footage="b", settings={"x": 1, "y": 2}),
    }
    assert len(keys) == 3
    assert key_of(b=1, a=2) == key_of(a=2, b=1)


def test_another_engine_version_makes_another_key(monkeypatch):
    before = key_of(footage="a")
    monkeypatch.setattr("engine.runtime.cache.__version__", "99")
    assert key_of(footage="a") != before
