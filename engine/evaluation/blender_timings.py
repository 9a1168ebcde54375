"""How long an animator waits in Blender: the add-on switched on, a result brought in, keyed, reduced, retargeted.

Blender, or a Python that has `bpy`, runs `blender_addon/scripts/bench_timings.py` in a process of its own and says
what it measured. The motion is a walk as long as wanted, made of the dictionary's exemplar with the open body.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engine.body.model import BodyModel, load_body
from engine.body.rotations import matrix_to_axis_angle, six_to_matrix
from engine.errors import ExportError
from engine.files.atomic import write_arrays
from engine.files.programs import find_program
from engine.output.blender_export import REPLY, child_environment, script_command
from engine.output.motion_file import ORIGIN_DETECTED, ORIGIN_FILLED, Motion, write_motion
from engine.semantics.dictionary import MotionDictionary

_SCRIPT = Path(__file__).resolve().parents[2] / "blender_addon" / "scripts" / "bench_timings.py"
_RATE = 30.0
_SPEED = 1.2
"""Metres a second of the walk."""

TITLES = {
    "switch_on": "add-on imported and registered",
    "attach": "result brought in with its body",
    "longest_block": "longest block of the window meanwhile",
    "undo_step": "step of undo afterwards",
    "key": "keyed",
    "retarget": "retargeted to a rig with Mixamo's names",
    "reduce": "keys reduced to 1° and 5 mm",
}
"""Each figure in words, in the order of the table."""

GOALS_S = {"switch_on": 0.1, "longest_block": 0.05}
"""What is promised, seconds of processor time."""


@dataclass(frozen=True)
class Timing:
    """One figure: seconds by the clock, seconds of Blender's main thread on the processor, and a note."""

    seconds: float
    processor: float
    note: str = ""


@dataclass(frozen=True)
class BlenderTimings:
    """What was measured in one Blender: its version, frames of the motion, and the figures by name."""

    version: str
    frames: int
    figures: dict[str, Timing]


def measure(program: str, frames: int, log: Callable[[str], None]) -> BlenderTimings:
    """Time the add-on in `program`, a Blender or a Python with `bpy`, on a motion of so many frames.

    Raises ExportError if it is no program, or does not come to the end.
    """
    found = find_program(program)
    if found is None:
        raise ExportError(
            f"--blender names {program}, which is no program.",
            "Give the path of a Blender executable, or of a Python that has bpy.",
        )
    with tempfile.TemporaryDirectory(prefix="adapt-motion-bench-", ignore_cleanup_errors=True) as scratch:
        path = Path(scratch) / "walk" / "person_1.npz"
        path.parent.mkdir()
        write_walk(path, frames)
        command = [*script_command(found), str(_SCRIPT), "--", str(path)]
        return _listen(command, child_environment(Path(scratch), Path(found)), frames, log)


def write_walk(path: Path, frames: int) -> None:
    """Write a motion file of a walk with its body beside it, as a run of the engine does."""
    body = load_body()
    betas = torch.zeros(10)
    motion = _walk(body, betas, frames)
    rest = body.rest(betas)
    write_arrays(path.with_name(f"{path.stem}_body.npz"), asdict(rest))
    write_motion(motion, path)


def table_rows(timings: BlenderTimings) -> list[tuple[str, ...]]:
    """Rows for a table: what, seconds by the clock, seconds of the main thread, what is promised, and the note."""
    rows: list[tuple[str, ...]] = []
    for name, title in TITLES.items():
        one = timings.figures.get(name)
        if one is not None:
            goal = f"< {GOALS_S[name]:g}" if name in GOALS_S else ""
            rows.append((title, f"{one.seconds:.3f}", f"{one.processor:.3f}", goal, one.note))
    return rows


def as_json(timings: BlenderTimings) -> dict[str, Any]:
    """Plain values."""
    return asdict(timings)


