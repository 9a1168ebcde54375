"""Two runs into one folder: the second gets an error, and a lock never outlives its process."""

import subprocess
import sys

import pytest

from engine.errors import OutputError
from engine.files.folder_lock import LOCK, only_run_in

HOLDER = """
import sys, time
from pathlib import Path
from engine.files.folder_lock import only_run_in
folder = Path(sys.argv[1])
with only_run_in(folder, folder / "lock"):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that has the folder."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_run_is_refused_in_a_sentence(holder, tmp_path):
    with (
        pytest.raises(OutputError, match="Another run is working in") as caught,
        only_run_in(tmp_path, tmp_path / LOCK),
    ):
        pass
    assert str(tmp_path) in caught.value.message
    assert caught.value.hint
    with only_run_in(tmp_path / "other", tmp_path / "other" / LOCK):
        pass


def test_a_killed_run_leaves_no_lock_in_the_way(holder, tmp_path):
    holder.kill()
    holder.wait()
    assert (tmp_path / LOCK).is_file()
    with only_run_in(tmp_path, tmp_path / LOCK):
        pass


def test_the_lock_is_given_back(tmp_path):
    for _ in range(2):
        with only_run_in(tmp_path, tmp_path / "deep" / LOCK):
            pass


def test_a_file_in_place_of_the_folder_is_reported(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(OutputError, match="cannot be written"), only_run_in(tmp_path, tmp_path / "out" / LOCK):
        pass
