"""Hidden joints drawn again where a user has pinned them: the in-filler reads pinned rotations as if they were seen.

The mean of a few draws is nearer to the truth than each; half of it goes into the motion near the pins, and less
farther away. On drawn clips this brings no view farther from the truth, which pins without it do now and then.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from engine.adaptation.draws import Flow, draw_track
from engine.adaptation.evidence import Seen
from engine.adaptation.infill import evidence_of, mixed
from engine.adaptation.infiller import MotionInfiller
from engine.adaptation.pin_field import Pins, Scene, correlation
from engine.adaptation.sampler import stride_of
from engine.adaptation.smoothing import spread_rows
from engine.adaptation.track_inference import Estimate
from engine.body.rotations import matrix_to_six, six_to_matrix

_FLOW = Flow(draws=3, steps=4)
_SHARE = 0.5
_HIDDEN = 0.5


def is_redrawn(scene: Scene, pins: Pins) -> bool:
    """Whether rotations of joints are pinned that are hidden somewhere in the window."""
    joints = pins.turns[1]
    return bool((scene.hidden[:, joints] > _HIDDEN).any())


def redrawn(
    scene: Scene, pins: Pins, fade: Tensor, seen: Seen, labels: list[str], network: MotionInfiller, seed: int
) -> Scene:
    """The scene with hidden joints half-way to the in-filler's motion about pinned rotations.

    Args:
        scene: S rows of a motion.
        pins: what is bound.
        fade: (S,) share of the correction.
        seen: the evidence of these rows.
        labels: S labels, '' for none.
        network: on the CPU, knowing the labels.
        seed: of the draws.
    """
    rows, joints, wanted = pins.turns
    stride = stride_of(scene.times.double().numpy())
    drawn = torch.arange(0, len(scene.times), stride)
    near = (rows / stride).round().long().clamp(max=len(drawn) - 1)  # of the rows that are drawn
    rotations = scene.rotations.clone()
    rotations[drawn[near], joints] = wanted
    motion = Estimate(rotations, scene.betas.expand(len(rotations), -1), scene.transl)
    evidence = evidence_of(network, scene.body, motion, seen, scene.times, labels, drawn)
    known = torch.zeros(1, len(drawn), scene.hidden.shape[1])
    known[0, near, joints] = 1
    evidence = replace(
        evidence, shown=torch.maximum(evidence.shown, known), confidence=torch.maximum(evidence.confidence, known)
    )
    draws = draw_track(network, evidence, _FLOW, torch.Generator().manual_seed(seed)).rotations
    mean = spread_rows(six_to_matrix(matrix_to_six(draws).mean(0)), len(rotations), stride)
    far = (scene.times[:, None] - scene.times[rows][None]).abs().amin(1)
    share = (_SHARE * correlation(far) * fade).float()[:, None] * scene.hidden
    return replace(scene, rotations=mixed(scene.rotations, mean, share))
