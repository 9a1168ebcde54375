"""Bugs become a sentence and a file."""

import errno
import os

import pytest
import torch

from engine.errors import OutOfMemoryError, UsageError
from engine.runtime.crash_log import explain


def raised(error):
    try:
        raise error
    except Exception as caught:
        return caught


def test_a_bug_is_a_sentence_with_the_file_to_send(tmp_path):
    error = explain(raised(KeyError("betas")), tmp_path)
    assert error.message == "Something unexpected went wrong: KeyError: 'betas'."
    assert str(tmp_path / "error.log") in error.hint
    text = (tmp_path / "error.log").read_text()
    assert "Traceback" in text
    assert "test_crash_log.py" in text
    assert '"torch"' in text


def test_where_the_folder_cannot_be_written_the_file_goes_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    error = explain(raised(KeyError("betas")), tmp_path / "none")
    (path,) = tmp_path.glob("adapt-motion-error-*.log")
    assert str(path) in error.hint
    assert "betas" in path.read_text()
    assert path.stat().st_mode & 0o077 == 0 or os.name == "nt", "the user's alone"


def test_memory_that_ran_out_is_kept_apart(tmp_path):
    for bug in (MemoryError(), torch.OutOfMemoryError("CUDA"), RuntimeError("[enforce fail] can't allocate memory")):
        assert isinstance(explain(raised(bug), tmp_path), OutOfMemoryError)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("reason", [errno.EACCES, errno.EPERM, errno.ELOOP, errno.EIO])
def test_what_the_system_refuses_is_no_bug(tmp_path, reason):
    error = explain(raised(OSError(reason, os.strerror(reason), str(tmp_path / "a.mp4"))), tmp_path)
    assert error.message.endswith(f" cannot be used: {os.strerror(reason)}.")
    assert error.hint
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="Windows finds nothing under such names")
def test_a_name_that_is_too_long_is_no_bug(tmp_path):
    with pytest.raises(OSError, match="long") as caught:
        os.stat(tmp_path / ("long " * 100))
    error = explain(caught.value, tmp_path)
    assert isinstance(error, UsageError)
    assert "longer than this system takes" in error.message
    assert len(error.message) < 200


def test_files_that_are_missing_without_a_check_are_bugs(tmp_path):
    assert "Something unexpected" in explain(raised(FileNotFoundError(errno.ENOENT, "none", "a")), tmp_path).message


def test_a_package_that_is_missing_is_reported(tmp_path):
    assert (
        "not installed: No module named 'scipy'"
        in explain(raised(ImportError("No module named 'scipy'")), tmp_path).message
    )
