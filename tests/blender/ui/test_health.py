"""Preferences: the doctor in words, model files, and the key that is in no file and no log."""

from __future__ import annotations

import json
import sys

import bpy
from adapt_motion.blender_addon import messages, texts
from adapt_motion.blender_addon.run import engine_home, health, job, prefs, run_state, running
from adapt_motion.blender_addon.ui import panels
from addon_fixtures import refused
from recorder import draw

FAKE_KEYRING = """
import json, os, pathlib
FILE = pathlib.Path(os.environ["ADAPT_MOTION_TEST_RING"])
def read():
    return json.loads(FILE.read_text()) if FILE.exists() else {}
def get_password(service, name):
    return read().get(f"{service}/{name}")
def set_password(service, name, key):
    FILE.write_text(json.dumps({**read(), f"{service}/{name}": key}))
def delete_password(service, name):
    kept = read()
    del kept[f"{service}/{name}"]
    FILE.write_text(json.dumps(kept))
"""

CHECK = {"section": "models", "hint": "", "found": "3 MB"}


def finding(*states):
    checks = [{**CHECK, "name": f"thing {number}", "state": state} for number, state in enumerate(states)]
    return {"event": "doctor", "usable": "missing" not in states, "checks": checks}


def test_what_is_missing_is_reported_first_and_in_words(addon):
    assert texts.NOT_EXAMINED in draw(addon, bpy.context).texts[-1]
    reply = finding("ok", "optional", "missing")
    reply["checks"][2]["hint"] = "Install the engine again."
    health.remember(reply)
    assert health.summary(reply) == ("Missing: thing 2.", "Install the engine again.")
    lines = draw(addon, bpy.context).texts
    assert "thing 1: 3 MB" not in lines, "what is optional waits until it is opened"
    addon.show_optional = True
    lines = draw(addon, bpy.context).texts
    places = [lines.index(f"thing {number}: 3 MB") for number in (2, 0, 1)]
    assert places == sorted(places)
    assert health.summary(finding("ok", "optional"))[0] == "Everything that the engine needs is there."
    health.forget()


def test_the_examination_is_reported_in_its_own_box_and_nowhere_else(addon, tmp_path):
    state = run_state.RunState("doctor", job.EventSource(tmp_path / "log"), stage="doctor")
    running._latest = state
    assert "Examining the engine" in draw(addon, bpy.context).texts
    state.finished, state.finding = True, finding("refused")
    state.message = "Of no use: thing 0."
    state.failed = True
    health.remember(state.finding)
    assert draw(addon, bpy.context).texts.count("Of no use: thing 0.") == 1
    assert "Of no use: thing 0." not in draw(panels.ADAPT_MOTION_PT_adapt, bpy.context).texts
    health.forget()
    running._latest = None


def test_the_real_doctor_answers(addon, engine_python, tmp_path):
    addon.engine_python = engine_python
    addon.body_model = str(tmp_path / "SMPL_NEUTRAL.npz")
    (tmp_path / "SMPL_NEUTRAL.npz").write_text("no body")
    addon.models_folder = str(tmp_path)
    reply = refused_or_not()
    checks = {check["name"]: check for check in running.latest().finding["checks"]}
    assert checks["torch"]["state"] == "ok"
    smpl = next(check for name, check in checks.items() if "SMPL" in name)
    assert smpl["state"] == "refused", "the damaged file is found out"
    assert "Of no use" in reply
    health.forget()


def refused_or_not() -> str:
    try:
        bpy.ops.adapt_motion.doctor()
    except RuntimeError as error:
        return str(error)
    return ""


def test_models_folder_and_server_reach_the_engine(addon, tmp_path):
    assert prefs.engine_variables() == {}
    addon.models_folder, addon.vlm_server = str(tmp_path), "http://localhost:8000/v1"
    assert prefs.engine_variables() == {"ADAPT_MOTION_MODELS": str(tmp_path)}, "the server only when it is on"
    addon.use_vlm = True
    assert prefs.engine_variables()["OPENAI_BASE_URL"] == "http://localhost:8000/v1"


