"""The `--camera` file."""

import json

import numpy as np
import pytest

from engine.camera.camera_file import read_camera
from engine.errors import UsageError

K = [[1500.0, 0, 960], [0, 1500, 540], [0, 0, 1]]


def camera_file(folder, values):
    path = folder / "camera.json"
    path.write_text(values if isinstance(values, str) else json.dumps(values))
    return path


def moved(x):
    pose = np.eye(4)
    pose[0, 3] = x
    return pose.tolist()


def test_a_camera_is_read_with_its_path(tmp_path):
    values = {"intrinsics": [K, K], "camera_to_world": [moved(1), moved(1.5)]}
    camera = read_camera(camera_file(tmp_path, values))
    assert camera.intrinsics.tolist() == K
    assert camera.path[:, 0, 3].tolist() == [1, 1.5]
    camera = read_camera(camera_file(tmp_path, {"intrinsics": K}))
    assert (camera.intrinsics.tolist(), camera.path) == (K, None)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ("no json", "is not JSON"),
        ([1], "has no intrinsics"),
        ({"camera_to_world": [moved(0)]}, "has no intrinsics"),
        ({"intrinsics": "wide"}, "are not numbers"),
        ({"intrinsics": [[1, 2], [3, 4]]}, "3 x 3"),
        ({"intrinsics": np.zeros((3, 3)).tolist()}, "no camera matrix"),
        ({"intrinsics": K, "camera_to_world": [(2 * np.eye(4)).tolist()]}, "turns and places"),
        ({"intrinsics": K, "camera_to_world": [np.diag([-1, 1, 1, 1]).tolist()]}, "turns and places"),
        ({"intrinsics": [K, np.zeros((3, 3)).tolist()]}, "no camera matrix"),
        ({"intrinsics": K, "distortion": "barrel"}, "none that is known"),
        ({"intrinsics": K, "distortion": {"model": "fisheye", "k": [0.1]}}, "none that is known"),
        ({"intrinsics": K, "distortion": {"model": "division", "k": [0.1, 0.2, 0.3]}}, "none that is known"),
        ({"intrinsics": K, "distortion": {"model": "division", "k": [0.1], "p": [0.1, 0]}}, "none that is known"),
        ({"intrinsics": K, "distortion": {"model": "polynomial", "k": ["a"]}}, "none that is known"),
        ({"intrinsics": K, "distortion": {"model": "polynomial", "k": [float("nan")]}}, "none that is known"),
        ('{"intrinsics": ' + "[" * 10_000 + "]" * 10_000 + "}", "is not JSON: it has more than 32 lists"),
        ('{"intrinsics": [[1%s, 0, 1], [0, 1, 1], [0, 0, 1]]}' % ("0" * 400), "3 x 3 matrices of finite numbers"),
        ({"intrinsics": [[1e30, 0, 1], [0, 1e30, 1], [0, 0, 1]]}, "no camera matrix"),
        ({"intrinsics": [[1e-300, 0, 1], [0, 1e-300, 1], [0, 0, 1]]}, "no camera matrix"),
        ({"intrinsics": K, "camera_to_world": [moved(1e30)]}, "turns and places"),
        ({"intrinsics": K, "distortion": {"model": "polynomial", "k": [10**400]}}, "none that is known"),
        ({"intrinsics": K, "distortion": {"model": "division", "k": [1e300]}}, "none that is known"),
        ({"intrinsics": K, "distortion": {"model": "polynomial", "k": [0.1], "p": [0, 1e300]}}, "none that is known"),
        ({"intrinsics": K, "distortion": {"model": ["a"], "k": [1]}}, "none that is known"),
    ],
)
def test_other_camera_files_are_refused(tmp_path, values, sentence):
    with pytest.raises(UsageError, match=sentence) as caught:
        read_camera(camera_file(tmp_path, values))
    assert caught.value.hint


def test_a_lens_that_zooms_and_distorts(tmp_path):
    zoomed = (np.array(K) * [[1.5], [1.5], [1]]).tolist()
    bent = {"model": "polynomial", "k": [-0.2, 0.05], "p": [0.001, 0]}
    camera = read_camera(camera_file(tmp_path, {"intrinsics": [K, K, zoomed], "distortion": bent}))
    assert camera.intrinsics.tolist() == K, "the median"
    assert camera.lens.rows(np.array([0, 2])).tolist() == [K, zoomed]
    assert camera.lens.distortion.k == (-0.2, 0.05)
    assert camera.lens.distortion.p == (0.001, 0.0)
    with pytest.raises(UsageError, match="intrinsics for 3 frames, and frame 4 needs them"):
        camera.lens.rows(np.array([3]))
    still = read_camera(camera_file(tmp_path, {"intrinsics": [K, K], "distortion": {"model": "division", "k": [0.0]}}))
    assert still.lens is None, "a lens that does nothing is none"


def test_a_missing_camera_file_is_refused(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        read_camera(tmp_path / "none.json")
