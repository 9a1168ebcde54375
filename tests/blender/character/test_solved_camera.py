"""The Movie Clip's lens, and a camera track that Blender really solves from points that it sees move."""

from __future__ import annotations

import json
from pathlib import Path

import bpy
import numpy as np
import pytest
from adapt_motion.blender_addon import messages
from adapt_motion.blender_addon.blender import axes
from adapt_motion.blender_addon.character import solved_camera
from adapt_motion.blender_addon.errors import UserError
from adapt_motion.blender_addon.run import run_settings
from addon_fixtures import refused
from conftest import REPOSITORY
from mathutils import Euler, Matrix

DEMO = REPOSITORY / "presets" / "demo" / "demo.mp4"
FRAMES = 40
FOCAL_PX = 1500.0


def true_camera(frame: int) -> np.ndarray:
    """(4, 4) Blender camera at a frame from 0: it moves to the right, up and ahead, and turns."""
    share = frame / FRAMES
    place = Matrix.Translation((share * 2.0 - 1.0, -6.0 + share, 1.6 + 0.3 * np.sin(3 * share)))
    return np.array(
        place @ Euler((np.radians(88 + 4 * share), 0.02 * share, np.radians(-8 * share))).to_matrix().to_4x4()
    )


def seen(points: np.ndarray, frame: int, bend=lambda rays: rays, aspect: float = 1.0) -> np.ndarray:
    """(N, 2) parts of the picture, y up, of world points (N, 3); `bend` is the lens, on rays (N, 2) with y down."""
    camera = (points - true_camera(frame)[:3, 3]) @ true_camera(frame)[:3, :3]
    rays = bend(camera[:, :2] / -camera[:, 2:] * (1, -1)) * (1, -1)
    return rays * FOCAL_PX * (1, aspect) / (1080, 1920) + 0.5


@pytest.fixture
def shot(addon):
    """The scene with footage whose Movie Clip has tracks of points in a room, as a tracker would leave them."""
    scene = bpy.context.scene
    scene.render.fps = 60
    bpy.ops.adapt_motion.choose_footage(filepath=str(DEMO))
    clip = scene.adapt_motion.movie_clip
    camera = clip.tracking.camera
    camera.sensor_width = 36.0
    camera.units = "PIXELS"
    camera.focal_length_pixels = FOCAL_PX
    track_points(clip)
    return scene


def track_points(clip, **lens) -> None:
    """Tracks of points in a room, in place of those that are there."""
    noise = np.random.default_rng(3)
    points = noise.uniform((-1.2, -0.5, 0.4), (1.2, 3.0, 2.8), (30, 3))
    places = np.stack([seen(points, frame, **lens) for frame in range(FRAMES)], 1)
    for number, path in enumerate(places):
        track = clip.tracking.tracks.get(f"point {number}")
        track = track or clip.tracking.tracks.new(name=f"point {number}", frame=1)
        for frame, place in enumerate(path):
            track.markers.insert_frame(frame + 1, co=place)


def solve(scene):
    """Solve the camera as the button in the Movie Clip Editor does."""
    clip = scene.adapt_motion.movie_clip
    window = bpy.context.window_manager.windows[0]
    area = window.screen.areas[0]
    kind, area.type = area.type, "CLIP_EDITOR"
    area.spaces.active.clip = clip
    settings = clip.tracking.settings
    clip.tracking.objects[0].keyframe_a, clip.tracking.objects[0].keyframe_b = 1, FRAMES - 5
    settings.use_keyframe_selection = False if hasattr(settings, "use_keyframe_selection") else None
    region = next(one for one in area.regions if one.type == "WINDOW")
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.clip.solve_camera()
    area.type = kind


