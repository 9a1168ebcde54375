"""Rigs as other programs make them, built bone by bone: names, rest poses, bone axes, proportions and object scales."""

from __future__ import annotations

from dataclasses import dataclass, field

import bpy
import numpy as np
from mathutils import Matrix, Vector

SIDES = {"left": ("Left", "L", "l"), "right": ("Right", "R", "r")}

UP, AHEAD = np.array([0.0, 0, 1]), np.array([0.0, 1, 0])  # faces along -AHEAD

MIDDLE = {  # joint: (parent, place), metres, z up, facing -y
    "pelvis": ("", (0, 0.01, 0.98)),
    "spine1": ("pelvis", (0, 0.0, 1.08)),
    "spine2": ("spine1", (0, 0.0, 1.22)),
    "spine3": ("spine2", (0, 0.02, 1.36)),
    "neck": ("spine3", (0, 0.03, 1.54)),
    "head": ("neck", (0, 0.01, 1.63)),
}
SIDE = {
    "hip": ("pelvis", (0.1, 0.01, 0.94)),
    "knee": ("hip", (0.11, -0.01, 0.52)),
    "ankle": ("knee", (0.1, 0.03, 0.09)),
    "foot": ("ankle", (0.11, -0.11, 0.02)),
    "collar": ("spine3", (0.03, 0.0, 1.48)),
    "shoulder": ("collar", (0.18, 0.03, 1.48)),
    "elbow": ("shoulder", (0.46, 0.04, 1.48)),
    "wrist": ("elbow", (0.71, 0.03, 1.48)),
    "hand": ("wrist", (0.8, 0.02, 1.47)),
}


@dataclass(frozen=True)
class Convention:
    """How a program names and lays its bones.

    Attributes:
        middle, side: names by joint; {W}, {U}, {l} and {w} stand for Left, L, l and left.
        expected: name of the preset that fits.
        prefix: before every name.
        arms_down: degrees by which the arms hang at rest; 0 is a T-pose.
        legs: lengths of thigh and shin as shares of the model's.
        rolled: whether bones have axes of their own that do not lie along the limb.
        centimetres: whether the object is scaled by 0.01 and lies on its back, as FBX files come in.
        root: a bone on the ground above the hips; '' for none.
        between: bones that stand between two joints: (name, upper joint, lower joint).
        fingers: pattern of the first bones of the fingers.
    """

    expected: str
    middle: dict[str, str]
    side: dict[str, str]
    prefix: str = ""
    arms_down: float = 0.0
    legs: tuple[float, float] = (1.0, 1.0)
    rolled: bool = False
    centimetres: bool = False
    root: str = ""
    between: tuple[tuple[str, str, str], ...] = ()
    fingers: str = ""
    twist: tuple[str, ...] = field(default=())

    def bones(self) -> dict[str, str]:
        """Name of the bone by SMPL joint."""
        found = {joint: self.prefix + name for joint, name in self.middle.items()}
        for side, (word, upper, lower) in SIDES.items():
            for joint, pattern in self.side.items():
                found[f"{side}_{joint}"] = self.prefix + pattern.format(W=word, U=upper, l=lower, w=side)
        return found


def _side(hip, knee, ankle, foot, collar, shoulder, elbow, wrist) -> dict[str, str]:
    return dict(zip(("hip", "knee", "ankle", "foot", "collar", "shoulder", "elbow", "wrist"),
                    (hip, knee, ankle, foot, collar, shoulder, elbow, wrist), strict=True))  # fmt: skip


def _middle(*names: str) -> dict[str, str]:
    return {joint: name for joint, name in zip(MIDDLE, names, strict=True) if name}


_UNREAL_SIDE = _side(
    "thigh_{l}", "calf_{l}", "foot_{l}", "ball_{l}", "clavicle_{l}", "upperarm_{l}", "lowerarm_{l}", "hand_{l}"
)

