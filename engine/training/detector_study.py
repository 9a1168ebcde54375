"""What the keypoint detector makes of bodies whose pose is known: the open body drawn in many poses and pictures.

Every sequence is a window of motion before a camera of its own, on a background and in clothes of its own colours, with
the objects of `engine.training.observations` in front. The engine's detector follows the person through the sequence as
it does in footage, so misses, exchanged sides and the correlation of errors in time are those of the product.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from engine.body.landmarks import JOINT_NAMES
from engine.body.model import BodyModel, RestBody, load_body
from engine.body.raster import MeshRasteriser
from engine.files.atomic import write_arrays
from engine.footage.decoding import Frame
from engine.keypoints.mediapipe_detector import MODELS, MediaPipeDetector
from engine.runtime.progress import Progress
from engine.training.corpus import read_corpus
from engine.training.motion_batches import MotionWindows, Variation
from engine.training.observations import Conditions, Scene, place

FRAMES = 24
"""Frames of a sequence."""
_TALL_PX = (120.0, 320.0)
"""Range of people's heights in the pictures; the detector scales a person's crop down to 256 pixels."""
_LARGEST_SCALE = 1.3
_BATCH = 8
_CHUNK = 40
Floats = NDArray[np.float32]
Picture = NDArray[np.uint8]


def study_detector(
    corpus: Path, out: Path, sequences: int, seed: int, progress: Progress, model: str = "heavy"
) -> None:
    """Draw sequences, run the detector and write pairs of truth and report.

    Args:
        corpus: file of `build_corpus`; performers that are not held out are drawn.
        out: folder that takes `pairs_<n>.npz`; what an earlier run left is kept and counts.
        sequences: how many; about a tenth of a second a picture.
        seed: fixes everything that is drawn.
        progress: called after every sequence.
        model: `heavy` or `full`.

    Raises:
        UsageError: no corpus.
        ModelFileError: no detector.
        CancelledError: stopped; finished files stay.
    """
    out.mkdir(parents=True, exist_ok=True)
    body = load_body(None)
    windows = MotionWindows([c for c in read_corpus(corpus) if not c.held_out], FRAMES, torch.device("cpu"))
    painter = _Painter(body)
    done = 0
    with MediaPipeDetector(MODELS[model], max_people=1, threads=1) as detector:
        for number in range(-(-sequences // _CHUNK)):
            count = min(_CHUNK, sequences - number * _CHUNK)
            path = out / f"pairs_{number:04d}.npz"
            if not path.is_file():
                parts = [
                    _sequences(windows, body, painter, detector, min(_BATCH, count - first), (seed, number, first))
                    for first in range(0, count, _BATCH)
                ]
                write_arrays(path, {key: np.concatenate([part[key] for part in parts]) for key in parts[0]})
            done += count
            progress(done, sequences)


def _sequences(
    windows: MotionWindows,
    body: BodyModel,
    painter: _Painter,
    detector: MediaPipeDetector,
    count: int,
    key: tuple[int, int, int],
) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(int(np.random.default_rng(key).integers(2**62)))
    motion = windows.draw(count, generator, Variation())
    with torch.no_grad():
        scene = place(motion, body, generator, Conditions())
    found = [_report(painter, scene, row, detector, np.random.default_rng((*key, row))) for row in range(count)]
    return {
        "keypoints": np.stack([keypoints for keypoints, _ in found]),
        "landmarks3d": np.stack([landmarks for _, landmarks in found]),
        "true_keypoints": scene.keypoints.numpy(),
        "true_landmarks": scene.landmarks.numpy(),
        "hidden": scene.hidden.numpy(),
        "intrinsics": scene.intrinsics.numpy(),
        "image_size": scene.image_size.numpy(),
        "times_s": scene.times_s.numpy(),
    }


def _report(
    painter: _Painter, scene: Scene, row: int, detector: MediaPipeDetector, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Keypoints (T, 33, 3) in the scene's pixels and 3D landmarks (T, 33, 3); NaN where nobody was found."""
    times = scene.times_s[row].tolist()
    points = scene.keypoints[row]
    tall = float((points.amax(1) - points.amin(1)).amax(-1).mean())
    scale = min(rng.uniform(*_TALL_PX) / tall, _LARGEST_SCALE)
    pictures = painter.pictures(scene, row, scale, rng)
    footage = (Frame(index, time, picture) for index, (time, picture) in enumerate(zip(times, pictures, strict=True)))
    keypoints = np.full((FRAMES, 33, 3), np.nan, np.float32)
    landmarks = keypoints.copy()
    for frame, found in enumerate(detector.detect(footage)):
        if len(found.keypoints):
            keypoints[frame], landmarks[frame] = found.keypoints[0], found.landmarks3d[0]
    keypoints[..., :2] /= scale
    return keypoints, landmarks


