"""A motion capture clip seen through its joint map: where its joints are and how they are turned."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import UsageError
from engine.training.bvh import BvhClip, BvhError
from engine.training.figure import INDEX, JOINTS, Figure, Floats

LIMBS = (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"), ("wrist", "hand"))
"""Joints at both ends of each limb segment, without the side."""
_UNITS_M = (("metres", 1.0), ("inches", 0.0254), ("centimetres", 0.01), ("millimetres", 0.001))
_LEG_M = (0.4, 1.1)
"""Hip to ankle of anyone from a child of six to a giant; at an adult's size only one unit fits."""
_NEEDED = ("pelvis", "hip", "knee", "ankle", "neck", "shoulder", "elbow", "wrist")


@dataclass(frozen=True)
class JointMap:
    """Which joint of a source drives which SMPL joint."""

    rotations: Mapping[str, str | None]
    """SMPL joint name to the source joint whose global rotation drives it; None or absent: follows its parent."""
    positions: Mapping[str, str | None] = field(default_factory=dict)
    """SMPL joint name to the source joint that lies nearest to it, where that is another one."""

    def __post_init__(self) -> None:
        unknown = [name for name in (*self.rotations, *self.positions) if name not in INDEX]
        if unknown:
            raise UsageError(f"The joint map names '{unknown[0]}', which is no SMPL joint.", "See SMPL's 24 names.")
        lacking = [n for n in JOINTS if n.split("_")[-1] in _NEEDED and not self.rotations.get(n)]
        if lacking:
            raise UsageError(f"The joint map has no source joint for {lacking[0]}.", "Limbs, neck and pelvis need one.")


def read_joint_maps(path: Path) -> dict[str, JointMap]:
    """Joint maps of all sources from a `skeletons.json`.

    Raises:
        UsageError: the file is missing or damaged, or a map names unknown joints.
    """
    try:
        sources: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["sources"]
        return {n: JointMap(s["smpl_map"], s.get("smpl_position_map", {})) for n, s in sources.items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path.name} cannot be read as a table of joint maps.", "See the corpus's README.") from error


class SourcePose:
    """Joints of a clip in metres, by SMPL joint name.

    Args:
        clip: the clip, in any unit; the unit follows from the length of its legs.
        joints: its joint map.

    Raises:
        BvhError: the skeleton lacks a joint of the map, or its size fits no unit.
    """

    def __init__(self, clip: BvhClip, joints: JointMap) -> None:
        self.clip, self.joints = clip, joints
        self._columns = {name: i for i, name in enumerate(clip.names)}
        self._check_names()
        rest = np.zeros_like(clip.offsets)
        for j, parent in enumerate(clip.parents):
            if parent >= 0:
                rest[j] = rest[parent] + clip.offsets[j]
        self._rest = rest
        unit_m, self.warnings = self._unit()
        self._rest = rest * unit_m
        positions, self._turned = clip.forward()
        self._positions = positions * unit_m

    def _check_names(self) -> None:
        for smpl, name in (*self.joints.rotations.items(), *self.joints.positions.items()):
            if name is not None and name not in self._columns:
                what = f"the skeleton has no joint '{name}', which drives {smpl}."
                line = self.clip.lines.get(self.clip.names[0], 1)
                raise BvhError(self.clip.path, line, what, "Give the joint map of this skeleton.")

    def _unit(self) -> tuple[float, tuple[str, ...]]:
        leg = self.leg_length()
        for unit, metres in _UNITS_M:
            if _LEG_M[0] <= leg * metres <= _LEG_M[1]:
                warning = f"{self.clip.path.name}: lengths are in {unit}, taken as such."
                return metres, () if unit == "centimetres" else (warning,)
        line = self.clip.lines.get(self._place_name("left_knee") or "", 1)
        what = f"a leg of {leg:.4g} is a person's in no unit of length known here."
        raise BvhError(self.clip.path, line, what, "Scale the clip to centimetres.")

    def _place_name(self, name: str) -> str | None:
        return self.joints.positions.get(name, self.joints.rotations.get(name))

    def _place(self, name: str) -> int:
        return self._columns[self._place_name(name) or ""]

    def has_place(self, name: str) -> bool:
        """Is there a source joint at the place of this SMPL joint?"""
        return self._place_name(name) is not None

    def same_place(self, a: str, b: str) -> bool:
        """Do two SMPL joints share one source joint?"""
        return self._place_name(a) == self._place_name(b)

    def drives(self, name: str) -> bool:
        """Is there a source joint whose rotation drives this SMPL joint?"""
        return self.joints.rotations.get(name) is not None

    def moving(self, name: str) -> Floats:
        """(T, 3) path of the source joint at an SMPL joint's place."""
        return self._positions[:, self._place(name)]

    def rest(self, name: str) -> Floats:
        """(3,) its place at rest, from the root."""
        place: Floats = self._rest[self._place(name)]
        return place

    def turned(self, name: str) -> Floats:
        """(T, 3, 3) global rotation that drives an SMPL joint."""
        return self._turned[:, self._columns[self.joints.rotations[name] or ""]]

    def leg_length(self) -> float:
        """Hip to knee to ankle at rest."""
        hip, knee, ankle = (self.rest(f"left_{n}") for n in ("hip", "knee", "ankle"))
        return float(np.linalg.norm(knee - hip) + np.linalg.norm(ankle - knee))


