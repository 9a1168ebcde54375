"""DAPA: the network learns from the clip's own predictions, turned into other poses and drawn anew with their truth.

Weng et al., "Domain Adaptive 3D Pose Augmentation for In-the-wild Human Mesh Recovery" (3DV 2022, section 3): predict,
perturb the pose, draw the person in it onto the footage, and supervise in 3D by what was drawn, together with the 2D of
the real frames; then predict again, so that the drawn poses come nearer to those of the clip.

Decided, where the paper is silent or what it uses cannot be had:

- Poses are perturbed by turns of each joint (0.2 rad, of the whole body 0.3) that change over a second, in place of
  noise in a learned space of poses, which cannot be passed on.
- For picture networks the body is drawn in one grey into the clip's crops, without a learned texture. For `landmark`
  its keypoints are drawn, with misses of this clip's detector; what was not seen stays unseen.
- Epochs, segments and batches are those of the adaptation's settings; drawn poses are made anew in each epoch. Terms
  weigh as in SPIN, which the method fine-tunes. The rate is CycleAdapt's for picture networks, and for a network over
  time a fifth of that: the better of the two on clips of training performers.
"""

from __future__ import annotations

import time

import numpy as np
import torch

from engine.adaptation import sampler
from engine.adaptation.baselines.drawn import drawn
from engine.adaptation.baselines.person import Adapted, Person
from engine.adaptation.baselines.terms import KEYPOINTS_2D, Posed, keypoint_term
from engine.adaptation.schedule import make_optimiser
from engine.adaptation.state import History
from engine.adaptation.track_inference import Estimate, estimate

_RATE, _RATE_OVER_TIME = 5e-5, 1e-5


def dapa(person: Person) -> Adapted:
    """Epochs of steps on real and drawn segments. Raises UsageError where nothing can be drawn."""
    settings, seen, device = person.settings, person.seen, person.device
    times = person.times.numpy()
    segments = sampler.cut(times, np.full(len(times), ""), settings.segment_step_s, settings.least_label_s)
    rows = segments.rows.to(device)
    optimiser = make_optimiser(person.network.parameters())
    optimiser.rate = _RATE if person.network.frame_by_frame else _RATE_OVER_TIME
    steps = max(-(-len(rows) // settings.batch), settings.least_steps)
    valid = seen.valid * seen.importance
    motion, history = _motion(person), History()
    generator = torch.Generator().manual_seed(person.seed)
    for epoch in range(settings.epochs):
        begun, values = time.monotonic(), []
        poses = drawn(person, motion, rows, generator)
        for step in range(steps):
            chosen = torch.randint(len(rows), (settings.batch,), generator=generator).to(device)
            flat = rows[chosen].flatten()
            posed = Posed.of_batch(person.network(rows[chosen]), person.body, seen.places, seen.camera)
            real = keypoint_term(posed.points, seen.points[flat], valid[flat], seen.box_px[flat])
            loss = KEYPOINTS_2D * real + poses.guidance(chosen, person.body, seen.places)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            values.append(loss.detach())
            person.tick(epoch * steps + step + 1, settings.epochs * steps)
        motion = _motion(person)
        loss_mean = float(torch.stack(values).mean())
        seconds = round(time.monotonic() - begun, 3)
        history.append({"epoch": epoch + 1, "steps": steps, "loss": loss_mean, "seconds": seconds})
    return motion, history


def _motion(person: Person) -> Estimate:
    return estimate(person.network, person.times, person.seen.found, person.device).to(person.device)
