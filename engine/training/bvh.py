"""Reader of BVH motion capture files, strict: what it cannot read for certain it refuses, naming file and line."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp

from engine.errors import UsageError

Floats = NDArray[np.float64]

_POSITIONS = {"Xposition": 0, "Yposition": 1, "Zposition": 2}
_ROTATIONS = {"Xrotation": "X", "Yrotation": "Y", "Zrotation": "Z"}
_SLOWEST_FPS, _FASTEST_FPS = 5.0, 1000.0
_REST_POSE_DEGREES = 2.0
_REST_POSE_JUMP_DEGREES = 15.0


class BvhError(UsageError):
    """A BVH file that cannot be used; the sentence names the file and the line."""

    code = "bvh"

    def __init__(self, path: Path, line: int, what: str, hint: str = "Export the clip again, or leave it out.") -> None:
        super().__init__(f"{path.name}, line {line}: {what}", hint)
        self.path = path
        self.line = line


@dataclass(frozen=True)
class BvhClip:
    """One BVH file. Lengths are in the file's own unit, rotations are 3x3 matrices that act on column vectors."""

    path: Path
    names: tuple[str, ...]
    """Joint names, parents before children."""
    parents: tuple[int, ...]
    """Index of each joint's parent; -1 for the root."""
    offsets: Floats
    """(J, 3) rest offset of each joint from its parent."""
    root_positions: Floats
    """(T, 3) position of the root joint."""
    rotations: Floats
    """(T, J, 3, 3) rotation of each joint relative to its parent."""
    fps: float
    """Frames per second."""
    lines: dict[str, int] = field(default_factory=dict)
    """Line of the file on which each joint stands, for messages."""
    warnings: tuple[str, ...] = ()
    """What was repaired on reading, one sentence each."""

    @property
    def frame_count(self) -> int:
        """Number of frames T."""
        return len(self.root_positions)

    def forward(self) -> tuple[Floats, Floats]:
        """Forward kinematics.

        Returns:
            positions (T, J, 3) in the file's unit and global rotations (T, J, 3, 3).
        """
        positions = np.empty((self.frame_count, len(self.names), 3))
        turned = np.empty_like(self.rotations)
        for j, parent in enumerate(self.parents):
            if parent < 0:
                turned[:, j] = self.rotations[:, j]
                positions[:, j] = self.root_positions
            else:
                turned[:, j] = turned[:, parent] @ self.rotations[:, j]
                positions[:, j] = positions[:, parent] + turned[:, parent] @ self.offsets[j]
        return positions, turned


@dataclass
class _Joint:
    name: str
    parent: int
    line: int
    offset: tuple[float, ...] | None = None
    channels: tuple[str, ...] | None = None


