"""Synthetic observations: a camera before a moving body, and what the measured detector would report of it.

Legend: B windows, T frames, K keypoints (MediaPipe's 33), J joints (24). Camera frame: x right, y down, z away, metres.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from engine.backbones.observation import look_at
from engine.body.model import BodyModel
from engine.keypoints.joint_sets import MEDIAPIPE_33
from engine.training.detector_model import DetectorModel
from engine.training.motion_batches import MotionBatch

_DIAGONAL_PX = 1000.0
_SHAPES = ((16, 9), (16, 9), (9, 16), (4, 3), (3, 4), (1, 1))
"""Width and height of pictures, each as likely as the others."""
_PERSON_M = 1.7
_NEAREST_M = 0.8
LIMBS = tuple(
    tuple(MEDIAPIPE_33.index(f"{side}_{part}") for part in parts)
    for side in ("left", "right")
    for parts in (("elbow", "wrist", "pinky", "index", "thumb"), ("knee", "ankle", "heel", "foot_index"))
)
"""Keypoints of each arm and leg beyond shoulder and hip."""


@dataclass(frozen=True)
class Conditions:
    """Share of windows in which something hides the person; of one window, the first that applies."""

    crossing: float = 0.15
    """An object passes before the body."""
    lower_body_out: float = 0.15
    """The picture ends between hips and ankles."""
    limb_hidden: float = 0.15
    """An arm or a leg is hidden throughout."""
    lower_body_hidden: float = 0.1
    """Something stands before the legs, throughout."""
    out_of_frame: float = 0.1
    """The person stands partly outside of the picture, at any side."""


NOTHING_HIDDEN = Conditions(0, 0, 0, 0, 0)
LOWER_BODY_UNSEEN = replace(NOTHING_HIDDEN, lower_body_hidden=0.5, lower_body_out=0.5)


@dataclass(frozen=True)
class Scene:
    """A body before a camera: the truth.

    Attributes:
        rotations: (B, T, 24, 3, 3) relative to the parent, root in the camera frame.
        betas: (B, 10).
        transl: (B, T, 3) added to the posed joints of SMPL; the pelvis ends up at J_0(betas) + transl.
        joints: (B, T, 24, 3) camera frame.
        landmarks: (B, T, 33, 3) camera frame.
        keypoints: (B, T, 33, 2) pixels, without any noise.
        hidden: (B, T, 33) bool, behind an object or outside of the picture. What the body hides of itself is not meant.
        covers: (B, T, 4) left, top, right, bottom in pixels of the object before the person; NaN: none.
        intrinsics: (B, 3, 3); image_size: (B, 2) pixels.
        times_s: (B, T); contacts: (B, T, 4), -1 unknown.
    """

    rotations: Tensor
    betas: Tensor
    transl: Tensor
    joints: Tensor
    landmarks: Tensor
    keypoints: Tensor
    hidden: Tensor
    covers: Tensor
    intrinsics: Tensor
    image_size: Tensor
    times_s: Tensor
    contacts: Tensor


def joined(scenes: Sequence[Scene]) -> Scene:
    """Scenes one after the other, as one."""
    return Scene(*(torch.cat([getattr(scene, item.name) for scene in scenes]) for item in fields(Scene)))


@dataclass(frozen=True)
class ObservationBatch:
    """What a detector reports of a scene.

    Attributes:
        keypoints: (B, T, 33, 3) pixels and confidence.
        landmarks3d: (B, T, 33, 3) the detector's metres about the hips; NaN where it found nobody.
        scene: the truth.
    """

    keypoints: Tensor
    landmarks3d: Tensor
    scene: Scene


def synthesise(
    motion: MotionBatch,
    body: BodyModel,
    detector: DetectorModel,
    generator: torch.Generator,
    conditions: Conditions | None = None,
) -> ObservationBatch:
    """Put a camera before each window of motion and report what the measured detector would see.

    Args:
        motion: windows in a world whose z axis points up.
        body: on the motion's device.
        detector: the measured detector, on the same device.
        generator: a CPU generator: a seed means the same on every device.
        conditions: what hides people.
    """
    scene = place(motion, body, generator, conditions or Conditions())
    keypoints, landmarks3d = detector.observe(
        scene.keypoints, scene.landmarks, scene.hidden, scene.intrinsics, scene.image_size, scene.times_s, generator
    )
    return ObservationBatch(keypoints, landmarks3d, scene)


def place(motion: MotionBatch, body: BodyModel, generator: torch.Generator, conditions: Conditions) -> Scene:
    """A camera before each window, and objects in between. Arguments as in `synthesise`."""
    device, count = motion.pelvis.device, len(motion.pelvis)
    draw = _Draw(count, generator, device)
    size, focal = _lens(draw)
    target, reach = _extent(motion.pelvis)
    kind = _kinds(draw, conditions)
    distance, centre = _framing(draw, size, focal, reach, kind == 5)
    to_camera = look_at(centre) @ _roll(draw) @ _looking_down(draw)
    turned = to_camera[:, None] @ motion.rotations[:, :, 0]
    rotations = torch.cat((turned[:, :, None], motion.rotations[:, :, 1:]), 2)
    ahead = torch.nn.functional.pad(distance[:, None], (2, 0))
    pelvis = (to_camera @ (motion.pelvis - target[:, None]).transpose(1, 2)).transpose(1, 2) + (
        look_at(centre) @ ahead[..., None]
    ).transpose(1, 2)
    rotations, pelvis = _panned(rotations, pelvis, motion.times_s, draw)
    pelvis = pelvis * _not_behind(pelvis)
    transl = pelvis - body.rest_joints(motion.betas)[:, None, 0]
    joints, landmarks = _posed(body, rotations, motion.betas, transl)
    intrinsics = torch.zeros(count, 3, 3, device=device)
    intrinsics[:, 0, 0] = intrinsics[:, 1, 1] = focal
    intrinsics[:, :2, 2], intrinsics[:, 2, 2] = size / 2, 1
    keypoints = landmarks[..., :2] / landmarks[..., 2:].clamp(min=0.05) * focal[:, None, None, None]
    keypoints = keypoints + (size / 2)[:, None, None]
    size, keypoints, intrinsics = _cut(draw, kind == 2, size, keypoints, intrinsics)
    covers = _objects(draw, kind, keypoints, motion.times_s)
    behind = _inside(keypoints, covers)
    outside = ((keypoints < 0) | (keypoints > size[:, None, None])).any(-1)
    return Scene(
        rotations, motion.betas, transl, joints, landmarks, keypoints, behind | outside, covers, intrinsics, size,
        motion.times_s, motion.contacts,
    )  # fmt: skip


class _Draw:
    """Random numbers for B windows."""

    def __init__(self, count: int, generator: torch.Generator, device: torch.device) -> None:
        self.count, self._generator, self.device = count, generator, device

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        return torch.empty(self.count, *shape).uniform_(low, high, generator=self._generator).to(self.device)

    def normal(self, sigma: float, *shape: int) -> Tensor:
        return (sigma * torch.randn(self.count, *shape, generator=self._generator)).to(self.device)

    def integer(self, below: int, *shape: int) -> Tensor:
        return torch.randint(below, (self.count, *shape), generator=self._generator).to(self.device)


def _lens(draw: _Draw) -> tuple[Tensor, Tensor]:
    """Picture size (B, 2) and focal length (B,) in pixels: from wide phones (22 mm) to portrait lenses (90 mm)."""
    shapes = torch.tensor(_SHAPES, dtype=torch.float32, device=draw.device)
    size = shapes / shapes.norm(dim=1, keepdim=True) * _DIAGONAL_PX
    return size[draw.integer(len(_SHAPES))], _DIAGONAL_PX * draw.uniform(math.log(0.5), math.log(2.1)).exp()


def _extent(pelvis: Tensor) -> tuple[Tensor, Tensor]:
    """Middle (B, 3) of the way, and how far (B,) it goes from there."""
    low, high = pelvis.amin(1), pelvis.amax(1)
    return (low + high) / 2, (high - low).norm(dim=1) / 2


def _kinds(draw: _Draw, conditions: Conditions) -> Tensor:
    """(B,) 0 nothing hidden, else the number of the condition."""
    shares = (
        conditions.crossing,
        conditions.lower_body_out,
        conditions.limb_hidden,
        conditions.lower_body_hidden,
        conditions.out_of_frame,
    )
    bounds = torch.tensor(shares, device=draw.device).cumsum(0)
    place = torch.searchsorted(bounds, draw.uniform(0, 1), right=True)
    return torch.where(place < len(shares), place + 1, torch.zeros_like(place))


def _framing(draw: _Draw, size: Tensor, focal: Tensor, reach: Tensor, aside: Tensor) -> tuple[Tensor, Tensor]:
    """Distance (B,) and direction (B, 2: x / z, y / z) of the middle of the way."""
    share = draw.uniform(math.log(0.3), math.log(1.0)).exp()
    distance = focal * _PERSON_M / (share * size.amin(1))
    fits = focal * (2 * reach + 0.5) / size[:, 0]
    distance = torch.maximum(torch.maximum(distance, fits), reach + 1.0)
    half_body = focal * _PERSON_M / 2 / distance
    room = ((size / 2 - half_body[:, None] * torch.tensor([0.5, 1.0], device=draw.device)).clamp(min=0)) / size
    offset = draw.uniform(-1, 1, 2) * room
    direction = draw.uniform(0, 2 * math.pi)
    edge = torch.stack((direction.cos(), direction.sin()), -1) * 0.5
    offset = torch.where(aside[:, None], edge, offset)
    return distance, offset * size / focal[:, None]


def _looking_down(draw: _Draw) -> Tensor:
    """(B, 3, 3) from the world to a camera that looks along +y, and down by the drawn angle."""
    steep = draw.uniform(0, 1) < 0.1
    angle = torch.where(steep, draw.uniform(-0.3, 1.0), (draw.normal(0.16) + 0.08).clamp(-0.35, 0.6))
    cosine, sine, zero, one = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    rows = ((one, zero, zero), (zero, -sine, -cosine), (zero, cosine, -sine))
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def _roll(draw: _Draw) -> Tensor:
    angle = torch.where(draw.uniform(0, 1) < 0.2, draw.normal(0.15), draw.normal(0.03))
    return _about(2, angle)


def _about(axis: int, angle: Tensor) -> Tensor:
    """(..., 3, 3) rotation about one of the camera's axes."""
    cosine, sine, zero, one = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    rows = {
        0: ((one, zero, zero), (zero, cosine, -sine), (zero, sine, cosine)),
        1: ((cosine, zero, sine), (zero, one, zero), (-sine, zero, cosine)),
        2: ((cosine, -sine, zero), (sine, cosine, zero), (zero, zero, one)),
    }[axis]
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def _panned(rotations: Tensor, pelvis: Tensor, times_s: Tensor, draw: _Draw) -> tuple[Tensor, Tensor]:
    """In a fifth of the windows the camera turns, slowly and with an unsteady hand."""
    moves = (draw.uniform(0, 1) < 0.2).float()[:, None]
    yaw = moves * (
        draw.normal(0.06, 1) * (times_s - times_s.mean(1, keepdim=True))
        + draw.normal(0.01, 1) * torch.sin(times_s * draw.uniform(3, 9, 1))
    )
    turn = _about(1, yaw)
    root = turn @ rotations[:, :, 0]
    return torch.cat((root[:, :, None], rotations[:, :, 1:]), 2), (turn @ pelvis[..., None]).squeeze(-1)


