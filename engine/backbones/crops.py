"""Square pictures of one person, cut as a network's training cut them, and the way back to the full frame's camera.

Pixels of the full frame follow the rest of the engine (the centre of the top left pixel is at (0.5, 0.5)); crop pixels
follow the networks (the centre of the top left pixel is at (0, 0), the optical axis at half the crop's size).

A network's camera is (s, tx, ty): weak perspective in the crop, read as a pinhole camera of 5000 pixels. Two ways lead
to the full frame. `crop_intrinsics` keeps the translation and gives every box a camera of its own: exact. A camera
shared by all frames needs `full_frame_translation`: it keeps the person's place and size, not the perspective within
the body.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Float = NDArray[np.float32]

CROP_FOCAL_PX = 5000.0
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_DEPTH_GUARD = 1e-9  # the networks were trained with it, so it is part of their camera
_BLUR_REACH = 4.0  # standard deviations


@dataclass(frozen=True)
class CropStyle:
    """How a network wants its pictures.

    Attributes:
        size: side of the crop in pixels.
        widest: height over width of the part that the network looks at; boxes are first widened to it.
        blurred: whether a picture that is shrunk is smoothed first.
        whole_greys: whether an unsmoothed picture is sampled to whole grey levels.
    """

    size: int
    widest: float
    blurred: bool
    whole_greys: bool


HMR_CROPS = CropStyle(size=224, widest=1.0, blurred=False, whole_greys=False)
HMR2_CROPS = CropStyle(size=256, widest=256 / 192, blurred=True, whole_greys=True)


def square_boxes(boxes: NDArray[np.floating], style: CropStyle) -> NDArray[np.float64]:
    """The squares that are cut around detection boxes.

    Args:
        boxes: (N, 4) left, top, right, bottom in pixels of the full frame.
        style: the network's.

    Returns:
        (N, 3) left, top and side of squares about the same centres, in pixels of the full frame.
    """
    corners = np.asarray(boxes, np.float64)
    centre = (corners[:, :2] + corners[:, 2:]) / 2
    width, height = (corners[:, 2:] - corners[:, :2]).T
    side = np.maximum(np.maximum(height, width * style.widest), 1.0)
    return np.column_stack((centre - side[:, None] / 2, side))


def cut(rgb: NDArray[np.uint8], square: NDArray[np.floating], style: CropStyle) -> Float:
    """One square of a picture, normalised for the network; black where it reaches beyond the picture.

    Args:
        rgb: (H, W, 3) the upright full frame.
        square: (3,) left, top, side in pixels of the full frame.
        style: the network's.

    Returns:
        (3, size, size) float32.
    """
    left, top, side = (float(value) for value in square)
    scale = style.size / side
    sigma = (side / style.size / 2 - 1) / 2 if style.blurred and side / style.size / 2 > 1.1 else 0.0
    part: NDArray[Any]
    part, (offset_x, offset_y) = _around(rgb, left, top, side, margin=2 + int(_BLUR_REACH * sigma + 0.5))
    if sigma or not style.whole_greys:
        part = part.astype(np.float32)
    if sigma and part.size:
        reach = 2 * int(_BLUR_REACH * sigma + 0.5) + 1
        part = cv2.GaussianBlur(part, (reach, reach), sigma, borderType=cv2.BORDER_REPLICATE)
    # pixel centres of the part are whole numbers for OpenCV, hence the half pixel
    shift = ((offset_x + 0.5 - left) * scale, (offset_y + 0.5 - top) * scale)
    affine = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    if not part.size:
        part = np.zeros((1, 1, 3), part.dtype)
    crop = cv2.warpAffine(
        part, affine, (style.size, style.size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT
    )
    normal = (crop.astype(np.float32) / 255 - np.array(MEAN, np.float32)) / np.array(DEVIATION, np.float32)
    return np.ascontiguousarray(normal.transpose(2, 0, 1), dtype=np.float32)


def _around(
    rgb: NDArray[np.uint8], left: float, top: float, side: float, margin: int
) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """The part of the picture that a square needs, and where it begins; so that not the whole frame is made float."""
    height, width = rgb.shape[:2]
    x0, x1 = (int(np.clip(edge, 0, width)) for edge in (np.floor(left) - margin, np.ceil(left + side) + margin))
    y0, y1 = (int(np.clip(edge, 0, height)) for edge in (np.floor(top) - margin, np.ceil(top + side) + margin))
    return rgb[y0:y1, x0:x1], (x0, y0)


def frame_to_crop(points: Tensor, squares: Tensor, style: CropStyle) -> Tensor:
    """Points (N, ..., 2) of the full frame to crop pixels, one square (N, 3) for each item."""
    square = squares.to(points).reshape(len(points), *(1,) * (points.dim() - 2), 3)
    return (points - square[..., :2]) * style.size / square[..., 2:]


def crop_translation(camera: Tensor, style: CropStyle) -> Tensor:
    """(..., 3) s, tx, ty to the translation (..., 3) of the posed body in the crop's own camera, metres."""
    scale, x, y = camera.unbind(-1)
    return torch.stack((x, y, 2 * CROP_FOCAL_PX / (style.size * scale + _DEPTH_GUARD)), -1)


def crop_camera(translation: Tensor, style: CropStyle) -> Tensor:
    """The way back: translation (..., 3) to s, tx, ty."""
    x, y, depth = translation.unbind(-1)
    return torch.stack((2 * CROP_FOCAL_PX / (style.size * depth), x, y), -1)


def project_to_crop(points: Tensor, translation: Tensor, style: CropStyle, depth_guard: float = 0.0) -> Tensor:
    """Body points in metres to crop pixels.

    Args:
        points: (N, P, 3) of the posed body, before translation.
        translation: (N, 3) from `crop_translation`.
        style: the network's.
        depth_guard: metres added to the depth; CycleAdapt has 1e-4.

    Returns:
        (N, P, 2).
    """
    moved = points + translation[:, None]
    return CROP_FOCAL_PX * moved[..., :2] / (moved[..., 2:] + depth_guard) + style.size / 2


def crop_intrinsics(squares: Tensor, style: CropStyle) -> Tensor:
    """(N, 3) squares to the cameras (N, 3, 3) that project the crop's translation into the full frame, exactly."""
    left, top, side = squares.unbind(-1)
    focal, zero = CROP_FOCAL_PX * side / style.size, torch.zeros_like(side)
    entries = (focal, zero, left + side / 2, zero, focal, top + side / 2, zero, zero, torch.ones_like(side))
    return torch.stack(entries, -1).reshape(*squares.shape[:-1], 3, 3)


def full_frame_translation(camera: Tensor, squares: Tensor, intrinsics: Tensor) -> Tensor:
    """Translation of the posed body in one camera shared by all boxes; first order.

    The viewing direction of a person off the optical axis is not put into the orientation.

    Args:
        camera: (N, 3) s, tx, ty.
        squares: (N, 3) left, top, side in pixels of the full frame.
        intrinsics: (3, 3) camera of the full frame, or (N, 3, 3) of each.

    Returns:
        (N, 3) metres, x right, y down, z away.
    """
    scale, x, y = camera.unbind(-1)
    left, top, side = squares.to(camera).unbind(-1)
    matrix = intrinsics.to(camera)
    depth = 2 * matrix[..., 0, 0] / (scale * side + _DEPTH_GUARD)
    off_x, off_y = left + side / 2 - matrix[..., 0, 2], top + side / 2 - matrix[..., 1, 2]
    return torch.stack((x + off_x * depth / matrix[..., 0, 0], y + off_y * depth / matrix[..., 1, 1], depth), -1)
