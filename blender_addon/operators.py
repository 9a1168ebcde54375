"""Adapt, cancel, bring in, export: thin operators around the plain functions that scripts and batch mode call too."""

from __future__ import annotations

import os
from pathlib import Path

import bpy
from bpy.props import BoolProperty, CollectionProperty, StringProperty
from bpy_extras.io_utils import ExportHelper, ImportHelper

from ..engine import protocol
from . import job, messages, preferences, running
from .engine_home import EngineState
from .errors import UserError
from .run_state import RunState

FOOTAGE_FILTER = "*.mp4;*.mov;*.m4v;*.mkv;*.webm;*.avi;*.mpg;*.mpeg;*.mts;*.m2ts;*.wmv;*.3gp"


def absolute(path: str) -> str:
    """A path of a property as the system knows it: `//` is the folder of the .blend file."""
    return os.path.normpath(os.path.abspath(bpy.path.abspath(path)))


def output_folder(settings) -> Path:
    """Where results go: the chosen folder, or `adapt_motion` beside the .blend file or in the home folder."""
    if settings.output_folder:
        return Path(absolute(settings.output_folder))
    beside = Path(bpy.data.filepath).parent if bpy.data.filepath else Path.home()
    return beside / "adapt_motion"


def job_of(settings, context) -> protocol.Job:
    """The run that the panel describes. Raises UserError if the footage is not there."""
    footage = absolute(settings.footage)
    if not os.path.exists(footage) and not any(sign in footage for sign in "*?%#"):
        raise UserError(messages.FOOTAGE_GONE.format(path=footage), "Choose the footage again.")
    machine = preferences.get(context)
    return protocol.Job(
        footage=[footage],
        out=str(output_folder(settings)),
        preset=settings.preset,
        label=settings.label.strip(),
        person=str(settings.person_number) if settings.person == "number" else settings.person,
        device=preferences.device(context),
        body=absolute(machine.body_model) if machine and machine.body_model else "",
    )


def character_of(context) -> bpy.types.Object | None:
    """The armature that the user means: the active one (or its body's), else the last result of the scene."""
    from . import scene

    active = context.active_object
    for candidate in (active, active.parent if active else None, context.scene.adapt_motion.character):
        if candidate is not None and candidate.type == "ARMATURE" and scene.CLIP in candidate:
            return candidate if candidate.name in context.scene.objects else None
    return None


def clip_rate_of(armature):
    """Frames a second of the clip that a character came from, as a Fraction; None if its action does not tell."""
    from . import keying

    action = armature.animation_data.action if armature.animation_data else None
    if action is None or keying.CLIP_RATE not in action:
        return None
    return keying.clip_rate(action, None)


