"""The path of a camera that moves, solved by COLMAP from footage whose camera is known."""

import time

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.camera.background import CameraTurns, follow_background
from engine.camera.solve import pack_solved, solve_shots, unpack_solved
from engine.errors import CancelledError
from engine.footage.decoding import Frame

pytest.importorskip("pycolmap", reason="pycolmap is not installed")

SIZE, FOCAL = (480, 320), 400.0
K = np.array([[FOCAL, 0, SIZE[0] / 2], [0, FOCAL, SIZE[1] / 2], [0, 0, 1]])
COUNT, FPS = 48, 24.0


def texture(seed):
    """A picture full of rectangles."""
    rng = np.random.default_rng(seed)
    picture = np.full((600, 600, 3), 128, np.uint8)
    for _ in range(400):
        corner = rng.integers(0, 590, 2)
        far = corner + rng.integers(5, 60, 2)
        cv2.rectangle(picture, corner.tolist(), far.tolist(), rng.integers(0, 255, 3).tolist(), -1)
    return picture


WALLS = [((-6, -4, 9.0), 12.0, texture(1)), ((-2.2, -1.0, 5.5), 1.6, texture(2)), ((0.8, -0.2, 4.5), 1.2, texture(3))]
"""Upright squares: left, top and distance, size in metres, picture."""


def picture_at(pose):
    """What a camera at `pose` (4, 4) sees of the walls."""
    seen = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
    to_camera = np.linalg.inv(pose)
    for (left, top, away), size, picture in WALLS:
        corners = np.array(
            [[left, top, away], [left + size, top, away], [left + size, top + size, away], [left, top + size, away]]
        )
        pixels = (corners @ to_camera[:3, :3].T + to_camera[:3, 3]) @ K.T
        flat = np.array([[0, 0], [600, 0], [600, 600], [0, 600]], np.float32)
        homography = cv2.getPerspectiveTransform(flat, (pixels[:, :2] / pixels[:, 2:]).astype(np.float32))
        layer = cv2.warpPerspective(picture, homography, SIZE, flags=cv2.INTER_AREA)
        there = cv2.warpPerspective(np.full((600, 600), 255, np.uint8), homography, SIZE) > 127
        seen[there] = layer[there]
    return seen


def walked():
    """(COUNT, 4, 4) a camera that goes a metre to the right, sways and turns."""
    share = np.linspace(0, 1, COUNT)
    poses = np.repeat(np.eye(4)[None], COUNT, 0)
    poses[:, :3, 3] = np.stack([share, 0.05 * np.sin(12 * share), 0.3 * share], 1)
    poses[:, :3, :3] = Rotation.from_euler("yx", np.stack([-8 * share, np.sin(9 * share)], 1), degrees=True).as_matrix()
    return poses


@pytest.fixture(scope="module")
def footage():
    poses = walked()
    return poses, [Frame(index, index / FPS, picture_at(pose)) for index, pose in enumerate(poses)]


def solve(frames):
    times = {frame.index: frame.time_s for frame in frames}
    turns = list(follow_background(iter(frames), {}, [], K))
    return turns, solve_shots(iter(frames), {}, turns, times, K)


def test_the_path_is_found_up_to_its_scale(footage):
    poses, frames = footage
    turns, (shot,) = solve(frames)
    assert turns[0].kind == "moving"
    wrong = Rotation.from_matrix(shot.poses[:, :3, :3] @ poses[:, :3, :3].transpose(0, 2, 1)).magnitude()
    assert np.degrees(wrong).max() < 0.5
    found, true = shot.poses[:, :3, 3], poses[:, :3, 3]
    scale = (found * true).sum() / (found**2).sum()
    assert np.linalg.norm(scale * found - true, axis=1).max() < 0.03
    assert 4 < scale * shot.depth < 10


def test_what_is_kept_comes_back_and_the_same_footage_gives_the_same_path(footage):
    _, frames = footage
    _, solved = solve(frames[:30])
    (kept,) = unpack_solved(pack_solved(solved))
    np.testing.assert_array_equal(kept.poses, solved[0].poses)
    assert kept.depth == solved[0].depth
    _, again = solve(frames[:30])
    unit = np.linalg.norm(kept.poses[-1, :3, 3])
    np.testing.assert_allclose(again[0].poses[:, :3, 3] / unit, kept.poses[:, :3, 3] / unit, atol=1e-3)


def test_a_shot_without_texture_is_not_solved_and_then_nothing_is():
    frames = [Frame(index, index / FPS, np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)) for index in range(20)]
    eye = np.repeat(np.eye(3)[None], 20, 0)
    moving, still = CameraTurns("moving", np.arange(20), eye), CameraTurns("still", np.arange(20, 30), eye[:10])
    times = {index: index / FPS for index in range(30)}
    solved = solve_shots(iter(frames), {}, [moving, still], times, K)
    assert solved[0] is None
    assert solved[1] is not None
    assert unpack_solved(pack_solved(solved)) == []


def test_a_picture_or_two_are_too_few(footage):
    _, frames = footage
    turns = CameraTurns("moving", np.arange(3), np.repeat(np.eye(3)[None], 3, 0))
    assert solve_shots(iter(frames[:3]), {}, [turns], {0: 0.0, 1: 0.04, 2: 0.08}, K) == [None]


def test_a_cancelled_run_does_not_wait_for_colmap(footage):
    _, frames = footage
    times = {frame.index: frame.time_s for frame in frames}
    moving = CameraTurns("moving", np.arange(COUNT), np.repeat(np.eye(3)[None], COUNT, 0))

    def cancel():
        raise CancelledError("stopped")

    begun = time.monotonic()
    with pytest.raises(CancelledError):
        solve_shots(iter(frames), {}, [moving], times, K, cancel)
    assert time.monotonic() - begun < 10, "writing the pictures and one step of COLMAP"
