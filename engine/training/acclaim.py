"""Reader of Acclaim motion capture: a skeleton (.asf) and its motion (.amc), as the CMU database holds them.

Written after the public description of the format (J. Lander, Working with motion capture file formats, Game Developer
1998; M. Schafer, ASF skeleton file format, University of Wisconsin). A bone lies along `direction` with its `length`;
its rotation is given in the frame of `axis`; the degrees of freedom that a bone lacks are 0. Lengths are in units of
`length` of the file: CMU writes 0.45, and 1 / 0.45 inch is then the unit.

What comes out is a `BvhClip`, and joints are named after the bone that starts there. Rest poses of Acclaim files have
slanted legs and elbows of any twist: limbs are brought to the T-pose that the other clips have, legs straight down,
arms along x, knees that bend about +x and elbows about -y (left) and +y (right), without moving any joint.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from engine.errors import UsageError
from engine.training.bvh import BvhClip, BvhError, resample
from engine.training.figure import Floats, turn_between

CMU_FPS = 120.0
_CENTIMETRES_IN_INCH = 2.54
_AXES = {"rx": "x", "ry": "y", "rz": "z"}
_TRANSLATIONS = {"tx": 0, "ty": 1, "tz": 2}
_ROOT = "root"
_LEG, _ARM = ("femur", "tibia", "foot", "toes"), ("humerus", "radius", "wrist", "hand", "fingers", "thumb")
_SECTIONS = (":units", ":root", ":bonedata", ":hierarchy")


class AcclaimError(BvhError):
    """An ASF or AMC file that cannot be used; the sentence names the file and the line."""

    code = "acclaim"


@dataclass
class Bone:
    """One bone of a skeleton. The root has length 0."""

    name: str
    line: int
    direction: Floats = field(default_factory=lambda: np.zeros(3))
    length: float = 0.0
    axis: Floats = field(default_factory=lambda: np.eye(3))
    """(3, 3) frame in which the rotation is given."""
    dof: tuple[str, ...] = ()
    """Channels in the order of the file, `rx` before others or after."""
    parent: str | None = None


@dataclass(frozen=True)
class Skeleton:
    """A skeleton file, bones in an order with parents first."""

    path: Path
    bones: tuple[Bone, ...]
    centimetres: float
    """What a unit of length of both files is."""
    root_position: Floats
    degrees: bool


class _Reader:
    """Lines of a file without comments, with their numbers."""

    def __init__(self, path: Path) -> None:
        try:
            text = path.read_text(encoding="utf-8-sig", errors="strict")
        except (OSError, UnicodeDecodeError) as error:
            raise AcclaimError(path, 1, "the file cannot be read as text.") from error
        self.path = path
        words = ((n, line.split("#")[0].split()) for n, line in enumerate(text.splitlines(), 1))
        self.lines = [(n, tokens) for n, tokens in words if tokens]

    def fail(self, line: int, what: str) -> AcclaimError:
        return AcclaimError(self.path, line, what)

    def numbers(self, line: int, tokens: list[str], count: int) -> list[float]:
        """`count` finite numbers. Raises AcclaimError at the line."""
        try:
            values = [float(token) for token in tokens]
        except ValueError:
            values = []
        if len(values) != count or not all(map(math.isfinite, values)):
            raise self.fail(line, f"{count} finite numbers should stand here, found '{' '.join(tokens[:4])}'.")
        return values


def read_asf(path: Path) -> Skeleton:
    """Read a skeleton.

    Raises:
        AcclaimError: the file is damaged; the sentence names file and line.
    """
    reader = _Reader(path)
    sections = _sections(reader)
    centimetres, degrees = _units(reader, sections[":units"])
    root, position = _root(reader, sections[":root"], degrees)
    bones = {_ROOT: root}
    for bone in _bones(reader, sections[":bonedata"], degrees):
        if bone.name in bones:
            raise reader.fail(bone.line, f"the bone '{bone.name}' is there twice.")
        bones[bone.name] = bone
    order = _hierarchy(reader, sections[":hierarchy"], bones)
    return Skeleton(path, tuple(bones[name] for name in order), centimetres, position * centimetres, degrees)


_Lines = list[tuple[int, list[str]]]


def _sections(reader: _Reader) -> dict[str, _Lines]:
    found: dict[str, _Lines] = {}
    name = ""
    for line, tokens in reader.lines:
        if tokens[0].startswith(":"):
            name = tokens[0].lower()
            found[name] = [(line, tokens[1:])] if tokens[1:] else []
        elif name:
            found[name].append((line, tokens))
    for wanted in _SECTIONS:
        if not found.get(wanted):
            last = reader.lines[-1][0] if reader.lines else 1
            raise reader.fail(last, f"the file ends without a section '{wanted}'.")
    return found


def _units(reader: _Reader, lines: _Lines) -> tuple[float, bool]:
    """Centimetres in a unit of length, and whether angles are in degrees."""
    scale, degrees = 1.0, True
    for line, tokens in lines:
        if tokens[0] == "length":
            (scale,) = reader.numbers(line, tokens[1:], 1)
            if scale <= 0:
                raise reader.fail(line, "the unit of length has to be over 0.")
        elif tokens[0] == "angle":
            degrees = tokens[1:2] != ["rad"]
    return _CENTIMETRES_IN_INCH / scale, degrees


def _root(reader: _Reader, lines: _Lines, degrees: bool) -> tuple[Bone, Floats]:
    bone, position, order, turn = Bone(_ROOT, lines[0][0]), np.zeros(3), "xyz", [0.0, 0.0, 0.0]
    for line, tokens in lines:
        word = tokens[0].lower()
        if word == "order":
            bone.dof = tuple(token.lower() for token in tokens[1:])
        elif word == "axis":
            order = tokens[1].lower() if len(tokens) > 1 else ""
            if sorted(order) != ["x", "y", "z"]:
                raise reader.fail(line, f"'{order}' is no order of axes.")
        elif word == "position":
            position = np.array(reader.numbers(line, tokens[1:], 3))
        elif word == "orientation":
            turn = reader.numbers(line, tokens[1:], 3)
    if sorted(bone.dof) != sorted([*_AXES, *_TRANSLATIONS]):
        raise reader.fail(bone.line, "the root's order has to name tx, ty, tz, rx, ry and rz once each.")
    bone.axis = Rotation.from_euler(order, turn, degrees=degrees).as_matrix()
    return bone, position


def _bones(reader: _Reader, lines: _Lines, degrees: bool) -> list[Bone]:
    bones: list[Bone] = []
    inside = False
    for line, tokens in lines:
        word = tokens[0].lower()
        if word == "begin":
            bones.append(Bone("", line))
            inside = True
        elif word == "end":
            if not inside or not bones[-1].name:
                raise reader.fail(line, "a bone ends that has no name.")
            inside = False
        elif inside:
            _bone_line(reader, line, tokens, bones[-1], degrees)
    if inside:
        raise reader.fail(bones[-1].line, f"the bone '{bones[-1].name}' has no end.")
    return bones


def _bone_line(reader: _Reader, line: int, tokens: list[str], bone: Bone, degrees: bool) -> None:
    word = tokens[0].lower()
    if word == "name":
        bone.name = tokens[1] if len(tokens) > 1 else ""
    elif word == "direction":
        bone.direction = np.array(reader.numbers(line, tokens[1:], 3))
        bone.direction /= max(float(np.linalg.norm(bone.direction)), 1e-9)
    elif word == "length":
        (bone.length,) = reader.numbers(line, tokens[1:], 1)
    elif word == "axis":
        order = tokens[4].lower() if len(tokens) == 5 else ""
        if sorted(order) != ["x", "y", "z"]:
            raise reader.fail(line, "an axis is three angles and an order such as XYZ.")
        bone.axis = Rotation.from_euler(order, reader.numbers(line, tokens[1:4], 3), degrees=degrees).as_matrix()
    elif word == "dof":
        bone.dof = tuple(token.lower() for token in tokens[1:])
        unknown = [name for name in bone.dof if name not in _AXES]
        if unknown or len(set(bone.dof)) < len(bone.dof):
            raise reader.fail(line, f"the degrees of freedom of '{bone.name}' are wrong: '{' '.join(tokens[1:])}'.")


def _hierarchy(reader: _Reader, lines: _Lines, bones: dict[str, Bone]) -> list[str]:
    """Names with parents before children; sets the parents."""
    order = [_ROOT]
    for line, tokens in lines:
        if tokens[0].lower() in ("begin", "end"):
            continue
        parent, children = tokens[0], tokens[1:]
        if parent not in order:
            raise reader.fail(line, f"'{parent}' has children here but hangs on nothing itself.")
        for child in children:
            if child not in bones:
                raise reader.fail(line, f"there is no bone '{child}'.")
            if child in order:
                raise reader.fail(line, f"the bone '{child}' hangs on two others.")
            bones[child].parent = parent
            order.append(child)
    loose = [name for name in bones if name not in order]
    if loose:
        raise reader.fail(bones[loose[0]].line, f"the bone '{loose[0]}' hangs on nothing.")
    return order


def read_amc(path: Path, skeleton: Skeleton, source_fps: float = CMU_FPS, fps: float | None = 30.0) -> BvhClip:
    """Read a motion of a skeleton.

    Args:
        path: the file.
        skeleton: of `read_asf`.
        source_fps: rate of the file, which does not tell it.
        fps: frames per second wanted; None leaves the file's.

    Returns:
        The clip in centimetres.

    Raises:
        AcclaimError: the file is damaged or of another skeleton; the sentence names file and line.
    """
    reader = _Reader(path)
    values = _frames(reader, skeleton)
    count, degrees = len(values[_ROOT]), skeleton.degrees or _says_degrees(reader)
    names = [bone.name for bone in skeleton.bones]
    fixes, offsets = _rest_fixes(skeleton)
    rotations = np.tile(np.eye(3), (count, len(names), 1, 1))
    roots = np.tile(skeleton.root_position, (count, 1))
    for j, bone in enumerate(skeleton.bones):
        turned = _turns(bone, values.get(bone.name), count, degrees)
        parent = names.index(bone.parent) if bone.parent else 0
        before = fixes[parent].T if bone.parent else np.eye(3)
        rotations[:, j] = before @ turned @ fixes[j]
        if bone.name == _ROOT:
            moved = [bone.dof.index(axis) for axis in _TRANSLATIONS]
            roots = roots + values[_ROOT][:, moved] * skeleton.centimetres
    clip = BvhClip(
        path,
        tuple(names),
        tuple(names.index(bone.parent) if bone.parent else -1 for bone in skeleton.bones),
        offsets,
        roots,
        rotations,
        source_fps,
        {bone.name: bone.line for bone in skeleton.bones},
    )
    return clip if fps is None else resample(clip, fps)


def _says_degrees(reader: _Reader) -> bool:
    return any(tokens[0].lower() == ":degrees" for _, tokens in reader.lines)


def _frames(reader: _Reader, skeleton: Skeleton) -> dict[str, Floats]:
    """(T, D) numbers of each bone that the file moves. A bone is there in every frame or in none."""
    widths = {bone.name: len(bone.dof) for bone in skeleton.bones}
    frames: list[dict[str, list[float]]] = []
    lines: list[int] = []
    for line, tokens in reader.lines:
        if tokens[0].startswith(":"):
            continue
        if len(tokens) == 1 and tokens[0].isdigit():
            frames.append({})
            lines.append(line)
        elif not frames:
            raise reader.fail(line, f"a frame number should stand here, found '{' '.join(tokens[:4])}'.")
        elif tokens[0] not in widths:
            raise reader.fail(line, f"the skeleton {skeleton.path.name} has no bone '{tokens[0]}'.")
        elif tokens[0] in frames[-1]:
            raise reader.fail(line, f"the bone '{tokens[0]}' is there twice in one frame.")
        else:
            frames[-1][tokens[0]] = reader.numbers(line, tokens[1:], widths[tokens[0]])
    if not frames:
        raise reader.fail(1, "the file has no frames.")
    moved = {name for frame in frames for name in frame} | {_ROOT}
    for line, frame in zip(lines, frames, strict=True):
        lacking = sorted(moved - frame.keys())
        if lacking:
            raise reader.fail(line, f"the frame has no line for the bone '{lacking[0]}'.")
    return {name: np.array([frame[name] for frame in frames]) for name in moved}


def _turns(bone: Bone, values: Floats | None, count: int, degrees: bool) -> Floats:
    """(T, 3, 3) rotation of a bone relative to its parent, in the frame of the world at rest."""
    turned: Floats = np.tile(np.eye(3), (count, 1, 1))
    axes = [name for name in bone.dof if name in _AXES]
    if values is not None and axes:
        columns = [bone.dof.index(name) for name in axes]
        # the axis named first turns first, about axes that stay: lower case for scipy
        order = "".join(_AXES[name] for name in axes)
        turned = Rotation.from_euler(order, values[:, columns], degrees=degrees).as_matrix().reshape(-1, 3, 3)
    moved: Floats = bone.axis @ turned @ bone.axis.T
    return moved


def _rest_fixes(skeleton: Skeleton) -> tuple[Floats, Floats]:
    """(J, 3, 3) turns from the T-pose to the rest pose of each joint's frame, and (J, 3) offsets in the T-pose."""
    bones = {bone.name: bone for bone in skeleton.bones}
    names = list(bones)
    fixes, offsets = np.tile(np.eye(3), (len(names), 1, 1)), np.zeros((len(names), 3))
    for j, bone in enumerate(skeleton.bones):
        fixes[j] = _fix(bone, bones, fixes, names)
        if bone.parent:
            parent = bones[bone.parent]
            offset = parent.direction * parent.length * skeleton.centimetres
            offsets[j] = fixes[names.index(bone.parent)].T @ offset
    return fixes, offsets