def ring(tmp_path, monkeypatch):
    """A Python that has a keyring."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "keyring.py").write_text(FAKE_KEYRING)
    monkeypatch.setenv("ADAPT_MOTION_TEST_RING", str(tmp_path / "ring.json"))
    plain = job.engine_environment
    monkeypatch.setattr(
        engine_home, "engine_environment", lambda root=None: {**plain(root), "PYTHONPATH": str(tmp_path / "site")}
    )


def test_the_key_goes_to_the_keyring_and_nowhere_else(addon, tmp_path, monkeypatch):
    ring(tmp_path, monkeypatch)
    addon.engine_python = sys.executable
    assert "No key was given" in refused(bpy.ops.adapt_motion.store_key, key=" ")
    assert bpy.ops.adapt_motion.store_key(key="secret-123") == {"FINISHED"}
    assert json.loads((tmp_path / "ring.json").read_text()) == {"adapt_motion/labels": "secret-123"}
    assert running.latest().message == texts.KEY_STORED
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"), compress=False)
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "ring.json"]
    assert any(path.suffix == ".log" for path in kept)
    assert not [path for path in kept if b"secret-123" in path.read_bytes()]
    assert bpy.ops.adapt_motion.forget_key() == {"FINISHED"}
    assert json.loads((tmp_path / "ring.json").read_text()) == {}


def test_without_a_keyring_it_says_what_to_do(addon):
    addon.engine_python = sys.executable
    reply = refused(bpy.ops.adapt_motion.store_key, key="secret-123")
    assert "keyring cannot be used" in reply
    assert "OPENAI_API_KEY" in reply
    assert "secret" not in running.latest().source.log.read_text()


def test_the_engine_gets_the_key_from_the_keyring_by_itself(addon, tmp_path, monkeypatch):
    """It passes from the keyring into the engine's environment, not through Blender."""
    import fake_engine

    ring(tmp_path, monkeypatch)
    (tmp_path / "ring.json").write_text(json.dumps({"adapt_motion/labels": "secret-123"}))
    root = fake_engine.install_fake(tmp_path / "root")
    run = job.protocol.Job([str(tmp_path / "clip.mp4")], str(tmp_path), preset="environment")
    extra = {"PYTHONPATH": f"{root}{':' if sys.platform != 'win32' else ';'}{tmp_path / 'site'}"}
    source = job.start_run(sys.executable, run, tmp_path / "log", root, extra=extra, with_key=True)
    events = list(source.stream())
    reply = json.loads(next(event["message"] for event in events if event["event"] == "log"))
    assert reply["env"]["OPENAI_API_KEY"] == "secret-123"
    assert events[-1]["code"] == 0
    assert "secret-123" not in " ".join(reply["argv"])


def test_a_key_in_the_environment_is_reported_not_shown(addon, monkeypatch):
    addon.use_vlm = True
    assert texts.KEY_UNKNOWN in " ".join(draw(addon, bpy.context).texts)
    monkeypatch.setenv("OPENAI_API_KEY", "secret-123")
    lines = " ".join(draw(addon, bpy.context).texts)
    assert texts.KEY_IN_ENVIRONMENT in lines
    assert "secret" not in lines
    assert messages.NO_KEYRING


def test_what_the_preferences_say_outlives_switching_off(addon, tmp_path):
    """Switching the add-on off and on had lost the Existing Environment."""
    from adapt_motion import blender_addon

    addon.engine_python, addon.device, addon.use_vlm = str(tmp_path / "python"), "cpu", True
    blender_addon.unregister()
    bpy.context.preferences.addons.remove(bpy.context.preferences.addons[prefs.PACKAGE])
    bpy.context.preferences.addons.new().module = prefs.PACKAGE
    blender_addon.register()
    again = prefs.get()
    kept = (again.engine_python, again.device, again.use_vlm)  # plain values: pytest must not look at what is gone
    assert kept == (str(tmp_path / "python"), "cpu", False), "sending pictures has to be agreed to again"