def scaled_source(source: SourcePose, figure: Figure) -> dict[str, Floats]:
    """The source's joints with the figure's limb lengths, the middle of the hips at the origin.

    Limbs keep the source's directions and take the figure's lengths; the lines that join the hips, the shoulders, and
    the middle of the hips with the middle of the shoulders keep the source's directions and are scaled by the ratio of
    the two skeletons' lengths at rest. Only joints that mean the same in every skeleton are compared: each puts pelvis,
    spine, neck and collar joints at places of its own.

    Returns:
        (T, 3) metres for each joint compared.
    """

    def ours(name: str) -> Floats:
        place: Floats = figure.joints[INDEX[name]]
        return place

    def across(at: Any, joint: str) -> Any:
        return (at(f"left_{joint}") - at(f"right_{joint}")) / 2

    def rise(at: Any) -> Any:
        return (at("left_shoulder") + at("right_shoulder") - at("left_hip") - at("right_hip")) / 2

    def scaled(line: Any) -> Floats:
        ratio = np.linalg.norm(line(ours)) / np.linalg.norm(line(source.rest))
        result: Floats = line(source.moving) * ratio
        return result

    middles = {"hip": np.zeros((1, 3)), "shoulder": scaled(rise)}
    places: dict[str, Floats] = {}
    for joint, middle in middles.items():
        half = scaled(lambda at, joint=joint: across(at, joint))
        places[f"left_{joint}"], places[f"right_{joint}"] = middle + half, middle - half
    for side in ("left", "right"):
        for start, end in ((f"{side}_{a}", f"{side}_{b}") for a, b in (*LIMBS, ("ankle", "foot"))):
            if start in places and source.has_place(end) and not source.same_place(start, end):
                bone = source.moving(end) - source.moving(start)
                bone *= np.linalg.norm(ours(end) - ours(start)) / np.linalg.norm(bone, axis=1, keepdims=True)
                places[end] = places[start] + bone
    return places


def joint_errors(source: SourcePose, figure: Figure, posed: Floats) -> dict[str, float]:
    """Mean distance in metres of each joint of the posed figure (T, 24, 3) to the scaled source's, hips aligned."""
    hips = (posed[:, INDEX["left_hip"]] + posed[:, INDEX["right_hip"]]) / 2
    wanted = scaled_source(source, figure)
    return {n: float(np.linalg.norm(posed[:, INDEX[n]] - hips - p, axis=1).mean()) for n, p in wanted.items()}
