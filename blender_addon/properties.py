"""What the panel asks, kept in the scene: one group, `Scene.adapt_motion`."""

from __future__ import annotations

import bpy
from bpy.props import EnumProperty, IntProperty, PointerProperty, StringProperty

from . import compat

PRESETS = (
    ("balanced", "Balanced", "The best result for everyday footage"),
    ("fast", "Fast", "A lighter detector and fewer steps: a first look in a fraction of the time"),
)
PEOPLE = (
    ("main", "Main Person", "The person who is largest and longest in view"),
    ("all", "Everybody", "Every person found; each becomes a character of their own"),
    ("number", "Number", "One person by number, counted from the one most in view"),
)


def _is_armature(_group, candidate) -> bool:
    return candidate.type == "ARMATURE"


class ADAPT_MOTION_PG_scene(bpy.types.PropertyGroup):
    """Settings of the next run, and where the last one left its result."""

    footage: StringProperty(
        name="Footage",
        description="Video file, or folder of images, of somebody moving. // is the folder of the .blend file",
    )
    output_folder: StringProperty(
        name="Output",
        description="Folder that takes a folder of results for each clip. Empty: adapt_motion beside the .blend file, "
        "or in your home folder while the file is not saved",
        subtype="DIR_PATH",
        options=compat.RELATIVE_PATH,
    )
    preset: EnumProperty(
        name="Preset",
        description="How much care is taken, against how long it takes",
        items=PRESETS,
        default="balanced",
    )
    label: StringProperty(
        name="Label", description="What the person does, in a word or two, such as 'walk'. Empty: no label"
    )
    person: EnumProperty(
        name="Person", description="Whose motion is taken, if there are several people", items=PEOPLE, default="main"
    )
    person_number: IntProperty(
        name="Number",
        description="Number of the person, counted from the one most in view",
        default=1,
        min=1,
        soft_max=10,
    )
    motion_path: StringProperty(
        name="Motion File", description="Result of the last run, to be brought in again", subtype="FILE_PATH"
    )
    character: PointerProperty(
        name="Character",
        description="Armature of the last result; it is exported if no other character is selected",
        type=bpy.types.Object,
        poll=_is_armature,
    )


_CLASSES = (ADAPT_MOTION_PG_scene,)


def register() -> None:
    """Register the group and attach it to scenes."""
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Scene.adapt_motion = PointerProperty(type=ADAPT_MOTION_PG_scene)


def unregister() -> None:
    """Undo `register`."""
    del bpy.types.Scene.adapt_motion
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
