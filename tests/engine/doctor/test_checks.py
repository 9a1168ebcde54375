"""The doctor, on this very installation and on damaged ones."""

import io
import json
import subprocess
import sys

import pytest

from engine.doctor import checks
from engine.errors import ExportError
from engine.weights.model_settings import ModelSettings


@pytest.fixture(scope="module")
def report():
    return checks.examine()


def test_this_installation_is_usable(report):
    assert report.usable, [check for check in report.checks if check.state == "missing"]
    names = {(check.section, check.name.split(" ")[0]) for check in report.checks}
    assert {("packages", "torch"), ("devices", "cpu"), ("models", "open_body.npz"), ("exports", "Blender")} <= names


def test_model_files_are_reported_with_size_hash_and_licence(report):
    (heavy,) = [check for check in report.checks if check.name.startswith("pose_landmarker_heavy")]
    assert "MiB, sha256 " in heavy.found
    assert "Apache-2.0" in heavy.found


def test_missing_and_damaged_model_files_are_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(checks, "ASSETS", tmp_path)
    (tmp_path / "open_body.npz").write_bytes(b"cut off")
    found = checks._models()
    states = {check.name.split(" ")[0]: (check.state, check.found.split(":")[0]) for check in found}
    assert states["open_body.npz"] == ("missing", "damaged")
    assert states["pose_landmarker_full.task"] == ("missing", "not there")
    assert not checks.DoctorReport(tuple(found)).usable
    assert all(check.hint for check in found if check.state != "ok")


def test_published_models_are_reported_with_origin_licence_and_place(tmp_path, monkeypatch):
    monkeypatch.setenv("ADAPT_MOTION_MODELS", str(tmp_path))
    (tmp_path / "hmr_basemodel.pt").write_bytes(b"cut off")
    found = {check.key: check for check in checks._published(ModelSettings(), "")}
    assert {"smpl", "hmr", "hmr2", "mdnet", "motionclip", "clip", "babel", "amass"} == set(found)
    for check in found.values():
        assert check.obtain
        assert check.licence
        assert check.place
        assert check.obtain in check.hint
        assert check.licence in check.hint
    assert (found["hmr"].state, found["hmr"].path) == ("refused", str(tmp_path / "hmr_basemodel.pt"))
    assert (found["hmr2"].state, found["hmr2"].path) == ("optional", "")
    assert checks.DoctorReport(tuple(found.values())).usable, "nothing of these is needed"


def test_the_key_of_a_server_is_never_shown(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1")
    text = io.StringIO()
    checks.show(checks.DoctorReport(tuple(checks._labels())), text, as_json=True)
    assert "127.0.0.1" in text.getvalue()
    assert "sk-secret" not in text.getvalue()


def test_a_missing_package_is_reported_and_the_rest_is_still_examined():
    check = checks._package("nothing", "no_such_module_anywhere")
    assert check.state == "missing"
    assert "ModuleNotFoundError" in check.found
    assert check.hint


def test_a_missing_blender_is_no_obstacle(monkeypatch):
    def none():
        raise ExportError("No Blender was found.", "Install Blender.")

    monkeypatch.setattr("engine.output.blender_export.find_blender", none)
    (check,) = checks._exports()
    assert (check.state, check.hint) == ("optional", "Install Blender.")


def test_the_table_and_the_json_say_the_same(report):
    text, data = io.StringIO(), io.StringIO()
    checks.show(report, text, as_json=False)
    checks.show(report, data, as_json=True)
    assert "Ready." in text.getvalue()
    value = json.loads(data.getvalue())
    assert value["usable"] is True
    assert len(value["checks"]) == len(report.checks)


@pytest.mark.slow
def test_the_command_writes_nothing_but_json_on_stdout():
    done = subprocess.run([sys.executable, "-m", "engine", "doctor", "--json"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["usable"]
