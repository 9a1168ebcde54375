"""What the *Retarget* panel asks: the two armatures, the bone map, and how. Part of `Scene.adapt_motion`."""

from __future__ import annotations

import math

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    PointerProperty,
    StringProperty,
)

ROTATIONS = (
    ("RIG", "As the Rig", "Every bone keeps the rotation mode that the rig gives it"),
    ("QUATERNION", "Quaternion", "No gimbal lock; four curves a bone"),
    ("XYZ", "Euler XYZ", "Three curves a bone, which are easier to edit"),
    ("YXZ", "Euler YXZ", "Three curves a bone; the twist of the bone turns first"),
    ("ZXY", "Euler ZXY", "Three curves a bone; often used for arms and the head"),
)

MAP = "adapt_motion_bone_map"
"""Custom property of a retargeted action: JSON of the map's `bones` and `follows`, by which limbs are found again."""


def is_motion_source(armature) -> bool:
    """Whether an armature is a character of ours. Looks at names alone, so that drawing may ask."""
    bones = armature.data.bones if armature is not None and armature.type == "ARMATURE" else ()
    return "left_collar" in bones and "pelvis" in bones and "right_hand" in bones


def _armature(_group, candidate) -> bool:
    return candidate.type == "ARMATURE"


def _source(_group, candidate) -> bool:
    return is_motion_source(candidate)


def _target_changed(settings, _context) -> None:
    settings.map_name = ""
    settings.bones.clear()


class ADAPT_MOTION_PG_bone(bpy.types.PropertyGroup):
    """Which bone a joint drives. `name` is the joint."""

    bone: StringProperty(name="Bone", description="Bone of your rig that this joint drives; empty: none")


class ADAPT_MOTION_PG_retarget(bpy.types.PropertyGroup):
    """Settings of retargeting."""

    source: PointerProperty(
        name="Source",
        description="Character whose motion is taken. Empty: the selected one, or the last result",
        type=bpy.types.Object,
        poll=_source,
    )
    target: PointerProperty(
        name="Target",
        description="Armature of your own character, which takes the motion over",
        type=bpy.types.Object,
        poll=_armature,
        update=_target_changed,
    )
    map_name: StringProperty(name="Map", description="Name of the bone map that the table below came from")
    bones: CollectionProperty(type=ADAPT_MOTION_PG_bone)
    follows: StringProperty(name="Follows", description="Bones that constraints bind to another, as JSON")
    properties: StringProperty(
        name="Properties", description="Custom properties that are keyed with the motion, as JSON"
    )
    plant_feet: BoolProperty(
        name="Keep Feet Planted",
        description="Feet that stand on the ground stay where they are, whatever the proportions of your character",
        default=True,
    )
    most_turn: FloatProperty(
        name="Legs Turn at Most",
        description="How far thighs and shins may point elsewhere than the source's for feet to stand. "
        "Where the source's feet slide or float, more keeps yours in place, less keeps the legs as they are",
        default=math.radians(3),
        min=0.0,
        soft_max=math.radians(20),
        max=math.pi,
        subtype="ANGLE",
    )
    in_world: BoolProperty(
        name="Where the Source Is",
        description="Your character moves where the source moves, as in the footage. Off: from where it stands now",
        default=True,
    )
    rotation: EnumProperty(
        name="Rotation", description="How the rotations of your rig's bones are keyed", items=ROTATIONS, default="RIG"
    )


_CLASSES = (ADAPT_MOTION_PG_bone, ADAPT_MOTION_PG_retarget)
register, unregister = bpy.utils.register_classes_factory(_CLASSES)
