"""The backbone `fit`: a body fitted to one person's track by optimisation, without a network.

The motion is a set of smooth curves over time (joint rotations as six numbers, the ray to the root, the root's depth).
They start at the detector's 3D limb directions and go where keypoints, smoothness and a plain pose prior want them.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from engine.backbones import terms
from engine.backbones.adam import Adam
from engine.backbones.evidence import PERSON_HEIGHT_M, Evidence, Limbs, gather
from engine.backbones.fit_settings import FitSettings
from engine.backbones.floor import Floor
from engine.backbones.lift import lift
from engine.backbones.spline import Spline
from engine.backbones.start import place, rotations_from_points, standing
from engine.backbones.summary import joint_confidence, residual_px
from engine.backbones.threads import Step, one_thread, side_by_side
from engine.backbones.types import Camera, Prediction
from engine.backbones.windows import blend, shape_spans, spans
from engine.body.model import BodyModel
from engine.body.rotations import matrix_to_six, six_to_matrix
from engine.body.stature import with_height
from engine.keypoints.joint_sets import LIMBS
from engine.keypoints.types import PersonTrack
from engine.runtime.progress import Progress

SHAPE_COUNT = 10
_TRUNK = tuple(f"{side}_{part}" for side in ("left", "right") for part in ("shoulder", "hip"))
_START_STIFFNESS, _START_DEPTH_STIFFNESS = 0.1, 10.0
_START_OUTLIER = 1.0  # of matrix entries together; rows that start further from their neighbours count little
_WIDE = 4.0  # outliers keep their say this much longer in the first part of the fit
_WIDE_SHARE = 0.3
_SCALES = (1.0, 0.2, 0.3, 1.0)
"""Of the learning rate: joints, ray, depth and shape. The root moves less than joints turn."""
_FLOOR_SHARE = 0.5  # of the fit; before, the motion is too rough to tell which feet stand


@dataclass(frozen=True)
class _Pose:
    """Rotations (S, 24, 3, 3) and translation (S, 3) in the camera frame."""

    rotations: Tensor
    transl: Tensor


@dataclass(frozen=True)
class Given:
    """A motion that a solve starts from, and rotations that it holds on to.

    Attributes:
        rotations: (T, 24, 3, 3) relative to the parent, root in the camera frame; transl: (T, 3) metres; betas: (10,).
        targets: (T, 24, 3, 3) rotations that are held.
        weights: (T, 24) how strongly each is held, beside the evidence.
    """

    rotations: Tensor
    transl: Tensor
    betas: Tensor
    targets: Tensor
    weights: Tensor

    def rows(self, index: slice | Tensor) -> Given:
        """The same for some of the rows."""
        some = (self.rotations[index], self.transl[index], self.betas, self.targets[index], self.weights[index])
        return Given(*some)


class FitBackbone:
    """Fits SMPL to 2D keypoints, the detector's 3D limb directions, smoothness and a pose prior.

    It runs on the CPU, where its many small steps are fastest, and draws no random numbers: same input, same result.

    Args:
        settings: see there.
        threads: windows at a time, None for as many as PyTorch has threads. The result does not depend on it.
    """

    def __init__(self, settings: FitSettings | None = None, threads: int | None = None) -> None:
        self.settings, self.threads = settings or FitSettings(), threads

    def predict(self, track: PersonTrack, camera: Camera, body: BodyModel, progress: Progress) -> Prediction:
        """One `Prediction` row per row of the track, gaps included. See `engine.backbones.types.Backbone`."""
        with one_thread() as threads:
            return self._predict(track, camera, body, None, self.threads or threads, progress)

    def solve(
        self, track: PersonTrack, camera: Camera, body: BodyModel, given: Given, progress: Progress
    ) -> Prediction:
        """The motion of this track that fits all evidence and `given`: that of a network, and what is in-filled."""
        with one_thread() as threads:
            return self._predict(track, camera, body, given, self.threads or threads, progress)

    def _predict(
        self,
        track: PersonTrack,
        camera: Camera,
        body: BodyModel,
        given: Given | None,
        threads: int,
        progress: Progress,
    ) -> Prediction:
        evidence = gather(track, camera.intrinsics, body.landmark_names)
        if next(body.buffers()).device.type != "cpu":
            body = copy.deepcopy(body).to("cpu")  # in place, it would move the caller's
        stature = _Stature.of(body, track.height_m)
        windows = spans(evidence.times, self.settings.window_s, self.settings.overlap_s)
        samples = shape_spans(evidence, windows)
        steps = self.settings.iterations
        before, total = steps * len(samples), steps * (len(windows) + len(samples))

        def fitted(parts: Sequence[slice], shape: Tensor | None, beat: Step) -> list[tuple[_Pose, Tensor]]:
            jobs = [
                partial(self._fit_window, evidence.rows(span), body, stature, shape, given and given.rows(span))
                for span in parts
            ]
            return side_by_side(jobs, threads, beat)

        betas = [found for _, found in fitted(samples, None, lambda done: progress(done, total))]
        shape = torch.stack(betas).mean(0) if betas else None
        found = fitted(windows, shape, lambda done: progress(before + done, total))
        poses = [
            (span, matrix_to_six(pose.rotations).flatten(1), pose.transl)
            for span, (pose, _) in zip(windows, found, strict=True)
        ]
        shape_of_clip = found[-1][1]
        progress(total, total)
        rows = len(evidence.times)
        rotations = six_to_matrix(blend([(span, six) for span, six, _ in poses], rows).reshape(rows, 24, 6))
        transl = blend([(span, transl) for span, _, transl in poses], rows)
        return Prediction(
            rotations=rotations.numpy(),
            betas=shape_of_clip.numpy(),
            transl=transl.numpy(),
            joint_confidence=joint_confidence(evidence),
            residual_px=residual_px(evidence, body, rotations, shape_of_clip, transl),
        )

    def _fit_window(
        self,
        evidence: Evidence,
        body: BodyModel,
        stature: _Stature,
        shape: Tensor | None,
        given: Given | None,
        done: Step,
    ) -> tuple[_Pose, Tensor]:
        """Pose of every row, and the shape (10,), which is fitted too where none is given."""
        spline = Spline.over(evidence.times, self.settings.knot_spacing_s)
        sampled = _sampled_rows(evidence.times, self.settings.max_rate_hz)
        if given is None:
            start, trusted = _start(evidence, body)
        else:
            start, trusted = _Pose(given.rotations, given.transl), torch.ones(len(evidence.times), dtype=torch.bool)
        curves = _Curves.through(start, trusted, spline)
        betas = shape if shape is not None else stature.usual if given is None else given.betas
        betas = betas.clone()
        if float(evidence.weights.sum()) > 0:
            depth = curves.depth(spline)[sampled]
            rows = evidence.rows(sampled)
            held = None if given is None else given.rows(sampled)
            objective = _Objective(rows, body, self.settings, stature.usual, depth, held)
            part = Spline(spline.basis[sampled], spline.spacing_s)
            betas.requires_grad_(shape is None)
            free = [curves.six, curves.ray, curves.log_depth, *([betas] if shape is None else [])]
            optimiser = Adam(free, (0.9, 0.98), [one * self.settings.learning_rate for one in _SCALES[: len(free)]])
            steps = self.settings.iterations
            for step in range(steps):
                done(step)
                if step == round(_FLOOR_SHARE * steps) and self.settings.contacts:
                    objective.find_floor(curves.pose(part), betas)
                optimiser.zero_grad()
                loss = objective(curves, part, betas, step / steps)
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.rate = terms.cosine_schedule(step, steps)
                optimiser.step()
                stature.keep(betas)
        with torch.no_grad():
            return curves.pose(spline), betas.detach()


@dataclass(frozen=True)
class _Curves:
    """Control points of a motion: M of them a curve.

    Attributes:
        six: (M, 144) joint rotations.
        ray: (M, 2) translation's x / z and y / z, where it is seen.
        log_depth: (M, 1) logarithm of its z.
    """

    six: Tensor
    ray: Tensor
    log_depth: Tensor

    @classmethod
    def through(cls, start: _Pose, trusted: Tensor, spline: Spline) -> _Curves:
        """Smooth curves through the starting poses, without rows far from their neighbours (front and back flipped)."""
        six = matrix_to_six(start.rotations).flatten(1)
        weights = trusted.float()
        for stiffness in (
            100.0,
            10.0,
            1.0,
        ):  # stiff at first, so that a run of flipped rows cannot bend the curve to it
            control = spline.approximate(six, weights, stiffness * _START_STIFFNESS)
            off = (six[:, :6] - spline.basis @ control[:, :6]).square().sum(1)
            weights = trusted / (1 + off / _START_OUTLIER) ** 2
        depth = start.transl[:, 2:]
        ray = spline.approximate(start.transl[:, :2] / depth, trusted.float(), _START_STIFFNESS)
        log_depth = spline.approximate(depth.log(), trusted.float(), _START_DEPTH_STIFFNESS)
        return cls(control.requires_grad_(), ray.requires_grad_(), log_depth.requires_grad_())

    def depth(self, spline: Spline) -> Tensor:
        """(S,) metres, without gradient."""
        return (spline.basis @ self.log_depth.detach()).exp()[:, 0]

    def pose(self, spline: Spline) -> _Pose:
        """The motion at the spline's times."""
        depth = (spline.basis @ self.log_depth).exp()
        six = (spline.basis @ self.six).reshape(-1, 24, 6)
        return _Pose(six_to_matrix(six), torch.cat((spline.basis @ self.ray * depth, depth), 1))