def test_the_lens_of_the_movie_clip(shot):
    shot.adapt_motion.camera_source = "clip"
    reply = solved_camera.describe(shot)
    assert reply == {"intrinsics": [[pytest.approx(1500), 0, 540], [0, pytest.approx(1500), 960], [0, 0, 1]]}
    run = run_settings.job_of(bpy.context)
    assert json.loads(Path(run.camera).read_text()) == json.loads(json.dumps(solved_camera.describe(shot)))
    assert bpy.ops.adapt_motion.read_camera() == {"FINISHED"}
    shot.adapt_motion.camera_source = "guess"
    assert run_settings.job_of(bpy.context).camera == "auto"
    shot.adapt_motion.camera_source = "still"
    assert run_settings.job_of(bpy.context).camera == "still"


LENSES = {
    "POLYNOMIAL": {"k1": -0.25, "k2": 0.08, "k3": -0.02},
    "DIVISION": {"division_k1": -0.16, "division_k2": 0.02},
    "NUKE": {"nuke_k1": -0.07, "nuke_k2": 0.005},
    "BROWN": {"brown_k1": -0.2, "brown_k2": 0.06, "brown_k3": -0.01, "brown_k4": 0.002, "brown_p1": 0.01,
              "brown_p2": -0.012},
}  # fmt: skip


@pytest.mark.parametrize("model", LENSES)
def test_the_distortion_of_the_lens_is_what_blender_means_by_it(shot, model):
    """Points as the engine's model bends them: Blender's solve, which knows the lens, finds them where they are."""
    clip = shot.adapt_motion.movie_clip
    camera = clip.tracking.camera
    camera.distortion_model = model
    for name, value in LENSES[model].items():
        setattr(camera, name, value)
    reply = solved_camera.distortion(clip)
    track_points(clip, bend=lambda rays: bent(reply, rays))
    solve(shot)
    assert solved_camera.reconstruction(clip).average_error < 0.1, "pixels; 0.28 and more if the lens is left out"


def bent(reply: dict, rays: np.ndarray) -> np.ndarray:
    """Where a lens puts rays (N, 2), as the engine's camera file means it; written out once more."""
    k, (p1, p2) = reply["k"], reply["p"]
    if reply["model"] == "reciprocal":
        square = (rays**2).sum(1, keepdims=True)
        return rays / (1 + sum(one * square**power for power, one in enumerate(k, 1)))
    if reply["model"] == "division":  # given the other way round
        out = rays.copy()
        for _ in range(60):
            square = (out**2).sum(1, keepdims=True)
            out = rays * (1 + sum(one * square**power for power, one in enumerate(k, 1)))
        return out
    x, y = rays.T
    square = x * x + y * y
    factor = 1 + sum(one * square**power for power, one in enumerate(k, 1))
    return np.stack(
        [
            x * factor + 2 * p1 * x * y + p2 * (square + 2 * x * x),
            y * factor + p1 * (square + 2 * y * y) + 2 * p2 * x * y,
        ],
        1,
    )


def test_pixels_that_are_not_square(shot):
    clip = shot.adapt_motion.movie_clip
    clip.tracking.camera.pixel_aspect = 1.4
    lens = solved_camera.intrinsics(clip)
    assert lens[1][1] == pytest.approx(1.4 * lens[0][0])
    track_points(clip, aspect=lens[1][1] / lens[0][0])
    solve(shot)
    assert solved_camera.reconstruction(clip).average_error < 0.3


def test_a_lens_without_distortion_tells_none(shot):
    clip = shot.adapt_motion.movie_clip
    for model in LENSES:
        clip.tracking.camera.distortion_model = model
        assert solved_camera.distortion(clip) is None
    shot.adapt_motion.camera_source = "clip"
    assert "distortion" not in solved_camera.describe(shot)
    clip.tracking.camera.nuke_k1 = 0.1
    clip.tracking.camera.distortion_model = "NUKE"
    assert solved_camera.describe(shot)["distortion"]["model"] == "division"
    assert "distortion taken out" in solved_camera.summary(solved_camera.describe(shot))


