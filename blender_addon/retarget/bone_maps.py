"""Bone maps: which bone of a rig each SMPL joint drives. Files in `presets/retarget/` and the user's own. No `bpy`.

A map file is JSON:

    {"name": "Mixamo", "about": "…",
     "bones": {"pelvis": "Hips", "left_hip": "LeftUpLeg", …},      a joint that is left out drives nothing
     "follows": {"ORG-shoulder.L": "shoulder.L"},                  bones that a constraint binds to another bone
     "properties": {"thigh_parent.L": {"IK_FK": 1.0}},             custom properties that are keyed with the motion
     "marks": ["torso"]}                                           bones by which such a rig is known from similar ones
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ...engine.files.json_file import read_json
from ..character.motion_io import ROOT
from ..errors import UserError

JOINTS = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle", "right_ankle",
    "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head", "left_shoulder",
    "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
)  # fmt: skip
"""Joints that can drive a bone, in SMPL's order; its two hands turn nothing."""

REQUIRED = (
    "pelvis",
    *(
        f"{side}_{joint}"
        for joint in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
        for side in ("left", "right")
    ),
)
"""Joints without which there is no motion to speak of."""

FOLDER = ROOT / "presets" / "retarget"
SUFFIX = ".json"
_KEYS = {"name", "about", "bones", "follows", "properties", "marks"}
_NO_PREFIX = ("DEF-", "ORG-", "MCH-")  # other bones of the same rig
_CHAINS = tuple(
    (f"{side}_{upper}", f"{side}_{lower}")
    for side in ("left", "right")
    for upper, lower in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))
)


@dataclass(frozen=True)
class BoneMap:
    """Attributes: `bones` by joint; `follows`, `properties` and `marks` as in the file; `path` where it came from."""

    name: str
    bones: dict[str, str]
    about: str = ""
    follows: dict[str, str] = field(default_factory=dict)
    properties: dict[str, dict[str, float]] = field(default_factory=dict)
    marks: tuple[str, ...] = ()
    path: Path | None = None

    def missing(self) -> list[str]:
        """Required joints that drive nothing."""
        return [joint for joint in REQUIRED if not self.bones.get(joint)]


def read(path: str | Path) -> BoneMap:
    """Read and check a map file. Raises UserError that says what is wrong with it."""
    path = Path(path)
    try:
        found = read_json(path)
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} cannot be read as a bone map: {error}.", "Choose another map, or save it again."
        ) from error
    reason = _fault(found)
    if reason:
        raise UserError(f"{path} is no valid bone map: {reason}.", "Correct the file, or save the map again.")
    parts = {key: found.get(key, {}) for key in ("bones", "follows", "properties")}
    return BoneMap(found["name"], about=found.get("about", ""), marks=tuple(found.get("marks", ())), path=path, **parts)


def write(bone_map: BoneMap, folder: Path) -> Path:
    """Save a map in `folder` under its name. Raises UserError if it is not valid or cannot be written."""
    content = {"name": bone_map.name.strip(), "about": bone_map.about, "bones": dict(bone_map.bones)}
    content |= {"follows": bone_map.follows} if bone_map.follows else {}
    content |= {"properties": bone_map.properties} if bone_map.properties else {}
    content |= {"marks": list(bone_map.marks)} if bone_map.marks else {}
    reason = _fault(content)
    if reason:
        raise UserError(f"The bone map cannot be saved: {reason}.", "Complete the map first.")
    file_name = re.sub(r"[^\w-]+", "_", content["name"].casefold()).strip("_") or "map"
    path = folder / f"{file_name}{SUFFIX}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise UserError(f"{path} could not be written: {error}.", "Check the folder and the free space.") from error
    return path


def read_all(*folders: Path) -> tuple[list[BoneMap], list[str]]:
    """The maps of some folders, by name, and a sentence for each file that is damaged. Later folders win."""
    maps: dict[str, BoneMap] = {}
    troubles = []
    for path in (path for folder in folders for path in sorted(folder.glob(f"*{SUFFIX}"))):
        try:
            found = read(path)
            maps[found.name] = found
        except UserError as error:  # noqa: PERF203
            troubles.append(str(error))
    return sorted(maps.values(), key=lambda one: one.name), troubles


