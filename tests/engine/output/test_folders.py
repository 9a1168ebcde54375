"""Folders of clips, and files that are never half written."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import OutputError
from engine.files.atomic import write_arrays
from engine.files.folder_lock import LOCK
from engine.output import folders as outputs


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("walk", "walk"),
        ("Прогулка 散歩", "Прогулка 散歩"),
        ("a/b\\c:d", "a_b_c_d"),
        ("trailing. . ", "trailing"),
        ("..", "clip"),
        ("", "clip"),
        ("con", "_con"),
        ("NUL.take 2", "_NUL.take 2"),
        ("com1", "_com1"),
        ("console", "console"),
        ("line\nbreak\x00", "line_break_"),
        ("bad\udcff", "bad_"),
        (".cache", "cache"),
        ("e\u0301", "é"),
    ],
)
def test_names_are_made_safe(name, safe):
    assert outputs.safe_name(name) == safe


@given(st.text(max_size=400))
def test_any_name_makes_one_folder(name):
    safe = outputs.safe_name(name)
    assert Path(safe).name == safe
    assert safe not in ("", ".", "..")
    assert len(safe.encode()) <= 151
    assert outputs.safe_name(safe) == safe or safe.startswith("_")


def test_clips_are_called_after_files_folders_and_patterns(tmp_path):
    folder = tmp_path / "shot.v2"
    folder.mkdir()
    assert outputs.clip_name(Path("x/walk.mov")) == "walk"
    assert outputs.clip_name(Path("x/walk.v2.mov")) == "walk.v2"
    assert outputs.clip_name(folder) == "shot.v2"
    assert outputs.clip_name(Path("take/shot_%04d.png")) == "shot"
    assert outputs.clip_name(Path("take/shot.####.png")) == "shot"
    assert outputs.clip_name(Path("take/####.png")) == "take"


def claim(out, clips):
    folders = outputs.clip_folders(out, clips)
    for folder, clip in zip(folders, clips, strict=True):
        outputs.prepare_folder(folder, clip)
    return [folder.name for folder in folders]


def test_clips_of_the_same_name_get_folders_of_their_own(tmp_path):
    clips = [Path("a/walk.mp4"), Path("b/walk.mp4"), Path("c/WALK.avi")]
    assert claim(tmp_path, clips) == ["walk", "walk_2", "WALK_3"]


def test_a_clip_gets_its_folder_again_in_a_later_run(tmp_path):
    assert claim(tmp_path, [Path("a/walk.mp4"), Path("b/walk.mp4")]) == ["walk", "walk_2"]
    assert claim(tmp_path, [Path("b/walk.mp4")]) == ["walk_2"]
    assert claim(tmp_path, [Path("c/walk.mp4")]) == ["walk_3"]
    assert claim(tmp_path, [Path("a/walk.mp4")]) == ["walk"]


def test_a_folder_that_another_run_has_taken_meanwhile_is_not_shared(tmp_path):
    first, second = (tmp_path / name / "a.mp4" for name in ("x", "y"))
    (folder,), (same,) = (outputs.clip_folders(tmp_path / "out", [clip]) for clip in (first, second))
    assert folder == same, "both begin at once"
    outputs.prepare_folder(folder, first)
    with pytest.raises(OutputError, match="taken for other footage"):
        outputs.prepare_folder(folder, second)
    assert outputs.clip_folders(tmp_path / "out", [second]) != [folder]


def test_a_file_in_place_of_the_folder_is_left_alone(tmp_path):
    (tmp_path / "walk").write_text("mine")
    assert claim(tmp_path, [Path("walk.mp4")]) == ["walk_2"]
    assert (tmp_path / "walk").read_text() == "mine"


def test_leftovers_of_a_killed_run_are_cleared(tmp_path):
    (tmp_path / ".person_1-0123abcd.tmp").write_text("half")
    (tmp_path / ".notes.tmp").write_text("hidden, and somebody else's")
    (tmp_path / "notes.tmp").write_text("mine")
    outputs.prepare_folder(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".notes.tmp", "notes.tmp"]


def test_a_file_in_place_of_the_output_folder_is_an_error(tmp_path):
    (tmp_path / "out").write_text("a file")
    for folder in (tmp_path / "out", tmp_path / "out" / "walk"):
        with pytest.raises(OutputError, match="cannot be written") as caught:
            outputs.prepare_folder(folder)
        assert caught.value.hint


def test_a_folder_without_permission_is_an_error(tmp_path):
    if os.name == "nt" or os.geteuid() == 0:
        pytest.skip("the administrator may write everywhere")
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="cannot be written: Permission denied"):
        outputs.prepare_folder(tmp_path)


@pytest.fixture
def small_disk(tmp_path):
    """A real file system of 1 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if sys.platform != "linux" or subprocess.run(mounting, capture_output=True).returncode:
        pytest.skip("mounting a small disk is not permitted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_reported_before_work_starts(small_disk):
    with pytest.raises(OutputError, match="is full"):
        outputs.prepare_folder(small_disk / "walk")


def test_a_disk_that_fills_up_leaves_the_old_file_and_no_rest(small_disk):
    path = small_disk / "person_1.npz"
    write_arrays(path, {"a": np.arange(3)})
    outputs.write_json(small_disk / "report.json", {"old": True})
    with pytest.raises(OutputError, match="No space left"):
        write_arrays(path, {"a": np.random.default_rng(0).random(500_000)})
    with pytest.raises(OutputError, match="No space left"):
        outputs.write_json(small_disk / "report.json", {"new": "x" * 2_000_000})
    assert np.load(path)["a"].tolist() == [0, 1, 2]
    assert json.loads((small_disk / "report.json").read_text()) == {"old": True}
    assert sorted(item.name for item in small_disk.iterdir()) == ["person_1.npz", "report.json"]


ASCII_LOCALE = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names of files are Unicode whatever the locale")
def test_names_keep_their_letters_under_an_ascii_locale(tmp_path):
    for name in ("Übung 歩く.mp4", "Пробег два.mp4", "Пробег три.mp4"):
        (tmp_path / name).write_bytes(b"no video")
    code = (
        "import sys; from pathlib import Path; from engine.output.folders import clip_folders, prepare_folder\n"
        "assert sys.getfilesystemencoding() == 'ascii', sys.getfilesystemencoding()\n"
        "clips = sorted(Path(sys.argv[1]).glob('*.mp4'))\n"
        "for folder, clip in zip(clip_folders(Path(sys.argv[2]), clips), clips): prepare_folder(folder, clip)\n"
    )
    words = [sys.executable, "-c", code, str(tmp_path), str(tmp_path / "out")]
    for _ in range(2):  # a second run finds its folders again
        subprocess.run(words, env={**os.environ, **ASCII_LOCALE}, cwd=Path(__file__).parents[3], check=True)
    assert {folder.name for folder in (tmp_path / "out").iterdir()} == {"Übung 歩く", "Пробег два", "Пробег три"}


def test_a_folder_that_came_to_nothing_goes_and_one_with_anything_in_it_stays(tmp_path):
    folder = tmp_path / "clip"
    outputs.prepare_folder(folder, tmp_path / "clip.mp4")
    (folder / ".cache" / LOCK).touch()
    (folder / ".cache" / "detect-1.npz").touch()
    outputs.remove_empty(folder)
    assert folder.is_dir(), "an interrupted run goes on from there"
    (folder / ".cache" / "detect-1.npz").unlink()
    outputs.remove_empty(folder)
    assert not folder.exists()
    outputs.remove_empty(folder)
