"""Motion files, bodies, reports and bone maps that mean harm: each is reported in a sentence, none hangs."""

from __future__ import annotations

import contextlib
import json
import os
import random
import tracemalloc
from pathlib import Path

import hostile_files
import numpy as np
import pytest
import synthetic
from adapt_motion.blender_addon.character import motion_io
from adapt_motion.blender_addon.errors import UserError
from adapt_motion.blender_addon.retarget import bone_maps
from effort import counted_calls


def members(path: Path) -> dict[str, bytes]:
    with np.load(path) as archive:
        return {f"{name}.npy": hostile_files.npy(array) for name, array in archive.items()}


@pytest.fixture
def person(tmp_path):
    return synthetic.write_person(tmp_path / "clip")


def read(path: Path) -> None:
    motion = motion_io.read_motion(path)
    motion_io.read_body(motion)
    motion_io.stored_rotation(motion)


KINDS = sorted(hostile_files.hostile_archives({"poses.npy": b"", "x.npy": b""}, "poses.npy", "never made"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_motion_file_that_means_harm_is_reported(person, kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    person.write_bytes(hostile_files.hostile_archives(members(person), "poses.npy", "never made")[kind])
    with counted_calls() as calls, pytest.raises(UserError) as caught:
        read(person)
    assert calls[0] < 10_000
    assert caught.value.hint
    assert not (tmp_path / "never made").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_a_body_that_means_harm_is_reported(person, kind):
    body = motion_io.body_path(person)
    body.write_bytes(hostile_files.hostile_archives(members(body), "vertices.npy", "never made")[kind])
    with pytest.raises(UserError):
        read(person)


WRONG = {
    "rate of text": {"mocap_framerate": np.array("abc")},
    "rates": {"mocap_framerate": np.array([30.0, 30.0])},
    "rate of imaginary numbers": {"mocap_framerate": np.array(1j)},
    "rate that is none": {"mocap_framerate": np.array(np.nan)},
    "version of text": {"format_version": np.array("new")},
    "versions": {"format_version": np.array([1, 2])},
    "version that is none": {"format_version": np.array(np.nan)},
    "version without end": {"format_version": np.array(np.inf)},
    "one pose": {"poses": np.array(1.0)},
    "no poses": {"poses": np.zeros((0, 72))},
    "huge poses": {"poses": np.full((40, 72), 1e30)},
    "times before the footage": {"timestamps": np.arange(40) - 100.0},
    "camera of zeros": {"camera_to_world": np.zeros((4, 4))},
    "camera that shears": {"camera_to_world": np.eye(4) + np.eye(4, k=1)},
    "camera that mirrors": {"camera_to_world": np.diag([-1.0, 1, 1, 1])},
    "path of zeros": {"camera_path": np.zeros((40, 4, 4))},
    "cuts before the footage": {"cuts_s": np.array([-1e8, 1.0])},
    "cuts without end": {"cuts_s": np.arange(20_000.0)},
    "huge size": {"image_size": np.array([2**60, 2**60])},
    "names of numbers": {"keypoint_names": np.arange(12)},
    "one name": {"keypoint_names": np.array("nose")},
    "contacts of others": {"contacts": np.zeros((40, 5))},
    "labels of bytes": {"labels": np.full(40, b"x")},
}


@pytest.mark.parametrize("kind", WRONG)
def test_values_that_make_no_sense_are_reported(person, kind):
    with np.load(person) as archive:
        arrays = dict(archive)
    np.savez(person, **{**arrays, **WRONG[kind]})
    with pytest.raises(UserError):
        read(person)


def test_a_bomb_in_an_array_that_nobody_reads_does_no_harm(person):
    person.write_bytes(hostile_files.bomb(members(person), "unknown.npy"))
    tracemalloc.start()
    try:
        read(person)
        assert tracemalloc.get_traced_memory()[1] < 10 * 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "report",
    [
        "[" * 20_000,
        '{"footage": {"rotation_degrees": 1%s}}' % ("0" * 400),
        '{"footage": {"rotation_degrees": 1e999}}',
        '{"footage": {"rotation_degrees": NaN}}',
        '{"footage": {"rotation_degrees": [90]}}',
        '{"footage": {"rotation_degrees": 45}}',
        '{"footage": 90}',
        "\ufffe",
    ],
)
def test_a_report_that_makes_no_sense_tells_of_no_turn(person, report):
    person.with_name("report.json").write_text(report, encoding="utf-8")
    assert motion_io.stored_rotation(motion_io.read_motion(person)) == 0
    person.with_name("report.json").write_text(json.dumps({"footage": {"rotation_degrees": 90}}))
    assert motion_io.stored_rotation(motion_io.read_motion(person)) == 90


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_pipes_are_not_waited_for(person):
    person.unlink()
    os.mkfifo(person)
    with pytest.raises(UserError, match="pipe or a device"):
        motion_io.read_motion(person)


@pytest.mark.parametrize("text", ["[" * 10_000, "null", '{"name": 1%s}' % ("0" * 5000), '{"bones": []}'])
def test_a_bone_map_that_means_harm_is_reported(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(UserError, match="bone map"):
        bone_maps.read(tmp_path / "a.json")


def test_changed_files_end_in_a_sentence(person):
    """A hundred files with bytes changed: each is read or reported, however the change fell."""
    chance, whole = random.Random(3), person.read_bytes()
    for _ in range(100):
        content = bytearray(whole)
        for _ in range(chance.choice((1, 5, 50))):
            content[chance.randrange(len(content))] = chance.randrange(256)
        person.write_bytes(bytes(content))
        with contextlib.suppress(UserError):
            read(person)
