"""What the panel says as a run of the engine."""

from __future__ import annotations

import json
import os
from pathlib import Path

import bpy

from ...engine import protocol
from .. import messages
from ..blender import paths, timing
from ..character import solved_camera
from ..errors import UserError
from . import job, labels, people_edits, prefs


def output_folder(settings) -> Path:
    """Where results go: the chosen folder, or `adapt_motion` beside the .blend file or in the home folder."""
    if settings.output_folder:
        return Path(paths.absolute(settings.output_folder))
    beside = Path(bpy.data.filepath).parent if bpy.data.filepath else Path.home()
    return beside / "adapt_motion"


def remember_folder(settings) -> None:
    """Keep where results go from now on: saving the file must not take a next run elsewhere, to begin all anew."""
    if not settings.output_folder:
        settings.output_folder = str(output_folder(settings))


def footage_path(settings) -> str:
    """The footage as the system knows it. Raises UserError if it is not there."""
    footage = paths.absolute(settings.footage)
    if not os.path.exists(footage) and not any(sign in footage for sign in "*?%#"):
        raise UserError(messages.FOOTAGE_GONE.format(path=footage), "Choose the footage again.")
    return footage


def has_people(settings) -> bool:
    """Whether the list of people is that of the footage."""
    return bool(len(settings.people)) and settings.people_of == settings.footage


def chosen_people(settings) -> str:
    """Whose motion is wanted, as the engine takes it. Raises UserError if the list is there and nobody is ticked."""
    if not has_people(settings):
        return settings.person
    numbers = [str(person.number) for person in settings.people if person.use]
    if not numbers:
        raise UserError("Nobody is ticked in the list of people.", "Tick whom to adapt.")
    return ",".join(numbers)


def height_metres(settings) -> float | None:
    """How tall the people stand, None if that is not known. Raises UserError for what nobody is."""
    height_m = settings.height_m
    if not height_m:
        return None
    if height_m < protocol.LEAST_HEIGHT_M:
        text = messages.tr(messages.HEIGHT_SMALL, height=height_m, least=protocol.LEAST_HEIGHT_M)
        raise UserError(text + ".", "Set the height in the panel People, or to 0 if it is not known.")
    return round(height_m, 4)  # Blender keeps it in single precision


def range_seconds(scene) -> tuple[float | None, float | None]:
    """The part of the footage to work on: the preview range in seconds into the footage, or all of it.

    Raises UserError if the preview range lies before the footage.
    """
    settings = scene.adapt_motion
    if not (settings.use_preview_range and scene.use_preview_range):
        return None, None
    start, end = (labels.seconds(scene, frame) for frame in (scene.frame_preview_start, scene.frame_preview_end + 1))
    if end <= 0:
        raise UserError(
            "The preview range ends before the footage begins.", "Move the preview range, or the footage's first frame."
        )
    return max(0.0, start), end


def job_of(context, only: str = "", labeler: str = "none", edits: people_edits.Edits | None = None) -> protocol.Job:
    """The run that the panel of the context's scene describes.

    Args:
        context: with the scene.
        only: `people` or `labels`, where the run stops; '' for a whole run.
        labeler: who labels what has no label.
        edits: who is merged and split; those of the list of people if left out.

    Raises:
        UserError: the footage is not there, nobody is ticked, the height is nobody's, labels overlap, or the camera is
            not solved.
        OSError: the file with the labels or the camera cannot be written.
    """
    scene = context.scene
    settings, machine = scene.adapt_motion, prefs.get(context)
    footage = footage_path(settings)
    start_s, end_s = range_seconds(scene)
    run = protocol.Job(
        footage=[footage],
        out=str(output_folder(settings)),
        preset=settings.preset,
        backbone=settings.backbone,
        person="all" if only == "people" else chosen_people(settings),
        only=only,
        labeler=labeler,
        allow_upload=labeler == "openai",  # switched on in the preferences, and started with a button
        device=prefs.device(context),
        body=paths.absolute(machine.body_model) if machine and machine.body_model else "",
        height_m=height_metres(settings),
        mirror=settings.mirrored,
        performer="" if only == "people" else settings.performer.strip(),
        start_s=start_s,
        end_s=end_s,
    )
    if has_people(settings):
        edits = people_edits.of(settings) if edits is None else edits
        run.split, run.merge = list(edits.split), list(edits.merge)
    if not os.path.isfile(footage):  # images have no frame rate of their own
        run.overrides = [f"footage.image_rate={timing.scene_rate(scene)}"]
    if labeler == "openai" and machine and machine.vlm_model:
        run.overrides.append(f"labeler.model={machine.vlm_model}")
    if only != "people":
        run.labels = write_file("labels", segments) if (segments := labels.segments(scene)) else ""
        run.camera = "still" if settings.camera_source == "still" else "auto"
        if camera := solved_camera.describe(scene):
            run.camera = write_file("camera", camera)
    return run


def write_file(name: str, value) -> str:
    """A file for the engine, in the add-on's own folder; the last forty are kept for runs that wait."""
    folder = prefs.log_folder().with_name("jobs")
    folder.mkdir(parents=True, exist_ok=True)
    for old in sorted(folder.glob(f"{name}-*.json"))[:-40]:
        old.unlink(missing_ok=True)
    path = job.new_path(folder, name, "json")
    path.write_text(json.dumps(value), encoding="utf-8")
    return str(path)
