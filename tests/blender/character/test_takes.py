"""Several results of one clip: names to choose by, one shown at a time."""

from __future__ import annotations

import json
import os

import bpy
import numpy as np
import pytest
import synthetic
from adapt_motion.blender_addon.character import clip_times, keypoints, run_files, takes
from adapt_motion.blender_addon.export import amass, assets
from adapt_motion.blender_addon.run import results
from adapt_motion.blender_addon.ui import panels
from earlier_runs import leave
from recorder import draw


@pytest.fixture
def twice(addon, tmp_path):
    """One person brought in twice; the armatures."""
    path = synthetic.write_person(tmp_path / "clip")
    for _ in range(2):
        bpy.ops.adapt_motion.import_motion(filepath=str(path))
    return [bpy.data.objects["clip person_1"], bpy.data.objects["clip person_1 take 2"]]


def test_a_second_run_is_a_take_with_a_name_of_its_own(twice):
    first, second = twice
    assert not [item.name for item in bpy.data.objects if item.name.endswith(".001") and item.type == "ARMATURE"]
    assert {"clip", "clip take 2"} <= set(bpy.data.collections.keys())
    assert second.animation_data.action.name == "clip person_1 take 2"
    assert second.children[0].name == "clip person_1 take 2 body"
    assert bpy.context.scene.adapt_motion.character == second
    assert (first.hide_get(), second.hide_get()) == (True, False)
    assert (first.children[0].hide_render, second.children[0].hide_render) == (True, False)


def test_takes_are_chosen_in_the_panel(twice):
    first, second = twice
    layout = draw(panels.ADAPT_MOTION_PT_result, bpy.context)
    assert layout.operators.count("adapt_motion.choose_take") == 2
    assert bpy.ops.adapt_motion.choose_take(name=first.name) == {"FINISHED"}
    assert (first.hide_get(), second.hide_get()) == (False, True)
    assert bpy.context.scene.adapt_motion.character == first
    assert bpy.context.view_layer.objects.active == first


def test_other_people_and_other_clips_are_no_takes(twice, tmp_path):
    scene = bpy.context.scene
    bpy.ops.adapt_motion.import_motion(filepath=str(synthetic.write_person(tmp_path / "other", seed=2)))
    other = scene.adapt_motion.character
    assert takes.of(scene, other) == [other]
    assert takes.of(scene, twice[0]) == twice
    assert not other.hide_get()


def test_one_result_has_nothing_to_choose(addon, tmp_path):
    bpy.ops.adapt_motion.import_motion(filepath=str(synthetic.write_person(tmp_path / "clip")))
    assert "adapt_motion.choose_take" not in draw(panels.ADAPT_MOTION_PT_result, bpy.context).operators


def run_again(folder, **options):
    """Another result in the place of the clip's, as the engine puts it there; the arrays of the motion."""
    elsewhere = synthetic.write_person(folder / "elsewhere", **options)
    for path in elsewhere.parent.glob("*.npz"):
        os.replace(path, folder / path.name)
    elsewhere.parent.rmdir()
    return synthetic.motion_arrays(**options)


@pytest.fixture
def run_twice(fake, tmp_path):
    """Two runs of the panel's clip with other motions, each brought in; the armatures and the clip's folder."""
    scene = bpy.context.scene
    folder = leave(tmp_path / "out", scene.adapt_motion.footage)
    results.look(scene)
    bpy.ops.adapt_motion.attach_results()
    first = scene.adapt_motion.character
    run_again(folder, seed=7, labelled=(("kick", 0.1),))
    results.look(scene)
    assert not panels._is_attached(scene, results.known(scene)), "the new motion is not there yet"
    bpy.ops.adapt_motion.attach_results()
    assert panels._is_attached(scene, results.known(scene))
    return (first, scene.adapt_motion.character), folder