class _Objective:
    """The sum of all terms for one window."""

    def __init__(
        self,
        evidence: Evidence,
        body: BodyModel,
        settings: FitSettings,
        usual_shape: Tensor,
        depth: Tensor,
        given: Given | None,
    ) -> None:
        self.evidence, self.body, self.settings, self.given = evidence, body, settings, given
        self.usual_shape = usual_shape
        self.floor: Floor | None = None
        self.limbs = Limbs.of(evidence)
        self.prior = terms.PosePrior()
        height_px = evidence.camera[1, 1] * PERSON_HEIGHT_M / depth
        self.usual_px = settings.keypoint_error * height_px

    def find_floor(self, pose: _Pose, betas: Tensor) -> None:
        """Find the floor under the motion as it is by now, and the feet that stand on it."""
        with torch.no_grad():
            self.floor = Floor.under(pose.rotations, pose.transl, betas, self.body, self.evidence.times)

    def __call__(self, curves: _Curves, spline: Spline, betas: Tensor, progress: float) -> Tensor:
        """The value, a scalar, at `progress` 0..1 of the fit."""
        settings, evidence = self.settings, self.evidence
        pose = curves.pose(spline)
        landmarks = self.body.landmarks(pose.rotations, betas, pose.transl)
        points = landmarks[:, evidence.places]
        outlier = settings.outlier_errors * (_WIDE if progress < _WIDE_SHARE else 1.0)
        value = terms.reprojection(points, evidence, self.usual_px, outlier)
        value = value + terms.limb_directions(points, self.limbs, settings.limb_direction, settings.limb_depth)
        value = value + settings.smooth_path * terms.path_acceleration(points, evidence.times)
        value = value + settings.smooth_turns * terms.turn_acceleration(spline.acceleration(curves.six))
        value = value + settings.pose_prior * self.prior(pose.rotations)
        if self.given is not None:
            value = value + terms.held(pose.rotations, self.given.targets, self.given.weights)
        if self.floor is not None:
            feet = landmarks[:, self.floor.places]
            standing = terms.standing(feet, self.floor.contacts, evidence.times, self.floor.heights(feet))
            value = value + settings.contacts * standing
        value = value + settings.joint_limits * terms.hinges(pose.rotations)
        return value + settings.shape_prior * (betas - self.usual_shape).square().sum()


