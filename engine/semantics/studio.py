"""A studio's own actions: a label, a sentence and an exemplar motion, added without training.

They lie in a dictionary file of the studio's (format 2), its exemplars beside it. Networks know no more labels than
they were trained with: what an added action is nearest to, by its motion, is kept with it and stands for it there.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.body.rotations import axis_angle_to_matrix, matrix_to_axis_angle, matrix_to_six, six_to_matrix
from engine.errors import ModelFileError, UsageError
from engine.files.atomic import replacing
from engine.output.motion_file import read_motion
from engine.semantics.amass import read_poses
from engine.semantics.dictionary import MotionDictionary
from engine.semantics.motion_text import MotionTextSpace, facing_ahead
from engine.semantics.motion_windows import centred_window, resample, window_at
from engine.semantics.types import RATE, WINDOW

_STEP_S = 0.25
_NEAREST = 5
_LEAST_FRAMES = 8


@dataclass(frozen=True)
class Added:
    """What came of adding an action."""

    label: str
    sentence: str
    window_s: tuple[float, float]
    """Stretch of the motion that became the exemplar, seconds."""
    nearest: tuple[tuple[str, float], ...]
    """Labels that networks know whose motion is most like it, with the similarity, best first."""
    nearest_by_words: tuple[str, ...]
    dictionary: Path


def add_action(
    label: str,
    motion: Path,
    dictionary: Path,
    sentence: str = "",
    stretch_s: tuple[float, float] | None = None,
    skeletons: Path | None = None,
    space: MotionTextSpace | None = None,
) -> Added:
    """Add an action to a studio's dictionary.

    Args:
        label: its name, such as `swagger`; new to all dictionaries.
        motion: a `.bvh`, a motion file or an AMASS file (`.npz`), of which the two seconds of most movement become the
            exemplar.
        dictionary: the studio's file; made if it is not there.
        sentence: other words for it.
        stretch_s: seconds of the motion that count; all of it if left out.
        skeletons: table of joint maps for a `.bvh` whose joints have names that nobody knows.
        space: the motion-text space; the one that ships if left out.

    Returns:
        What was added, and what it is near to.

    Raises:
        UsageError: the label is known already, the motion is too short, or the file cannot be read.
        ModelFileError: a dictionary or the space is damaged.
        OutputError: the disk refuses.
    """
    label, sentence = " ".join(label.split()), " ".join(sentence.split())
    if not label or len(label) > 200:
        raise UsageError("The label has to be a few words.", "Such as: swagger")
    known = MotionDictionary.from_files().with_studio(dictionary)
    for text in (label, sentence):
        taken = [other for other in known.labels if text and text.lower() in map(str.lower, known.texts(other))]
        if taken:
            raise UsageError(f"'{text}' is known already, as '{taken[0]}'.", "Choose other words.")
    six, times = _read(motion, skeletons)
    window, start = _liveliest(six, times, stretch_s)
    space = space or MotionTextSpace.from_file()
    nearest = _nearest(window, space)
    words = known.match(sentence or label).suggestions
    entry: dict[str, Any] = {
        "label": label,
        "path": "studio",
        "captured": True,
        "nearest": [name for name, _ in nearest],
        "paraphrases": [sentence] if sentence else [],
    }
    _write(dictionary, entry, matrix_to_axis_angle(six_to_matrix(window)))
    return Added(label, sentence, (start, start + WINDOW / RATE), nearest, words, dictionary)


def listed(dictionary: Path) -> list[tuple[str, str, str]]:
    """Place in the tree, label and style of everything that is known, the studio's own last."""
    base = MotionDictionary.from_files()
    known = base.with_studio(dictionary)
    return [(known.path(label), label, known.style(label)) for label in known.labels]


