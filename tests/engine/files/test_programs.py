"""Programs are taken from the path alone: what lies in the working folder is a stranger's."""

import os
import sys

import pytest

from engine.files.programs import find_program, without_keys

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="makes programs of other kinds")


@pytest.fixture
def program(tmp_path):
    def make(folder, name="uv"):
        path = tmp_path / folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
        return path

    return make


@pytest.mark.parametrize("path", ["", ".", "footage", os.pathsep, f".{os.pathsep}footage"])
def test_the_working_folder_is_not_looked_into(program, tmp_path, monkeypatch, path):
    program("footage")
    monkeypatch.chdir(program(".").parent)
    monkeypatch.setenv("PATH", path)
    assert find_program("uv") is None


def test_the_first_of_the_path_is_taken(program, tmp_path, monkeypatch):
    first, second = program("a"), program("b")
    (tmp_path / "c" / "uv").mkdir(parents=True)
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "uv").write_text("no program")
    monkeypatch.setenv("PATH", os.pathsep.join(str(tmp_path / name) for name in ("d", "c", "a", "b")))
    assert find_program("uv") == str(first)
    assert find_program(str(second)) == str(second)
    assert find_program(str(tmp_path / "d" / "uv")) is None
    assert find_program("another") is None


def test_children_that_need_no_key_get_none(monkeypatch, tmp_path):
    from engine.output.blender_export import child_environment

    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("HOME", str(tmp_path))
    for environment in (without_keys(), child_environment(tmp_path, tmp_path / "blender")):
        assert "sk-secret" not in environment.values()
        assert environment["HOME"] == str(tmp_path)