def test_what_is_missing_is_reported(shot):
    shot.adapt_motion.camera_source = "solved"
    assert messages.NOT_SOLVED in refused(bpy.ops.adapt_motion.read_camera)
    shot.render.fps = 24
    with pytest.raises(UserError, match="runs at another rate"):
        solved_camera.describe(shot)
    shot.adapt_motion.movie_clip = None
    with pytest.raises(UserError, match="footage is not loaded"):
        solved_camera.describe(shot)


def test_a_solved_camera_is_read_frame_by_frame_in_the_solved_scene(shot):
    """Up to where the solve puts its origin, turn and scale; after placing it by hand it is the true path."""
    solve(shot)
    clip = shot.adapt_motion.movie_clip
    assert solved_camera.reconstruction(clip).average_error < 1.0
    shot.adapt_motion.camera_source = "solved"
    loose = np.array(solved_camera.describe(shot)["camera_to_world"])
    assert loose.shape == (clip.frame_duration, 4, 4)
    camera = bpy.data.objects.new("tracked", bpy.data.cameras.new("tracked"))
    shot.collection.objects.link(camera)
    constraint = camera.constraints.new("CAMERA_SOLVER")
    constraint.use_active_clip, constraint.clip = False, clip
    assert solved_camera.camera_object(shot) == camera

    true = np.stack([true_camera(frame) for frame in range(FRAMES)])
    solved = np.array(
        [solved_camera.reconstruction(clip).cameras.matrix_from_frame(frame=n + 1) for n in range(FRAMES)]
    )
    spread = [np.linalg.norm(one[:, :3, 3] - one[:, :3, 3].mean(0)) for one in (true, solved)]
    scale = spread[0] / spread[1]
    turn = true[0, :3, :3] @ solved[0, :3, :3].T
    place = np.eye(4)
    place[:3, :3] = turn * scale
    place[:3, 3] = true[0, :3, 3] - turn @ solved[0, :3, 3] * scale
    camera.matrix_basis = Matrix(place.tolist())  # what Set Floor and Set Scale do
    path = np.array(solved_camera.describe(shot)["camera_to_world"])[:FRAMES]
    wanted = np.stack([axes.camera_to_world(one) for one in true])
    assert np.abs(path[:, :3, 3] - wanted[:, :3, 3]).max() < 0.03
    turns = np.einsum("nij,nij->n", path[:, :3, :3], wanted[:, :3, :3])
    assert np.degrees(np.arccos(np.clip((turns - 1) / 2, -1, 1))).max() < 0.5
    assert np.linalg.det(path[:, :3, :3]) == pytest.approx(np.ones(FRAMES), abs=1e-4), "no scale is left in the turn"
    shot.frame_set(25)
    bpy.context.view_layer.update()
    assert np.abs(np.array(camera.matrix_world)[:3, 3] - path[24, :3, 3]).max() < 1e-3, "as Blender itself shows it"


def test_a_zoom_is_keyed_on_the_camera_that_follows_the_solve(shot):
    solve(shot)
    clip = shot.adapt_motion.movie_clip
    camera = bpy.data.objects.new("tracked", bpy.data.cameras.new("tracked"))
    shot.collection.objects.link(camera)
    constraint = camera.constraints.new("CAMERA_SOLVER")
    constraint.use_active_clip, constraint.clip = False, clip
    shot.adapt_motion.camera_source = "solved"
    length = clip.tracking.camera.focal_length
    camera.data.lens = length
    assert np.array(solved_camera.describe(shot)["intrinsics"]).shape == (3, 3)
    camera.data.keyframe_insert("lens", frame=1)
    camera.data.lens = 2 * length
    camera.data.keyframe_insert("lens", frame=21)
    reply = solved_camera.describe(shot)
    lenses = np.array(reply["intrinsics"])
    assert lenses.shape == (clip.frame_duration, 3, 3)
    assert lenses[[0, 10, 20, 30], 0, 0] == pytest.approx(np.array([1, 1.5, 2, 2]) * FOCAL_PX, rel=1e-3)
    assert (lenses[:, 0, 0] == lenses[:, 1, 1]).all()
    assert "1500 to 3000 pixels, solved over" in solved_camera.summary(reply)