class ADAPT_MOTION_OT_choose_footage(bpy.types.Operator, ImportHelper):
    """Choose a video file, or a folder of images"""

    bl_idname, bl_label, bl_options = "adapt_motion.choose_footage", "Choose Footage", {"REGISTER", "UNDO", "INTERNAL"}

    filter_glob: StringProperty(default=FOOTAGE_FILTER, options={"HIDDEN"})
    filter_image: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})
    filter_folder: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Take the file, or of an image its folder: a sequence is a folder to the engine."""
        path = Path(self.filepath)
        if path.suffix.lower() in bpy.path.extensions_image:
            path = path.parent
        context.scene.adapt_motion.footage = str(path)
        return {"FINISHED"}


class ADAPT_MOTION_OT_adapt(bpy.types.Operator):
    """Turn the footage into motion in the background and bring in the character. Blender stays usable"""

    bl_idname, bl_label, bl_options = "adapt_motion.adapt", "Adapt Motion", {"REGISTER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs footage and an engine, and that nothing runs."""
        problem = ""
        if running.busy():
            problem = messages.BUSY
        elif not context.scene.adapt_motion.footage:
            problem = messages.NO_FOOTAGE
        elif preferences.engine(context).state in (EngineState.MISSING, EngineState.INTERRUPTED):
            problem = preferences.engine(context).problem
        if problem:
            cls.poll_message_set(problem)
        return not problem

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start the engine."""
        try:
            start_adapting(context)
        except UserError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        state = running.latest()
        if state.finished and state.failed:  # without windows it has run by now
            self.report({"ERROR"}, f"{state.message} {state.hint}".strip())
            return {"CANCELLED"}
        return {"FINISHED"}


def start_adapting(context: bpy.types.Context) -> RunState:
    """Start the engine on what the panel says; its result comes into the scene at the end.

    Raises UserError if the footage is gone or the engine cannot be started.
    """
    settings = context.scene.adapt_motion
    run = job_of(settings, context)
    log = job.new_log(preferences.log_folder(), "run")
    python = preferences.engine(context).python
    try:
        source = job.start_run(python, run, log)
    except OSError as error:
        preferences.forget_engine()
        raise UserError(f"The engine could not be started: {error}.", "Install it again in the preferences.") from error
    state = RunState("adapt", source)
    state.context.update(scene=context.scene.name, footage=run.footage[0])
    running.start(state, bring_in)
    return state


def bring_in(state: RunState) -> None:
    """At the end of a run: put its motion into the scene it was started from, as one step of undo."""
    if not state.results:
        return
    paths = [result["motion"] for result in state.results]
    scene = bpy.data.scenes.get(state.context["scene"])
    if state.context.get("other_file") or scene is None:
        state.message = "The motion is ready, but another file was opened meanwhile."
        state.hint = f"Use Import Motion to bring in {paths[0]}."
        return
    scene.adapt_motion.motion_path = paths[0]
    options = {"filepath": paths[0], "files": [{"name": os.path.basename(path)} for path in paths]}
    options.update(directory=os.path.dirname(paths[0]), footage=state.context["footage"])
    windows = bpy.context.window_manager.windows
    place = {"scene": scene, "view_layer": scene.view_layers[0], **({"window": windows[0]} if len(windows) else {})}
    try:
        with bpy.context.temp_override(**place):
            bpy.ops.adapt_motion.import_motion("EXEC_DEFAULT", True, **options)
    except RuntimeError as error:  # what the operator reported
        state.message, state.failed = str(error).removeprefix("Error: ").strip(), True
        return
    frames = max(result["frames"] for result in state.results)
    who = "1 person" if len(paths) == 1 else f"{len(paths)} people"
    done = f"{frames} frames of {who}, done in {messages.duration(state.seconds)}."
    state.message = f"{state.message} {done}".strip()


class ADAPT_MOTION_OT_cancel(bpy.types.Operator):
    """Stop what runs. What is finished is kept, and the next run goes on from there"""

    bl_idname, bl_label, bl_options = "adapt_motion.cancel", "Cancel", {"REGISTER", "INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs something that runs."""
        if not running.busy():
            cls.poll_message_set(messages.NOTHING_RUNS)
        return running.busy()

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Ask for it; the end is shown when it comes."""
        running.latest().source.cancel()
        return {"FINISHED"}


class ADAPT_MOTION_OT_import_motion(bpy.types.Operator, ImportHelper):
    """Bring motion files of a clip into the scene: armature, body, and the camera that filmed it"""

    bl_idname, bl_label, bl_options = "adapt_motion.import_motion", "Import Motion", {"REGISTER", "UNDO"}

    filter_glob: StringProperty(default="person_*.npz", options={"HIDDEN"})
    files: CollectionProperty(type=bpy.types.OperatorFileListElement, options={"HIDDEN", "SKIP_SAVE"})
    directory: StringProperty(subtype="DIR_PATH", options={"HIDDEN", "SKIP_SAVE"})
    footage: StringProperty(
        name="Footage",
        description="Clip to show behind the character; empty: none",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )
    with_mesh: BoolProperty(name="Body", description="Also build the skinned body", default=True)
    with_camera: BoolProperty(name="Camera", description="Also build the camera that matches the footage", default=True)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Import and remember the first person as the scene's character."""
        from . import scene

        names = [item.name for item in self.files if item.name.endswith(".npz")]
        paths = [os.path.join(self.directory, name) for name in names] or [self.filepath]
        paths = [path for path in paths if not path.endswith("_body.npz")]
        footage = absolute(self.footage) if self.footage else None
        try:
            imported = scene.import_people(
                paths, context.scene, footage=footage, with_mesh=self.with_mesh, with_camera=self.with_camera
            )
        except UserError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        context.scene.adapt_motion.character = imported.people[0].armature
        context.scene.adapt_motion.motion_path = paths[0]
        for warning in imported.warnings:
            self.report({"WARNING"}, warning)
        self.report({"INFO"}, f"Brought in {', '.join(person.armature.name for person in imported.people)}")
        return {"FINISHED"}


