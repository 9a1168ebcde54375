"""What pins change in a motion: the most likely error of the estimate, given what it is at the pins.

An estimate is wrong in much the same way a moment before and after: a leg that is bent too far at one time is bent too
far for a while. So its error is taken for a Gaussian process over time, for each joint's rotation and for the pelvis's
place (Matérn, 3/2; Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006, chapter 4). Of all such
errors the most likely one is taken that meets the pins, leaves seen keypoints where they are in the picture, and feet
that stand where they stand. What the estimate knows of the motion, such as its swing, goes on through the pins;
without pins nothing changes.

Legend: S rows of the window, P pins, K keypoints that the body has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.backbones.start import swing
from engine.backbones.terms import geman_mcclure
from engine.backbones.threads import one_thread
from engine.body.landmarks import JOINT_NAMES
from engine.body.model import BodyModel
from engine.body.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from engine.camera.pinhole import project

_LASTING = ((0.5, 0.35), (0.5, 4.0))
"""Shares of errors that last a moment and that last for seconds, and their scales in seconds: on drawn clips errors of
rotations correlate by 0.9 over a tenth of a second, 0.75 over a quarter, 0.65 over a half, 0.55 over one and 0.45 over
two."""
_USUAL_RAD = {
    "pelvis": 0.15, "hip": 0.19, "spine": 0.07, "knee": 0.17, "ankle": 0.18, "foot": 0.15, "neck": 0.14,
    "collar": 0.08, "head": 0.21, "shoulder": 0.3, "elbow": 0.23, "wrist": 0.29, "hand": 0.1,
}  # fmt: skip
"""Usual error of rotations of joints that are seen, as measured there, each axis."""
_HIDDEN = 1.3
"""How much larger it is where the joint is hidden."""
_PELVIS_M = (0.03, 0.03, 0.12)
_TURN_RAD, _PLACE_M, _POINT_ERRORS = 0.003, 0.0007, 0.5
"""How exactly pins are met: radians, metres, and parts of a keypoint's usual error."""
_STAY_WEIGHT, _STAY_OUTLIER = 0.2, 3.0
_STAND_WEIGHT, _STAND_M, _STAND_OUTLIER = 0.3, 0.02, 3.0
_STEADY_M = 0.003
_NUGGET = 1e-4
_BACKWARDS = 0.17
"""Sine of how far knees and elbows may be pinned to bend backwards: ten degrees."""
_NUMBERS = 75
ROUNDS, _STEPS = 2, 40


@dataclass(frozen=True)
class Pins:
    """What is bound, in rows of the window. Camera frame, metres, pixels.

    Attributes:
        turns: rows (P,), joints (P,) and rotations (P, 3, 3) relative to the parent, the root's in the camera frame.
        places: rows (P,), joints (P,) and positions (P, 3).
        points: rows (P,), places in the body's landmarks (P,) and pixels (P, 2).
        rests: rows (P,), joints (P,) and positions (P, 3) of joints that rest there.
    """

    turns: tuple[Tensor, Tensor, Tensor]
    places: tuple[Tensor, Tensor, Tensor]
    points: tuple[Tensor, Tensor, Tensor]
    rests: tuple[Tensor, Tensor, Tensor]

    def __bool__(self) -> bool:
        """Whether anything is bound."""
        return any(len(rows) for rows, _, _ in (self.turns, self.places, self.points, self.rests))


@dataclass(frozen=True)
class Scene:
    """The motion that is corrected and what of it is known.

    Attributes:
        rotations: (S, 24, 3, 3), betas: (10,), transl: (S, 3), camera frame.
        times: (S,) seconds.
        hidden: (S, 24) how far each joint is hidden, 0..1.
        seen: (S, K) what each keypoint weighs, 0 where it is not seen.
        marks: (K,) their places in the body's landmarks.
        usual_px: (S,) what counts as one error of a keypoint.
        standing: (S, 24) how sure each joint stands; only the feet's are not 0.
        camera: (3, 3) intrinsics.
        body: whose motion it is, on the CPU.
    """

    rotations: Tensor
    betas: Tensor
    transl: Tensor
    times: Tensor
    hidden: Tensor
    seen: Tensor
    marks: Tensor
    usual_px: Tensor
    standing: Tensor
    camera: Tensor
    body: BodyModel


