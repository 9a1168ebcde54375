"""What an animator waits for, timed: `blender -b -P bench_timings.py -- person_1.npz`.

`adapt-motion bench --blender` starts this script in Blender or in a Python that has `bpy`. Each line of stdout that
starts with `REPLY` is one figure: its name, seconds by the clock and of this thread's processor time, and what was
done. Processor time counts where other programs are busy beside it.
"""

from __future__ import annotations

import sys
import time

import bpy

if not __package__:  # run as a script: what is timed first is what switching the add-on on takes
    import importlib
    import types
    from pathlib import Path

    package = types.ModuleType("adapt_motion")
    package.__path__ = [str(Path(__file__).resolve().parents[2])]
    sys.modules["adapt_motion"] = package
    began, worked = time.perf_counter(), time.thread_time()
    importlib.import_module("adapt_motion.blender_addon").register()
    took = (time.perf_counter() - began, time.thread_time() - worked)
    script = importlib.import_module("adapt_motion.blender_addon.scripts.bench_timings")
    script.compat.leave(script.main(sys.argv, took))

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..blender import compat
from ..errors import UserError
from ..run import clip_run, job, run_state, running

REPLY = "ADAPT_MOTION "

Report = Callable[..., None]


def main(argv: list[str], switching_on: tuple[float, float]) -> int:
    """Time everything on the motion file after `--`; gives back the exit code."""
    path = argv[argv.index("--") + 1]
    _report("version", text=bpy.app.version_string)
    _report("switch_on", *switching_on)
    try:
        measure(path, _report)
    except UserError as error:
        print(REPLY + json.dumps({"error": error.message, "hint": error.hint}), flush=True)
        return 1
    print(REPLY + json.dumps({"done": True}), flush=True)
    return 0


def measure(path: str, report: Report) -> None:
    """Time bringing in, keying, key reduction and retargeting of a motion file in an empty file of Blender's.

    Args:
        path: the motion file.
        report: called with name, seconds by the clock and of processor time of each figure.

    Raises:
        UserError: the motion file is damaged.
    """
    compat.empty_file()
    _attach(path, report)
    character = bpy.context.scene.adapt_motion.character
    _key(path, report)
    target = _rig(path)
    from ..blender import bones, pose_curves
    from ..cleanup import key_reduction
    from ..retarget import bake, bone_maps

    bone_map = bone_maps.read(bone_maps.FOLDER / "mixamo.json")
    with _Timed("retarget", report):
        bake.bake(character, target, bone_map, bpy.context.scene)
    with _Timed("reduce", report) as timed:
        poses = pose_curves.read(character)
        reduced = key_reduction.reduce(poses, bones.placing(character).scale, key_reduction.Bound())
        key_reduction.write(character, poses, reduced)
        timed.note = f"{reduced.after} of {reduced.before} keys are left"


def now() -> tuple[float, float]:
    """Seconds by the clock, and of this thread's processor time."""
    return time.perf_counter(), time.thread_time()


def _attach(path: str, report: Report) -> None:
    """Bring the result in as the window does: steps for a few milliseconds, then what Blender does before it draws."""
    state = run_state.RunState("attach", job.EventSource(Path(path).with_suffix(".log")))
    state.context.update(scene=bpy.context.scene.name, footage="", frame=1)
    work = clip_run.bring_in_steps(state, [path])
    first, blocks, over = now(), [], False
    while not over:
        began = now()
        try:
            running.take_some(work, running.STEPS_S)
        except StopIteration:
            over = True
        bpy.context.view_layer.update()
        blocks.append(tuple(after - before for after, before in zip(now(), began, strict=True)))
    ended = now()
    report("attach", ended[0] - first[0], ended[1] - first[1])
    report("longest_block", *max(blocks, key=lambda block: block[1]), text=f"the longest of {len(blocks)}")
    with _Timed("undo_step", report):
        bpy.ops.ed.undo_push(message="Bench")


def _key(path: str, report: Report) -> None:
    """The motion onto a bare armature, without the body."""
    from ..blender import timing
    from ..character import keying, motion_io, rig

    motion = motion_io.read_motion(path)
    rest = rig.rest_pose(motion_io.read_body(motion)[0], motion_io.read_skeleton())
    scene = bpy.context.scene
    armature = rig.build_armature("Bench", rest, scene, scene.collection)
    with _Timed("key", report):
        keying.apply(motion, rest, armature, timing.scene_rate(scene), 1)


def _rig(path: str) -> Any:
    """A rig of Mixamo's names with legs a tenth shorter."""
    import dataclasses

    from ..character import motion_io, rig
    from ..retarget import bone_maps

    motion = motion_io.read_motion(path)
    rest = rig.rest_pose(motion_io.read_body(motion)[0], motion_io.read_skeleton())
    heads = rest.heads.copy()
    heads[:, 2] = heads[:, 2] - 0.1 * heads[:, 2].clip(0, rest.heads[0, 2])
    scene = bpy.context.scene
    armature = rig.build_armature("Target", dataclasses.replace(rest, heads=heads), scene, scene.collection)
    for joint, name in bone_maps.read(bone_maps.FOLDER / "mixamo.json").bones.items():
        armature.data.bones[joint].name = name
    return armature


class _Timed:
    """Reports how long its block took."""

    def __init__(self, name: str, report: Report) -> None:
        self.note = ""
        self._name, self._report = name, report

    def __enter__(self) -> _Timed:
        self._began = now()
        return self

    def __exit__(self, kind: object, *_rest: object) -> None:
        if kind is None:
            seconds, processor = (after - before for after, before in zip(now(), self._began, strict=True))
            self._report(self._name, seconds, processor, text=self.note)


def _report(name: str, seconds: float = 0.0, processor: float = 0.0, text: str = "") -> None:
    line = {"figure": name, "seconds": seconds, "processor": processor, "text": text}
    print(REPLY + json.dumps(line), flush=True)
