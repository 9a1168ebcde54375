"""How the cameras of generated scenes move. World frame: metres, Z up; camera x right, y down, z away."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

Array = NDArray[np.float64]

_HAND_S = 0.15
_STEP_HZ = 1.9


def handheld(times: Array, target: Array, place: Array, rng: np.random.Generator) -> Array:
    """Somebody stands and films by hand: 3 cm and 0.7° of sway, and the camera follows the person."""
    return _by_hand(times, _looking(_held(place, times), _followed(target, times)), 0.03, 0.7, rng)


def pan(times: Array, target: Array, place: Array, rng: np.random.Generator) -> Array:
    """A tripod whose head turns to and fro by 6°."""
    swing = np.radians(6) * np.sin(2 * np.pi * (times - times[0]) / max(times[-1] - times[0], 1e-6))
    middle = _looking(_held(place, times), np.repeat(target.mean(0)[None], len(times), 0))
    middle[:, :3, :3] = Rotation.from_rotvec(swing[:, None] * np.array([0, 0, 1])).as_matrix() @ middle[:, :3, :3]
    return middle


def dolly(times: Array, target: Array, place: Array, rng: np.random.Generator) -> Array:
    """A camera on rails: it glides 1.6 m sideways and keeps the person in the middle."""
    share = (times - times[0]) / max(times[-1] - times[0], 1e-6)
    ease = share**2 * (3 - 2 * share) - 0.5
    return _looking(_held(place, times) + 1.6 * ease[:, None] * _side(target, place), _followed(target, times))


def walk(times: Array, target: Array, place: Array, rng: np.random.Generator) -> Array:
    """Somebody walks past at 0.6 m/s and films by hand: 3 cm up and down with each step, 1° of sway."""
    way = 0.6 * (times - times.mean())
    centres = _held(place, times) + way[:, None] * _side(target, place)
    centres[:, 2] += 0.03 * np.sin(2 * np.pi * _STEP_HZ * times)
    return _by_hand(times, _looking(centres, _followed(target, times)), 0.02, 1.0, rng)


KINDS: dict[str, Callable[[Array, Array, Array, np.random.Generator], Array]] = {
    "handheld": handheld,
    "pan": pan,
    "dolly": dolly,
    "walk": walk,
}
"""Each gives (T, 4, 4) camera to world from times (T,) s, the person's middle (T, 3), the camera's place (3,)."""


def _held(place: Array, times: Array) -> Array:
    return np.repeat(place[None], len(times), 0)


def _side(target: Array, place: Array) -> Array:
    """(3,) to the right of the way from the camera to the person, level."""
    ahead = target.mean(0) - place
    side = np.array([ahead[1], -ahead[0], 0.0])
    found: Array = side / np.linalg.norm(side)
    return found


def _followed(target: Array, times: Array) -> Array:
    """(T, 3) where the person is, as somebody follows who films: half a second of it, smooth."""
    rows = 0.5 / max(float(np.median(np.diff(times))), 1e-6)
    found: Array = gaussian_filter1d(target, rows, axis=0, mode="nearest")
    return found


def _looking(centres: Array, targets: Array) -> Array:
    """(T, 4, 4) cameras at `centres` that look at `targets`, upright."""
    ahead = targets - centres
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    right = np.cross(ahead, [0, 0, 1])
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    poses = np.repeat(np.eye(4)[None], len(centres), 0)
    poses[:, :3, :3] = np.stack([right, np.cross(ahead, right), ahead], -1)
    poses[:, :3, 3] = centres
    return poses


def _by_hand(times: Array, poses: Array, metres: float, degrees: float, rng: np.random.Generator) -> Array:
    """The same poses with a hand's sway."""
    rows = _HAND_S / max(float(np.median(np.diff(times))), 1e-6)
    noise = gaussian_filter1d(rng.normal(size=(len(times) + 60, 6)), rows, axis=0)[30:-30]
    noise /= noise.std(0)
    shaken = poses.copy()
    shaken[:, :3, 3] += metres * noise[:, :3]
    shaken[:, :3, :3] = poses[:, :3, :3] @ Rotation.from_rotvec(np.radians(degrees) * noise[:, 3:]).as_matrix()
    return shaken
