"""Bugs become a sentence and a file."""

import os

import torch

from engine.errors import OutOfMemoryError
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


def test_a_package_that_is_missing_is_reported(tmp_path):
    assert (
        "not installed: No module named 'scipy'"
        in explain(raised(ImportError("No module named 'scipy'")), tmp_path).message
    )