class ADAPT_MOTION_OT_export_fbx(bpy.types.Operator, ExportHelper):
    """Write the character and its motion as FBX at the clip's own frame rate, for Unity, Unreal or Blender"""

    bl_idname, bl_label, bl_options = "adapt_motion.export_fbx", "Export FBX", {"REGISTER"}

    filename_ext = ".fbx"
    filter_glob: StringProperty(default="*.fbx", options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a character with motion."""
        found = character_of(context) is not None
        if not found:
            cls.poll_message_set(messages.NO_CHARACTER)
        return found

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Offer a name beside the motion file."""
        from . import scene

        armature = character_of(context)
        motion = armature.get(scene.PERSON, "")
        self.filepath = str(Path(motion).with_suffix(".fbx")) if motion else f"{bpy.path.clean_name(armature.name)}.fbx"
        return super().invoke(context, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Write the file."""
        from . import export

        try:
            path = export.export(character_of(context), absolute(self.filepath), "fbx")
        except UserError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, f"Wrote {path}")
        return {"FINISHED"}


class ADAPT_MOTION_OT_set_scene_rate(bpy.types.Operator):
    """Give the scene the clip's frame rate and lay the character's keys on whole frames again"""

    bl_idname, bl_label, bl_options = "adapt_motion.set_scene_rate", "Set Scene Rate", {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a character."""
        found = character_of(context) is not None
        if not found:
            cls.poll_message_set(messages.NO_CHARACTER)
        return found

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Set the rate; every character of the same clip and the footage follow."""
        from . import scene

        try:
            rate = scene.set_clip_rate(context.scene, character_of(context))
        except UserError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, f"The scene runs at {messages.rate(float(rate))} frames a second")
        return {"FINISHED"}


class ADAPT_MOTION_OT_view_camera(bpy.types.Operator):
    """Look through the camera that filmed the footage, in this view only; the scene's camera stays what it is"""

    bl_idname, bl_label, bl_options = "adapt_motion.view_camera", "View Over Footage", {"REGISTER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a character with its camera and a 3D View."""
        found = (
            context.space_data is not None and context.space_data.type == "VIEW_3D" and camera_of(context) is not None
        )
        if not found:
            cls.poll_message_set(messages.NO_CAMERA)
        return found

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Use it as the view's own camera."""
        space = context.space_data
        space.use_local_camera = True
        space.camera = camera_of(context)
        space.region_3d.view_perspective = "CAMERA"
        return {"FINISHED"}


def camera_of(context) -> bpy.types.Object | None:
    """The camera that came in with the character."""
    armature = character_of(context)
    if armature is None:
        return None
    cameras = (item for owner in armature.users_collection for item in owner.objects if item.type == "CAMERA")
    return next(cameras, None)


_CLASSES = (
    ADAPT_MOTION_OT_choose_footage,
    ADAPT_MOTION_OT_adapt,
    ADAPT_MOTION_OT_cancel,
    ADAPT_MOTION_OT_import_motion,
    ADAPT_MOTION_OT_export_fbx,
    ADAPT_MOTION_OT_set_scene_rate,
    ADAPT_MOTION_OT_view_camera,
)
register, unregister = bpy.utils.register_classes_factory(_CLASSES)
