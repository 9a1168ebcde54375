"""`preview.mp4` and `preview.png`: the body drawn over the footage, and from the side in the world."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from engine.body.model import BodyModel
from engine.body.raster import MeshRasteriser
from engine.body.rotations import axis_angle_to_matrix
from engine.errors import OutputError
from engine.footage.decoding import Frame
from engine.output.motion_file import ORIGIN_FILLED, ORIGIN_NONE, Motion
from engine.runtime.progress import Progress

Image = NDArray[np.uint8]
Float = NDArray[np.float64]

_LARGEST_PX = (960, 720)
_BODY_RGB = np.array([120, 190, 255], dtype=np.float32)
_OPACITY = 0.7
_DETECTED_RGB, _FILLED_RGB = (60, 230, 90), (255, 150, 40)
_WALL_RGB, _GRID_RGB, _AXIS_RGB = (38, 40, 46), (84, 88, 98), (150, 155, 170)
_SIDE_DISTANCE_M, _SIDE_HEIGHT_M = 6.0, 2.5
_EYE_HEIGHT_M = 1.1
_GRID_STEP_M, _GRID_REACH_M = 0.5, 4.0
_FOLLOW_S = 0.7
_SHEET_FRAMES, _SHEET_COLUMNS, _SHEET_TILE_PX = 6, 2, 720
_TIME_BASE = Fraction(1, 90_000)


def write_preview(
    motion: Motion, body: BodyModel, footage_frames: Iterable[Frame], folder: Path, progress: Progress
) -> tuple[Path, Path]:
    """Write `preview.mp4` (H.264) and `preview.png` (six frames of it) into `folder`. Frames are streamed.

    Left: the footage with the body over it; dots are the 2D targets, green where detected and orange where filled in.
    Right: the world from the person's left at the start, 90 degrees from the camera, on a grid of half metres; the view
    follows the person.

    Args:
        motion: what to draw.
        body: the body that it was made with.
        footage_frames: from or before the motion's first frame on; frames that it has no row for are left out.
        folder: existing or not.
        progress: called once a frame; it may cancel, and then nothing is left behind.

    Returns:
        The paths of the video and of the picture.

    Raises:
        OutputError: the folder cannot be written, or no frame of the footage belongs to the motion.
        CancelledError: from `progress`.
    """
    video, sheet = folder / "preview.mp4", folder / "preview.png"
    temporary = folder / ".preview-unfinished.mp4"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tiles = _write_video(motion, body, footage_frames, temporary, progress)
        _write_picture(_contact_sheet(tiles), sheet)
        os.replace(temporary, video)
    except OSError as error:  # PyAV's errors of writing are OSErrors too
        message = error.strerror or str(error)
        raise OutputError(
            f"{video} could not be written: {message}.", "Free some space or choose another folder."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    return video, sheet


def _write_video(
    motion: Motion, body: BodyModel, footage_frames: Iterable[Frame], path: Path, progress: Progress
) -> list[Image]:
    """Encode all pictures, and give back those for the contact sheet."""
    total = len(motion.poses)
    chosen = set(np.linspace(0, total - 1, min(total, _SHEET_FRAMES)).round().astype(int).tolist())
    artist, tiles, done = Artist(motion, body), [], 0
    with av.open(str(path), "w", format="mp4") as container:
        stream: Any = None
        for row, frame in _matched(motion, footage_frames):
            picture = artist.picture(row, frame)
            if stream is None:
                stream = _video_stream(container, motion, picture)
            encoded = av.VideoFrame.from_ndarray(picture, format="rgb24")
            encoded.pts = round((frame.time_s - float(motion.timestamps[0])) / _TIME_BASE)
            encoded.time_base = _TIME_BASE
            container.mux(stream.encode(encoded))
            if row in chosen:
                tiles.append(picture)
            done += 1
            progress(done, total)
        if stream is None:
            raise OutputError("No frame of the footage belongs to the motion, so there is no preview.")
        container.mux(stream.encode())
    return tiles


def _video_stream(container: Any, motion: Motion, picture: Image) -> Any:
    rate = Fraction(motion.mocap_framerate).limit_denominator(1001)
    stream = container.add_stream("libx264", rate=rate, options={"preset": "veryfast", "crf": "21"})
    stream.height, stream.width = picture.shape[:2]
    stream.pix_fmt = "yuv420p"
    stream.codec_context.time_base = _TIME_BASE
    return stream


def _matched(motion: Motion, footage_frames: Iterable[Frame]) -> Iterator[tuple[int, Frame]]:
    """Rows of the motion with their frames, by time. Stops reading after the last row."""
    times = motion.timestamps
    tolerance = 0.4 / motion.mocap_framerate
    next_row = 0
    for frame in footage_frames:
        row = int(np.abs(times - frame.time_s).argmin())
        if row >= next_row and abs(times[row] - frame.time_s) <= tolerance:
            next_row = row + 1
            yield row, frame
        if next_row >= len(times):
            return


@dataclass(frozen=True)
class _View:
    """A camera: `points @ rotation.T + shift` is in its frame (x right, y down, z away)."""

    rotation: Float
    shift: Float
    intrinsics: Float

    def project(self, points: Float) -> Float:
        seen = points @ self.rotation.T + self.shift
        flat = seen[:, :2] / seen[:, 2:].clip(min=0.05)
        pixels: Float = flat @ self.intrinsics[:2, :2].T + self.intrinsics[:2, 2]
        return pixels


class Artist:
    """Draws pictures of one motion.

    Args:
        motion: what to draw.
        body: the body that it was made with.
    """

    def __init__(self, motion: Motion, body: BodyModel) -> None:
        self._motion, self._body = motion, body
        self._device = body.joint_template.device
        self._rasteriser = MeshRasteriser(body.faces, body.vertex_count)
        width, height = (int(side) for side in motion.image_size)
        scale = min(_LARGEST_PX[0] / width, _LARGEST_PX[1] / height, 1.0)
        self._size = _even(width * scale), _even(height * scale)
        stretch = np.diag([self._size[0] / width, self._size[1] / height, 1.0])
        self._camera = stretch @ motion.intrinsics
        self._side_size = _even(max(self._size[1], 320) * 0.9), self._size[1]
        sigma = max(_FOLLOW_S * motion.mocap_framerate, 1e-3)
        path = motion.joints3d_world[:, 0].astype(np.float64)
        self._followed = gaussian_filter1d(path, sigma, axis=0, mode="nearest")
        self._posed: tuple[int, Float] | None = None

    def picture(self, row: int, frame: Frame) -> Image:
        """Both views side by side."""
        left, right = self.over_footage(row, frame.rgb), self.from_side(row)
        text = f"{frame.time_s:.2f} s"
        cv2.putText(right, text, (12, 26), cv2.FONT_HERSHEY_SIMPLEX, 0.55, _AXIS_RGB, 1, cv2.LINE_AA)
        return np.hstack((left, right))

    def _vertices(self, row: int) -> Float:
        """(V, 3) in the camera frame; those of the last row are kept, since both views need them."""
        if self._posed is None or self._posed[0] != row:
            self._posed = row, self._pose(row)
        return self._posed[1]

    def _pose(self, row: int) -> Float:
        pose = self._motion.poses[row].reshape(24, 3).copy()
        pose[0] = self._motion.cam_global_orient[row]
        with torch.no_grad():
            rotations = axis_angle_to_matrix(torch.as_tensor(pose, device=self._device))[None]
            betas = torch.as_tensor(self._motion.betas, device=self._device)
            shift = torch.as_tensor(self._motion.cam_transl[row], device=self._device)
            return self._body.vertices(rotations, betas, shift)[0].cpu().numpy()

    def _to_world(self, row: int, points: Float) -> Float:
        """The same vertices where the motion has them in the world: only the root differs."""
        roots = np.stack((self._motion.cam_global_orient[row], self._motion.poses[row, :3]))
        in_camera, in_world = axis_angle_to_matrix(torch.as_tensor(roots)).numpy()
        pelvis_camera, pelvis_world = self._motion.joints3d_cam[row, 0], self._motion.joints3d_world[row, 0]
        world: Float = (points - pelvis_camera) @ (in_world @ in_camera.T).T + pelvis_world
        return world

    def over_footage(self, row: int, rgb: Image) -> Image:
        """The body and its 2D targets over the frame `rgb` (H, W, 3) of a row, scaled down where that is large."""
        image: Any = cv2.resize(rgb, self._size, interpolation=cv2.INTER_AREA)
        depth, brightness = self._rasteriser.draw(self._vertices(row), self._camera, self._size)
        there = np.isfinite(depth)
        image[there] = (1 - _OPACITY) * image[there] + _OPACITY * brightness[there][:, None] * _BODY_RGB
        scale = np.array(self._size) / self._motion.image_size
        origins = self._motion.keypoints2d_origin[row]
        for (x, y, _), origin in zip(self._motion.keypoints2d[row].tolist(), origins, strict=True):
            if origin != ORIGIN_NONE:
                colour = _FILLED_RGB if origin == ORIGIN_FILLED else _DETECTED_RGB
                centre = (round(x * scale[0]), round(y * scale[1]))
                cv2.circle(image, centre, 2, colour, -1, cv2.LINE_AA)
        overlaid: Image = image
        return overlaid

    def from_side(self, row: int) -> Image:
        """The body in the world, seen 90 degrees from the camera."""
        points = self._to_world(row, self._vertices(row))
        view = self._side_view(self._followed[row])
        width, height = self._side_size
        image: Image = np.full((height, width, 3), _WALL_RGB, dtype=np.uint8)
        _draw_grid(image, view, self._followed[row])
        depth, brightness = self._rasteriser.draw(
            points @ view.rotation.T + view.shift, view.intrinsics, self._side_size
        )
        there = np.isfinite(depth)
        image[there] = brightness[there][:, None] * _BODY_RGB
        return image

    def _side_view(self, followed: Float) -> _View:
        """From the world's +X side towards -X, so that the footage's camera would stand at the left edge."""
        width, height = self._side_size
        focal = height * _SIDE_DISTANCE_M / _SIDE_HEIGHT_M
        intrinsics = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])
        rotation = np.array([[0, 1.0, 0], [0, 0, -1], [-1, 0, 0]])
        centre = np.array([followed[0] + _SIDE_DISTANCE_M, followed[1], max(_EYE_HEIGHT_M, followed[2] + 0.1)])
        return _View(rotation, -rotation @ centre, intrinsics)


def _draw_grid(image: Image, view: _View, followed: Float) -> None:
    """Half-metre squares on z = 0 around the person, and the world's two axes."""
    middle = np.round(followed[:2] / _GRID_STEP_M) * _GRID_STEP_M
    steps = np.arange(-_GRID_REACH_M, _GRID_REACH_M + 1e-6, _GRID_STEP_M)
    for along, step in itertools.product((0, 1), steps):
        fixed = middle[1 - along] + step
        ends = np.zeros((2, 3))
        ends[:, 1 - along] = fixed
        ends[:, along] = middle[along] + np.array([-_GRID_REACH_M, _GRID_REACH_M])
        (x0, y0), (x1, y1) = view.project(ends).round().astype(int).tolist()
        cv2.line(image, (x0, y0), (x1, y1), _AXIS_RGB if abs(fixed) < 1e-6 else _GRID_RGB, 1, cv2.LINE_AA)


def _contact_sheet(pictures: list[Image]) -> Image:
    """Pictures of one size in two columns, scaled down."""
    height, width = pictures[0].shape[:2]
    size = min(width, _SHEET_TILE_PX), round(height * min(1.0, _SHEET_TILE_PX / width))
    tiles = [cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for picture in pictures]
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % _SHEET_COLUMNS)
    rows = [np.hstack(tiles[start : start + _SHEET_COLUMNS]) for start in range(0, len(tiles), _SHEET_COLUMNS)]
    return np.vstack(rows)


def _write_picture(picture: Image, path: Path) -> None:
    _, content = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    temporary = path.with_name(f".{path.name}-unfinished")
    try:
        temporary.write_bytes(content.tobytes())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _even(length: float) -> int:
    """The even number nearest to `length`, at least 2: H.264 halves colour in both directions."""
    return max(2, 2 * round(length / 2))
