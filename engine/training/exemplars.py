"""Exemplar motions of the dictionary: what the motion-text space's decoder makes of each label, and their sheet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from engine.body.model import load_body
from engine.body.rotations import matrix_to_axis_angle, six_to_matrix
from engine.files.atomic import replacing
from engine.semantics.dictionary import MotionDictionary
from engine.semantics.motion_text import MotionTextSpace
from engine.training.figure import figure_of
from engine.training.sheets import SheetRow, draw_sheet, row_of

_TO_Y_UP = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])


def write_exemplars(space: MotionTextSpace, path: Path) -> None:
    """Write an exemplar of every label, as the dictionary reads them. Raises OutputError if the disk refuses."""
    with torch.no_grad():
        rotations = six_to_matrix(space.decode(space.label_points))
    vectors = matrix_to_axis_angle(rotations).numpy().astype(np.float16)
    with replacing(path) as file:
        np.savez_compressed(file, allow_pickle=False, labels=np.array(space.labels), rotations=vectors)


def draw_exemplars(dictionary: MotionDictionary, labels: Sequence[str], path: Path, columns: int = 10) -> None:
    """Write a PNG of exemplars, each from the front and from the person's left. The lowest point stands on the floor.

    Raises:
        KeyError: a label is not in the dictionary.
        ModelFileError: the exemplars are missing or damaged.
    """
    draw_sheet([_row(dictionary, label) for label in labels], path, columns)


def _row(dictionary: MotionDictionary, label: str) -> SheetRow:
    figure = figure_of(load_body(None))
    rotations = six_to_matrix(torch.from_numpy(dictionary.exemplar(label))).double().numpy()
    rotations[:, 0] = _TO_Y_UP @ rotations[:, 0]
    joints, turned = figure.pose(rotations, np.zeros((len(rotations), 3)))
    lowest = figure.skin_points(joints, turned)[..., 1].min(1)
    pelvis = np.stack((np.zeros(len(lowest)), -lowest, np.zeros(len(lowest))), 1)
    return row_of(label, rotations, pelvis, figure)
