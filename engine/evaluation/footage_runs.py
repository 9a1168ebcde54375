"""Real footage through the whole engine, once for each preset, scored against true joints of the same footage."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from engine.body.model import load_body
from engine.body.rotations import axis_angle_to_matrix
from engine.evaluation.joints import Pose, joints_of
from engine.evaluation.speed import measure
from engine.evaluation.yardstick import JOINTS, SMPL_PLACES, Scores, Truth, read_truth, score, score_motion, truth_file
from engine.footage.decoding import frames, probe
from engine.keypoints.mediapipe_detector import MODELS, MediaPipeDetector
from engine.keypoints.tracking import choose, track_people
from engine.output.motion_file import Motion, read_motion


def score_file(folder: Path, motion: Path) -> Scores:
    """Scores of a motion file. Raises UsageError."""
    return score_motion(motion, read_truth(truth_file(folder, motion)))


def run_and_score(
    folder: Path, footage: Path, presets: Sequence[str], options: Sequence[str], body: Path | None
) -> dict[str, Scores]:
    """The detector's own 3D, and each preset before and after adaptation, by title.

    Args:
        folder: with true joints.
        footage: the clip.
        presets: names.
        options: further options of `adapt-motion run`.
        body: the SMPL file that runs use, if any.

    Raises:
        EngineError: a run failed, or the truth is not there.
    """
    name = footage.stem
    truth = read_truth(truth_file(folder, Path(name) / "person_1.npz"))
    scores = {f"{name}, MediaPipe's own 3D": _detectors_own(footage, truth)}
    extra = [*options, *(("--body", str(body)) if body else ())]
    with tempfile.TemporaryDirectory(prefix="adapt-motion-bench-") as scratch:
        for preset in presets:
            sys.stderr.write(f"Running {footage.name} with {preset} …\n")
            out = Path(scratch) / preset
            measure(footage, out, ["--preset", preset, *extra])
            path = sorted(out.glob("*/person_1.npz"))[0]
            motion = read_motion(path)
            if not np.array_equal(motion.initial_poses, motion.poses):
                scores[f"{name}, {preset}, before adaptation"] = _before(motion, body, truth)
            scores[f"{name}, {preset}"] = score_motion(path, truth)
    return scores


def _detectors_own(footage: Path, truth: Truth) -> Scores:
    """MediaPipe's landmarks in 3D of the main person. Their place in the room is not known."""
    info = probe(footage)
    with MediaPipeDetector(MODELS["heavy"]) as detector:
        found = list(detector.detect(frames(footage)))
    track = choose(track_people(found, info), "main")[0]
    columns = [track.keypoint_names.index(name) for name in JOINTS]
    joints = 1000 * track.landmarks3d[:, columns].astype(np.float64)
    there = np.isfinite(joints).all((1, 2))
    return score(track.timestamps[there], joints[there], truth).without_place()


def _before(motion: Motion, body: Path | None, truth: Truth) -> Scores:
    """The motion before adaptation, brought back from the world to the camera. The shape is that of after."""
    layer = load_body(body)
    rotations = axis_angle_to_matrix(torch.as_tensor(motion.initial_poses).reshape(-1, 24, 3)).numpy()
    world = joints_of(layer, Pose(rotations, motion.betas, motion.initial_trans))
    to_camera = np.linalg.inv(motion.camera_to_world)
    joints = world @ to_camera[:3, :3].T + to_camera[:3, 3]
    return score(motion.timestamps, 1000 * joints[:, SMPL_PLACES], truth)