def fitted(bone_map: BoneMap, names: Iterable[str]) -> tuple[BoneMap, int]:
    """A map with only the bones that a rig has, and how many they are.

    A prefix that all of the rig's bones have, such as `mixamorig:`, is found and put before the map's names.
    """
    there = set(names)
    wanted = [name for name in bone_map.bones.values() if name]
    ends = [name[: -len(first)] for first in wanted[:3] for name in there if name.endswith(first)]
    ends = sorted(set(ends) - {""} - set(_NO_PREFIX))
    prefix = max(["", *ends], key=lambda one: sum(one + name in there for name in wanted))
    bones = {joint: prefix + name for joint, name in bone_map.bones.items() if prefix + name in there}
    follows = {prefix + one: prefix + other for one, other in bone_map.follows.items()}
    follows = {one: other for one, other in follows.items() if one in there and other in there}
    properties = {prefix + name: values for name, values in bone_map.properties.items() if prefix + name in there}
    marks = tuple(prefix + name for name in bone_map.marks)
    fit = BoneMap(bone_map.name, bones, bone_map.about, follows, properties, marks, bone_map.path)
    return fit, len(bones)


def best(maps: Iterable[BoneMap], names: Iterable[str]) -> BoneMap | None:
    """The map that fits a rig, fitted to it: no required bone and no mark missing, and most bones there; or None."""
    there = set(names)
    fits = [fitted(one, there) for one in maps]
    whole = [(one, count) for one, count in fits if not one.missing() and there.issuperset(one.marks)]
    return max(whole, key=lambda pair: (len(pair[0].marks), pair[1]))[0] if whole else None


def faults(bone_map: BoneMap, parents: dict[str, str | None]) -> list[str]:
    """What is wrong with a map for a rig whose bones have these `parents`: plain sentences, none if all is well."""
    found = [f"There is no bone for {joint.replace('_', ' ')}." for joint in bone_map.missing()]
    found += [f"The rig has no bone {bone}." for bone in bone_map.bones.values() if bone and bone not in parents]
    users: dict[str, str] = {}
    for joint, bone in bone_map.bones.items():
        if bone and bone in users:
            found.append(f"{bone} is there twice: {users[bone].replace('_', ' ')} and {joint.replace('_', ' ')}.")
        users[bone] = joint
    for upper, lower in _CHAINS:
        above, below = bone_map.bones.get(upper), bone_map.bones.get(lower)
        if above in parents and below in parents and above not in _line(below, parents, bone_map.follows):
            found.append(f"{below} does not hang from {above}.")
    return found


def _line(bone: str, parents: dict[str, str | None], follows: dict[str, str]) -> list[str]:
    """The bones above a bone."""
    above: list[str] = []
    current: str | None = bone
    while current is not None and len(above) <= len(parents):
        current = follows.get(current) or parents.get(current)
        if current is not None:
            above.append(current)
    return above


def _fault(content: object) -> str:
    """What is wrong with the content of a map file; '' if nothing."""
    if not isinstance(content, dict) or not isinstance(content.get("bones"), dict):
        return "it has no bones"
    unknown = set(content) - _KEYS
    if unknown:
        return f"nobody knows its entry {min(unknown)}"
    if not isinstance(content.get("name"), str) or not content["name"].strip():
        return "it has no name"
    for joint, bone in content["bones"].items():
        if joint not in JOINTS:
            return f"there is no joint {joint}"
        if not isinstance(bone, str) or not bone:
            return f"the bone of {joint} is no name"
    doubles = [bone for bone in content["bones"].values() if list(content["bones"].values()).count(bone) > 1]
    if doubles:
        return f"{doubles[0]} is there twice"
    missing = [joint for joint in REQUIRED if joint not in content["bones"]]
    return f"it has no bone for {missing[0]}" if missing else _fault_of_extras(content)


def _fault_of_extras(content: dict) -> str:
    follows, properties = content.get("follows", {}), content.get("properties", {})
    if not isinstance(follows, dict) or not all(isinstance(one, str) for one in follows.values()):
        return "follows is no table of names"
    if not isinstance(properties, dict) or not all(isinstance(one, dict) for one in properties.values()):
        return "properties is no table of tables"
    if not all(isinstance(value, int | float) for values in properties.values() for value in values.values()):
        return "a property is no number"
    marks = content.get("marks", [])
    if not isinstance(marks, list) or not all(isinstance(mark, str) for mark in marks):
        return "marks is no list of names"
    return "" if isinstance(content.get("about", ""), str) else "about is no text"
