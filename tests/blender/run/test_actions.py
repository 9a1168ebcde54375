"""The motion of a character as an action of the studio's, and the search that finds it."""

from __future__ import annotations

import json
from fractions import Fraction

import bpy
import numpy as np
import pytest
import synthetic
from adapt_motion.blender_addon.blender import timing
from adapt_motion.blender_addon.character import scene as scenes
from adapt_motion.blender_addon.operators import actions
from adapt_motion.blender_addon.run import dictionary, engine_home, job, running
from adapt_motion.blender_addon.run.run_state import RunState
from adapt_motion.blender_addon.ui import panels
from adapt_motion.engine.files.user_folder import studio_file
from addon_fixtures import refused
from recorder import draw


@pytest.fixture
def studio(monkeypatch, tmp_path):
    """The studio's own dictionary, which is not there yet; for the engine too."""
    for name in ("XDG_DATA_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "data"))
    return studio_file()


def own_actions(path, *labels):
    path.parent.mkdir(parents=True, exist_ok=True)
    entries = [
        {"label": label, "path": "studio", "captured": True, "paraphrases": ["as it is here"]} for label in labels
    ]
    path.write_text(json.dumps({"format_version": 2, "exemplars": "actions_exemplars.npz", "actions": entries}))


@pytest.fixture
def person(addon, tmp_path, studio):
    """A character of 60 frames at 30 a second from frame 11 on, in a scene that runs at 30."""
    scene = bpy.context.scene
    timing.set_scene_rate(scene, Fraction(30))
    path = synthetic.write_person(tmp_path / "clip", rate=Fraction(30), frames=60)
    found = scenes.import_people([path], scene, start_frame=11).people[0]
    scene.adapt_motion.character = found.armature
    return found


def add_label(label, start, end):
    item = bpy.context.scene.adapt_motion.labels.add()
    item.label, item.frame_start, item.frame_end = label, start, end


def test_own_actions_are_found_beside_the_ones_that_ship_as_soon_as_they_are_there(studio):
    assert dictionary.search("swagger") == []
    own_actions(studio, "swagger")
    assert dictionary.search("swagg") == ["swagger"]
    assert "walk" in dictionary.search("walk")
    assert dictionary.search("studio") == ["swagger"]
    own_actions(studio, "swagger", "moonstep")
    assert dictionary.search("moonstep") == ["moonstep"]
    assert dictionary.is_known("Moonstep")
    studio.write_text("{")
    assert dictionary.search("moonstep") == []
    assert "walk" in dictionary.search("walk"), "a damaged file hides nothing else"


def test_labels_of_earlier_versions_find_what_they_have_become():
    assert "ballet leap" in dictionary.search("grand jete")
    assert "sit and dangle the legs" in dictionary.search("climb playground equipment, sit and dangle legs")


@pytest.mark.parametrize(("stretch", "seconds"), [("ALL", None), ("LABEL", (0.5, 1.0)), ("PREVIEW", (1.0, 1.5))])
def test_the_engine_gets_the_motion_and_the_seconds_of_what_was_chosen(person, stretch, seconds):
    scene = bpy.context.scene
    add_label("my walk", 26, 40)
    scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end = True, 41, 55
    words, path = actions.add_action(bpy.context, person.armature, " swagger ", "own the place", stretch)
    assert words[-3:] == ["--", "swagger", str(path)]
    assert words[:2] == ["--sentence", "own the place"]
    reported = dict(zip(words[2:-3:2], map(float, words[3:-3:2]), strict=True))
    assert list(reported.values()) == pytest.approx(seconds or [])
    with np.load(path, allow_pickle=False) as file:
        assert file["poses"].shape == (60, 156)
        assert float(file["mocap_framerate"]) == 30


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"action_name": " "}, "The action has no name"),
        ({"action_name": "swagger", "stretch": "LABEL"}, "No label is chosen"),
        ({"action_name": "swagger", "stretch": "PREVIEW"}, "has no preview range"),
    ],
)
def test_what_is_missing_is_reported(person, addon, options, message, monkeypatch):
    monkeypatch.setattr(actions.WithEngine, "poll", classmethod(lambda cls, context: True))
    assert message in refused(bpy.ops.adapt_motion.add_to_actions, **options)