@dataclass(frozen=True)
class _Stature:
    """How tall the person is: `usual` (10,) is the mean shape, of people of that height where `height_m` is known."""

    body: BodyModel
    height_m: float | None
    usual: Tensor

    @classmethod
    def of(cls, body: BodyModel, height_m: float | None) -> _Stature:
        usual = torch.zeros(SHAPE_COUNT)
        return cls(body, height_m, usual if height_m is None else with_height(body, usual, height_m).float())

    def keep(self, betas: Tensor) -> None:
        """Change the shape (10,) to one of the known height."""
        if self.height_m is not None:
            with torch.no_grad():
                betas.copy_(with_height(self.body, betas, self.height_m))


def _sampled_rows(times: Tensor, max_rate_hz: float) -> Tensor:
    """Rows to compare with: every n-th, so that there are no more than `max_rate_hz` a second, and the last."""
    rows = torch.arange(len(times))
    if len(times) < 2:
        return rows
    stride = max(1, round(float(1 / times.diff().median()) / max_rate_hz))
    sampled: Tensor = torch.unique(torch.cat((rows[::stride], rows[-1:])))
    return sampled


def _start(evidence: Evidence, body: BodyModel) -> tuple[_Pose, Tensor]:
    """A pose for every row from that row alone, and (S,) bool: whether it rests on something seen."""
    rows = len(evidence.times)
    with torch.no_grad():
        rest_points = body.landmarks(torch.eye(3).expand(1, 24, 3, 3), torch.zeros(SHAPE_COUNT))[0]
        rest = dict(zip(body.landmark_names, rest_points, strict=True))
        points, known = _first_points(evidence, rest)
        rotations = standing(rows)
        if points:
            rotations = torch.where(known[:, None, None, None], rotations_from_points(points, rest), rotations)
        posed = body.landmarks(rotations, torch.zeros(SHAPE_COUNT))[:, evidence.places]
        transl, placed = place(posed, evidence)
    trusted = known & placed
    if not trusted.any():
        trusted = placed if placed.any() else torch.ones(rows, dtype=torch.bool)
    return _Pose(rotations, transl), trusted


def _first_points(evidence: Evidence, rest: dict[str, Tensor]) -> tuple[dict[str, Tensor], Tensor]:
    """Keypoints in 3D, from the detector, else lifted from 2D, and (S,) bool: rows whose trunk is known."""
    if not set(LIMBS) <= set(evidence.names):
        return {}, torch.zeros(len(evidence.times), dtype=torch.bool)
    index = {name: place for place, name in enumerate(evidence.names)}
    detected = {name: evidence.landmarks3d[:, place] for name, place in index.items()}
    seen = (evidence.weights > 0).any(1)
    measured = torch.stack([detected[name].isfinite().all(-1) for name in _TRUNK]).all(0) & seen
    if measured.all():
        return detected, measured
    guessed, trunk = lift(evidence, rest)
    if not measured.any():
        return guessed, trunk
    both = {name: torch.where(measured[:, None], detected[name], guess) for name, guess in guessed.items()}
    return both, measured | trunk