def _fix(bone: Bone, bones: dict[str, Bone], fixes: Floats, names: list[str]) -> Floats:
    side, part = bone.name[:1], bone.name[1:]
    sign = 1.0 if side == "l" else -1.0
    inherited: Floats = fixes[names.index(bone.parent)] if bone.parent else np.eye(3)
    if side not in ("l", "r") or part not in (*_LEG, *_ARM):
        return np.eye(3)
    if part in ("femur", "tibia"):
        return _aligned(bone, bones.get(f"{side}tibia"), np.array([0.0, -1, 0]), np.array([1.0, 0, 0]))
    if part in ("humerus", "radius"):
        return _aligned(bone, bones.get(f"{side}radius"), np.array([sign, 0.0, 0]), np.array([0.0, -sign, 0]))
    return inherited


def _aligned(bone: Bone, bending: Bone | None, along: Floats, hinge: Floats) -> Floats:
    """The turn that takes a bone of the T-pose to its place at rest, the hinge of its limb with it."""
    turn: Floats = turn_between(along, bone.direction)
    if bending is None or len([name for name in bending.dof if name in _AXES]) != 1:
        return turn
    axis = bending.axis[:, "xyz".index(bending.dof[0][1])]
    wanted = axis - (axis @ bone.direction) * bone.direction
    now = turn @ hinge
    if np.linalg.norm(wanted) < 0.3:
        return turn
    wanted = wanted if wanted @ now > 0 else -wanted
    twist: Floats = turn_between(now, wanted / np.linalg.norm(wanted))
    return twist @ turn


def skeleton_of(path: Path) -> Path:
    """The skeleton of a CMU motion file: `16.asf` for `16_15.amc`, or one of the same name.

    Raises:
        UsageError: there is none beside it.
    """
    stem = path.stem
    for name in (stem, stem.rsplit("_", 1)[0]):
        if path.with_name(f"{name}.asf").is_file():
            return path.with_name(f"{name}.asf")
    raise UsageError(f"{path.name}: there is no skeleton {stem.rsplit('_', 1)[0]}.asf beside it.", "Put it there.")
