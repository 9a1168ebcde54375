"""Contact sheets: motions drawn as stick figures over time, to be looked at. Left limbs red, right limbs blue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.body.smpl_file import PARENTS
from engine.training.figure import INDEX, JOINTS, Figure, Floats

_LEFT, _RIGHT, _MIDDLE = (40, 60, 220), (220, 110, 30), (70, 70, 70)  # BGR
_SOLE_EDGES = ((0, 1), (2, 3))


@dataclass(frozen=True)
class SheetRow:
    """One motion of a sheet."""

    title: str
    joints: Floats
    """(T, 24, 3) joints, y up, floor at 0."""
    soles: Floats
    """(T, 4, 3) heels and toes."""
    facing: Floats
    """(3,) direction that the person faces at the start; the front view looks against it."""


def row_of(title: str, rotations: Floats, pelvis: Floats, figure: Figure) -> SheetRow:
    """A row from a motion: rotations (T, 24, 3, 3) relative to the parent, pelvis (T, 3)."""
    joints, turned = figure.pose(rotations, pelvis)
    across = joints[0, INDEX["left_hip"]] - joints[0, INDEX["right_hip"]]
    facing = np.cross(across, (0.0, 1.0, 0.0))
    return SheetRow(title, joints, figure.skin_points(joints, turned)[:, figure.soles], facing / np.linalg.norm(facing))


def draw_sheet(rows: Sequence[SheetRow], path: Path, columns: int = 10, height_px: int = 110) -> None:
    """Write a PNG with two lines for each motion: seen from the front, then from the person's left side.

    Args:
        rows: the motions.
        path: PNG to write.
        columns: pictures over time for each motion.
        height_px: height of one picture.
    """
    pictures = []
    for row in rows:
        across = np.cross((0.0, 1.0, 0.0), row.facing)
        # front: the person's left is on the right of the picture; side: from the left, facing left
        for view, right in (("front", across), ("side", -row.facing)):
            pictures.append(_strip(row, f"{row.title} ({view})", right, columns, height_px))
    cv2.imwrite(str(path), np.concatenate(pictures, axis=0))


def _strip(row: SheetRow, title: str, right: Floats, columns: int, height_px: int) -> NDArray[np.uint8]:
    frames = np.linspace(0, len(row.joints) - 1, columns).round().astype(int)
    scale = height_px * 0.8 / max(2.0, float(row.joints[..., 1].max() + 0.2))
    cells = []
    for frame in frames:
        cell = np.full((height_px, height_px, 3), 255, np.uint8)
        centre = row.joints[frame, 0] @ right
        floor = height_px - 8

        def place(
            point: Floats, centre: float = centre, cell: NDArray[np.uint8] = cell, floor: int = floor
        ) -> tuple[int, int]:
            return int(cell.shape[1] / 2 + (point @ right - centre) * scale), int(floor - point[1] * scale)

        cv2.line(cell, (0, floor), (height_px, floor), (200, 200, 200), 1)
        for j in range(1, 24):
            ends = place(row.joints[frame, PARENTS[j]]), place(row.joints[frame, j])
            cv2.line(cell, *ends, _colour(JOINTS[j]), 2, cv2.LINE_AA)
        for (heel, toe), colour in zip(_SOLE_EDGES, (_LEFT, _RIGHT), strict=True):
            cv2.line(cell, place(row.soles[frame, heel]), place(row.soles[frame, toe]), colour, 2, cv2.LINE_AA)
        head, neck = row.joints[frame, INDEX["head"]], row.joints[frame, INDEX["neck"]]
        cv2.circle(cell, place(head + (head - neck)), max(2, int(0.1 * scale)), _MIDDLE, 1, cv2.LINE_AA)
        cells.append(cell)
    strip = np.concatenate(cells, axis=1)
    cv2.putText(strip, title, (4, 11), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (0, 0, 0), 1, cv2.LINE_AA)
    return strip


def _colour(joint: str) -> tuple[int, int, int]:
    if joint.startswith("left"):
        return _LEFT
    return _RIGHT if joint.startswith("right") else _MIDDLE
