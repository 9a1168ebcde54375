"""A label that was changed has takes made again by the engine, for the stretch that is looked at; once."""

import json
import sys

import bpy
import numpy as np
import pytest
from adapt_motion.blender_addon.character import clip_times, motion_io, proposed, scene
from adapt_motion.blender_addon.run import prefs, running, takes_run
from addon_fixtures import refused
from synthetic import write_person

pytestmark = pytest.mark.short
ELBOW = 18


def write_takes(folder, motion, label):
    rows = np.arange(30, 60)
    poses = np.repeat(motion.poses[rows][None], 2, 0)
    poses[1, :, 3 * ELBOW + 1] -= 0.5
    np.savez(folder / "person_1_takes.npz", rows=rows, poses=poses.astype(np.float16), kinds=np.array([["draw"] * 2]),
             stretches=np.array([motion.timestamps[[30, 59]]]), labels=np.array([[label] * 2]),
             similarity=np.full((1, 2), 0.5), slide_mm=np.ones((1, 2)), reprojection_px=np.ones((1, 2)))  # fmt: skip


@pytest.fixture
def character(fake, tmp_path):
    """Somebody with takes under `walk`; the stand-in for an engine notes how it was called."""
    fake("takes")
    current = bpy.context.scene
    current.render.fps = 30
    path = write_person(tmp_path / "clip", frames=90, hidden=(30, 60))
    motion = motion_io.read_motion(path)
    write_takes(path.parent, motion, "walk")
    footage = current.adapt_motion.footage
    imported = scene.import_people([path], current, with_mesh=False, with_camera=False, footage=None)
    armature = imported.people[0].armature
    armature[clip_times.FOOTAGE] = footage
    current.adapt_motion.character = bpy.context.view_layer.objects.active = armature
    current.frame_set(46)
    bpy.ops.adapt_motion.add_label()
    item = current.adapt_motion.labels[0]
    item.label, item.frame_start, item.frame_end = "walk", 1, 90
    return armature


def test_as_long_as_the_label_is_the_same_no_engine_is_started(character):
    assert bpy.ops.adapt_motion.propose_takes() == {"FINISHED"}
    assert running.latest() is None
    takes_run.renew(bpy.context)
    assert running.latest() is None
    assert proposed.label(character) == "walk"
    assert proposed.stretch(character) == pytest.approx((1.0, 59 / 30))


def test_another_label_has_the_engine_propose_and_only_once(character, tmp_path):
    bpy.context.scene.adapt_motion.labels[0].label = "jump"
    assert bpy.ops.adapt_motion.propose_takes() == {"FINISHED"}
    assert running.latest().kind == "takes"
    assert running.latest().context["at_s"] == pytest.approx(1.5)
    assert running.latest().message == "Takes to choose from: 2"
    assert proposed.proposed(character) == 2
    words = json.loads((tmp_path / "out" / "words.json").read_text())
    assert words[words.index("--only") + 1] == "takes"
    assert float(words[words.index("--at-s") + 1]) == pytest.approx(1.5)
    first = running.latest()
    bpy.ops.adapt_motion.propose_takes()
    assert running.latest() is first, "these are of that label"


def test_a_changed_marker_proposes_again_while_takes_are_shown(character):
    bpy.ops.adapt_motion.propose_takes()
    marker = next(one for one in bpy.context.scene.timeline_markers if one.name == "walk")
    marker.name = "kick"
    from adapt_motion.blender_addon.operators import labels

    labels._watch()
    state = running.latest()
    assert state is not None
    assert state.kind == "takes"
    assert state.context["at_s"] == pytest.approx((1.0 + 59 / 30) / 2)
    assert proposed.label(character) == "kick"
    labels._watch()
    assert running.latest() is state


def test_without_an_engine_or_with_one_that_fails_the_takes_stay(character, fake):
    bpy.ops.adapt_motion.propose_takes()
    bpy.context.scene.adapt_motion.labels[0].label = "jump"
    fake("error")
    takes_run.renew(bpy.context)
    assert running.latest().failed
    assert proposed.proposed(character) == 2
    running.dismiss()
    takes_run.renew(bpy.context)
    assert running.latest() is None, "what failed is not tried again and again"
    prefs.get().engine_python = sys.executable + "-that-is-not-there"
    prefs.forget_engine()
    assert refused(bpy.ops.adapt_motion.propose_takes)
    assert proposed.proposed(character) == 2
