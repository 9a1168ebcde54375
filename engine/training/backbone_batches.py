"""What the pose backbone learns from: synthetic observations, spoilt further, and the truth in the network's terms.

Legend: B windows, S frames of each (any gaps between), K keypoints (33), J joints (24). Camera frame: x right,
y down, z away, metres.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from engine.backbones.observation import look_at, observe
from engine.body.model import BodyModel
from engine.body.rotations import axis_angle_to_matrix
from engine.keypoints.joint_sets import COCO_17, MEDIAPIPE_33
from engine.training.detector_model import KEYPOINTS, LEG_KEYPOINTS, DetectorModel
from engine.training.motion_batches import MotionBatch, MotionWindows, Variation
from engine.training.observations import LOWER_BODY_UNSEEN, Conditions, ObservationBatch, Scene, joined, place

VARIATION = Variation(mixed=0.3, arms=0.3, jitter_rad=0.1, sway_rad=0.1, tilt_rad=0.12, wild=0.4)
"""How motions are varied for the backbone: more than for networks that learn how people move."""
NATURAL = Variation(mixed=0.0, jitter_rad=0.04, reach_rad=0.0, sway_rad=0.03)
"""The same where legs must be guessed from the rest: the two must belong together, as they do in people."""
NOT_VARIED = Variation(0, 0, 0, 0, 0, 0, 0)
_CENTRE = slice(-4, -2)
"""Where the features tell the direction of the box."""
_HIPS = [MEDIAPIPE_33.index("left_hip"), MEDIAPIPE_33.index("right_hip")]
_TURNED = [(_HIPS, [k for k in range(KEYPOINTS) if k not in _HIPS + sorted(LEG_KEYPOINTS)])] + [
    ([MEDIAPIPE_33.index(f"{side}_{pivot}")], [MEDIAPIPE_33.index(f"{side}_{name}") for name in members])
    for side in ("left", "right")
    for pivot, members in (
        ("shoulder", ("elbow", "wrist", "pinky", "index", "thumb")),
        ("elbow", ("wrist", "pinky", "index", "thumb")),
        ("hip", ("knee", "ankle", "heel", "foot_index")),
        ("knee", ("ankle", "heel", "foot_index")),
    )
]
"""Keypoints about whose middle others are turned, the trunk first, then limbs from the body outwards."""


@dataclass(frozen=True)
class Spoiling:
    """Share of windows in which more is wrong than the detector's noise."""

    focal: float = 0.6
    """The focal length is a guess."""
    focal_error: float = 0.22
    """Standard deviation of the logarithm of that guess's error."""
    no_3d: float = 0.1
    """There is no 3D, as from imported keypoints."""
    fewer_points: float = 0.05
    """COCO's 17 keypoints alone, without 3D."""
    gap: float = 0.15
    """Nothing is seen for some frames."""
    confidence: float = 0.3
    """Another detector's confidence: all of it scaled."""
    sure: float = 0.5
    """The detector is surer of some keypoints than it was measured to be, throughout: of footage it is."""
    calm: float = 0.75
    """The detector errs less than it was measured to: it was measured on drawings, which are harder than footage."""
    limbs: float = 0.5
    """Limbs of the detector's 3D point elsewhere, throughout: of footage it can be sure and wrong, as of drawings it
    seldom is."""


NOT_SPOILT = Spoiling(0, 0, 0, 0, 0, 0, 0, 0, 0)
_CALMEST, _CALMEST_3D = 0.1, 0.6
_LIMB_RAD = 0.6
"""Largest standard deviation of how far limbs of the detector's 3D are turned, about each axis of the picture."""
_ROLL = 0.3
"""The same about the line of sight, as a share: that the picture shows."""


