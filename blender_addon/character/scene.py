"""Motion files into a scene: one function for the panel, batch mode, scripts and tests.

NumPy is imported when something is imported into a scene, not when the add-on is switched on: a Blender without it then
says so in words.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from ..blender import steps, timing
from ..errors import UserError
from . import clip_times, framing, takes
from .clip_times import CLIP, FOOTAGE, PERSON

if TYPE_CHECKING:
    from .motion_io import Motion


@dataclass
class Person:
    """One imported person: `armature` and `mesh` (or None) are objects, `action` holds the keys."""

    motion: Motion
    armature: Any
    mesh: Any
    action: Any


@dataclass
class Imported:
    """What came into the scene: `cameras` are one for each shot; `warnings` are plain sentences for the user."""

    collection: Any
    people: list[Person] = field(default_factory=list)
    cameras: list[Any] = field(default_factory=list)
    movie_clip: Any = None
    warnings: list[str] = field(default_factory=list)

    @property
    def camera(self) -> Any | None:
        """The camera that took the first shot."""
        return next(iter(self.cameras), None)


def import_people(
    paths: Sequence[str | Path],
    scene,
    *,
    footage: str | Path | None = None,
    with_mesh: bool = True,
    with_camera: bool = True,
    start_frame: float | None = None,
    look: str = "PLAIN",
) -> Imported:
    """Bring the people of one clip into `scene`, in one space, with the camera that filmed them.

    The scene's frame rate, range, resolution and camera stay as they are (`match_scene` sets them): keys are laid so
    that the motion lasts as long as in the footage at the scene's rate, or, where the footage is in the scene already,
    where that lies.

    Args:
        paths: motion files of one clip.
        scene: must be the context's scene.
        footage: the clip, to be shown behind the character.
        with_mesh: also build the skinned body.
        with_camera: also build the camera.
        start_frame: frame of the clip's time 0 where the footage is not in the scene; the scene's first frame if not
            given.
        look: of the body, one of `figure.LOOKS`.

    Raises:
        UserError: a file is missing or damaged, or this Blender lacks NumPy. Nothing is left in the scene then.
    """
    options = {"footage": footage, "with_mesh": with_mesh, "with_camera": with_camera, "start_frame": start_frame}
    options["look"] = look
    return steps.finish(import_steps(paths, scene, **options))


def import_steps(
    paths: Sequence[str | Path],
    scene,
    *,
    footage: str | Path | None = None,
    with_mesh: bool = True,
    with_camera: bool = True,
    start_frame: float | None = None,
    look: str = "PLAIN",
) -> Generator[None, None, Imported]:
    """`import_people` in steps of a few milliseconds; files are read and keys computed beside them.

    What is unfinished carries `steps.UNFINISHED`, so that `sweep` finds it if the steps are not taken to their end.
    Between two steps the context may change, but undo and another file must not come between them.
    """
    if not paths:
        raise UserError("There is no motion to import.", "Adapt a clip first.")
    known = clip_times.laid_at(scene, str(footage)) if footage else None
    start = scene.frame_start if start_frame is None else start_frame
    rate, start = known or (timing.scene_rate(scene), start)
    read = yield from steps.beside(lambda: [_read(path, rate, start, look if with_mesh else "PLAIN") for path in paths])
    end = takes.suffix([one.motion.name for one in read], read[0].motion.clip_name)
    result = Imported(bpy.data.collections.new(f"{read[0].motion.clip_name}{end}"))
    result.collection[steps.UNFINISHED] = True
    scene.collection.children.link(result.collection)
    try:
        filmed = _shots(read, scene, str(footage) if footage else None)
        for one in read:
            name = f"{one.motion.name}{end}"
            person = yield from _person_steps(one, name, filmed, scene, result.collection, with_mesh)
            if footage:
                person.armature[FOOTAGE] = str(footage)
            result.people.append(person)
            result.warnings += [one.warning] if one.warning else []
        if with_camera:
            _add_cameras(result, filmed, scene, str(footage) if footage else None, rate, start)
    except BaseException:
        sweep()
        raise
    for block in _unfinished():
        del block[steps.UNFINISHED]
    for person in result.people if end else ():
        takes.show(scene, person.armature)
    return result


def sweep() -> None:
    """Remove what unfinished `import_steps` have left."""
    blocks = set(_unfinished())
    for collection in [block for block in blocks if isinstance(block, bpy.types.Collection)]:
        blocks |= {item for owner in collection.objects for item in (owner, owner.data)}
    bpy.data.batch_remove(list(blocks))


def _unfinished() -> list[Any]:
    kinds = (bpy.data.collections, bpy.data.objects, bpy.data.meshes, bpy.data.actions)
    return [block for kind in kinds for block in kind if steps.UNFINISHED in block]


@dataclass(frozen=True)
class _ReadPerson:
    """What a motion file gives before anything of Blender's is touched."""

    motion: Motion
    body: Any
    rest: Any
    warning: str
    plan: Any
    initial: Any
    look: str
    figure: Any


def _read(path: str | Path, rate: Fraction, start: float, look: str) -> _ReadPerson:
    _require_numpy()
    from . import keying, motion_io, rig

    motion = motion_io.read_motion(path)
    body, warning = motion_io.read_body(motion)
    rest = rig.rest_pose(body, motion_io.read_skeleton())
    initial = keying.plan_initial(motion, rest, rate, start) if motion.was_adapted else None
    plan = keying.plan(motion, rest, rate, start)
    return _ReadPerson(motion, body, rest, warning, plan, initial, look, rig.look_of(body, rest, look))