def test_a_stretch_without_motion_and_a_character_without_motion_are_reported(person, monkeypatch):
    monkeypatch.setattr(actions.WithEngine, "poll", classmethod(lambda cls, context: True))
    add_label("later", 200, 240)
    reported = refused(bpy.ops.adapt_motion.add_to_actions, action_name="swagger", stretch="LABEL")
    assert "has no motion from frame 200 to 240" in reported
    person.armature.animation_data.action = None
    assert "has no motion to export" in refused(bpy.ops.adapt_motion.add_to_actions, action_name="swagger")


def test_the_button_is_beside_the_labels_and_grey_without_a_character(addon):
    bpy.context.scene.adapt_motion.footage = "x.mp4"
    assert "adapt_motion.add_to_actions" in draw(panels.ADAPT_MOTION_PT_labels, bpy.context).operators
    assert "Select the armature of an adapted clip" in refused(bpy.ops.adapt_motion.add_to_actions)


def state_of(tmp_path, *events):
    state = RunState("action", job.EventSource(tmp_path / "log"))
    for event in events:
        state.feed(event)
    return state


def test_what_it_is_like_is_reported_and_an_engine_that_says_nothing_is_an_error(tmp_path):
    ended = {"event": job.EXITED, "code": 0, "cancelled": False}
    reported = {"event": "action", "label": "swagger", "nearest": [["walk", 0.81], ["march", 0.5]],
            "nearest_by_words": ["stagger"]}  # fmt: skip
    state = state_of(tmp_path, reported, ended)
    actions.tell(state)
    by_motion, by_words = "Its motion is most like: walk (0.81), march (0.50).", "Its words are most like: stagger."
    assert state.message == f"'swagger' is an action now. {by_motion} {by_words}"
    assert not state.failed
    assert state_of(tmp_path, ended).failed
    state = state_of(
        tmp_path, {"event": "error", "code": "usage", "message": "No.", "hint": "Yes."}, {**ended, "code": 2}
    )
    actions.tell(state)
    assert (state.failed, state.message, state.hint) == (True, "No.", "Yes.")


@pytest.mark.engine
def test_the_real_engine_adds_it_and_labels_may_name_it_at_once(person, addon, engine_python, studio, tmp_path):
    addon.engine_python = engine_python
    assert bpy.ops.adapt_motion.add_to_actions(action_name="swagger", sentence="own the whole street") == {"FINISHED"}
    state = running.latest()
    assert state.message.startswith("'swagger' is an action now. Its motion is most like: ")
    assert len(state.finding["nearest"]) == 5
    assert dictionary.search("swagger") == ["swagger"]
    assert studio.is_file()
    assert list((tmp_path / "user" / "jobs").iterdir()) == [], "the motion that was written for the engine is gone"
    with np.load(studio.with_name("actions_exemplars.npz"), allow_pickle=False) as file:
        assert file["labels"].tolist() == ["swagger"]
    reported = refused(bpy.ops.adapt_motion.add_to_actions, action_name="swagger")
    assert "'swagger' is known already" in reported
    assert "Choose other words" in reported


def test_an_engine_that_does_not_start_is_reported(person, addon, tmp_path, monkeypatch):
    addon.engine_python = str(tmp_path / "python")
    monkeypatch.setattr(actions.WithEngine, "poll", classmethod(lambda cls, context: True))
    monkeypatch.setattr(engine_home, "start_action", lambda *_: (_ for _ in ()).throw(OSError("no")))
    assert "could not be started" in refused(bpy.ops.adapt_motion.add_to_actions, action_name="swagger")