def _not_behind(pelvis: Tensor) -> Tensor:
    """(B, 1, 1) factor that moves a window away along its rays until nobody is nearer than the nearest."""
    return (_NEAREST_M / pelvis[..., 2].amin(1).clamp(min=0.05)).clamp(min=1)[:, None, None]


def _posed(body: BodyModel, rotations: Tensor, betas: Tensor, transl: Tensor) -> tuple[Tensor, Tensor]:
    frames = rotations.shape[1]
    joints, landmarks = body.joints_and_landmarks(
        rotations.flatten(0, 1), betas.repeat_interleave(frames, 0), transl.flatten(0, 1)
    )
    order = [body.landmark_names.index(name) for name in MEDIAPIPE_33]
    windows = rotations.shape[:2]
    return torch.unflatten(joints, 0, windows), torch.unflatten(landmarks[:, order], 0, windows)


def _cut(
    draw: _Draw, chosen: Tensor, size: Tensor, keypoints: Tensor, intrinsics: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """End the picture between the hips and the ankles of the chosen windows; the lens stays as it is."""
    hips = keypoints[:, :, _index("left_hip", "right_hip"), 1].mean((1, 2))
    ankles = keypoints[:, :, _index("left_ankle", "right_ankle"), 1].mean((1, 2))
    line = hips + draw.uniform(-0.05, 0.8) * (ankles - hips)
    upright = (ankles - hips) > 0.1 * size[:, 1]
    height = torch.where(chosen & upright, line.clamp(min=50.0), size[:, 1])
    # the part above the person is cut as well, so that the principal point stays in the middle of the picture
    top = (size[:, 1] - height).clamp(min=0)
    top = torch.minimum(top, (keypoints[..., 1].amin((1, 2)) - 5).clamp(min=0))
    shift = torch.stack((torch.zeros_like(top), top), -1)
    intrinsics = intrinsics.clone()
    intrinsics[:, 1, 2] -= top
    return torch.stack((size[:, 0], height - top), -1), keypoints - shift[:, None, None], intrinsics


def _index(*names: str) -> list[int]:
    return [MEDIAPIPE_33.index(name) for name in names]


def _objects(draw: _Draw, kind: Tensor, keypoints: Tensor, times_s: Tensor) -> Tensor:
    """(B, T, 4) the box of what stands before the person, NaN where there is nothing."""
    low, high = keypoints.amin(2), keypoints.amax(2)
    tall = (high - low).amax(-1).mean(1)[:, None]
    boxes = torch.full((*low.shape[:2], 4), math.nan, device=keypoints.device)
    made = {1: _crossing(draw, low, high, tall, times_s), 3: _before_limb(draw, keypoints, tall),
            4: _furniture(draw, keypoints, low, high, tall)}  # fmt: skip
    for number, box in made.items():
        boxes = torch.where((kind == number)[:, None, None], box, boxes)
    return boxes


def _crossing(draw: _Draw, low: Tensor, high: Tensor, tall: Tensor, times_s: Tensor) -> Tensor:
    """An upright object that crosses about once in a window."""
    share = (times_s - times_s[:, :1]) / (times_s[:, -1:] - times_s[:, :1]).clamp(min=1e-3)
    way = draw.uniform(0.6, 1.6, 1) * share + draw.uniform(-0.2, 0.2, 1)
    way = torch.where(draw.uniform(0, 1, 1) < 0.5, way, 1 - way)
    middle = low[..., 0] - 0.2 * tall + way * (high[..., 0] - low[..., 0] + 0.4 * tall)
    width = draw.uniform(0.08, 0.3, 1) * tall
    top = low[..., 1] - 0.1 * tall + draw.uniform(0, 0.5, 1) * tall
    return torch.stack((middle - width, top, middle + width, high[..., 1] + 0.2 * tall), -1)


def _before_limb(draw: _Draw, keypoints: Tensor, tall: Tensor) -> Tensor:
    """What the person carries, or stands behind, goes along with an arm or a leg."""
    limb = torch.tensor(_LIMB_TABLE, device=keypoints.device)[draw.integer(len(LIMBS))][:, None, :, None]
    margin = (draw.uniform(0.02, 0.06, 1) * tall)[..., None]
    low = torch.where(limb, keypoints, torch.full_like(keypoints, math.inf)).amin(2)
    high = torch.where(limb, keypoints, torch.full_like(keypoints, -math.inf)).amax(2)
    return torch.cat((low - margin, high + margin), -1)


def _furniture(draw: _Draw, keypoints: Tensor, low: Tensor, high: Tensor, tall: Tensor) -> Tensor:
    """Something that stands before the legs."""
    hips = keypoints[:, :, _index("left_hip", "right_hip"), 1].mean((1, 2))[:, None]
    ankles = keypoints[:, :, _index("left_ankle", "right_ankle"), 1].mean((1, 2))[:, None]
    line = hips + draw.uniform(-0.1, 0.7, 1) * (ankles - hips)
    sides = (low[..., 0].amin(1, keepdim=True) - 0.1 * tall, high[..., 0].amax(1, keepdim=True) + 0.1 * tall)
    box = torch.cat((sides[0], line, sides[1], ankles + 0.3 * tall), -1)
    return box[:, None].expand(*low.shape[:2], 4)


_LIMB_TABLE = [[point in limb for point in range(len(MEDIAPIPE_33))] for limb in LIMBS]


def _inside(keypoints: Tensor, boxes: Tensor) -> Tensor:
    """(B, T, 33) whether each keypoint lies in the box; a NaN box holds nothing."""
    box = boxes[:, :, None]
    return ((keypoints >= box[..., :2]) & (keypoints <= box[..., 2:])).all(-1)
