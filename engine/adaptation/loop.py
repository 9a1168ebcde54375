"""Test-time adaptation: a pose network is fine-tuned on one person's track (Lin et al. 2025, sections 4.2 and 4.3).

An epoch draws segments, takes steps on eq. 10 with targets that stand still, and ends with new targets: eq. 8 for the
keypoints, the denoiser's output for eq. 9. Legend: T rows, B segments of S rows, K keypoints.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.adaptation import losses, sampler
from engine.adaptation.agreement import keypoint_weight
from engine.adaptation.alignment import Alignment, report_unlike
from engine.adaptation.batches import Batches
from engine.adaptation.beginning import fit_steps, fitted_and_infilled, row_labels
from engine.adaptation.evidence import Seen
from engine.adaptation.infill import Infilled, hidden_share, led_by_label, report_unseen
from engine.adaptation.outcome import AdaptationResult, as_prediction, outcome
from engine.adaptation.priors import Priors
from engine.adaptation.repeatable import repeatable
from engine.adaptation.schedule import WarmupCosine, make_optimiser
from engine.adaptation.settings import AdaptationSettings
from engine.adaptation.smoothing import Smoother
from engine.adaptation.solve import solved
from engine.adaptation.state import History, Snapshot, StateFile, copied
from engine.adaptation.targets import Targets, updated
from engine.adaptation.track_inference import Estimate, estimate, projected
from engine.backbones.types import Camera, PoseNetwork, Prediction
from engine.body.model import BodyModel
from engine.camera.pinhole import project
from engine.errors import ModelFileError
from engine.keypoints.types import PersonTrack
from engine.runtime.progress import Part, Progress
from engine.semantics.segments import Segment, spread

_SEEDS = 1_000_003
_TERMS = ("projection", "alignment", "smoothing")


def adapt(
    network: PoseNetwork,
    track: PersonTrack,
    camera: Camera,
    body: BodyModel,
    segments: Sequence[Segment],
    priors: Priors,
    settings: AdaptationSettings,
    seed: int,
    progress: Progress,
    device: str | torch.device = "cpu",
    state: StateFile | None = None,
    shape: Tensor | None = None,
) -> AdaptationResult:
    """Fine-tune `network` on the track and predict it again.

    Args:
        network: bound to `track`, with pre-trained weights, which it has again afterwards.
        track: one person.
        camera: of the footage.
        body: on `device`.
        segments: typed or found labels; rows without one are adapted without one.
        priors: denoiser, in-filler, motion-text space and dictionary.
        settings: see there; a preset's, usually.
        seed: of everything random: same seed and device, same result.
        progress: called after every step; cancelling leaves `state` behind.
        device: where network and body are.
        state: where to keep what an interrupted run goes on from, if anywhere.
        shape: (10,) that the solve at the end starts from; None for that of the adapted motion and the fit.

    Returns:
        Motion, final 2D targets, similarity, and what happened in each epoch.

    Raises:
        ModelFileError: the pre-trained network does not give finite numbers.
        OutOfMemoryError: a single segment does not fit; `state` holds the epochs that are done.
        CancelledError: the user cancelled.
    """
    pretrained = network.state()
    weights, threads = sum(weight.numel() for weight in network.parameters()), torch.get_num_threads()
    try:
        with repeatable(torch.device(device), weights):
            on = torch.device(device)
            return _Adaptation(
                network, track, camera, body, segments, priors, settings, seed, progress, on, state, threads, shape
            ).run()
    finally:
        network.restore(pretrained)


def damaged_network() -> ModelFileError:
    """Why a pose network cannot be adapted that gives values that are not finite."""
    return ModelFileError(
        "The pose network gives values that are not finite: its weights are damaged.",
        "Install the engine again, or choose another backbone.",
    )


class _Adaptation:
    """One track's adaptation."""

    def __init__(
        self,
        network: PoseNetwork,
        track: PersonTrack,
        camera: Camera,
        body: BodyModel,
        segments: Sequence[Segment],
        priors: Priors,
        settings: AdaptationSettings,
        seed: int,
        progress: Progress,
        device: torch.device,
        state: StateFile | None,
        threads: int,
        shape: Tensor | None,
    ) -> None:
        self.threads, self.shape = threads, shape
        self.network, self.body, self.settings, self.seed = network, body, settings, seed
        self.device, self.state, self.warn = device, state, progress.warn
        self.given_camera = camera
        self.seen = Seen.of(track, camera, body, device)
        self.times = np.asarray(track.timestamps, np.float64)
        self.seconds = torch.from_numpy(self.times).to(device)
        self.labels, self.meaning = row_labels(spread(tuple(segments), self.times), priors, progress)
        cut = sampler.cut(self.times, self.labels, settings.segment_step_s, settings.least_label_s)
        self.segments = cut.to(device)
        self.align = self._alignment(priors)
        self.smoother, self.infiller = self._smoother(priors), priors.infiller
        self.weights = losses.Weights(settings.projection, settings.alignment, settings.smoothing, settings.shape)
        self.optimiser = make_optimiser(network.parameters())
        self.batches = Batches(settings.batch, progress)
        self.drawn = settings.batch * max(-(-len(cut.labels) // settings.batch), settings.least_steps)
        self.done, self.progress = 0, progress
        smoothing_steps = self.smoother.steps if self.smoother else 0
        self.epochs_total = settings.epochs * (self.drawn // settings.batch + smoothing_steps)
        self.before = fit_steps(settings)
        self.total = self.before + self.epochs_total + settings.solve_steps
        self.targets = self.seen.targets()
        self.counts = self.seen.weights(settings.by_confidence)
        self.motion: Estimate
        self.smooth: Estimate | None = None
        self.infilled: Infilled | None = None
        self.hidden = hidden_share(self.seen.joints, self.seconds) if settings.takes else None
        self.similarity = torch.zeros(len(cut.labels), device=device)
        self.history: History = []

    def _alignment(self, priors: Priors) -> Alignment | None:
        if priors.space is None or priors.dictionary is None or not any(self.segments.labels):
            return None
        return Alignment(self.segments, priors.space, priors.dictionary, self.settings.label_use, self.device)

    def _smoother(self, priors: Priors) -> Smoother | None:
        if priors.denoiser is None or not self.settings.smoothing:
            return None
        denoiser = copy.deepcopy(priors.denoiser).to(self.device).requires_grad_(True)
        how = (sampler.stride_of(self.times), self.settings.denoiser_step)
        return Smoother(denoiser, self.seen.detected, *how, self.threads if self.device.type == "cpu" else 1)

    def run(self) -> AdaptationResult:
        """All the epochs."""
        self.motion = self._estimate()
        if not self.motion.finite():
            raise damaged_network()
        initial = as_prediction(self.motion, self.seen, self.body)
        self.expected = None if self.motion.log_error is None else self.motion.log_error.cpu()
        view = (self.motion, self.seen, self.given_camera, self.body, self.infiller, self.hidden, self.labels.tolist())
        fitted, infilled = fitted_and_infilled(*view, self.settings, self.seed, self._put, self.threads)
        self._weigh_keypoints(initial, fitted)
        self._measure()
        if self.align is not None:
            report_unlike(self.similarity, self.segments.labels, self.progress)
        self._take(infilled)
        start = len(self.history) if self._resumed() else 0
        if not start and self.infilled is not None:
            self._smoothe(0.0, None)
        for epoch in range(start, self.settings.epochs):
            before = self._snapshot()
            if not self._epoch(epoch):
                self._restore(before)
                text = f"Round {epoch + 1} of adaptation gave values that are not finite; the motion before it is used."
                self.warn("adaptation_stopped", text)
                break
            if self.state is not None:
                self.state.write(self._snapshot())
        rows = sampler.per_row(self.similarity, self.segments, len(self.times))
        motion = self.motion if self.infilled is None else self.infilled.into(self.motion)
        result = outcome(self.seen, self.body, initial, motion, self.targets, rows, self.history)
        return replace(
            result,
            labels=self.meaning,
            prediction=self._solved(result.prediction, fitted),
            infilled=self.infilled,
            keypoint_weight=float(self.keypoint_weight.mean()),
        )

    def _weigh_keypoints(self, initial: Prediction, fitted: Prediction | None) -> None:
        """What keypoints weigh, here and in the solve at the end."""
        self.keypoint_weight = torch.ones(len(self.times))
        if fitted is not None:
            self.keypoint_weight = keypoint_weight(initial, fitted, self.seen, self.body)
            self.counts = self.counts * self.keypoint_weight[:, None].to(self.device)

    def _solved(self, prediction: Prediction, fitted: Prediction | None) -> Prediction:
        if fitted is None:
            return prediction
        part = Part(self._put, self.before + self.epochs_total, self.settings.solve_steps)
        hidden = None if self.infilled is None else self.infilled.hidden.cpu()
        view = (self.seen.track, self.given_camera, self.body)
        return solved(
            prediction, fitted, hidden, self.keypoint_weight, self.expected, *view, self.settings, part, self.threads,
            self.shape,
        )  # fmt: skip

    def _epoch(self, epoch: int) -> bool:
        """Steps, then new targets. False if numbers are not finite."""
        begun, settings = time.monotonic(), self.settings
        schedule = WarmupCosine(settings.epochs - 1, 0, settings.learning_rate, settings.lowest_learning_rate)
        generator = torch.Generator().manual_seed(self.seed * _SEEDS + epoch)
        torch.manual_seed(self.seed * _SEEDS + epoch)  # dropout, where a network has it
        rate = schedule.rate(epoch) * float(self.keypoint_weight.mean())  # Adam's steps do not shrink with the loss
        self.optimiser.rate = rate
        labelled = self.align.labelled if self.align else torch.zeros_like(self.similarity, dtype=torch.bool)
        chosen = sampler.draw(self.similarity, labelled, self.drawn, generator)
        values = [self._step(some) for some in torch.split(chosen.to(self.device), settings.batch)]
        self.motion = self._estimate()
        means = torch.stack(values).mean(0).tolist()  # the only time that the device is waited for
        if not self.motion.finite() or not np.isfinite(means).all():
            return False
        self._measure()
        reproduced = self._smoothe(rate / settings.learning_rate * settings.denoiser_learning_rate, generator)
        points = projected(self.motion, self.body, self.seen.places, self.seen.camera)
        self.targets = updated(self.targets, points, self._aligned(), self.settings.ema)
        entry: dict[str, Any] = {
            "epoch": epoch + 1,
            "learning_rate": rate,
            "steps": len(values),
            "loss": means[0],
            **dict(zip(_TERMS, means[1:], strict=True)),
            "denoiser": reproduced,
            "similarity": float(self.similarity[self.align.labelled].mean()) if self.align is not None else None,
            "keypoints_filled_in": int(self.targets.filled.sum()),
            "seconds": round(time.monotonic() - begun, 3),
        }
        self.history.append(entry)
        return True

    def _step(self, chosen: Tensor) -> Tensor:
        """One step on the segments `chosen` (B,). Returns the objective and its three terms, (4,)."""
        share = torch.zeros(len(chosen), device=self.device)
        if self.align is not None:
            labelled = self.align.labelled[chosen].float()
            share = labelled / labelled.sum().clamp(min=1)
        place = torch.arange(len(chosen), device=self.device)

        def gradients(part: Tensor) -> Tensor:
            terms = self._terms(chosen[part], share[part], len(part) / len(chosen))
            loss = losses.objective(terms, self.weights)
            loss.backward()  # type: ignore[no-untyped-call]
            return torch.stack([loss, *(getattr(terms, name) for name in _TERMS)]).detach()

        values = self.batches.run(place, self.optimiser.zero_grad, gradients)
        self.optimiser.step()
        self._tick()
        return values

    def _terms(self, chosen: Tensor, share: Tensor, part: float) -> losses.Terms:
        """Eq. 4, 5 and 9 of some segments, which are `part` of the batch."""
        rows = self.segments.rows[chosen]
        batch = self.network(rows)
        zero = batch.transl.new_zeros(())
        rotations, betas = batch.rotations.float(), batch.betas.float()
        posed = self.body.landmarks(rotations.flatten(0, 1), betas.flatten(0, 1), batch.transl.float().flatten(0, 1))
        points = project(posed[:, self.seen.places], self.seen.camera).reshape(*rows.shape, -1, 2)
        valid = self.targets.valid[rows] * self.seen.importance * self.counts[rows]
        projection = losses.keypoint_loss(points, self.targets.points[rows], valid, self.seen.box_px[rows])
        alignment = smoothing = zero
        if self.align is not None and self.settings.alignment:
            alignment = self.align.loss(self._hidden_alone(rotations, rows), chosen, share)
        if self.smooth is not None:
            everywhere = torch.ones(rows.numel(), device=self.device)
            targets = (self.smooth.rotations[rows].flatten(0, 1), self.smooth.betas[rows].flatten(0, 1))
            smoothing = losses.smoothing_loss(
                rotations.flatten(0, 1), targets[0], betas.flatten(0, 1), targets[1], everywhere, self.settings.shape
            )
        return losses.Terms(projection * part, alignment, smoothing * part)

    def _estimate(self) -> Estimate:
        times = torch.from_numpy(self.times)
        return estimate(self.network, times, self.seen.found, self.device, self._beat).to(self.device)

    def _measure(self) -> None:
        """Similarity of all segments. A motion-text network that is out of order is not used again."""
        if self.align is None:
            return
        self.similarity = self.align.of_track(self.motion.rotations)
        if not bool(self.similarity.isfinite().all()):
            self.align, self.similarity = None, torch.zeros_like(self.similarity)
            self.warn(
                "labels_unused", "The motion-text network gives values that are not finite, so labels are not used."
            )

    def _take(self, infilled: Infilled | None) -> None:
        """Motion for hidden joints, as far as it is of use."""
        labels = self.labels.tolist()
        if self.hidden is not None and self.infiller is not None:
            report_unseen(self.hidden, self.seconds, labels, self.progress)
        if infilled is not None and not bool(infilled.rotations.isfinite().all()):
            self.warn("infiller_unused", "The motion in-filler gives values that are not finite, so it is not used.")
            infilled = None
        if infilled is not None and self.align is not None:
            named = torch.tensor([bool(label) for label in labels], device=self.device)
            infilled = led_by_label(infilled, self.motion, named, self.seconds, self._likeness)
        self.infilled = infilled

    def _likeness(self, rotations: Tensor) -> Tensor:
        """(T,) similarity of a motion (T, 24, 3, 3) and its labels; 0 without a label."""
        assert self.align is not None
        return sampler.per_row(self.align.of_track(rotations), self.segments, len(self.times))

    def _hidden_alone(self, rotations: Tensor, rows: Tensor) -> Tensor:
        """Rotations (B, S, 24, 3, 3) whose gradients reach hidden joints alone: the evidence decides what is seen."""
        if self.hidden is None:
            return rotations
        return torch.lerp(rotations.detach(), rotations, self.hidden[rows][..., None, None])

    def _smoothe(self, rate: float, generator: torch.Generator | None) -> float | None:
        """New targets of eq. 9, after an epoch of the denoiser's own where there is a generator."""
        if self.smoother is None:
            return None
        loss = None
        if generator is not None and rate:
            loss = float(self.smoother.adapt(self.motion.rotations, rate, generator, self._tick))
        self.smooth = self.smoother.targets(self.motion if self.infilled is None else self.infilled.into(self.motion))
        if not self.smooth.finite():
            self.smoother = self.smooth = None
            self.warn("denoiser_unused", "The denoiser gives values that are not finite, so it is not used.")
            return None
        return loss

    def _aligned(self) -> Tensor | None:
        """(T,) bool: rows whose motion is like their label; None without fill-in."""
        if self.align is None or not self.settings.fill_in:
            return None
        similarity = sampler.per_row(self.similarity, self.segments, len(self.times))
        return similarity > self.settings.fill_in_similarity

    def _snapshot(self) -> Snapshot:
        smoother = self.smoother
        return Snapshot(
            self.network.state(),
            self.optimiser.moments(),
            copied(smoother.denoiser if smoother else None),
            smoother.optimiser.moments() if smoother else {},
            self.targets,
            self.motion,
            self.smooth,
            self.similarity,
            list(self.history),
        )

    def _restore(self, snapshot: Snapshot) -> None:
        self.network.restore(snapshot.network)
        self.optimiser.put_moments(snapshot.optimiser)
        if self.smoother is not None and snapshot.denoiser:
            self.smoother.denoiser.load_state_dict(snapshot.denoiser)
            self.smoother.optimiser.put_moments(snapshot.denoiser_optimiser)
        self.targets = Targets(**{name: part.to(self.device) for name, part in vars(snapshot.targets).items()})
        self.motion = snapshot.motion.to(self.device)
        self.smooth = snapshot.smooth.to(self.device) if snapshot.smooth is not None else None
        self.similarity, self.history = snapshot.similarity.to(self.device), list(snapshot.history)

    def _resumed(self) -> bool:
        """Go on from what an earlier run left, if it left anything."""
        snapshot = self.state.read(self.progress) if self.state is not None else None
        if snapshot is None:
            return False
        self._restore(snapshot)
        self.done = self.before + len(self.history) * self.epochs_total // self.settings.epochs
        return True

    def _tick(self) -> None:
        self._put(min(self.done + 1, self.before + self.epochs_total))

    def _put(self, done: int) -> None:
        self.done = done
        self._beat()

    def _beat(self) -> None:
        self.progress(self.done, self.total)