class _Painter:
    """Draws the open body, dressed, before a background, with objects before it."""

    def __init__(self, body: BodyModel) -> None:
        self._body = body
        rest = body.rest(torch.zeros(10))
        self._rasteriser = MeshRasteriser(body.faces, len(rest.vertices))
        self._parts = clothing(rest)

    def pictures(self, scene: Scene, row: int, scale: float, rng: np.random.Generator) -> Iterator[Picture]:
        """(H, W, 3) uint8 pictures of one window, of `scale` of the scene's pixels."""
        width, height = (round(float(side) * scale) for side in scene.image_size[row])
        camera = scene.intrinsics[row].double().numpy().copy()
        camera[:2] *= scale
        with torch.no_grad():
            betas = scene.betas[row]
            points = self._body.vertices(scene.rotations[row], betas, scene.transl[row]).numpy()
        colours = _muted(rng, (5, 3))[self._parts]
        skin = rng.uniform(0.35, 1.1) * np.array([225.0, 180, 150])
        colours[self._parts == _SKIN] = skin
        background = _scenery(rng, width, height)
        gain, blur = rng.uniform(0.7, 1.2), rng.uniform(0.3, 1.4)
        grain = rng.standard_normal((height, width, 3), np.float32) * np.float32(rng.uniform(1, 9))
        object_colour = _muted(rng, (3,))
        for vertices, cover in zip(points, (scene.covers[row] * scale).numpy(), strict=True):
            depth, shaded = self._rasteriser.paint(vertices, camera, (width, height), colours)
            picture = np.where(np.isfinite(depth)[..., None], shaded * gain, background)
            if np.isfinite(cover).all():
                left, top, right, bottom = np.clip(cover, 0, [width, height, width, height]).astype(int)
                picture[top:bottom, left:right] = object_colour
            picture = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), blur)
            picture += np.roll(grain, rng.integers(min(width, height)), (0, 1))
            yield picture.clip(0, 255).astype(np.uint8)


def clothing(rest: RestBody) -> NDArray[np.int64]:
    """(V,) what each vertex of the body wears: 0 skin, 1 shirt, 2 trousers, 3 shoes, 4 hair."""
    joint = np.array(JOINT_NAMES)[rest.weights.argmax(1)]
    parts = np.full(len(joint), _SKIN)
    parts[np.isin(joint, ["spine1", "spine2", "spine3", *_both("collar"), *_both("shoulder")])] = 1
    parts[np.isin(joint, ["pelvis", *_both("hip"), *_both("knee")])] = 2
    parts[np.isin(joint, [*_both("ankle"), *_both("foot")])] = 3
    head = rest.joints[JOINT_NAMES.index("head")]
    back = (joint == "head") & ((rest.vertices[:, 2] < head[2]) | (rest.vertices[:, 1] > head[1] + 0.13))
    parts[back] = 4
    return parts


_SKIN = 0


def _both(part: str) -> list[str]:
    return [f"left_{part}", f"right_{part}"]


def _muted(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Colours, mostly pale ones."""
    grey = rng.uniform(10, 235, (*shape[:-1], 1))
    return (grey + rng.normal(0, 35, shape)).clip(0, 255)


def _scenery(rng: np.random.Generator, width: int, height: int) -> Floats:
    """A blurred background with some straight edges in it."""
    rows, columns = rng.integers(2, 8, 2).tolist()
    coarse = _muted(rng, (rows, columns, 3)).astype(np.float32)
    scenery = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    for _ in range(rng.integers(0, 8)):
        left, top = rng.integers(0, width), rng.integers(0, height)
        right, bottom = left + rng.integers(5, width), top + rng.integers(5, height)
        scenery[top:bottom, left:right] = 0.5 * scenery[top:bottom, left:right] + 0.5 * _muted(rng, (3,))
    return scenery.astype(np.float32)
