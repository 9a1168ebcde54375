"""Runs the engine on generated scenes and scores it: camera followed, and taken as still."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from scipy.spatial.transform import Rotation

from engine.errors import UsageError
from engine.evaluation.benchmark import Watch
from engine.evaluation.metrics import Float
from engine.evaluation.scenes.build import WORLD, truth_of
from engine.evaluation.speed import measure
from engine.evaluation.world_metrics import STANDS_M_S, WorldScores, world_scores
from engine.evaluation.yardstick import SMPL_PLACES
from engine.output.motion_file import Motion, read_motion
from engine.output.report import REPORT

CAMERAS = ("auto", "still")
_FEET = [10, 11]
"""Balls of the feet."""


@dataclass(frozen=True)
class SceneScores:
    """Figures of one scene, run with one `--camera`.

    Attributes:
        scene, camera: which.
        motion: what the report says of the camera.
        turn: mean error of the camera's rotation, degrees, the first frame put together.
        frames: share of the frames that have a person.
        world: of the person.
    """

    scene: str
    camera: str
    motion: str
    turn: float
    frames: float
    world: WorldScores


@dataclass(frozen=True)
class SceneTruth:
    """Truth of a scene: joints (T, 24, 3), camera_to_world (T, 4, 4), focal length, times (T,), label."""

    joints: Float
    camera_to_world: Float
    focal_px: float
    times: Float
    label: str


def scenes_in(folder: Path) -> list[Path]:
    """Clips of a folder that have their truth beside them. Raises UsageError if there is none."""
    clips = [clip for clip in sorted(folder.glob("*.mp4")) if truth_of(clip).is_file()]
    if not clips:
        raise UsageError(
            f"{folder} has no scenes.", "Make them: adapt-motion bench --scenes FOLDER --scenes-from CORPUS"
        )
    return clips


def read_truth(path: Path) -> SceneTruth:
    """A scene's truth. Raises UsageError if the file is none."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return SceneTruth(
                archive["joints"].astype(np.float64),
                archive["camera_to_world"].astype(np.float64),
                float(archive["intrinsics"][0, 0]),
                archive["timestamps"].astype(np.float64),
                str(archive["label"]),
            )
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise UsageError(
            f"{path} cannot be read as a scene's truth: {error}.", f"Delete *{WORLD} and its clip."
        ) from error


def run_scenes(folder: Path, options: Sequence[str], out: Path | None, watch: Watch) -> list[SceneScores]:
    """Every scene of a folder, with each of `CAMERAS`.

    Args:
        folder: of `make_scenes`.
        options: further options of `adapt-motion run`.
        out: takes the results; what it has of an earlier run is used again. None for a folder that is removed.
        watch: called before each run.

    Raises:
        EngineError: a run failed.
    """
    scores = []
    with tempfile.TemporaryDirectory(prefix="adapt-motion-bench-", ignore_cleanup_errors=True) as scratch:
        clips = scenes_in(folder)
        for number, clip in enumerate(clips):
            truth = read_truth(truth_of(clip))
            for place, camera in enumerate(CAMERAS):
                watch(number * len(CAMERAS) + place, len(clips) * len(CAMERAS), f"{clip.stem}: --camera {camera}")
                results = out or Path(scratch)
                arguments = ("--camera", camera, "--focal-px", str(truth.focal_px), "--resume", *options)
                measure(clip, results, arguments)
                result = results / clip.stem
                report = json.loads((result / REPORT).read_text(encoding="utf-8"))
                motion = read_motion(result / "person_1.npz")
                scores.append(score_scene(clip.stem, camera, str(report["camera"]["motion"]), motion, truth))
    return scores


def score_scene(scene: str, camera: str, moves: str, motion: Motion, truth: SceneTruth) -> SceneScores:
    """Figures of a scene's result. Frames without the person do not count."""
    rows = np.abs(motion.timestamps[:, None] - truth.times).argmin(1)
    joints, true = motion.joints3d_world.astype(np.float64), truth.joints[rows]
    fps = 1 / float(np.median(np.diff(truth.times)))
    moved = np.linalg.norm(np.gradient(truth.joints[:, _FEET], truth.times, axis=0), axis=-1)
    stands = moved[rows] < STANDS_M_S
    figures = world_scores(
        joints[:, SMPL_PLACES], true[:, SMPL_PLACES], (joints[:, 0], true[:, 0]),
        (joints[:, _FEET], true[:, _FEET]), stands, fps,
    )  # fmt: skip
    path = motion.camera_path
    poses = np.repeat(motion.camera_to_world[None], len(rows), 0) if path is None else path
    turns = [one[0, :3, :3].T @ one[:, :3, :3] for one in (poses, truth.camera_to_world[rows])]
    turn = np.degrees(Rotation.from_matrix(turns[0] @ turns[1].transpose(0, 2, 1)).magnitude().mean())
    return SceneScores(scene, camera, moves, float(turn), len(rows) / len(truth.times), figures)