CONVENTIONS = {
    "mixamo": Convention(
        "Mixamo",
        _middle("Hips", "Spine", "Spine1", "Spine2", "Neck", "Head"),
        _side("{W}UpLeg", "{W}Leg", "{W}Foot", "{W}ToeBase", "{W}Shoulder", "{W}Arm", "{W}ForeArm", "{W}Hand"),
        prefix="mixamorig:",
        centimetres=True,
        fingers="{W}HandMiddle1",
    ),
    "unreal_4": Convention(
        "Unreal 4 Mannequin",
        _middle("pelvis", "spine_01", "spine_02", "spine_03", "neck_01", "head"),
        _UNREAL_SIDE,
        arms_down=50,
        rolled=True,
        root="root",
        legs=(1.05, 0.98),
        fingers="middle_01_{l}",
        twist=("upperarm_twist_01_{l}", "calf_twist_01_{l}", "ik_foot_{l}", "ik_hand_{l}"),
    ),
    "unreal_5": Convention(
        "Unreal 5 Mannequin",
        _middle("pelvis", "spine_01", "spine_03", "spine_05", "neck_01", "head"),
        _UNREAL_SIDE,
        arms_down=45,
        rolled=True,
        centimetres=True,
        root="root",
        between=(("spine_02", "spine1", "spine2"), ("spine_04", "spine2", "spine3"), ("neck_02", "neck", "head")),
        fingers="middle_01_{l}",
        twist=("thigh_twist_01_{l}", "lowerarm_twist_01_{l}"),
    ),
    "unity": Convention(
        "Unity Humanoid",
        _middle("Hips", "Spine", "Chest", "UpperChest", "Neck", "Head"),
        _side("{W}UpperLeg", "{W}LowerLeg", "{W}Foot", "{W}Toes", "{W}Shoulder", "{W}UpperArm",
              "{W}LowerArm", "{W}Hand"),
        legs=(0.8, 0.85),
        fingers="{W}MiddleProximal",
    ),
    "vrm": Convention(
        "VRM",
        _middle("J_Bip_C_Hips", "J_Bip_C_Spine", "J_Bip_C_Chest", "J_Bip_C_UpperChest", "J_Bip_C_Neck", "J_Bip_C_Head"),
        _side("J_Bip_{U}_UpperLeg", "J_Bip_{U}_LowerLeg", "J_Bip_{U}_Foot", "J_Bip_{U}_ToeBase", "J_Bip_{U}_Shoulder",
              "J_Bip_{U}_UpperArm", "J_Bip_{U}_LowerArm", "J_Bip_{U}_Hand"),
        legs=(1.1, 1.25),
        root="Root",
        fingers="J_Bip_{U}_Middle1",
    ),
    "makehuman": Convention(
        "MakeHuman",
        _middle("root", "spine05", "spine03", "spine01", "neck01", "head"),
        _side("upperleg01.{U}", "lowerleg01.{U}", "foot.{U}", "toe3-1.{U}", "clavicle.{U}", "upperarm01.{U}",
              "lowerarm01.{U}", "wrist.{U}"),
        arms_down=40,
        between=(("spine04", "spine1", "spine2"), ("spine02", "spine2", "spine3"), ("neck02", "neck", "head"),
                 ("upperleg02.L", "left_hip", "left_knee"), ("upperleg02.R", "right_hip", "right_knee"),
                 ("lowerarm02.L", "left_elbow", "left_wrist"), ("lowerarm02.R", "right_elbow", "right_wrist")),
        fingers="metacarpal2.{U}",
    ),
    "smplx": Convention(
        "SMPL-X",
        _middle("pelvis", "spine1", "spine2", "spine3", "neck", "head"),
        _side("{w}_hip", "{w}_knee", "{w}_ankle", "{w}_foot", "{w}_collar", "{w}_shoulder", "{w}_elbow", "{w}_wrist"),
        rolled=True,
        root="root",
        legs=(0.9, 0.95),
        fingers="{w}_middle1",
    ),
}  # fmt: skip


