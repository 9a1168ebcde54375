"""People who walk before synthetic cameras."""

from __future__ import annotations

import torch

from engine.body.model import load_body
from engine.body.rotations import axis_angle_to_matrix
from engine.training.motion_batches import MotionBatch
from engine.training.observations import NOTHING_HIDDEN, Conditions, Scene, place

WINDOWS, FRAMES = 24, 6
BODY = load_body(None)


def standing(windows: int = WINDOWS) -> MotionBatch:
    """People who stand upright and walk sideways by a metre."""
    rotations = torch.eye(3).repeat(windows, FRAMES, 24, 1, 1)
    rotations[:, :, 0] = axis_angle_to_matrix(torch.tensor([torch.pi / 2, 0, 0]))
    pelvis = torch.zeros(windows, FRAMES, 3)
    pelvis[..., 0], pelvis[..., 2] = torch.linspace(0, 1, FRAMES), 0.9
    times = torch.arange(FRAMES).float().repeat(windows, 1) / 30
    return MotionBatch(rotations, pelvis, torch.zeros(windows, 10), torch.ones(windows, FRAMES, 4), times)


def scene(conditions: Conditions = NOTHING_HIDDEN, seed: int = 0, windows: int = WINDOWS) -> Scene:
    return place(standing(windows), BODY, torch.Generator().manual_seed(seed), conditions)
