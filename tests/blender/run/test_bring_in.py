"""A result comes into the scene in small steps: none is long, and undo between two of them does no harm."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
import synthetic
from adapt_motion.blender_addon.blender import steps
from adapt_motion.blender_addon.character import scene
from adapt_motion.blender_addon.errors import UserError
from adapt_motion.blender_addon.run import clip_run, job, run_state, running
from conftest import REPOSITORY
from effort import counted_calls
from inside import counts

pytestmark = pytest.mark.short


def finished(tmp_path, *paths):
    """A run that has ended with these motion files."""
    state = run_state.RunState("adapt", job.EventSource(tmp_path / "log"))
    state.results = [{"motion": str(path), "frames": 40} for path in paths]
    state.context.update(scene=bpy.context.scene.name, footage="", frame=1)
    state.finished = True
    return state


def test_steps_give_what_the_whole_gives(addon, tmp_path):
    paths = [synthetic.write_person(tmp_path / "clip", number, seed=number, adapted=True) for number in (1, 2)]
    whole = scene.import_people(paths, bpy.context.scene)
    state = finished(tmp_path, *paths)
    count = sum(1 for _ in clip_run.bring_in(state))
    assert count > 50
    stepped = bpy.context.scene.adapt_motion.character
    assert stepped.animation_data.action.frame_range[:] == whole.people[0].action.frame_range[:]
    assert len(bpy.data.collections) == 2
    assert scene._unfinished() == []
    assert state.message == "40 frames of 2 people, done in 0:00."


def real_person(folder):
    """A motion file of an hour's minute with the body that the engine ships: as large as results are."""
    path = synthetic.write_person(folder, frames=1800, turns=20, adapted=True)
    (folder / "person_1_body.npz").unlink()
    return path


def test_no_step_keeps_the_window_waiting(addon, tmp_path):
    """Calls in each step, for the body and a minute of motion as large as real ones; the benchmark has the time."""
    assert (REPOSITORY / "engine" / "assets" / "open_body.npz").is_file()
    path = real_person(tmp_path / "clip")
    took, work, more = [], clip_run.bring_in(finished(tmp_path, path)), True
    while more:
        with counted_calls() as calls:
            more = next(work, "end") != "end"
        took.append(calls[0])
    assert len(bpy.context.scene.adapt_motion.character.data.bones) == 24
    assert len(took) > 200
    assert max(took) < 1500


@pytest.mark.parametrize("taken", [30, 150, 215])
def test_undo_between_two_steps_begins_again(addon, tmp_path, taken):
    """Among the keys before adaptation, among the keys after, and among the weights of the skin."""
    path = synthetic.write_person(tmp_path / "clip", adapted=True)
    state = finished(tmp_path, path)
    assert sum(1 for _ in clip_run.bring_in(finished(tmp_path, path))) > 225
    running._latest, running._at_end = state, clip_run.bring_in
    before = counts()
    running._begin_steps(state)
    for _ in range(taken):
        next(running._steps)
    assert running.busy()
    assert state.title == "Bringing it into Blender"
    assert counts() != before
    running._after_undo()
    assert running._steps is None
    assert counts() == before, "what was unfinished is swept away"
    assert running.busy(), "and it begins again"
    running._begin_steps(state)
    while running._steps is not None:
        running._take_steps(state, 1.0)
    assert not running.busy()
    assert counts()["armatures"] == before["armatures"] + 1
    assert scene._unfinished() == []
    running._latest = None


def test_a_scene_that_goes_between_two_steps_is_no_crash(addon, tmp_path):
    bpy.ops.scene.new(type="EMPTY")
    state = finished(tmp_path, synthetic.write_person(tmp_path / "clip"))
    state.context["scene"] = "gone"
    assert clip_run.bring_in(state) is None
    assert "another file was opened" in state.message


def test_it_comes_into_the_scene_it_was_started_from(addon, tmp_path):
    first = bpy.context.scene
    state = finished(tmp_path, synthetic.write_person(tmp_path / "clip"))
    bpy.ops.scene.new(type="EMPTY")
    other = bpy.context.scene
    assert other != first
    list(clip_run.bring_in(state))
    assert first.adapt_motion.character is not None
    assert other.adapt_motion.character is None
    assert len(other.objects) == 0
    assert bpy.context.scene == other


def test_a_damaged_file_is_the_runs_error(addon, tmp_path):
    bad = tmp_path / "person_1.npz"
    bad.write_text("x")
    state = finished(tmp_path, bad)
    running._latest, running._at_end = state, clip_run.bring_in
    running._begin_steps(state)
    while running._steps is not None:
        running._take_steps(state, 1.0)
    assert state.failed
    assert "person_1.npz" in state.message
    running._latest = None


def test_steps_run_beside_in_a_thread_and_hand_on_what_happens():
    def work():
        value = yield from steps.beside(lambda: np.arange(3).sum())
        return value + 1

    assert steps.finish(work()) == 4

    def fails():
        yield from steps.beside(lambda: (_ for _ in ()).throw(UserError("No.")))

    with pytest.raises(UserError, match="No"):
        steps.finish(fails())