def build(convention: Convention, scene, name: str = "rig"):
    """The armature object of a convention, in `scene`."""
    places = _places(convention)
    bones = convention.bones()
    rig = bpy.data.objects.new(name, bpy.data.armatures.new(name))
    scene.collection.objects.link(rig)
    unit = Matrix.Rotation(-np.pi / 2, 4, "X") @ Matrix.Scale(100, 4) if convention.centimetres else Matrix.Identity(4)
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    edit = rig.data.edit_bones
    if convention.root:
        _bone(edit, convention.root, unit, (0, 0, 0), (0, 0.2, 0), None)
    for joint, (parent, place) in places.items():
        if joint not in bones:
            continue
        above = bones.get(parent) or convention.root or None
        for number, (between, upper, lower) in enumerate(convention.between):
            if (upper, lower) == (parent, joint):
                middle = (np.array(places[upper][1]) + place) / 2
                _bone(edit, between, unit, middle, place, above, number if convention.rolled else None)
                above = between
        end = _end(joint, places)
        _bone(edit, bones[joint], unit, place, end, above, len(edit) if convention.rolled else None)
    for side, (word, upper, lower) in SIDES.items():
        words = {"W": word, "U": upper, "l": lower, "w": side}
        if convention.fingers:
            place = np.array(places[f"{side}_hand"][1])
            finger, thumb = convention.prefix + convention.fingers.format(**words), f"{convention.prefix}thumb_{lower}"
            _bone(edit, finger, unit, place, place - UP * 0.03, bones[f"{side}_wrist"])
            _bone(edit, thumb, unit, place - AHEAD * 0.05, place - AHEAD * 0.08, bones[f"{side}_wrist"])
        for pattern in convention.twist:
            place = np.array(places[f"{side}_shoulder"][1])
            _bone(edit, pattern.format(**words), unit, place, place + UP * 0.1, bones[f"{side}_shoulder"])
    bpy.ops.object.mode_set(mode="OBJECT")
    if convention.centimetres:
        rig.matrix_world = Matrix.Rotation(np.pi / 2, 4, "X") @ Matrix.Scale(0.01, 4)
    bpy.context.view_layer.update()
    return rig


def _places(convention: Convention) -> dict[str, tuple[str, np.ndarray]]:
    """Parent and rest place of every joint."""
    places = {joint: (parent, np.array(place, dtype=float)) for joint, (parent, place) in MIDDLE.items()}
    thigh, shin = (np.array(SIDE[low][1]) - SIDE[high][1] for low, high in (("knee", "hip"), ("ankle", "knee")))
    longer = (thigh * (convention.legs[0] - 1) + shin * (convention.legs[1] - 1)) * (0, 0, -1)
    for side, sign in (("left", 1), ("right", -1)):
        for joint, (parent, place) in SIDE.items():
            point = np.array(place, dtype=float)
            if joint in ("elbow", "wrist", "hand"):
                point = _down(point, convention.arms_down)
            if joint == "knee":
                point = SIDE["hip"][1] + thigh * convention.legs[0]
            elif joint in ("ankle", "foot"):
                point = point + thigh * (convention.legs[0] - 1) + shin * (convention.legs[1] - 1)
            above = parent if parent in MIDDLE else f"{side}_{parent}"
            places[f"{side}_{joint}"] = (above, point * (sign, 1, 1))
    return {joint: (parent, place + longer) for joint, (parent, place) in places.items()}


def _down(point: np.ndarray, degrees: float) -> np.ndarray:
    shoulder, angle = np.array(SIDE["shoulder"][1]), np.radians(degrees)
    x, y, z = point - shoulder
    return shoulder + np.array([x * np.cos(angle) + z * np.sin(angle), y, z * np.cos(angle) - x * np.sin(angle)])


def _end(joint: str, places: dict) -> np.ndarray:
    children = [place for parent, place in places.values() if parent == joint]
    place = places[joint][1]
    if joint in ("pelvis", "spine3"):
        return place + UP * 0.1
    if not children:
        return place - AHEAD * 0.06 if joint.endswith("foot") else place + UP * 0.12
    return children[0]


def _bone(edit, name: str, unit: Matrix, head, tail, parent: str | None, rolled: int | None = None) -> None:
    """A bone; `rolled` seeds axes that have nothing to do with the limb."""
    bone = edit.new(name)
    bone.head, bone.tail = unit @ Vector(head), unit @ Vector(tail)
    if rolled is not None:
        noise = np.random.default_rng(rolled).normal(size=3)
        bone.tail = bone.head + Vector(noise / np.linalg.norm(noise)) * max(bone.length, 0.02)
        bone.roll = rolled
    if parent:
        bone.parent = edit[parent]
