"""The add-on's face inside Blender: registering, grey buttons that say why, panels, and runs from the button."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import bpy
import pytest
import recorder
import synthetic
from adapt_motion import blender_addon
from adapt_motion.blender_addon import messages
from adapt_motion.blender_addon.character import chosen
from adapt_motion.blender_addon.errors import UserError
from adapt_motion.blender_addon.operators import engine
from adapt_motion.blender_addon.run import clip_run, engine_home, job, prefs, run_settings, run_state, running
from adapt_motion.blender_addon.ui import overlay, panels
from addon_fixtures import handler_counts, refused
from conftest import REPOSITORY
from inside import counts

pytestmark = pytest.mark.short

CLASSES = [cls for module in blender_addon._MODULES for cls in getattr(module, "_CLASSES", ())]
PANELS = [cls for cls in CLASSES if issubclass(cls, bpy.types.Panel)]


def test_register_and_unregister_leave_nothing(blank):
    before, classes = handler_counts(), set(dir(bpy.types))
    blocks, status = counts(), len(bpy.types.STATUSBAR_HT_header._dyn_ui_initialize())
    for _ in range(200):
        blender_addon.register()
        assert hasattr(bpy.types.Scene, "adapt_motion")
        assert hasattr(bpy.types, "ADAPT_MOTION_PT_adapt")
        blender_addon.unregister()
        assert handler_counts() == before
    assert counts() == blocks
    assert len(bpy.types.STATUSBAR_HT_header._dyn_ui_initialize()) == status
    assert not overlay._handles
    assert not bpy.app.timers.is_registered(running._tick)
    assert not hasattr(bpy.types.Scene, "adapt_motion")
    assert set(dir(bpy.types)) == classes
    assert "adapt" not in dir(bpy.ops.adapt_motion)


IMPORT = """
import sys, types
sys.path.append(sys.argv[-1] + "/tests/common")
from effort import counted_calls
package = types.ModuleType("adapt_motion")
package.__path__ = [sys.argv[-1]]
sys.modules["adapt_motion"] = package
import bpy
had_numpy = "numpy" in sys.modules
with counted_calls() as calls:
    from adapt_motion import blender_addon
    blender_addon.register()
