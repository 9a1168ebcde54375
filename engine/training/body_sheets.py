"""Contact sheets of the body itself: what a stick figure hides (arms in the flesh, wrung wrists) shows here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from engine.body.model import BodyModel
from engine.training.figure import Figure, Floats, MotionClip

_LIGHT = np.array([0.3, 0.4, 0.8])  # from the right, from above, from the viewer
_MARGIN_PX = 6
_SUBPIXELS = 3


def draw_body_sheet(
    clips: Sequence[tuple[str, MotionClip, Figure]], body: BodyModel, path: Path, columns: int = 6, height_px: int = 104
) -> None:
    """Write a grey PNG: each motion from the front and from the person's left side, two motions abreast.

    Args:
        clips: title, motion (facing +z at the start) and the figure that it is for.
        body: the body model of the figures.
        path: PNG to write.
        columns: pictures over time.
        height_px: height of one picture.
    """
    blocks = [_block(title, clip, figure, body, columns, height_px) for title, clip, figure in clips]
    if len(blocks) % 2:
        blocks.append(np.full_like(blocks[0], 255))
    rows = [np.concatenate(blocks[i : i + 2], axis=1) for i in range(0, len(blocks), 2)]
    cv2.imwrite(str(path), np.concatenate(rows, axis=0), [cv2.IMWRITE_PNG_COMPRESSION, 9])


def _block(
    title: str, clip: MotionClip, figure: Figure, body: BodyModel, columns: int, height_px: int
) -> NDArray[np.uint8]:
    frames = np.linspace(0, len(clip.pelvis) - 1, columns).round().astype(int)
    with torch.no_grad():
        vertices = body.vertices(
            torch.as_tensor(clip.rotations[frames], dtype=torch.float32),
            torch.as_tensor(figure.betas, dtype=torch.float32),
            torch.as_tensor(clip.pelvis[frames] - figure.joints[0], dtype=torch.float32),
        ).numpy()
    top_m = max(2.0, float(vertices[..., 1].max()) + 0.1)
    lines = [
        np.concatenate([_picture(v, body.faces, right, top_m, height_px) for v in vertices], axis=1)
        for right in (np.array([1.0, 0, 0]), np.array([0, 0, -1.0]))
    ]
    block = np.concatenate(lines, axis=0)
    cv2.putText(block, title, (4, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.38, 0, 1, cv2.LINE_AA)
    return block


def _picture(
    vertices: Floats, faces: NDArray[np.int64], right: Floats, top_m: float, height_px: int
) -> NDArray[np.uint8]:
    """One body, orthographic, far faces first."""
    up = np.array([0.0, 1.0, 0.0])
    axes = np.stack([right, up, np.cross(right, up)])
    seen = vertices @ axes.T
    seen[:, 0] -= (seen[:, 0].min() + seen[:, 0].max()) / 2
    corners = seen[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    shown = np.flatnonzero(normals[:, 2] > 0)
    shown = shown[np.argsort(corners[shown, :, 2].mean(1))]
    picture = np.full((height_px, height_px), 255, np.uint8)
    floor = height_px - _MARGIN_PX
    cv2.line(picture, (0, floor), (height_px, floor), 190, 1)
    scale = (height_px - 2 * _MARGIN_PX) / top_m
    pixels = np.stack([height_px / 2 + corners[..., 0] * scale, floor - corners[..., 1] * scale], -1)
    fixed = np.round(pixels * 2**_SUBPIXELS).astype(np.int32)
    shades = np.clip(normals @ _LIGHT, 0.15, 1) * 190
    for face in shown:
        cv2.fillConvexPoly(picture, fixed[face], float(shades[face]), shift=_SUBPIXELS)
    return picture