@dataclass(frozen=True)
class BackboneBatch:
    """Inputs of the network and the truth.

    Attributes:
        features: (B, S, FEATURES) as of `engine.backbones.observation`, by the focal length that the network gets.
        times_s: (B, S).
        turn: (B, S, 3, 3) from the axes of the virtual camera that is meant, by the true focal length, to the camera's.
        scale: (B, S) half the box in units of the true focal length.
        rotations: (B, S, 24, 3, 3), root in the camera frame.
        betas: (B, 10).
        joints: (B, S, 24, 3) and landmarks: (B, S, 33, 3) about the pelvis.
        pelvis: (B, S, 3).
        hidden: (B, S, 33) what no detector could see.
        contacts: (B, S, 4), -1 unknown.
    """

    features: Tensor
    times_s: Tensor
    turn: Tensor
    scale: Tensor
    rotations: Tensor
    betas: Tensor
    joints: Tensor
    landmarks: Tensor
    pelvis: Tensor
    hidden: Tensor
    contacts: Tensor


@dataclass(frozen=True)
class BatchMaker:
    """Draws batches.

    Attributes:
        windows: of 60 frames.
        body, detector: on the windows' device.
        variation, conditions, spoiling: what is varied, hidden and spoilt.
        legs_guessed: share of windows of `NATURAL` motion whose legs are never seen.
    """

    windows: MotionWindows
    body: BodyModel
    detector: DetectorModel
    variation: Variation = VARIATION
    conditions: Conditions = field(default_factory=Conditions)
    spoiling: Spoiling = field(default_factory=Spoiling)
    legs_guessed: float = 0.0

    def draw(self, count: int, frames: int, generator: torch.Generator) -> BackboneBatch:
        """`count` windows with `frames` of their frames each.

        Args:
            count: B.
            frames: S.
            generator: a CPU generator: a seed means the same on every device.
        """
        guessed = round(count * self.legs_guessed)
        with torch.no_grad():
            parts = [
                place(self._motion(number, frames, generator, variation), self.body, generator, conditions)
                for number, variation, conditions in (
                    (count - guessed, self.variation, self.conditions),
                    (guessed, NATURAL, LOWER_BODY_UNSEEN),
                )
                if number
            ]
            scene = joined(parts)
            return batch_of(self._seen(scene, generator), self.spoiling, generator)

    def _motion(self, count: int, frames: int, generator: torch.Generator, variation: Variation) -> MotionBatch:
        kept = kept_frames(count, frames, self.windows.frames, generator)
        return self.windows.draw(count, generator, variation, kept)

    def _seen(self, scene: Scene, generator: torch.Generator) -> ObservationBatch:
        chance = torch.rand(3, len(scene.betas), 1, 1, generator=generator)
        chosen = chance[0] < self.spoiling.calm
        picture = torch.where(chosen, _CALMEST + (1 - _CALMEST) * chance[1], torch.ones_like(chance[1]))
        # in footage it is the picture that is calm: depth stays wrong
        body = torch.where(chosen, _CALMEST_3D + (1 - _CALMEST_3D) * chance[2], torch.ones_like(chance[2]))
        shares = torch.cat((picture.expand(-1, -1, 3 * KEYPOINTS), body.expand(-1, -1, 3 * KEYPOINTS)), -1)
        view = (scene.keypoints, scene.landmarks, scene.hidden, scene.intrinsics, scene.image_size, scene.times_s)
        return ObservationBatch(*self.detector.observe(*view, generator, shares.to(scene.betas.device)), scene)


def kept_frames(count: int, frames: int, total: int, generator: torch.Generator) -> Tensor:
    """(count, frames) increasing numbers below `total`: of a third of the windows a run of neighbours, else any."""
    chance = torch.rand(count, total, generator=generator)
    start = torch.rand(count, 1, generator=generator) * (total - frames + 1)
    run = torch.rand(count, 1, generator=generator) < 1 / 3
    place = torch.arange(total)
    chance = torch.where(run, ((place < start.floor()) | (place >= start.floor() + frames)).float(), chance)
    return chance.argsort(dim=1, stable=True)[:, :frames].sort(1).values


