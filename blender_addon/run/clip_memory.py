"""What belongs to one footage waits while another is in the panel, and comes back with it: labels, people, first frame,
camera, height, the character. All of it is kept in the scene, so undo and files have it too."""

from __future__ import annotations

import json

import bpy

from ...engine.files.json_file import parse_json
from ..character import clip_times, label_times
from ..character.clip_times import same_path

_PLAIN = {
    "camera_source": "guess",
    "height_m": 0.0,
    "performer": "",
    "mirrored": False,
    "laid_rate": "",
    "laid_start": 1,
}
"""Settings of a clip with what they are for footage that is new."""

_LABEL = ("label", "frame_start", "frame_end", "similarity", "start_s", "end_s")
_PERSON = ("name", "number", "use", "first_s", "last_s", "seen_s", "occluded", "thumbnail", "boxes", "stretches")
_TEXTS = ("people_of", "people_edits", "motion_path")
_POINTERS = ("movie_clip", "character")


def switch(settings, _context: bpy.types.Context | None = None) -> None:
    """Called by Blender when *Footage* has changed: put away what is of the old one, take out what is of the new."""
    before, settings.kept_for = settings.kept_for, settings.footage
    if same_path(settings.footage, before):
        return
    if before:
        _put_away(settings, before)
    if settings.footage:
        _take_out(settings)


def _put_away(settings, footage: str) -> None:
    entry = _find(settings, footage) or settings.kept.add()
    entry.footage = footage
    for name in _POINTERS:
        setattr(entry, name, getattr(settings, name))
        setattr(settings, name, None)
    state = {name: getattr(settings, name) for name in (*_PLAIN, *_TEXTS)}
    state["labels"] = [[getattr(item, name) for name in _LABEL] for item in settings.labels]
    state["people"] = [[getattr(item, name) for name in _PERSON] for item in settings.people]
    state["marked"] = bool(settings.marks)
    entry.state = json.dumps(state)
    settings.labels.clear()
    settings.people.clear()
    if settings.marks:
        label_times.write_markers(settings.id_data)
    for name in (*_TEXTS, "marks"):
        setattr(settings, name, "")
    settings.label_index = settings.people_index = 0


def _take_out(settings) -> None:
    entry, scene = _find(settings, settings.footage), settings.id_data
    state = parse_json(entry.state) if entry is not None else {"laid_start": scene.frame_start}
    for name, plain in _PLAIN.items():
        setattr(settings, name, state.get(name, plain))
    settings.footage_start = settings.laid_start  # laid there already, so that nothing moves
    if entry is None:
        return
    for name in _POINTERS:
        setattr(settings, name, getattr(entry, name))
    for name in _TEXTS:
        setattr(settings, name, state.get(name, ""))
    with label_times.at_once(scene):
        for listed, fields in (("labels", _LABEL), ("people", _PERSON)):
            for values in state[listed]:
                item = getattr(settings, listed).add()
                for name, value in zip(fields, values, strict=False):  # files of earlier versions have fewer
                    setattr(item, name, value)
    settings.kept.remove(list(settings.kept).index(entry))
    clip_times.catch_up(scene)
    if state["marked"]:
        label_times.write_markers(scene)


def keep_result(settings, footage: str, movie_clip, character, motion_path: str) -> None:
    """A result of footage that is not in the panel, as of the queue, waits for that footage; the panel's stays."""
    entry = _find(settings, footage)
    if entry is None:
        entry = settings.kept.add()
        entry.footage, entry.state = footage, json.dumps({"labels": [], "people": [], "marked": False})
    entry.character = character
    if movie_clip is not None:
        entry.movie_clip = movie_clip
    entry.state = json.dumps({**parse_json(entry.state), "motion_path": motion_path})


def _find(settings, footage: str):
    return next((entry for entry in settings.kept if same_path(entry.footage, footage)), None)