def corrected(scene: Scene, pins: Pins, fade: Tensor, tick: Callable[[int], None]) -> tuple[Tensor, Tensor]:
    """Rotations (S, 24, 3, 3) and transl (S, 3) of the motion that meets the pins.

    Args:
        scene: the motion as it was.
        pins: what is bound.
        fade: (S,) share of the correction, 1 at the pins, 0 at the window's ends.
        tick: called several times a second with how many of `ROUNDS` rounds are done.
    """
    objective = _Objective(scene, pins, fade)
    whitened = torch.zeros(len(scene.times), _NUMBERS)
    with one_thread():
        for number in range(ROUNDS):
            objective.trust(whitened if number else None)
            whitened = _minimised(objective, whitened, lambda number=number: tick(number))  # type: ignore[misc]
        with torch.no_grad():
            rotations, transl = objective.motion(whitened)
    tick(ROUNDS)
    return rotations, transl


def _minimised(objective: _Objective, start: Tensor, tick: Callable[[], None]) -> Tensor:
    free = start.clone().requires_grad_()
    optimiser = torch.optim.LBFGS([free], max_iter=_STEPS, history_size=20, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        tick()
        optimiser.zero_grad()
        loss = objective(free)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    return free.detach()


def correlation(apart: Tensor) -> Tensor:
    """Of errors that are `apart` seconds from each other."""
    scaled = [(share, 3**0.5 * apart.abs() / scale) for share, scale in _LASTING]
    return torch.stack([share * (1 + far) * torch.exp(-far) for share, far in scaled]).sum(0)


class _Objective:
    """Minus the logarithm of how likely a whitened error (S, 75) is: 24 turns as rotation vectors, and the place."""

    def __init__(self, scene: Scene, pins: Pins, fade: Tensor) -> None:
        self.scene, self.pins = scene, pins
        times = scene.times.double()
        between = correlation(times[:, None] - times[None]) + _NUGGET * torch.eye(len(times), dtype=torch.float64)
        self._spread = (fade.double()[:, None] * torch.linalg.cholesky(between)).float()
        self._size = _sizes(scene.hidden)
        with torch.no_grad():
            joints, marks = scene.body.joints_and_landmarks(scene.rotations, scene.betas, scene.transl)
        self._joints, self._points = joints, project(marks[:, scene.marks], scene.camera)
        self._stay = scene.seen.new_zeros(scene.seen.shape)
        self._stand = scene.standing

    def trust(self, whitened: Tensor | None) -> None:
        """Say how far seen keypoints and standing feet hold the motion: not at all, or less where pins contradict."""
        if whitened is None:
            self._stay, self._stand = torch.zeros_like(self._stay), torch.zeros_like(self._stand)
            return
        with torch.no_grad():
            joints, marks = self.scene.body.joints_and_landmarks(*self._body_of(whitened))
            miss = (project(marks[:, self.scene.marks], self.scene.camera) - self._points).norm(dim=-1)
            miss = miss / self.scene.usual_px[:, None]
            self._stay = self.scene.seen * self._agrees(miss / _STAY_OUTLIER)
            moved = (joints - self._joints).norm(dim=-1) / _STAND_M
            self._stand = self.scene.standing * self._agrees(moved / _STAND_OUTLIER)

    def _agrees(self, off: Tensor) -> Tensor:
        """(S, N) share that stays of evidence (S, N) which is `off` at the pins: 1 far from pins, less near those that
        contradict it."""
        rows = torch.unique(torch.cat([part[0] for part in (self.pins.turns, self.pins.places, self.pins.points)]))
        if not len(rows):
            return torch.ones_like(off)
        contradicts = 1 - 1 / (1 + off[rows].square())  # (P, N)
        near = correlation(self.scene.times[:, None] - self.scene.times[rows][None]).to(off.dtype)
        return 1 - (near[..., None] * contradicts[None]).amax(1)

    def motion(self, whitened: Tensor) -> tuple[Tensor, Tensor]:
        """Rotations and transl with that error taken away."""
        rotations, _, transl = self._body_of(whitened)
        return rotations, transl

    def _body_of(self, whitened: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        error = self._spread @ whitened * self._size
        turns = axis_angle_to_matrix(error[:, :72].reshape(-1, 24, 3))
        return self.scene.rotations @ turns, self.scene.betas, self.scene.transl + error[:, 72:]

    def __call__(self, whitened: Tensor) -> Tensor:
        """The value, a scalar."""
        scene, pins = self.scene, self.pins
        rotations, betas, transl = self._body_of(whitened)
        joints, marks = scene.body.joints_and_landmarks(rotations, betas, transl)
        value = whitened.square().sum()
        rows, which, wanted = pins.turns
        value = value + (rotations[rows, which] - wanted).square().sum() / (2 * _TURN_RAD**2)
        rows, which, wanted = pins.places
        value = value + (joints[rows, which] - wanted).square().sum() / _PLACE_M**2
        rows, which, wanted = pins.points
        off = (project(marks[rows, which], scene.camera) - wanted) / (scene.usual_px[rows] * _POINT_ERRORS)[:, None]
        value = value + off.square().sum()
        rows, which, wanted = pins.rests
        value = value + (joints[rows, which] - wanted).square().sum() / _STEADY_M**2
        off = (project(marks[:, scene.marks], scene.camera) - self._points) / scene.usual_px[:, None, None]
        value = value + _STAY_WEIGHT * (self._stay * geman_mcclure(off.square().sum(-1), _STAY_OUTLIER)).sum()
        off = (joints - self._joints).square().sum(-1) / _STAND_M**2
        return value + _STAND_WEIGHT * (self._stand * geman_mcclure(off, _STAND_OUTLIER)).sum()


def _sizes(hidden: Tensor) -> Tensor:
    """(S, 75) usual error of each number, for joints that are `hidden` (S, 24)."""
    usual = torch.tensor([_USUAL_RAD[name.split("_")[-1].rstrip("123")] for name in JOINT_NAMES])
    most = hidden.amax(0).expand_as(hidden)  # the same throughout: an error ends no sooner where the joint is seen
    turns = usual * torch.lerp(torch.ones_like(most), torch.full_like(most, _HIDDEN), most)
    place = torch.tensor(_PELVIS_M).expand(len(hidden), 3)
    return torch.cat((turns.repeat_interleave(3, 1), place), 1)


def misses(scene: Scene, pins: Pins, rotations: Tensor, transl: Tensor) -> tuple[Tensor, Tensor]:
    """By how much a motion misses pins: degrees (P,) of `pins.turns`, metres (P,) of `pins.places`."""
    rows, which, wanted = pins.turns
    turns = torch.rad2deg(matrix_to_axis_angle(rotations[rows, which].mT @ wanted).norm(dim=-1))
    joints = scene.body.joints(rotations, scene.betas, transl)
    rows, which, wanted = pins.places
    return turns, (joints[rows, which] - wanted).norm(dim=-1)


def limited(name: str, rotation: Tensor) -> tuple[Tensor, bool]:
    """A rotation (3, 3) of a knee or an elbow that bends no further backwards than joints do, and whether it did."""
    side, _, part = name.partition("_")
    if part not in ("elbow", "knee"):
        return rotation, False
    along = -rotation[:, 1] if part == "knee" else rotation[:, 0] * (1.0 if side == "left" else -1.0)
    backwards = along[2] if part == "knee" else -along[2]
    if float(backwards) <= _BACKWARDS:
        return rotation, False
    most = along.clone()
    most[2] = _BACKWARDS if part == "knee" else -_BACKWARDS
    most[:2] = most[:2] * ((1 - _BACKWARDS**2) / most[:2].square().sum().clamp(min=1e-9)).sqrt()
    return swing(along, most) @ rotation, True