def batch_of(seen: ObservationBatch, spoiling: Spoiling, generator: torch.Generator) -> BackboneBatch:
    """The network's inputs and the truth of synthetic observations; arguments as in `BatchMaker`."""
    scene = seen.scene
    keypoints, landmarks3d, factor = _spoilt(seen, spoiling, generator)
    given = scene.intrinsics.clone()
    given[:, 0, 0] *= factor
    given[:, 1, 1] *= factor
    view = observe(keypoints, landmarks3d, given, scene.times_s)
    # with a wrong focal length the person looks as before: what the network should say stays, in its virtual camera
    centre = view.features[..., _CENTRE] * factor[:, None, None]
    pelvis = scene.joints[:, :, :1]
    return BackboneBatch(
        features=view.features,
        times_s=scene.times_s,
        turn=look_at(centre),
        scale=view.scale * factor[:, None],
        rotations=scene.rotations,
        betas=scene.betas,
        joints=scene.joints - pelvis,
        landmarks=scene.landmarks - pelvis,
        pelvis=pelvis.squeeze(2),
        hidden=scene.hidden,
        contacts=scene.contacts,
    )


def _spoilt(seen: ObservationBatch, spoiling: Spoiling, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Keypoints, 3D, and the factor (B,) by which the focal length is taken wrong."""
    keypoints, landmarks3d = seen.keypoints.clone(), seen.landmarks3d
    count, frames, device = *keypoints.shape[:2], keypoints.device

    def rand(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator).to(device)

    chosen = (rand(count) < spoiling.focal).float()
    normal = torch.randn(count, generator=generator).to(device)
    factor = (chosen * spoiling.focal_error * normal).clamp(math.log(0.6), math.log(1.7)).exp()
    fewer = rand(count) < spoiling.fewer_points
    flat = (rand(count) < spoiling.no_3d) | fewer
    scaled = torch.where(rand(count) < spoiling.confidence, 0.6 + 0.5 * rand(count), torch.ones(count, device=device))
    keypoints[..., 2] = (keypoints[..., 2] * scaled[:, None, None]).clamp(max=1)
    missing = torch.tensor([name not in COCO_17 for name in MEDIAPIPE_33], device=device)
    keypoints[..., 2] *= ~(fewer[:, None] & missing)[:, None]
    start, length = rand(count, 1) * frames, (rand(count, 1) * frames / 2).clamp(min=1)
    at = torch.arange(frames, device=device)
    gap = (at >= start) & (at < start + length) & (rand(count, 1) < spoiling.gap)
    keypoints[..., 2] *= ~gap[..., None]
    # 0.7 becomes anything up to 1, and 0 stays 0: what was not found
    power = torch.where(rand(count, 1, 1) < spoiling.sure, rand(count, 1, KEYPOINTS).clamp(min=0.01), 1.0)
    keypoints[..., 2] = keypoints[..., 2] ** power
    unseen = gap[..., None, None] | flat[:, None, None, None]
    wrong = _limbs_turned(landmarks3d, rand(count) < spoiling.limbs, generator)
    return keypoints, wrong.masked_fill(unseen, math.nan), factor


def _limbs_turned(points: Tensor, chosen: Tensor, generator: torch.Generator) -> Tensor:
    """The detector's 3D (B, S, K, 3) with trunk and limbs turned, the same way in all frames of the chosen windows."""
    count, limbs = len(points), len(_TURNED)
    axes = torch.randn(count, limbs, 3, generator=generator) * torch.tensor([1.0, 1.0, _ROLL])
    size = _LIMB_RAD * torch.rand(count, 1, 1, generator=generator)
    turns = axis_angle_to_matrix((axes * size).to(points.device) * chosen[:, None, None])
    points = points.clone()
    for number, (pivot, members) in enumerate(_TURNED):
        centre = points[:, :, pivot].mean(2, keepdim=True)
        points[:, :, members] = centre + (points[:, :, members] - centre) @ turns[:, None, number].transpose(-1, -2)
    return points
