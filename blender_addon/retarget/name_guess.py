"""A bone map from the names of a rig's bones, where no map file fits. No `bpy` in here."""

from __future__ import annotations

import re

from .bone_maps import BoneMap

_SIDES = {"l": "left", "left": "left", "r": "right", "right": "right"}
_NO_LIMB = {
    "twist", "roll", "ik", "pole", "target", "helper", "socket", "end", "tip", "nub", "thumb", "index", "middle",
    "ring", "pinky", "little", "finger", "fingers", "metacarpal", "eye", "jaw", "teeth", "tongue", "breast", "hair",
    "skirt", "tweak", "mch", "vis", "corrective", "weapon", "prop", "share", "dummy", "heel", "adjust",
}  # fmt: skip
_NOISE = {"def", "org", "fk", "ctrl", "control", "jnt", "joint", "bone", "bend", "skin", "base", "rig"}
_WORDS = {
    "thigh": ("thigh", "upleg", "upperleg", "legupper", "femur"),
    "shin": ("shin", "calf", "lowerleg", "lowleg", "leglower", "knee", "tibia"),
    "foot": ("foot", "ankle"),
    "toe": ("toes", "toebase", "toe", "ball"),
    "clavicle": ("clavicle", "collar", "collarbone"),
    "upper_arm": ("upperarm", "uparm", "armupper", "humerus", "shldr"),
    "forearm": ("forearm", "lowerarm", "lowarm", "armlower", "elbow"),
    "hand": ("hand", "wrist"),
    "neck": ("neck",),
    "head": ("head",),
    "pelvis": ("hips", "pelvis", "hip"),
    "spine": ("spine", "chest", "upperchest", "torso", "abdomen", "waist", "ribs", "ribcage", "thorax"),
}
_JOINT = {
    "thigh": "hip",
    "shin": "knee",
    "foot": "ankle",
    "toe": "foot",
    "clavicle": "collar",
    "upper_arm": "shoulder",
    "forearm": "elbow",
    "hand": "wrist",
}


def guess(parents: dict[str, str | None]) -> BoneMap:
    """The map that the bones' names suggest; may lack joints.

    Args:
        parents: name of each bone's parent, in any order.
    """
    depth = {name: len(_above(name, parents)) for name in parents}
    found: dict[tuple[str, str], list[str]] = {}
    for name in sorted(parents, key=lambda one: (depth[one], len(one))):  # nearest to the root first
        side, part = _meaning(name)
        if part:
            found.setdefault((side, part), []).append(name)
    _settle_ambiguous(found)
    bones = {}
    for side in ("left", "right"):
        for part, joint in _JOINT.items():
            names = found.get((side, part))
            if names:
                bones[f"{side}_{joint}"] = names[0]
    for part in ("pelvis", "neck", "head"):
        names = found.get(("", part))
        if names:
            bones[part] = names[0]
    if "pelvis" not in bones:  # what carries both legs
        left, right = (_above(bones.get(f"{side}_hip") or "", parents) for side in ("left", "right"))
        shared = [name for name in left if name in right]
        bones |= {"pelvis": shared[0]} if shared else {}
    bones |= _spine(found.get(("", "spine"), []), bones, parents)
    return BoneMap("By bone names", bones)


def words(name: str) -> list[str]:
    """`mixamorig:LeftUpLeg` to left, up, leg; prefixes up to a colon are left out."""
    core = re.split(r"[:|]", name)[-1]
    return [part.lower() for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", core)]


def _meaning(name: str) -> tuple[str, str]:
    """Side ('' for the middle) and part of the body that a name implies; part is '' if none."""
    parts = words(name)
    sides = [_SIDES[part] for part in parts if part in _SIDES]
    rest = [part for part in parts if part not in _SIDES and part not in _NOISE]
    if not rest or _NO_LIMB.intersection(rest):
        return "", ""
    side = sides[0] if sides else ""
    joined = "".join(rest)
    for part, choices in _WORDS.items():
        if any(joined.endswith(choice) for choice in choices):
            middle = part in ("neck", "head", "pelvis", "spine")
            if bool(side) != middle:
                return side, part
            if part == "pelvis":  # `left_hip` is a thigh
                return side, "hip"
    if side and rest[-1] in ("shoulder", "arm", "leg"):
        return side, rest[-1]
    return "", ""


def _settle_ambiguous(found: dict[tuple[str, str], list[str]]) -> None:
    """Names that mean one thing in one rig and another in the next: by what else there is."""
    for side in ("left", "right"):
        for ambiguous, upper, lower in (("leg", "thigh", "shin"), ("arm", "upper_arm", "forearm")):
            names = found.get((side, ambiguous), [])
            if names:  # Mixamo: UpLeg and Leg, but Arm and ForeArm
                free = lower if (side, upper) in found else upper
                found.setdefault((side, free), names)
        if (side, "hip") in found:
            found.setdefault((side, "thigh"), found[side, "hip"])
        if (side, "shoulder") in found:
            free = "clavicle" if (side, "upper_arm") in found else "upper_arm"
            found.setdefault((side, free), found[side, "shoulder"])


def _spine(names: list[str], bones: dict[str, str], parents: dict[str, str | None]) -> dict[str, str]:
    """First, middle and last of the bones between pelvis and arms."""
    above = _above(bones.get("left_collar") or bones.get("left_shoulder") or "", parents)[::-1]
    line = [name for name in above if name in names] or names
    line = [name for name in line if name != bones.get("pelvis")]
    if len(line) < 3:
        return dict(zip(("spine1", "spine3")[2 - len(line) :], line, strict=True))
    return {"spine1": line[0], "spine2": line[len(line) // 2], "spine3": line[-1]}


def _above(name: str, parents: dict[str, str | None]) -> list[str]:
    above: list[str] = []
    current = parents.get(name)
    while current is not None and len(above) <= len(parents):
        above.append(current)
        current = parents.get(current)
    return above
