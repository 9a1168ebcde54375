"""Where generated scenes happen: rooms and streets of flat walls with things on them. Metres, Z up, floor at z = 0."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Picture = NDArray[np.uint8]

_SIDE_PX = 512


@dataclass(frozen=True)
class Walls:
    """Flat pieces: corners (N, 4, 3) from bottom left, counter-clockwise; pictures on them (N, S, S, 3)."""

    corners: Array
    pictures: Picture


def room(rng: np.random.Generator, angle: float) -> Walls:
    """A hall of 14 by 14 m with shelves, pictures and boxes along its walls, turned by `angle` about the vertical."""
    walls = [_floor(14.0), *_box(np.zeros(3), np.array([14.0, 14.0, 4.5]), sides_only=True)]
    pictures = [_planks(rng), *(_wall(rng, 40) for _ in range(4))]
    for _ in range(10):
        _add_furniture(walls, pictures, rng, 3.6, 6.0, (0.3, 0.9), (0.4, 1.8))
    return _turned(walls, pictures, angle)


def street(rng: np.random.Generator, angle: float) -> Walls:
    """An open place of 30 m with houses about it, and bins, boxes and posts between, turned by `angle`."""
    walls, pictures = [_floor(30.0)], [_asphalt(rng)]
    for turn in range(8):
        direction = np.array([np.cos(turn * np.pi / 4), np.sin(turn * np.pi / 4), 0])
        centre, size = rng.uniform(8, 12) * direction, rng.uniform([3, 3, 4], [6, 6, 9])
        sides = _box(centre, size, sides_only=True)
        walls += sides
        pictures += [_wall(rng, 60) for _ in sides]
    for _ in range(10):
        _add_furniture(walls, pictures, rng, 3.8, 7.0, (0.2, 0.8), (0.5, 2.2))
    return _turned(walls, pictures, angle)


PLACES: dict[str, Callable[[np.random.Generator, float], Walls]] = {"room": room, "street": street}


def _add_furniture(
    walls: list[Array], pictures: list[Picture], rng: np.random.Generator, near_m: float, far_m: float,
    wide_m: tuple[float, float], tall_m: tuple[float, float],
) -> None:  # fmt: skip
    """A box on the floor, not where the person or the camera is."""
    turn, away = rng.uniform(0.25 * np.pi, 1.75 * np.pi), rng.uniform(near_m, far_m)
    centre = away * np.array([np.cos(turn), np.sin(turn), 0])
    sides = _box(centre, np.array([rng.uniform(*wide_m), rng.uniform(*wide_m), rng.uniform(*tall_m)]))
    walls += sides
    pictures += [_wall(rng, 12) for _ in sides]


def _floor(side: float) -> Array:
    half = side / 2
    return np.array([[-half, -half, 0], [half, -half, 0], [half, half, 0], [-half, half, 0.0]])


def _box(centre: Array, size: Array, sides_only: bool = False) -> list[Array]:
    """The sides of a box that stands on the floor, and its top."""
    x, y, z = size / 2
    ring = np.array([[-x, -y], [x, -y], [x, y], [-x, y]])
    sides = [
        np.array([[*a, 0], [*b, 0], [*b, 2 * z], [*a, 2 * z]]) + centre
        for a, b in zip(ring, np.roll(ring, -1, 0), strict=True)
    ]
    top = np.concatenate([ring, np.full((4, 1), 2 * z)], 1) + centre
    return sides if sides_only else [*sides, top]


def _turned(walls: list[Array], pictures: list[Picture], angle: float) -> Walls:
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    return Walls(np.stack(walls) @ turn.T, np.stack(pictures))


def _wall(rng: np.random.Generator, things: int) -> Picture:
    """Plaster with rectangles on it, as books, posters, windows and doors are."""
    picture = _grain(rng, rng.uniform(90, 210, 3), 6)
    for _ in range(things):
        left, bottom = rng.integers(0, _SIDE_PX - 10, 2)
        wide, tall = rng.integers(8, 90, 2)
        colour = rng.uniform(10, 240, 3)
        cv2.rectangle(picture, (int(left), int(bottom)), (int(left + wide), int(bottom + tall)), colour.tolist(), -1)
        cv2.rectangle(picture, (int(left), int(bottom)), (int(left + wide), int(bottom + tall)), (30, 30, 30), 1)
    return picture


def _planks(rng: np.random.Generator) -> Picture:
    """A wooden floor."""
    picture = _grain(rng, np.array([120.0, 85, 55]), 8)
    for row in range(0, _SIDE_PX, 16):
        shade = rng.uniform(0.75, 1.15)
        picture[row : row + 15] = (picture[row : row + 15] * shade).clip(0, 255).astype(np.uint8)
        picture[row + 15] = 40
        picture[row : row + 16, rng.integers(0, _SIDE_PX)] = 40
    return picture


def _asphalt(rng: np.random.Generator) -> Picture:
    """Grey ground with spots and lines."""
    picture = _grain(rng, np.array([95.0, 95, 98]), 16)
    for _ in range(300):
        centre = tuple(rng.integers(0, _SIDE_PX, 2).tolist())
        cv2.circle(picture, centre, int(rng.integers(1, 4)), rng.uniform(40, 180, 3).tolist(), -1)
    return picture


def _grain(rng: np.random.Generator, colour: Array, strength: float) -> Picture:
    noise = rng.normal(0, strength, (_SIDE_PX, _SIDE_PX, 1)) + colour
    return np.ascontiguousarray(noise.clip(0, 255).astype(np.uint8))