class _Lines:
    """The file's lines with their numbers, one after the other, blank ones skipped."""

    def __init__(self, path: Path) -> None:
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise BvhError(path, 1, "the file cannot be read as text.") from error
        self.path = path
        self._lines = [(n, line.split()) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
        self._next = 0
        self.last = self._lines[-1][0] if self._lines else 1

    def take(self, wanted: str) -> tuple[int, list[str]]:
        if self._next >= len(self._lines):
            raise BvhError(self.path, self.last, f"the file ends where {wanted} should stand.")
        self._next += 1
        return self._lines[self._next - 1]

    def expect(self, *words: str) -> tuple[int, list[str]]:
        number, tokens = self.take(" ".join(words))
        if [t.lower() for t in tokens[: len(words)]] != [w.lower() for w in words]:
            raise BvhError(self.path, number, f"'{' '.join(words)}' should stand here, found '{' '.join(tokens[:4])}'.")
        return number, tokens[len(words) :]

    def rest(self) -> list[tuple[int, list[str]]]:
        return self._lines[self._next :]


def read_bvh(path: Path, fps: float | None = 30.0) -> BvhClip:
    """Read a BVH file, drop a rest-pose first frame, and resample.

    Args:
        path: the file.
        fps: frames per second wanted; None leaves the file's own rate.

    Returns:
        The clip, in the file's own unit of length.

    Raises:
        BvhError: the file is damaged or empty; the sentence names file and line.
    """
    lines = _Lines(path)
    lines.expect("HIERARCHY")
    joints = _read_hierarchy(lines)
    clip = _read_motion(lines, joints)
    clip = _without_rest_pose_frame(clip)
    return clip if fps is None else resample(clip, fps)


def _read_hierarchy(lines: _Lines) -> list[_Joint]:
    number, tokens = lines.expect("ROOT")
    joints = [_Joint(_name(lines, number, tokens), -1, number)]
    lines.expect("{")
    open_joints = [0]  # indices of the joints whose braces are open; -1 for an end site
    while open_joints:
        number, tokens = lines.take("a joint or '}'")
        _hierarchy_line(lines, number, tokens, joints, open_joints)
    for joint in joints:
        if joint.offset is None or joint.channels is None:
            missing = "OFFSET" if joint.offset is None else "CHANNELS"
            raise BvhError(lines.path, joint.line, f"joint '{joint.name}' has no {missing}.")
    if len({joint.name for joint in joints}) < len(joints):
        twice = next(j for i, j in enumerate(joints) if j.name in {k.name for k in joints[:i]})
        raise BvhError(lines.path, twice.line, f"the joint name '{twice.name}' is used twice.")
    return joints


def _hierarchy_line(
    lines: _Lines, number: int, tokens: list[str], joints: list[_Joint], open_joints: list[int]
) -> None:
    word, here = tokens[0].lower(), open_joints[-1]
    if word == "}":
        open_joints.pop()
    elif word == "offset":
        values = _numbers(lines.path, number, tokens[1:], 3)
        if here >= 0:  # end sites carry no motion
            joints[here].offset = values
    elif here < 0:
        raise BvhError(lines.path, number, f"'{tokens[0]}' inside an End Site.")
    elif word == "channels":
        joints[here].channels = _channels(lines.path, number, tokens, joints[here])
    elif word == "joint":
        joints.append(_Joint(_name(lines, number, tokens[1:]), here, number))
        open_joints.append(len(joints) - 1)
        lines.expect("{")
    elif word == "end":
        open_joints.append(-1)
        lines.expect("{")
    else:
        raise BvhError(lines.path, number, f"'{tokens[0]}' is no part of a BVH hierarchy.")


def _name(lines: _Lines, number: int, tokens: list[str]) -> str:
    if not tokens:
        raise BvhError(lines.path, number, "the joint has no name.")
    return " ".join(tokens)


def _numbers(path: Path, number: int, tokens: list[str], count: int) -> tuple[float, ...]:
    try:
        values = tuple(float(token) for token in tokens)
    except ValueError as error:
        raise BvhError(path, number, f"'{' '.join(tokens[:4])}' are not all numbers.") from error
    if len(values) != count or not all(map(math.isfinite, values)):
        raise BvhError(path, number, f"{count} finite numbers should stand here, found '{' '.join(tokens[:4])}'.")
    return values


def _channels(path: Path, number: int, tokens: list[str], joint: _Joint) -> tuple[str, ...]:
    names = tuple(tokens[2:])
    unknown = [name for name in names if name not in _POSITIONS and name not in _ROTATIONS]
    if len(tokens) < 2 or tokens[1] != str(len(names)) or unknown or len(set(names)) < len(names):
        raise BvhError(path, number, f"the channels of joint '{joint.name}' are wrong: '{' '.join(tokens[1:])}'.")
    rotations = [name for name in names if name in _ROTATIONS]
    if len(rotations) != 3:
        raise BvhError(path, number, f"joint '{joint.name}' has {len(rotations)} rotation channels instead of 3.")
    if joint.parent < 0 and len(names) != 6:
        raise BvhError(path, number, f"the root '{joint.name}' needs 3 position and 3 rotation channels.")
    return names


def _read_motion(lines: _Lines, joints: list[_Joint]) -> BvhClip:
    path = lines.path
    lines.expect("MOTION")
    count_line, tokens = lines.expect("Frames:")
    (count,) = _numbers(path, count_line, tokens, 1)
    if count < 1 or count != int(count):
        raise BvhError(path, count_line, f"the file has {count:g} frames.", "Leave the clip out.")
    time_line, tokens = lines.expect("Frame", "Time:")
    (frame_time,) = _numbers(path, time_line, tokens, 1)
    if frame_time <= 0 or not _SLOWEST_FPS <= 1 / frame_time <= _FASTEST_FPS:
        raise BvhError(path, time_line, f"a frame time of {frame_time:g} seconds cannot be right.")
    values = _motion_values(path, lines.rest(), int(count), count_line, joints)
    root_positions, rotations = _split_channels(values, joints)
    return BvhClip(
        path=path,
        names=tuple(joint.name for joint in joints),
        parents=tuple(joint.parent for joint in joints),
        offsets=np.array([joint.offset for joint in joints]),
        root_positions=root_positions,
        rotations=rotations,
        fps=_round_rate(1 / frame_time),
        lines={joint.name: joint.line for joint in joints},
    )


def _motion_values(
    path: Path, rows: list[tuple[int, list[str]]], count: int, count_line: int, joints: list[_Joint]
) -> Floats:
    """(T, C) numbers of the motion block."""
    width = sum(len(joint.channels or ()) for joint in joints)
    if len(rows) != count:
        where = rows[-1][0] if rows else count_line
        raise BvhError(path, where, f"{count} frames are announced but {len(rows)} lines of numbers follow.")
    for number, row in rows:
        if len(row) != width:
            raise BvhError(path, number, f"the frame has {len(row)} numbers, the hierarchy has {width} channels.")
    try:
        values = np.array([row for _, row in rows], dtype=np.float64)
    except ValueError:
        for number, row in rows:
            _numbers(path, number, row, width)  # raises at the bad line
        raise
    bad = np.flatnonzero(~np.isfinite(values).all(1))
    if len(bad):
        raise BvhError(path, rows[bad[0]][0], "the frame holds a value that is not a finite number (NaN or infinity).")
    return values


def _split_channels(values: Floats, joints: list[_Joint]) -> tuple[Floats, Floats]:
    """Root positions and rotation matrices from the numbers of each frame."""
    rotations = np.empty((len(values), len(joints), 3, 3))
    root_positions = np.zeros((len(values), 3))
    column = 0
    for j, joint in enumerate(joints):
        channels = joint.channels or ()
        order = "".join(_ROTATIONS[name] for name in channels if name in _ROTATIONS)
        columns = [column + i for i, name in enumerate(channels) if name in _ROTATIONS]
        # channels are applied in the order they stand: intrinsic turns, upper case for scipy
        rotations[:, j] = Rotation.from_euler(order, values[:, columns], degrees=True).as_matrix()
        if joint.parent < 0:
            for i, name in enumerate(channels):
                if name in _POSITIONS:
                    root_positions[:, _POSITIONS[name]] = values[:, column + i]
            root_positions += np.array(joint.offset)
        column += len(channels)
    return root_positions, rotations


def _round_rate(fps: float) -> float:
    """Frame times are printed with few digits: 0.033333 means 30 frames per second."""
    return float(round(fps)) if abs(fps - round(fps)) < 0.02 else fps


def _without_rest_pose_frame(clip: BvhClip) -> BvhClip:
    """Drop a first frame in which every joint is at rest while the second is not: a T-pose for calibration."""
    if clip.frame_count < 3:
        return clip
    first = Rotation.from_matrix(clip.rotations[0, 1:]).magnitude() if len(clip.names) > 1 else np.zeros(1)
    second = Rotation.from_matrix(clip.rotations[1, 1:]).magnitude() if len(clip.names) > 1 else np.zeros(1)
    if np.degrees(first.max()) > _REST_POSE_DEGREES or np.degrees(second.max()) < _REST_POSE_JUMP_DEGREES:
        return clip
    warning = f"{clip.path.name}: the first frame is the rest pose and was dropped."
    return _replace(clip, clip.root_positions[1:], clip.rotations[1:], clip.fps, warning)


def resample(clip: BvhClip, fps: float) -> BvhClip:
    """The clip at another rate: every n-th frame where the rates divide, otherwise interpolated on the sphere.

    Args:
        clip: any rate.
        fps: frames per second wanted.

    Returns:
        The clip with a warning added if its rate was another.
    """
    if math.isclose(clip.fps, fps, rel_tol=1e-3):
        return clip
    warning = f"{clip.path.name}: {clip.fps:g} frames per second, resampled to {fps:g}."
    ratio = clip.fps / fps
    if ratio > 1 and abs(ratio - round(ratio)) < 1e-3:
        step = round(ratio)
        return _replace(clip, clip.root_positions[::step], clip.rotations[::step], fps, warning)
    if clip.frame_count == 1:
        return _replace(clip, clip.root_positions, clip.rotations, fps, warning)
    source = np.arange(clip.frame_count) / clip.fps
    times = np.arange(int(source[-1] * fps + 1e-6) + 1) / fps
    roots = np.stack([np.interp(times, source, clip.root_positions[:, i]) for i in range(3)], 1)
    turned = [Slerp(source, Rotation.from_matrix(clip.rotations[:, j]))(times) for j in range(len(clip.names))]
    return _replace(clip, roots, np.stack([r.as_matrix() for r in turned], 1), fps, warning)


def _replace(clip: BvhClip, roots: Floats, rotations: Floats, fps: float, warning: str) -> BvhClip:
    return BvhClip(
        clip.path, clip.names, clip.parents, clip.offsets, roots, rotations, fps, clip.lines, (*clip.warnings, warning)
    )