def _listen(command: list[str], environment: dict[str, str], frames: int, log: Callable[[str], None]) -> BlenderTimings:
    """Run the child to its end and collect its replies."""
    version, figures, done, last = "", {}, False, "no output"
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        encoding="utf-8",
        errors="replace",
    ) as process:
        try:
            for line in process.stdout or ():
                reply = _reply_in(line)
                last = line.strip() or last
                if "error" in reply:
                    raise ExportError(reply["error"], reply.get("hint", ""))
                done = done or "done" in reply
                if reply.get("figure") == "version":
                    version = reply["text"]
                    log(f"Blender {version}, a walk of {frames} frames …")
                elif "figure" in reply:
                    figures[reply["figure"]] = Timing(reply["seconds"], reply["processor"], reply["text"])
                    log(f"{TITLES.get(reply['figure'], reply['figure'])}: {reply['seconds']:.3f} s")
        except BaseException:
            process.kill()
            raise
    if not done:  # some builds crash on leaving, after all replies
        raise ExportError(
            f"Blender ended with code {process.returncode} while it was timed: {last}",
            "Try another Blender (3.4 or newer) with --blender.",
        )
    return BlenderTimings(version, frames, figures)


def _reply_in(line: str) -> dict[str, Any]:
    try:
        reply = json.loads(line[len(REPLY) :]) if line.startswith(REPLY) else {}
    except ValueError:
        return {}
    return reply if isinstance(reply, dict) else {}


def _walk(body: BodyModel, betas: torch.Tensor, frames: int) -> Motion:
    """The exemplar of walking there and back, along a straight line; the arms of every third second are filled in."""
    cycle = six_to_matrix(torch.from_numpy(MotionDictionary.from_files().exemplar("walk")))
    rows = np.arange(frames) % (2 * len(cycle) - 2)
    rotations = cycle[np.minimum(rows, 2 * len(cycle) - 2 - rows)]
    times = np.arange(frames) / _RATE
    path = np.stack([np.zeros(frames), -_SPEED * times, np.full(frames, 0.95)], 1)
    rest = body.rest_joints(betas)[0]
    trans = torch.from_numpy(path).float() - rest
    joints = body.joints(rotations, betas, trans).numpy()
    poses = matrix_to_axis_angle(rotations).reshape(frames, 72).numpy()
    before = poses.copy()
    before[:, 3:] *= 0.9
    names = np.array(body.landmark_names)
    origins = np.full((frames, len(names)), ORIGIN_DETECTED, np.uint8)
    arms = np.array([any(part in name for part in ("elbow", "wrist")) for name in body.landmark_names], np.bool_)
    origins[np.ix_(times % 3 < 1, arms)] = ORIGIN_FILLED
    low = joints[:, (7, 10, 8, 11), 2]
    size = np.array([1920, 1080])
    into_camera = np.array([[1.0, 0, 0, 0], [0, 0, 1, -8], [0, -1, 0, 1.5], [0, 0, 0, 1]])
    return Motion(
        poses=poses,
        trans=trans.numpy(),
        betas=betas.numpy(),
        gender=body.gender,
        surface_model_type=body.surface_model_type,
        mocap_framerate=_RATE,
        timestamps=times,
        cam_global_orient=poses[:, :3],
        cam_transl=trans.numpy(),
        joints3d_cam=(joints - into_camera[:3, 3].astype(np.float32)) @ into_camera[:3, :3].astype(np.float32),
        joints3d_world=joints,
        intrinsics=np.array([[2200.0, 0, 960], [0, 2200, 540], [0, 0, 1]]),
        camera_to_world=into_camera,
        image_size=size,
        keypoints2d=np.ones((frames, len(names), 3), np.float32),
        keypoints2d_origin=origins,
        keypoint_names=names,
        labels=np.full(frames, "walk"),
        label_similarity=np.full(frames, 0.9, np.float32),
        contacts=(low < low.min() + 0.03).astype(np.float32),
        initial_poses=before,
        initial_trans=trans.numpy(),
    )