def rate_warning(scene, imported: Imported) -> str:
    """A sentence for the user if the scene does not run at the clip's rate, else ''."""
    rate, clip_rate = timing.scene_rate(scene), imported.people[0].motion.rate
    if rate == clip_rate:
        return ""
    return (
        f"The scene runs at {float(rate):.6g} frames a second and the clip at {float(clip_rate):.6g}: "
        "the motion keeps its speed, and keys lie between the scene's frames."
    )


def set_clip_rate(scene, armature) -> Fraction:
    """Give the scene the frame rate of the clip that `armature` came from; gives back the rate.

    All clips in the scene are laid for it. Raises UserError if the armature's action does not state the rate.
    """
    from . import keying

    action = armature.animation_data.action if armature.animation_data else None
    if action is None or keying.CLIP_RATE not in action:
        raise UserError(f"{armature.name} does not state its clip's frame rate.", "Import the motion again.")
    rate = keying.clip_rate(action, Fraction(1))
    timing.set_scene_rate(scene, rate)
    clip_times.lay(scene, rate)
    return rate


def match_scene(scene, imported: Imported) -> None:
    """Give the scene the clip's frame rate, range, resolution and camera, and lay the keys for that rate.

    Only called where the user wants it, or in a scene of our own.
    """
    motion = imported.people[0].motion
    set_clip_rate(scene, imported.people[0].armature)
    ranges = [person.action.frame_range for person in imported.people]
    scene.frame_start = round(min(first for first, _ in ranges))
    scene.frame_end = round(max(last for _, last in ranges))
    scene.render.resolution_x, scene.render.resolution_y = motion.image_size
    scene.render.resolution_percentage = 100
    scene.render.pixel_aspect_x = scene.render.pixel_aspect_y = 1.0
    for one in imported.cameras:
        from . import camera

        framing.refit(one, scene)
        camera.turn_upright(one, motion, scene)
    scene.camera = imported.camera or scene.camera
    scene.frame_set(scene.frame_start)


def _person_steps(
    read: _ReadPerson, name: str, filmed, scene, collection, with_mesh: bool
) -> Generator[None, None, Person]:
    import numpy as np
    from mathutils import Matrix

    from . import comparison, keying, rig, shots

    motion = read.motion
    with _shown(scene), _object_mode():
        armature = rig.build_armature(name, read.rest, scene, collection)
    armature[CLIP], armature[PERSON] = motion.clip_name, str(motion.path)
    into_shared = shots.into_world(filmed, motion)
    if np.abs(into_shared - np.eye(4)).max() > 1e-6:  # each person's world is tied to the one camera
        armature.matrix_world = Matrix(into_shared.tolist())
    yield
    if read.initial is not None:
        yield from keying.key_steps(replace(read.initial, name=f"{name} before adaptation"), armature)
        comparison.push_down(armature)
    action = yield from keying.key_steps(replace(read.plan, name=name), armature)
    mesh = None
    if with_mesh:
        mesh = yield from rig.mesh_steps(
            f"{name} body", read.body, read.rest, armature, collection, read.figure, read.look
        )
        yield
    return Person(motion, armature, mesh, action)


def _shots(read: Sequence[_ReadPerson], scene, footage: str | None) -> list[Any]:
    """The shots of the clip that people were read of."""
    from . import shots

    known = shots.known_starts(scene, footage, read[0].motion.clip_name)
    return shots.shots_of([one.motion for one in read], known)


def _add_cameras(result: Imported, filmed, scene, footage: str | None, rate: Fraction, start: float) -> None:
    from . import shots, solved_camera

    motions = [person.motion for person in result.people]
    if len(filmed) == 1 and motions[0].camera_path is not None and solved_camera.camera_object(scene) is not None:
        return  # the scene has the camera that moves, with the footage behind it or not, as the user likes
    found = shots.film(filmed, motions[0], scene, result.collection, footage, rate, start)
    result.cameras, result.movie_clip = found.cameras, found.clip
    result.warnings += found.warnings
    if shots.are_apart(filmed, motions):
        scene.view_layers[0].update()  # Blender 3.4 draws a body black that it has never seen before it is hidden
        for person in result.people:
            if person.mesh is not None:
                shots.show_within(person.mesh, filmed, person.motion, rate, start)


@contextlib.contextmanager
def _shown(scene) -> Iterator[None]:
    """Have the first window show `scene`, as edit mode needs; nothing is drawn before it shows its own again.

    An overridden context is not enough: Blender crashes on changing modes in a scene that no window shows.
    """
    windows = bpy.context.window_manager.windows
    if not len(windows) or (bpy.context.scene == scene and bpy.context.window is not None):
        yield
        return
    window = windows[0]
    before = window.scene
    try:
        if before != scene:
            window.scene = scene
        with bpy.context.temp_override(window=window):
            yield
    finally:
        if before != scene:
            window.scene = before


@contextlib.contextmanager
def _object_mode() -> Iterator[None]:
    """Leave the mode that the user is in while objects are built; mode, active object and selection come back."""
    layer = bpy.context.view_layer
    active, mode = layer.objects.active, bpy.context.mode
    selected = list(layer.objects.selected)
    if active is not None and mode != "OBJECT":
        mode = active.mode
        bpy.ops.object.mode_set(mode="OBJECT")
    try:
        yield
    finally:
        if active is not None and mode != "OBJECT":
            for item in tuple(layer.objects.selected):
                item.select_set(False)
            for item in selected:
                item.select_set(True)
            layer.objects.active = active
            bpy.ops.object.mode_set(mode=mode)


def _require_numpy() -> None:
    try:
        import numpy  # noqa: F401
    except ImportError as error:
        raise UserError(
            "This Blender has no NumPy, which reading motion needs.",
            "Use Blender from blender.org, or install your system's package (Debian: python3-numpy).",
        ) from error