def _read(path: Path, skeletons: Path | None) -> tuple[Tensor, Tensor]:
    """Rotations (T, 24, 6) with the root's in a world with z up, and seconds (T,)."""
    poses: NDArray[np.floating[Any]]
    if path.suffix.lower() == ".bvh":
        from engine.training.bvh_motion import read_bvh_motion

        poses, fps = read_bvh_motion(path, skeletons)
        times = torch.arange(len(poses), dtype=torch.float64) / fps
    elif path.suffix.lower() == ".npz":
        poses, times = _read_poses(path)
    else:
        hint = "Give a .bvh, a person_<N>.npz or an AMASS file."
        raise UsageError(f"{path.name} is neither a BVH nor a motion file.", hint)
    if len(poses) < _LEAST_FRAMES:
        raise UsageError(f"{path.name} has {len(poses)} frames, which is no action.", "Give a longer motion.")
    return matrix_to_six(axis_angle_to_matrix(torch.from_numpy(poses).float())), times


def _read_poses(path: Path) -> tuple[NDArray[np.floating], Tensor]:
    """(T, 24, 3) poses and seconds (T,) of a motion file, or of an AMASS file such as the add-on exports."""
    try:
        motion = read_motion(path)
    except UsageError as error:
        try:
            poses, fps = read_poses(path)
        except ModelFileError:
            raise error from None
        return poses, torch.arange(len(poses), dtype=torch.float64) / fps
    return motion.poses.reshape(-1, 24, 3), torch.from_numpy(motion.timestamps.astype(np.float64))


def _liveliest(six: Tensor, times: Tensor, stretch_s: tuple[float, float] | None) -> tuple[Tensor, float]:
    """The window (60, 24, 6) of most movement, facing ahead, and the second at which it begins."""
    first, last = float(times[0]), float(times[-1])
    if stretch_s:
        first, last = max(first, stretch_s[0]), min(last, stretch_s[1])
        if last - first < _LEAST_FRAMES / RATE:
            raise UsageError("The stretch is too short, or outside the motion.", f"It has {float(times[-1]):.1f} s.")
    length = (WINDOW - 1) / RATE
    if last - first <= length:
        at = centred_window(first, last, times.dtype).clamp(first, last)[None]
    else:
        starts = np.append(np.arange(first, last - length, _STEP_S), last - length)
        at = window_at(torch.from_numpy(starts).to(times.dtype))
    windows = facing_ahead(resample(six, times, at).float())
    movement = windows.diff(dim=1).abs().mean((1, 2, 3))
    best = int(movement.argmax())
    return windows[best], float(at[best, 0])


def _nearest(window: Tensor, space: MotionTextSpace) -> tuple[tuple[str, float], ...]:
    with torch.no_grad():
        similar = (space.encode_motion(window[None]) @ space.label_points.T)[0]
    best = similar.topk(min(_NEAREST, len(space.labels)))
    pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
    return tuple((space.labels[row], round(value, 3)) for row, value in pairs)


def _write(dictionary: Path, entry: dict[str, Any], exemplar: Tensor) -> None:
    """The file with one more entry, and its exemplars. Exemplars first: labels without one would be refused."""
    content: dict[str, Any] = {"format_version": 2, "exemplars": f"{dictionary.stem}_exemplars.npz", "actions": []}
    labels: Sequence[str] = ()
    motions = np.zeros((0, WINDOW, 24, 3), np.float16)
    if dictionary.is_file():
        MotionDictionary.from_files(dictionary)  # raises where it is damaged
        content = json.loads(dictionary.read_text(encoding="utf-8-sig"))
        labels = [action["label"] for action in content["actions"]]
        with np.load(dictionary.with_name(content["exemplars"]), allow_pickle=False) as file:
            kept = {name: motion for name, motion in zip(file["labels"].tolist(), file["rotations"], strict=True)}
        motions = np.stack([kept[label] for label in labels])
    content["actions"].append(entry)
    motions = np.concatenate([motions, exemplar.numpy()[None].astype(np.float16)])
    with replacing(dictionary.with_name(content["exemplars"])) as file:
        np.savez_compressed(file, allow_pickle=False, labels=np.array([*labels, entry["label"]]), rotations=motions)
    with replacing(dictionary) as file:
        file.write(json.dumps(content, ensure_ascii=False, indent=1).encode())
