"""What the in-filler learns from: windows of motion as the pose network sees them through the measured detector.

They are drawn once, kept in one file beside the weights, and used many times.

Legend: N windows of the store, B of them chosen, T frames (64), J joints (24).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.adaptation.infiller import WINDOW, upper_of
from engine.backbones.landmark_network import LandmarkNetwork, in_camera
from engine.backbones.summary import shown_by
from engine.body.landmarks import JOINT_NAMES
from engine.body.model import BodyModel
from engine.body.rotations import matrix_to_six
from engine.errors import UsageError
from engine.files.atomic import replacing
from engine.keypoints.joint_sets import MEDIAPIPE_33
from engine.keypoints.types import SEEN_CONFIDENCE
from engine.runtime.precision import fast_bfloat16
from engine.runtime.progress import Progress
from engine.training.backbone_batches import Spoiling, batch_of
from engine.training.corpus import CorpusClip, mirrored_text
from engine.training.detector_model import DetectorModel
from engine.training.motion_batches import MotionWindows, Variation
from engine.training.observations import Conditions, synthesise

RATES = (15.0, 20.0, 24.0, 25.0, 30.0)
"""Frame rates that windows are drawn at. Footage that is faster is in-filled at every n-th frame."""
VARIATION = Variation(
    mirror=0.0,
    mixed=0.0,
    jitter_rad=0.04,
    reach_rad=0.05,
    tilt_rad=0.08,
    speed=0.15,
    arms=0.2,
    sway_rad=0.02,
    bowed=0.15,
)
"""How motions are varied: so that the label stays true. Mirrored motions are clips of their own."""
CONDITIONS = Conditions(0.2, 0.22, 0.14, 0.22, 0.1)
"""Share of windows in which something hides the person: most."""
SPOILING = Spoiling(focal=0.3, no_3d=0.03, fewer_points=0.0, gap=0.1, confidence=0.15, sure=0.0, calm=0.5, limbs=0.2)
_CAPTURED = 1.5
"""How much more often captured motion is drawn than authored motion."""
_WHOLE_CLIPS = 0.25
"""Share of windows from clips with several labels, or with none: transitions, and motion without a name."""
_KEYPOINT_NUMBERS, _CONFIDENCE = 6, 2
_AT_ONCE = 48


@dataclass(frozen=True)
class Windows:
    """Windows of motion as a pose network sees them, and the truth.

    Attributes:
        predicted: (N, T, 24, 6) the pose network's rotations, root in the camera frame.
        clean: (N, T, 24, 6) the truth.
        confidence: (N, T, 24) how well each joint is seen.
        hidden: (N, T, 24) bool, joints before which something stands, or that are out of the picture.
        pelvis: (N, T, 3) by the pose network, camera frame, metres.
        upper: (N, T, 2, 3) as of `engine.adaptation.infiller.MotionEvidence`.
        times_s: (N, T).
        betas: (N, 10).
        contacts: (N, T, 4) 1, 0, or -1 for unknown.
        label: (N, T) row of the label among those of the sentences, -1 for none.
    """

    predicted: Tensor
    clean: Tensor
    confidence: Tensor
    hidden: Tensor
    pelvis: Tensor
    upper: Tensor
    times_s: Tensor
    betas: Tensor
    contacts: Tensor
    label: Tensor

    def __len__(self) -> int:
        return len(self.label)

    def rows(self, chosen: Tensor) -> Windows:
        """Some of the windows, rotations in single precision."""
        parts = {item.name: getattr(self, item.name)[chosen] for item in fields(self)}
        return Windows(**{name: part.float() if part.dtype == torch.half else part for name, part in parts.items()})

    def write(self, path: Path) -> None:
        """Write all arrays to one `.npz`. Raises OutputError if the disk refuses."""
        with replacing(path) as file:
            np.savez(file, allow_pickle=False, **{item.name: getattr(self, item.name).numpy() for item in fields(self)})

    @classmethod
    def read(cls, path: Path) -> Windows:
        """What `write` wrote. Raises UsageError."""
        try:
            with np.load(path, allow_pickle=False) as file:
                return cls(**{item.name: torch.from_numpy(file[item.name]) for item in fields(cls)})
        except (OSError, ValueError, KeyError) as error:
            raise UsageError(f"{path} holds no windows of this training.", "Delete it to draw them anew.") from error


def labelled_pieces(clips: Sequence[CorpusClip], labels: Sequence[str]) -> list[CorpusClip]:
    """Every labelled stretch as a clip of one label, and its mirror image.

    Raises:
        UsageError: there is none.
    """
    pieces = [piece for clip in clips for piece in _cut(clip) if piece.labels[0].label in labels]
    pieces += [piece.mirrored() for piece in pieces if mirrored_text(piece.labels[0].label) in labels]
    if not pieces:
        raise UsageError("No clip has a label of the dictionary.", "Build the corpus from all the clips.")
    return pieces


def _cut(clip: CorpusClip) -> Iterator[CorpusClip]:
    for row in clip.labels:
        rows = slice(row.start, min(row.end, len(clip.poses)))
        if rows.stop - rows.start > 1:
            whole = replace(row, start=0, end=rows.stop - rows.start)
            yield replace(
                clip, poses=clip.poses[rows], pelvis=clip.pelvis[rows], contacts=clip.contacts[rows], labels=(whole,)
            )


class WindowMaker:
    """Draws windows.

    Args:
        clips: what is learnt from, or scored on.
        labels: of the sentences.
        network: the pose network whose answers are in-filled; body and detector: on its device.
        whole_clips: whether clips with several labels, or without any, are drawn from as well.
    """

    def __init__(
        self,
        clips: Sequence[CorpusClip],
        labels: Sequence[str],
        network: LandmarkNetwork,
        body: BodyModel,
        detector: DetectorModel,
        variation: Variation = VARIATION,
        conditions: Conditions = CONDITIONS,
        spoiling: Spoiling = SPOILING,
        whole_clips: bool = True,
    ) -> None:
        self.network, self.body, self.detector = network, body, detector
        self.variation, self.conditions, self.spoiling = variation, conditions, spoiling
        pieces = labelled_pieces(clips, labels)
        weights = _shares(pieces, labels)
        if whole_clips:
            others = [clip for clip in clips if len(clip.labels) != 1]
            others += [clip.mirrored() for clip in others]
            length = torch.tensor([float(len(clip.poses)) for clip in others])
            pieces = [*pieces, *others]
            total = weights.sum() * _WHOLE_CLIPS / (1 - _WHOLE_CLIPS)
            weights = torch.cat((weights, total * length.sqrt() / length.sqrt().sum().clamp(min=1)))
        device = next(network.parameters()).device
        rows = np.concatenate([_label_rows(piece, labels) for piece in pieces])
        self._windows = MotionWindows(pieces, WINDOW, device, weights, torch.from_numpy(rows), RATES)
        self._shows = _shows().to(device)

    @torch.no_grad()
    def draw(self, count: int, generator: torch.Generator) -> Windows:
        """`count` windows; a generator on the CPU, so that a seed means the same on every device."""
        motion = self._windows.draw(count, generator, self.variation)
        assert motion.label is not None
        seen = synthesise(motion, self.body, self.detector, generator, self.conditions)
        batch = batch_of(seen, self.spoiling, generator)
        device = batch.features.device
        with torch.autocast(device.type, torch.bfloat16, enabled=fast_bfloat16(device)):
            output = self.network(batch.features, batch.times_s, self.body)
        predicted, pelvis = in_camera(output, batch.turn, batch.scale)
        keypoints = batch.features[..., : len(MEDIAPIPE_33) * _KEYPOINT_NUMBERS]
        each = keypoints[..., _CONFIDENCE::_KEYPOINT_NUMBERS]
        confidence = each @ self._shows.T
        counts = each * (each >= SEEN_CONFIDENCE)
        upper = upper_of(seen.keypoints[..., :2], counts, MEDIAPIPE_33, seen.scene.intrinsics, pelvis[..., 2])
        hidden = (batch.hidden.float() @ self._shows.T) > 0.5
        return Windows(
            matrix_to_six(predicted).half().cpu(),
            matrix_to_six(batch.rotations).half().cpu(),
            confidence.half().cpu(),
            hidden.cpu(),
            pelvis.half().cpu(),
            upper.half().cpu(),
            batch.times_s.float().cpu(),
            batch.betas.float().cpu(),
            batch.contacts.to(torch.int8).cpu(),
            motion.label.to(torch.int16).cpu(),
        )

    def store(self, count: int, seed: int, progress: Progress) -> Windows:
        """`count` windows, a batch at a time. Raises CancelledError."""
        parts = []
        for batch in range(math.ceil(count / _AT_ONCE)):
            parts.append(self.draw(min(_AT_ONCE, count), torch.Generator().manual_seed(seed * 1_000_003 + batch)))
            progress((batch + 1) * _AT_ONCE, count)
        return Windows(*(torch.cat([getattr(part, item.name) for part in parts]) for item in fields(Windows)))


def _label_rows(clip: CorpusClip, labels: Sequence[str]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """(T,) row of each frame's label, -1 for none."""
    rows = np.full(len(clip.poses), -1, np.int64)
    for row in clip.labels:
        rows[row.start : row.end] = labels.index(row.label) if row.label in labels else -1
    return rows


def _shares(pieces: Sequence[CorpusClip], labels: Sequence[str]) -> Tensor:
    """How often each piece is drawn. Long pieces repeat themselves, and so do those of one label: roots of both."""
    label = torch.tensor([labels.index(piece.labels[0].label) for piece in pieces])
    length = torch.tensor([float(len(piece.poses)) for piece in pieces]).sqrt()
    authored = torch.tensor([piece.synthetic for piece in pieces])
    together = torch.zeros(len(labels)).index_add_(0, label, length)
    return length / together[label].sqrt() * torch.where(authored, 1.0, _CAPTURED)


def _shows() -> Tensor:
    """(24, 33) shares of keypoints whose mean shows each joint, as in `engine.backbones.summary.joint_confidence`."""
    table = torch.zeros(len(JOINT_NAMES), len(MEDIAPIPE_33))
    for row, joint in enumerate(JOINT_NAMES):
        table[row, [MEDIAPIPE_33.index(name) for name in shown_by(joint) if name in MEDIAPIPE_33]] = 1
    return table / table.sum(1, keepdim=True).clamp(min=1)