assert had_numpy or "numpy" not in sys.modules
print("TOOK", calls[0])
import os
sys.stdout.flush()
os._exit(0)
"""


def test_import_and_register_take_few_calls(tmp_path):
    """In a Blender of its own, from compiled files; the benchmark has the time, which is to be under 100 ms."""
    script = tmp_path / "import.py"
    script.write_text(IMPORT)
    program = [sys.executable, str(script)]
    if bpy.app.binary_path:
        program = [bpy.app.binary_path, "-b", "--factory-startup", "--python-exit-code", "1", "-P", str(script)]
    done = subprocess.run([*program, "--", str(REPOSITORY)], capture_output=True, text=True, check=False)
    assert "TOOK" in done.stdout, done.stdout + done.stderr
    assert int(done.stdout.split("TOOK")[1].split()[0]) < 80_000


def test_every_class_is_named_and_described():
    assert len(CLASSES) > 30
    for cls in CLASSES:
        assert cls.__name__.startswith("ADAPT_MOTION_")
        assert cls.__doc__
        if issubclass(cls, bpy.types.Operator):
            assert cls.bl_idname.startswith("adapt_motion.")
            assert not cls.__doc__.endswith("."), f"{cls.__name__}: Blender adds the full stop of a tooltip"


def test_every_property_has_a_tooltip(addon):
    groups = [cls for cls in CLASSES if issubclass(cls, (bpy.types.PropertyGroup, bpy.types.AddonPreferences))]
    assert len(groups) >= 5
    for group in groups:
        for name in group.__annotations__:
            item = group.bl_rna.properties[name]
            assert item.name, (group, name)
            assert item.description or item.type in ("COLLECTION", "POINTER"), (group, name)


def test_what_changes_the_file_can_be_undone():
    """Operators that start, cancel, look or export change nothing themselves; all others are steps of undo."""
    without = {"adapt", "find_people", "suggest_labels", "cancel", "attach_results", "look_for_results", "queue_run"}
    without |= {"queue_attach", "install_engine", "check_engine", "doctor", "store_key", "forget_key", "open_log"}
    without |= {"dismiss", "open_preferences", "export_fbx", "view_camera", "read_camera"}
    for cls in CLASSES:
        if issubclass(cls, bpy.types.Operator) and "retarget" not in cls.bl_idname:
            name = cls.bl_idname.partition(".")[2]
            if name in without:
                assert "UNDO" not in cls.bl_options, name


def test_grey_buttons_say_why(addon):
    ops = bpy.ops.adapt_motion
    assert messages.NO_FOOTAGE in refused(ops.adapt)
    bpy.context.scene.adapt_motion.footage = "//clip.mp4"
    assert messages.ENGINE_MISSING in refused(ops.adapt)
    addon.engine_python = "/nowhere/python"
    assert messages.ENGINE_GONE in refused(ops.adapt)
    assert messages.ENGINE_GONE in refused(ops.check_engine)
    assert messages.NOTHING_RUNS in refused(ops.cancel)
    assert chosen.NO_MOTION in refused(ops.export_fbx, filepath="x.fbx")
    assert messages.NO_MOVIE_CLIP in refused(ops.match_footage)
    assert messages.NO_CAMERA in refused(ops.view_camera)
    assert messages.NO_LOG in refused(ops.open_log)


def test_offline_blender_is_respected(addon, monkeypatch):
    monkeypatch.setattr(engine.compat, "online", lambda: False)
    assert messages.OFFLINE in refused(bpy.ops.adapt_motion.install_engine)
    addon.installer_arguments = "--no-index --find-links /nowhere"
    assert engine.ADAPT_MOTION_OT_install_engine.poll(bpy.context)


def test_missing_footage_is_reported_with_its_path(addon, tmp_path):
    addon.engine_python = sys.executable
    bpy.context.scene.adapt_motion.footage = str(tmp_path / "gone.mp4")
    assert f"not there any more: {tmp_path / 'gone.mp4'}" in refused(bpy.ops.adapt_motion.adapt)
    assert running.latest() is None


def test_state_of_the_engine_follows_the_disk(addon, tmp_path):
    folder = prefs.environment_folder()
    assert prefs.engine().state is engine_home.EngineState.MISSING
    folder.mkdir(parents=True)
    engine_home.stamp_path(folder).write_text('{"state": "making"}')
    assert prefs.engine().state is engine_home.EngineState.MISSING, "drawing must not touch the disk"
    prefs.forget_engine()
    assert prefs.engine().state is engine_home.EngineState.INTERRUPTED
    addon.engine_python = sys.executable
    assert prefs.engine().state is engine_home.EngineState.READY


def test_paths_count_from_the_blend_file(addon, tmp_path):
    settings = bpy.context.scene.adapt_motion
    assert run_settings.output_folder(settings) == Path.home() / "adapt_motion"
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    assert run_settings.output_folder(settings) == tmp_path / "adapt_motion"
    settings.output_folder = "//results"
    assert run_settings.output_folder(settings) == tmp_path / "results"
    (tmp_path / "clip.mp4").touch()
    settings.footage, settings.person = "//clip.mp4", "all"
    addon.device, addon.body_model = "cpu", str(tmp_path / "smpl.npz")
    run = run_settings.job_of(bpy.context)
    assert (run.footage, run.out) == ([str(tmp_path / "clip.mp4")], str(tmp_path / "results"))
    assert (run.person, run.device, run.body) == ("all", "cpu", str(tmp_path / "smpl.npz"))


def test_a_known_height_reaches_the_engine_and_zero_is_none(addon, tmp_path):
    settings = bpy.context.scene.adapt_motion
    (tmp_path / "clip.mp4").touch()
    settings.footage = str(tmp_path / "clip.mp4")
    assert settings.bl_rna.properties["height_m"].unit == "LENGTH"
    assert run_settings.job_of(bpy.context).height_m is None
    settings.height_m = 1.83
    run = run_settings.job_of(bpy.context)
    assert run.height_m == 1.83, "not the nearest number in single precision"
    assert run.arguments()[run.arguments().index("--height-m") + 1] == "1.83"
    assert "Height" in recorder.draw(panels.ADAPT_MOTION_PT_people, bpy.context).texts
    settings.height_m = 9.0
    assert run_settings.job_of(bpy.context).height_m == 2.5
    settings.height_m = 0.3
    with pytest.raises(UserError, match=r"Nobody is 0\.30 m tall: the least height is 0\.5 m"):
        run_settings.job_of(bpy.context)


def test_a_run_brings_in_the_character(fake, tmp_path):
    """The button's operator and the plain function, through a real process, give the same character."""
    synthetic.write_person(tmp_path / "out", frames=12)
    fake("good")
    assert bpy.ops.adapt_motion.adapt() == {"FINISHED"}
    state = running.latest()
    assert state.finished
    assert not state.failed
    assert state.warnings == ["The footage is dark."]
    assert "3 frames of 1 person" in state.message
    settings = bpy.context.scene.adapt_motion
    assert settings.motion_path == str(tmp_path / "out" / "person_1.npz")
    assert chosen.character_of(bpy.context) == settings.character
    assert len(settings.character.data.bones) == 24
    assert chosen.camera_of(bpy.context).type == "CAMERA"
    layout = recorder.draw(panels.ADAPT_MOTION_PT_adapt, bpy.context)
    assert any("3 frames of 1 person" in text for text in layout.texts)


