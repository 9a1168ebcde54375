"""Finished results are found again after a crash or in another file."""

from __future__ import annotations

import bpy
from adapt_motion.blender_addon import messages
from adapt_motion.blender_addon.character import clip_times, keypoints
from adapt_motion.blender_addon.run import results, run_settings
from adapt_motion.blender_addon.ui import panels
from addon_fixtures import refused
from earlier_runs import leave
from recorder import draw


def test_results_of_the_footage_are_attached_again(fake, tmp_path):
    settings = bpy.context.scene.adapt_motion
    assert messages.NO_RESULTS in refused(bpy.ops.adapt_motion.attach_results)
    leave(tmp_path / "out", settings.footage, people=2)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    settings = bpy.context.scene.adapt_motion
    assert len(results.known(bpy.context.scene).motions) == 2, "it looked when the file was opened"
    (tmp_path / "out" / "my clip" / "person_1_takes.npz").write_bytes(b"no motion")
    (tmp_path / "out" / "my clip" / "person_3_shot_2.npz").write_bytes(b"a motion by its name")
    names = [path.name for path in results.look(bpy.context.scene).motions]
    assert names == ["person_1.npz", "person_2.npz", "person_3_shot_2.npz"]
    (tmp_path / "out" / "my clip" / "person_3_shot_2.npz").unlink()
    results.look(bpy.context.scene)
    layout = draw(panels.ADAPT_MOTION_PT_adapt, bpy.context)
    settings.movie_clip = bpy.data.movieclips.new(name="x") if hasattr(bpy.data.movieclips, "new") else None
    assert bpy.ops.adapt_motion.attach_results() == {"FINISHED"}
    armatures = [item for item in bpy.data.objects if item.type == "ARMATURE"]
    assert len(armatures) == 2
    assert settings.character in armatures
    assert panels._is_attached(bpy.context.scene, results.known(bpy.context.scene))
    assert layout is not None


def test_an_interrupted_run_is_offered_to_be_resumed(fake, tmp_path):
    settings = bpy.context.scene.adapt_motion
    assert "Adapt Motion" in draw(panels.ADAPT_MOTION_PT_adapt, bpy.context).texts
    leave(tmp_path / "out", settings.footage, people=0, finished=False)
    bpy.ops.adapt_motion.look_for_results()
    assert results.known(bpy.context.scene).interrupted
    assert "Resume" in draw(panels.ADAPT_MOTION_PT_adapt, bpy.context).texts


def test_other_footage_of_the_same_name_has_no_part_in_it(fake, tmp_path):
    leave(tmp_path / "out", tmp_path / "elsewhere" / "my clip.mp4")
    assert results.look(bpy.context.scene) is None
    (tmp_path / "out" / "my clip" / ".cache" / "clip.json").write_text("no json")
    assert results.look(bpy.context.scene) is None


def test_results_are_offered_as_soon_as_footage_or_folder_are_chosen(fake, tmp_path):
    """Only a button in a closed panel had looked for them."""
    scene = bpy.context.scene
    footage = scene.adapt_motion.footage
    leave(tmp_path / "out", footage)
    scene.adapt_motion.footage = ""
    scene.adapt_motion.footage = footage
    assert len(results.known(scene).motions) == 1
    leave(tmp_path / "elsewhere", footage, people=2)
    scene.adapt_motion.output_folder = str(tmp_path / "elsewhere")
    assert len(results.known(scene).motions) == 2


def test_saving_an_unsaved_file_keeps_the_folder_of_the_run(fake, tmp_path, monkeypatch):
    settings = bpy.context.scene.adapt_motion
    settings.output_folder = ""
    monkeypatch.setattr(run_settings.Path, "home", lambda: tmp_path / "home")
    fake("people")
    bpy.ops.adapt_motion.find_people()
    before = run_settings.output_folder(settings)
    assert before == tmp_path / "home" / "adapt_motion"
    (tmp_path / "work").mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "work" / "scene.blend"))
    assert run_settings.output_folder(bpy.context.scene.adapt_motion) == before


def test_a_moved_output_folder_is_followed(fake, tmp_path):
    """Keypoints had no longer been drawn, without a reason."""
    settings = bpy.context.scene.adapt_motion
    leave(tmp_path / "out", settings.footage)
    bpy.ops.adapt_motion.look_for_results()
    bpy.ops.adapt_motion.attach_results()
    armature = settings.character
    (tmp_path / "out").rename(tmp_path / "moved")
    keypoints.forget()
    keypoints.load(bpy.context.scene)
    assert keypoints._known == {armature[clip_times.PERSON]: None}
    settings.output_folder = str(tmp_path / "moved")
    assert armature[clip_times.PERSON].startswith(str(tmp_path / "moved"))
    keypoints.load(bpy.context.scene)
    assert keypoints._known[armature[clip_times.PERSON]] is not None
