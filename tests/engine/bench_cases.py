"""A small corpus, a detector whose noise is next to nothing, and predictions, for tests of the bench."""

from dataclasses import replace

import numpy as np
import torch

from engine.backbones.types import Prediction
from engine.training.corpus import CorpusClip, LabelRow
from engine.training.detector_model import KEYPOINTS, NUMBERS, DetectorModel, Fitted

FRAMES = 24


def clip(name, performer="hdm_tr", label="swing", category="swing", frames=FRAMES, held_out=True, synthetic=False):
    """Somebody upright who swings their arms, in the corpus's world."""
    poses = np.zeros((frames, 24, 3), np.float32)
    poses[:, 0, 0] = np.pi / 2
    poses[:, 16, 2], poses[:, 17, 2] = -1.2, 1.2
    poses[:, 16, 1] = np.sin(np.arange(frames) / 30 * 8 + len(name))
    poses[:, 4, 0] = 0.8
    pelvis = np.zeros((frames, 3), np.float32)
    pelvis[:, 2] = 0.95
    return CorpusClip(
        name=name,
        source="authored" if synthetic else "mine",
        performer=performer,
        synthetic=synthetic,
        held_out=held_out,
        poses=poses.reshape(-1, 72),
        pelvis=pelvis,
        contacts=np.ones((frames, 4), np.int8),
        betas=np.zeros(10, np.float32),
        labels=(LabelRow(0, frames, label, category),),
    )


def corpus():
    """Three held-out clips of two categories, an authored one, and one of a performer that was trained on."""
    return [
        clip("a"),
        clip("b"),
        clip("c", "cmu_07", "stand", "stand"),
        clip("authored", "authored_13", synthetic=True),
        clip("trained", "ann", held_out=False),
    ]


def labelled(one, *rows):
    """The clip with other labels."""
    return replace(one, labels=tuple(LabelRow(*row) for row in rows))


def quiet_detector():
    """Reports the truth, and a low confidence for what is hidden."""
    pick = torch.zeros(KEYPOINTS, 6 * KEYPOINTS + 1)
    pick[:, 5 * KEYPOINTS : 6 * KEYPOINTS] = 10 * torch.eye(KEYPOINTS)
    last, bias = torch.zeros(2 * NUMBERS, KEYPOINTS), torch.zeros(2 * NUMBERS)
    logits = slice(2 * KEYPOINTS, 3 * KEYPOINTS)
    last[logits], bias[logits], bias[NUMBERS:] = -torch.eye(KEYPOINTS), 3.0, -6.0
    memory = torch.zeros(NUMBERS, 5)
    memory[:, 0] = 1
    return DetectorModel(
        Fitted(
            first=pick,
            first_bias=torch.zeros(KEYPOINTS),
            second=torch.eye(KEYPOINTS),
            second_bias=torch.zeros(KEYPOINTS),
            last=last,
            last_bias=bias,
            directions=torch.eye(NUMBERS),
            memory=memory,
            strength=torch.ones(2),
            burst=torch.zeros(1),
            missed=torch.tensor([[0.0, 1.0]] * 5),
            swapped=torch.tensor([[0.0, 1.0]] * 2),
        )
    )


def prediction_of(pose):
    """A pose as a prediction."""
    count = len(pose.rotations)
    ones = np.ones((count, 24), np.float32)
    values = (np.asarray(value, np.float32) for value in (pose.rotations, pose.betas, pose.transl))
    return Prediction(*values, ones, np.zeros(count, np.float32))