def test_engine_errors_are_shown_with_what_to_do(fake):
    fake("error")
    assert "Nobody was found. Trim the clip." in refused(bpy.ops.adapt_motion.adapt)
    layout = recorder.draw(panels.ADAPT_MOTION_PT_adapt, bpy.context)
    assert "Nobody was found." in layout.texts
    assert "Trim the clip." in layout.texts
    assert "adapt_motion.open_log" in layout.operators
    bpy.ops.adapt_motion.open_log()
    assert "Nobody was found." in bpy.data.texts[engine.LOG_TEXT].as_string()
    bpy.ops.adapt_motion.dismiss()
    assert running.latest() is None


def test_engine_that_is_killed_is_explained(fake):
    fake("dies")
    assert "ran out of memory" in refused(bpy.ops.adapt_motion.adapt)
    assert bpy.context.scene.adapt_motion.character is None


def test_motion_file_that_is_damaged_is_an_error_not_a_traceback(fake, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "person_1.npz").write_text("no archive")
    fake("good")
    assert "person_1.npz" in refused(bpy.ops.adapt_motion.adapt)
    assert len(bpy.data.objects) == 0


def test_result_is_not_put_into_another_file(fake, tmp_path):
    synthetic.write_person(tmp_path / "out")
    state = run_state.RunState("adapt", job.EventSource(tmp_path / "log"))
    state.results.append({"motion": str(tmp_path / "out" / "person_1.npz"), "frames": 40})
    state.context.update(scene=bpy.context.scene.name, footage="", frame=1)
    state.finished = True
    running._latest = state
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    assert "other_file" not in state.context, "the same file again is no other file"
    bpy.ops.wm.read_homefile(use_empty=True)
    assert state.context["other_file"]
    assert clip_run.bring_in(state) is None
    assert "another file was opened" in state.message
    assert len(bpy.data.objects) == 0


def test_rate_of_the_scene_is_offered_and_set_on_demand(addon, tmp_path):
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = 25, 1.0
    path = synthetic.write_person(tmp_path, frames=61, rate=synthetic.Fraction(30000, 1001))
    bpy.ops.adapt_motion.import_motion(filepath=str(path))
    assert (scene.render.fps, scene.render.fps_base) == (25, 1.0)
    layout = recorder.draw(panels.ADAPT_MOTION_PT_result, bpy.context)
    assert "adapt_motion.match_footage" in layout.operators
    assert bpy.ops.adapt_motion.match_footage() == {"FINISHED"}
    assert scene.render.fps == 30
    assert scene.render.fps_base == pytest.approx(1.001)
    action = scene.adapt_motion.character.animation_data.action
    assert action.frame_range[1] - action.frame_range[0] == pytest.approx(60, abs=1e-3)
    layout = recorder.draw(panels.ADAPT_MOTION_PT_result, bpy.context)
    assert "adapt_motion.match_footage" not in layout.operators


