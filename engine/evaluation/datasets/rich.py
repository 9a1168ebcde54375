"""RICH (Huang et al. 2022): people in scanned rooms and yards from several still cameras, SMPL-X for each frame.

The layout is that of the data set's own toolkit: `bodies/test/<sequence>/<frame>/<person>.pkl`, a SMPL-X body a frame
(`transl` (1, 3), `global_orient` (1, 3), `body_pose` (1, 63), `betas` (1, 10)), sequences `<scene>_<people>_<action>`;
and `scan_calibration/<scene>/calibration/<camera>.xml`, OpenCV's XML with `CameraMatrix` (3, 4), world to camera, and
`Intrinsics` (3, 3). 30 frames a second.

Protocol: the 22 joints that SMPL-X shares with SMPL, each sequence by its first camera. Genders are not in the data:
`--bodies` takes `SMPLX_NEUTRAL`. What the lens bends is not undone. Pictures are taken to be twice as large as the
principal point says. Keypoints as for EMDB.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from engine.backbones.types import Camera
from engine.body.landmarks import JOINT_NAMES
from engine.errors import UsageError
from engine.evaluation.data import Case, Truth, make_track
from engine.evaluation.datasets import openpose, shared
from engine.evaluation.datasets.shared import Float, Licensed
from engine.evaluation.joints import JointSet, joints_of

NAME = "rich"
_RATE = 30.0
_SIZES = {"transl": 3, "global_orient": 3, "body_pose": 63, "betas": 10}
_JOINTS = 22
JOINTS = JointSet(JOINT_NAMES[:_JOINTS], ("pelvis",), tuple(range(_JOINTS)))
"""Those of SMPL-X's body."""
_LARGEST_XML = 2**20
_NO_BODY = "the truth's own body (SMPLX_NEUTRAL) was not given with --bodies"


def read(root: Path, licensed: Licensed) -> Iterator[Case]:
    """Every person of every test sequence. Raises UsageError."""
    bodies = next((root / place for place in ("bodies/test", "data/bodies/test") if (root / place).is_dir()), None)
    if bodies is None:
        raise UsageError(f"{root} has no bodies.", "It needs bodies/test and scan_calibration.")
    sequences = [folder for folder in sorted(bodies.iterdir()) if folder.is_dir()]
    if not sequences:
        raise UsageError(f"{bodies} has no sequences.", "Is the data set unpacked?")
    for sequence in sequences:
        calibration = bodies.parents[1] / "scan_calibration" / sequence.name.split("_")[0] / "calibration"
        to_camera, intrinsics = _camera(calibration)
        people: dict[str, list[tuple[int, Path]]] = defaultdict(list)
        for path in sorted(sequence.glob("*/*.pkl")):
            if path.parent.name.isdigit():
                people[path.stem].append((int(path.parent.name), path))
        for person, files in sorted(people.items()):
            yield _case(f"{sequence.name}_{person}", files, to_camera, intrinsics, licensed)


def _case(name: str, files: list[tuple[int, Path]], to_camera: Float, intrinsics: Float, licensed: Licensed) -> Case:
    numbers = np.array([number for number, _ in files])
    values = [_parameters(path) for _, path in files]
    hands = np.zeros(6)
    poses = np.stack([np.concatenate((one["global_orient"], one["body_pose"], hands)) for one in values])
    betas = np.mean([one["betas"] for one in values], axis=0)
    true_body = licensed.body_of("neutral", "SMPLX")
    body = true_body or licensed.body
    pose = shared.pose_from_axis_angle(poses, betas, np.stack([one["transl"] for one in values]))
    pose = shared.seen_from(pose, shared.rest_pelvis(body, betas), to_camera)
    size = (round(2 * float(intrinsics[0, 2])), round(2 * float(intrinsics[1, 2])))
    whole = joints_of(body, pose)
    seen = np.ones(len(whole), bool)
    keypoints, names, note = openpose.seen_or_true(licensed, name, whole, seen, intrinsics, size)
    notes = [note, "" if true_body is not None else _NO_BODY]
    return Case(
        name=name,
        clip=name,
        category=NAME,
        condition=NAME,
        label="",
        track=make_track(keypoints, None, (numbers - numbers[0]) / _RATE, names, size),
        camera=Camera(intrinsics, "given"),
        truth=Truth(
            joints=whole[:, :_JOINTS],
            joint_set=JOINTS,
            note="; ".join(filter(None, notes)),
            to_world=np.repeat(np.linalg.inv(to_camera)[None], len(whole), 0),
        ),
    )


def _parameters(path: Path) -> dict[str, Float]:
    values = shared.read_pickle_file(path)
    shared.wanted_entries(values, tuple(_SIZES), path)
    return {name: shared.shaped(np.ravel(values[name])[:size], (size,), name, path) for name, size in _SIZES.items()}


def _camera(folder: Path) -> tuple[Float, Float]:
    """(4, 4) world to camera and (3, 3) intrinsics of the first camera. Raises UsageError."""
    paths = sorted(folder.glob("*.xml"))
    if not paths:
        raise UsageError(f"{folder} has no cameras (*.xml).", "It belongs to scan_calibration.")
    try:
        text = paths[0].read_bytes()
        if len(text) > _LARGEST_XML or b"<!" in text.replace(b"<!--", b""):
            raise ValueError("it is no camera of OpenCV")
        tree = ElementTree.fromstring(text)
        matrix = np.array(_numbers(tree, "CameraMatrix")).reshape(3, 4)
        intrinsics = np.array(_numbers(tree, "Intrinsics")).reshape(3, 3)
    except (OSError, ValueError, ElementTree.ParseError) as error:
        raise UsageError(f"{paths[0]} cannot be read as a camera: {error}.", "Get it from its makers again.") from error
    return np.vstack((matrix, [0.0, 0, 0, 1])), intrinsics


def _numbers(tree: ElementTree.Element, name: str) -> list[float]:
    return [float(one) for one in (tree.findtext(f"./{name}/data") or "").split()]