def test_a_take_keeps_the_motion_of_its_run(run_twice):
    """The second run had taken the first one's file, and with it keypoints, labels and shape."""
    (first, second), folder = run_twice
    assert (first.name, second.name) == ("my clip person_1", "my clip person_1 take 2")
    bpy.ops.adapt_motion.choose_take(name=first.name)
    keypoints.forget()
    keypoints.load(bpy.context.scene)
    for armature, seed in ((first, 0), (second, 7)):
        wanted = synthetic.motion_arrays(seed=seed)
        np.testing.assert_allclose(keypoints.known(armature).poses, wanted["poses"], atol=1e-6)
        np.testing.assert_allclose(keypoints.known(armature).keypoints2d, wanted["keypoints2d"], atol=1e-3)
    assert (assets.labels_of(first), assets.labels_of(second)) == (["walk"], ["kick"])
    assert amass._shape(first)[1].shape == (10,)
    names = sorted(path.name for path in folder.glob("person_1*.npz"))
    assert names == [
        "person_1.npz", "person_1_body.npz", "person_1_run_1.npz", "person_1_run_1_body.npz", "person_1_run_2.npz",
        "person_1_run_2_body.npz",
    ]  # fmt: skip
    assert [path.name for path in results.look(bpy.context.scene).motions] == ["person_1.npz"]


def test_the_same_motion_brought_in_again_takes_no_other_file(run_twice):
    (_, second), folder = run_twice
    bpy.ops.adapt_motion.attach_results()
    third = bpy.context.scene.adapt_motion.character
    assert third[clip_times.PERSON] == second[clip_times.PERSON] == str(folder / "person_1_run_2.npz")
    assert takes.of(bpy.context.scene, third)[1:] == [second, third]
    assert takes.export_path(third, ".fbx") == str(folder / "person_1 take 3.fbx")
    again = bpy.ops.adapt_motion.import_motion(filepath=str(folder / "person_1_run_1.npz"))
    assert again == {"FINISHED"}
    assert bpy.context.scene.adapt_motion.character.name == "my clip person_1 take 4"


def test_a_disk_without_second_names_has_copies(fake, tmp_path, monkeypatch):
    folder = leave(tmp_path / "out", bpy.context.scene.adapt_motion.footage)

    def refuse(*_arguments):
        raise OSError("no such names here")

    monkeypatch.setattr(run_files.os, "link", refuse)
    own = run_files.keep(folder / "person_1.npz")
    assert own.name == "person_1_run_1.npz"
    assert own.read_bytes() == (folder / "person_1.npz").read_bytes()
    assert run_files.keep(folder / "person_1.npz") == own
    monkeypatch.setattr(run_files.shutil, "copy2", refuse)
    run_again(folder, seed=3)
    assert run_files.keep(folder / "person_1.npz") == folder / "person_1.npz", "it still comes in"


def test_files_that_no_run_writes_stay_alone(addon, tmp_path):
    path = synthetic.write_person(tmp_path / "clip")
    bpy.ops.adapt_motion.import_motion(filepath=str(path))
    assert bpy.context.scene.adapt_motion.character[clip_times.PERSON] == str(path)
    assert len(list(path.parent.iterdir())) == 2


def test_one_clip_twice_in_the_queue_gives_both_motions(run_twice, tmp_path):
    """Finished one after the other, and attached only then."""
    from adapt_motion.blender_addon.run import clip_queue

    _, folder = run_twice
    first = json.loads(clip_queue._kept([folder / "person_1.npz"]))
    run_again(folder, seed=9)
    second = json.loads(clip_queue._kept([folder / "person_1.npz"]))
    for paths, seed in ((first, 7), (second, 9)):
        bpy.ops.adapt_motion.import_motion(filepath=paths[0])
        with np.load(bpy.context.scene.adapt_motion.character[clip_times.PERSON]) as archive:
            np.testing.assert_allclose(archive["poses"], synthetic.motion_arrays(seed=seed)["poses"])