def test_export_fbx_writes_the_character(addon, tmp_path):
    path = synthetic.write_person(tmp_path, frames=8)
    bpy.ops.adapt_motion.import_motion(filepath=str(path))
    bpy.context.view_layer.objects.active = None
    assert bpy.ops.adapt_motion.export_fbx(filepath=str(tmp_path / "walk.fbx")) == {"FINISHED"}
    assert (tmp_path / "walk.fbx").stat().st_size > 10_000
    (tmp_path / "file").touch()
    assert "could not be written" in refused(bpy.ops.adapt_motion.export_fbx, filepath=str(tmp_path / "file" / "x.fbx"))


def test_panels_draw_in_every_state(fake, addon, tmp_path):
    addon.engine_python = ""
    layout = recorder.draw(panels.ADAPT_MOTION_PT_adapt, bpy.context)
    assert "adapt_motion.install_engine" in layout.operators
    assert "adapt_motion.adapt" in layout.operators
    recorder.draw(panels.ADAPT_MOTION_PT_result, bpy.context)
    assert "adapt_motion.install_engine" in recorder.draw(addon, bpy.context).operators
    state = run_state.RunState("adapt", job.EventSource(tmp_path / "log"))
    running._latest = state
    state.feed({"event": "stage", "clip": "a", "stage": "detect", "index": 2, "count": 8})
    state.feed({"event": "progress", "clip": "a", "stage": "detect", "done": 41, "total": 120, "eta_s": 12.2})
    layout = recorder.draw(panels.ADAPT_MOTION_PT_adapt, bpy.context)
    assert "Finding people (2 of 8)" in layout.texts
    assert "41 of 120, 0:12 left" in layout.texts
    assert "adapt_motion.cancel" in layout.operators
    assert "adapt_motion.adapt" not in layout.operators
    state.finished = True


def test_install_prompt_says_what_is_downloaded(addon):
    prompt = engine.ADAPT_MOTION_OT_install_engine
    stand_in = type("Prompt", (), {"plan": engine.plan_for(bpy.context), "layout": recorder.Layout()})()
    prompt.draw(stand_in, bpy.context)
    texts = " ".join(stand_in.layout.texts)
    assert "MB will be downloaded" in texts
    assert "PyTorch" in texts
    assert str(prefs.environment_folder().name) in texts
    assert "Blender's own Python is not touched" in texts


def test_check_says_what_is_missing(addon, tmp_path):
    bare = tmp_path / "python"
    bare.symlink_to(shutil.which("python3"))
    addon.engine_python = str(bare)
    assert "The engine does not run." in refused(bpy.ops.adapt_motion.check_engine)
    assert "is missing" in running.latest().message


def test_check_of_a_whole_environment(addon, engine_python):
    addon.engine_python = engine_python
    assert bpy.ops.adapt_motion.check_engine() == {"FINISHED"}
    assert "PyTorch" in running.latest().message


def test_unregister_ends_the_run(fake):
    fake("deaf")
    root = job.engine_root()
    source = job.start_run(sys.executable, run_settings.job_of(bpy.context), root / "l", root)
    next(source.stream())
    running._latest = run_state.RunState("adapt", source)
    running.stop()
    assert not source.running
    assert running.latest() is None


@pytest.mark.parametrize(("fps", "text"), [(30000 / 1001, "29.97"), (25, "25"), (24000 / 1001, "23.976"), (60, "60")])
def test_rates_are_written_as_people_do(fps, text):
    assert messages.rate(fps) == text


def test_times_are_written_as_people_do():
    assert [messages.duration(value) for value in (0, 7.4, 750, 3723)] == ["0:00", "0:07", "12:30", "1:02:03"]
