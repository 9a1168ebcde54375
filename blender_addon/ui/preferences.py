"""What belongs to this computer and not to a scene: the engine, the device, model files."""

from __future__ import annotations

import os

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty

from .. import texts
from ..blender import drawing
from ..run import health, kept_prefs, prefs, running
from ..run.engine_home import EngineState
from . import doctor_box, run_box

DEVICES = (
    ("auto", "Automatic", "The graphics card where it is usable, else the processor"),
    ("cpu", "Processor", "Works everywhere"),
    ("cuda", "NVIDIA Card", "Needs the engine installed for the graphics card"),
    ("mps", "Apple Silicon", "The graphics part of Apple's processors"),
)
BUILDS = (
    ("cpu", "Processor", "The small download; works everywhere"),
    ("cuda", "NVIDIA Card", "Several gigabytes; faster where there is an NVIDIA graphics card"),
)

LOOKS = (
    ("DRESSED", "Dressed", "Shirt and trousers in plain colours; relaxed hands"),
    ("MANNEQUIN", "Mannequin", "Grey all over, without anatomy; relaxed hands"),
    ("PLAIN", "As in the File", "The body as its file has it, without material"),
)


def _engine_chosen(preferences, _context) -> None:
    prefs.forget_engine()
    kept_prefs.remember(preferences)


class ADAPT_MOTION_AP_preferences(bpy.types.AddonPreferences):
    """The add-on's preferences."""

    bl_idname = prefs.PACKAGE

    engine_python: StringProperty(
        name="Existing Environment",
        description="Python of an environment that already has the engine's packages, or that environment's folder. "
        "Empty: the one that Install Engine makes",
        subtype="FILE_PATH",
        update=_engine_chosen,
    )
    device: EnumProperty(
        name="Device",
        description="What the engine computes on",
        items=DEVICES,
        default="auto",
        update=kept_prefs.remember,
    )
    build: EnumProperty(
        name="Install For",
        description="Which build of PyTorch Install Engine brings",
        items=BUILDS,
        default="cpu",
        update=kept_prefs.remember,
    )
    installer_arguments: StringProperty(
        name="Installer Arguments",
        description="Given to pip or uv as they are, for a mirror, a proxy or a folder of packages",
        update=kept_prefs.remember,
    )
    body_model: StringProperty(
        name="SMPL File",
        description="Your own SMPL body (.npz, or the official .pkl) in place of the open body that comes along",
        subtype="FILE_PATH",
        update=kept_prefs.remember,
    )
    models_folder: StringProperty(
        name="Research Weights",
        description="Folder with published networks that you have got from their authors (HMR, HMR2.0, MotionCLIP, …). "
        "Press Doctor to see which of them are whole",
        subtype="DIR_PATH",
        update=kept_prefs.remember,
    )
    lock_feet: BoolProperty(
        name="Lock Feet",
        description="Hold feet still while they touch the ground, in every motion that comes in. "
        "Contacts stay ranges to be edited under Clean Up",
        default=True,
        update=kept_prefs.remember,
    )
    look: EnumProperty(
        name="Body",
        description="How the bodies of new characters look",
        items=LOOKS,
        default="DRESSED",
        update=kept_prefs.remember,
    )
    farm_address: StringProperty(
        name="Farm",
        description="Where Send to Farm sends clips: HOST:PORT of a Ray cluster, or auto for the one that this "
        "computer is part of. Empty: all cores of this computer",
        update=kept_prefs.remember,
    )
    show_optional: BoolProperty(
        name="Optional Parts",
        description="Also list what the engine could use and does not need, and where each is to be had",
        default=False,
        options={"SKIP_SAVE"},
        update=kept_prefs.remember,
    )
    use_vlm: BoolProperty(
        name="Labels by a Vision-Language Model",
        description="Offer labels by a model on a server: pictures of the footage are sent there when you ask for it",
        default=False,
    )
    vlm_server: StringProperty(
        name="Server",
        description="Address of an OpenAI-compatible server, such as one on this computer. Empty: OpenAI's",
        update=kept_prefs.remember,
    )
    vlm_model: StringProperty(
        name="Model",
        description="Name of the model as the server knows it. Empty: the engine's",
        update=kept_prefs.remember,
    )

    def draw(self, context: bpy.types.Context) -> None:
        """Engine first, since nothing works without it."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        _draw_engine(layout.box().column(), self, context)
        column = layout.column()
        column.prop(self, "device")
        column.prop(self, "body_model")
        column.prop(self, "models_folder")
        column.prop(self, "look")
        column.prop(self, "lock_feet")
        column.prop(self, "farm_address")
        _draw_labels(layout.box().column(), self)
        doctor_box.draw(layout.box().column(), running.latest(), self)


def _draw_engine(layout, preferences, context) -> None:
    found = prefs.engine(context)
    ready = found.state is EngineState.READY
    layout.label(text=found.problem or "The engine is there.", icon="CHECKMARK" if ready else "ERROR")
    state = running.latest()
    if state is not None and state.kind in ("install", "check"):
        run_box.draw_run(layout, state, doctor_box.WIDTH)
    layout.prop(preferences, "build")
    layout.prop(preferences, "installer_arguments")
    row = layout.row()
    row.scale_y = 1.3
    row.operator(
        "adapt_motion.install_engine", text="Install Engine" if not ready else "Reinstall Engine", icon="IMPORT"
    )
    row.operator("adapt_motion.check_engine", icon="VIEWZOOM")
    layout.prop(preferences, "engine_python")


def _draw_labels(layout, preferences) -> None:
    layout.prop(preferences, "use_vlm")
    if not preferences.use_vlm:
        return
    layout.prop(preferences, "vlm_server")
    layout.prop(preferences, "vlm_model")
    if os.environ.get(health.KEY_VARIABLE):
        layout.label(text=texts.KEY_IN_ENVIRONMENT, icon="CHECKMARK")
        return
    row = layout.row(align=True)
    row.operator("adapt_motion.store_key", icon="KEYINGSET")
    row.operator("adapt_motion.forget_key", text="", icon="TRASH")
    state = running.latest()
    if state is not None and state.kind == "key" and not (state.finished and not state.failed):
        run_box.draw_run(layout, state, doctor_box.WIDTH)
    else:
        drawing.draw_text(layout, health.key_text(), doctor_box.WIDTH, "INFO")


_CLASSES = (ADAPT_MOTION_AP_preferences,)


def register() -> None:
    """Register the preferences."""
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    kept_prefs.recall()


def unregister() -> None:
    """Undo `register`."""
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
    prefs.forget_engine()
    health.forget()
