"""Footage with a part hidden: what is painted over when, the clip written with it, and which joints that hides."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, maximum_filter1d, minimum_filter1d

from engine.errors import OutputError, UsageError
from engine.evaluation.hide_scores import LEGS, LIMBS, FullView, Joints, scored_limbs
from engine.footage.decoding import Frame, frames
from engine.keypoints.joint_sets import ARM_PARTS, LEG_PARTS
from engine.output.motion_file import ORIGIN_DETECTED, Motion

Float = NDArray[np.float64]
Image = NDArray[np.uint8]

KINDS = ("desk", "cut", "pillar", "side", "limb")
_DESK_RGB, _BAR_RGB = (120, 90, 60), (70, 75, 80)
_PILLAR_WIDTH, _SIDE_WIDTH = 0.25, 0.5
_LOWEST, _HIGHEST = 0.05, 0.95
_LEAST_PX = 32
_FOLLOW_S = 0.08
_ROOM = 0.06
_HANDS = {"left_arm": 22, "right_arm": 23, "left_leg": 10, "right_leg": 11}
_TIME_BASE = Fraction(1, 90_000)


@dataclass(frozen=True)
class Hiding:
    """What is hidden: a kind of `KINDS`, where a desk or cut begins (share of the height), which limb of `LIMBS`."""

    kind: str
    at: float = 0.47
    limb: str = "left_leg"

    def __post_init__(self) -> None:
        """Raises UsageError for what makes no sense."""
        if self.kind not in KINDS:
            raise UsageError(f"--hide-kinds does not know '{self.kind}'.", f"Choose from {', '.join(KINDS)}.")
        if not _LOWEST <= self.at <= _HIGHEST:
            raise UsageError(
                f"--hide-at is {self.at:g}, not a share of the height from {_LOWEST:g} to {_HIGHEST:g}.",
                "0.47 is a little above the middle of the picture.",
            )
        if self.limb not in LIMBS:
            raise UsageError(f"--hide-limb does not know '{self.limb}'.", f"Choose from {', '.join(LIMBS)}.")

    @property
    def limbs(self) -> tuple[str, ...]:
        """Limbs that are compared throughout; none where it is what is hidden in each frame."""
        return {"desk": LEGS, "cut": LEGS, "limb": (self.limb,)}.get(self.kind, ())


@dataclass(frozen=True)
class Cover:
    """A rectangle over the picture that moves.

    Attributes:
        times: (N,) seconds into the footage, increasing.
        boxes: (N, 4) left, top, right, bottom in pixels at these times; between them on a straight line.
        rgb: its colour.
        cut: whether the picture ends at its top.
    """

    times: Float
    boxes: Float
    rgb: tuple[int, int, int] = _BAR_RGB
    cut: bool = False

    def at(self, times: Float) -> NDArray[np.int64]:
        """(T, 4) whole pixels at `times` (T,)."""
        sides = [np.interp(times, self.times, side) for side in self.boxes.T]
        return np.stack(sides, -1).round().astype(np.int64)

    def put_on(self, frame: Frame) -> Image:
        """The picture of `frame` with the rectangle on it, or cut off."""
        left, top, right, bottom = self.at(np.array([frame.time_s]))[0].clip(0).tolist()
        if self.cut:
            return np.ascontiguousarray(frame.rgb[:top])
        picture = frame.rgb.copy()
        picture[top:bottom, left:right] = self.rgb
        return picture


def cover_of(hiding: Hiding, motion: Motion, end_s: float) -> Cover:
    """What hides a part of the footage.

    Args:
        hiding: which part.
        motion: of the footage in full view; a limb's rectangle follows its joints and keypoints.
        end_s: time of the footage's last frame.
    """
    width, height = (float(side) for side in motion.image_size)
    still = np.zeros(1)
    line = round(height * hiding.at)
    if hiding.kind == "desk":
        return Cover(still, np.array([[0, line, width, height]]), _DESK_RGB)
    if hiding.kind == "cut":
        line = max(line // 2 * 2, min(_LEAST_PX, int(height)))
        return Cover(still, np.array([[0, line, width, height]]), cut=True)
    if hiding.kind == "side":
        return Cover(still, np.array([[0, 0, width * _SIDE_WIDTH, height]]))
    if hiding.kind == "pillar":
        wide = width * _PILLAR_WIDTH
        return Cover(
            np.array([0.0, max(end_s, 1e-3)]), np.array([[-wide, 0, 0, height], [width, 0, width + wide, height]])
        )
    return Cover(motion.timestamps, _limb_boxes(motion, hiding.limb))


def full_view(motion: Motion, cover: Cover, hiding: Hiding) -> FullView:
    """The motion in full view with what `cover` hides of it."""
    pixels = project(motion)
    left, top, right, bottom = cover.at(motion.timestamps).T[..., None]
    x, y = pixels[..., 0], pixels[..., 1]
    hidden = (x >= left) & (x < right) & (y >= top) & (y < bottom)
    width, height = motion.image_size.tolist()
    pictured = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    scored = scored_limbs(hidden, hiding.limbs)
    return FullView(Joints.of(motion), hidden, pictured & ~hidden, scored)


def hides(view: FullView) -> bool:
    """Whether a joint that is compared is hidden in some frame."""
    ends = np.array([limb[1:] for limb in LIMBS.values()])
    return bool((view.hidden[:, ends] & view.scored).any())


def project(motion: Motion) -> Float:
    """(T, 24, 2) pixels of the joints."""
    joints = motion.joints3d_cam.astype(np.float64)
    flat = joints[..., :2] / joints[..., 2:].clip(min=0.05)
    return np.asarray(flat @ motion.intrinsics[:2, :2].T + motion.intrinsics[:2, 2])


def _limb_boxes(motion: Motion, limb: str) -> Float:
    """(T, 4) round the middle and end of a limb, hand or foot included, with some room, and steady."""
    pixels = project(motion)
    side, part = limb.split("_")
    names = [f"{side}_{name}" for name in (ARM_PARTS if part == "arm" else LEG_PARTS)]
    columns = [row for row, name in enumerate(motion.keypoint_names.tolist()) if name in names]
    detected = motion.keypoints2d_origin[:, columns] == ORIGIN_DETECTED
    marks = np.where(detected[..., None], motion.keypoints2d[:, columns, :2], np.nan)
    points = np.concatenate((pixels[:, [*LIMBS[limb][1:], _HANDS[limb]]], marks), 1)
    room = _ROOM * np.median(np.ptp(pixels, axis=1).max(-1))
    rate = 1 / np.median(np.diff(motion.timestamps)) if len(motion.timestamps) > 1 else 1.0
    reach = 2 * round(_FOLLOW_S * rate) + 1
    low = minimum_filter1d(np.nanmin(points, 1) - room, reach, axis=0, mode="nearest")
    high = maximum_filter1d(np.nanmax(points, 1) + room, reach, axis=0, mode="nearest")
    boxes = np.concatenate((low, high), -1)
    return np.asarray(gaussian_filter1d(boxes, _FOLLOW_S / 2 * rate, axis=0, mode="nearest"))


def write_hidden(footage: Path, cover: Cover, target: Path, image_rate: Fraction) -> None:
    """Write `footage` with `cover` on it as a video of the same times, nearly without loss, and without sound.

    Args:
        footage: what `engine.footage.decoding` reads.
        cover: what hides a part of it.
        target: `.mp4`.
        image_rate: frames a second of an image sequence.

    Raises:
        FootageError: the footage cannot be read.
        OutputError: the video cannot be written.
    """
    unfinished = target.with_name(f".{target.stem}-unfinished.mp4")
    pictures = frames(footage, image_rate=image_rate)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(unfinished), "w", format="mp4") as container:
            _encode(container, ((frame.time_s, cover.put_on(frame)) for frame in pictures))
        os.replace(unfinished, target)
    except OSError as error:  # PyAV's errors of writing are OSErrors too
        raise OutputError(
            f"{target} could not be written: {error.strerror or error}.", "Free some space or choose another folder."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink()


def _encode(container: Any, pictures: Iterator[tuple[float, Image]]) -> None:
    """Whole colour, so that sides may be odd. Times are those given, whatever the stream's rate."""
    stream: Any = None
    for time_s, picture in pictures:
        if stream is None:
            stream = container.add_stream("libx264", rate=30, options={"preset": "veryfast", "crf": "12"})
            stream.height, stream.width = picture.shape[:2]
            stream.pix_fmt = "yuv444p"
            stream.codec_context.time_base = _TIME_BASE
        encoded = av.VideoFrame.from_ndarray(picture, format="rgb24")
        encoded.pts = round(time_s / _TIME_BASE)
        encoded.time_base = _TIME_BASE
        container.mux(stream.encode(encoded))
    if stream is not None:
        container.mux(stream.encode())
