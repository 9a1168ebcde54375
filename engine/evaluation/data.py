"""What is scored: clips of held-out performers as a measured detector would see them, with the truth beside.

One labelled interval of the corpus is one clip. Mirrored copies do not count as clips and are not made.
"""

from __future__ import annotations

import hashlib
import itertools
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from engine.backbones.types import Camera
from engine.body.model import BodyModel
from engine.body.rotations import axis_angle_to_matrix
from engine.errors import UsageError
from engine.evaluation.joints import LIMB_SET, Float, JointSet, Pose, marks_of
from engine.keypoints.joint_sets import MEDIAPIPE_33
from engine.keypoints.types import SEEN_CONFIDENCE, PersonTrack
from engine.semantics.segments import Segment, whole_clip
from engine.training.corpus import HELD_OUT, CorpusClip, read_corpus
from engine.training.detector_model import DetectorModel
from engine.training.motion_batches import MotionBatch
from engine.training.observations import NOTHING_HIDDEN, Conditions, ObservationBatch, synthesise

CLEAR = "clear"
CONDITIONS: dict[str, Conditions] = {
    CLEAR: NOTHING_HIDDEN,
    "crossing": Conditions(1, 0, 0, 0, 0),
    "truncated": Conditions(0, 1, 0, 0, 0),
    "limb": Conditions(0, 0, 1, 0, 0),
}
"""Nothing hidden; an object crosses the body; the lower body is out of the picture; a limb is hidden throughout."""
OCCLUDED = tuple(name for name in CONDITIONS if name != CLEAR)
LEAST_FRAMES, MOST_FRAMES = 24, 120
_LEAST_HIDDEN, _TRIES = 0.03, 20
_SHAPE_LIMIT = 2.0
_MESH_STEP = 4


@dataclass(frozen=True)
class Truth:
    """What is known of a person, camera frame, metres. T frames, J joints, K keypoints of the track.

    Attributes:
        joints: (T, J, 3), NaN where unknown.
        joint_set: which joints those are, and how they are got from a prediction.
        seen: (T, J) bool, whether the joint could be seen. None where nobody knows: everything counts as seen.
        marks: (T, J, 3) the same joints where detectors put them, for a detector's own 3D; None where not known.
        points: (T, K, 2) pixels of the track's keypoints; None where not known.
        pose: the true body; None where there is none.
        body: what `pose` is of, where that is not the body that predictions are of.
        mesh_step: every which frame meshes are compared in; more than 1 where time counts and frames are alike.
        note: how the truth was got, if not as usual; printed beside the tables.
        to_world: (T, 4, 4) from the camera to a world that stands still, for figures in the world; None without.
    """

    joints: Float
    joint_set: JointSet
    seen: NDArray[np.bool_] | None = None
    marks: Float | None = None
    points: Float | None = None
    pose: Pose | None = None
    body: BodyModel | None = None
    mesh_step: int = 1
    note: str = ""
    to_world: Float | None = None


@dataclass(frozen=True)
class Case:
    """One clip seen in one way.

    Attributes:
        name: unlike all others.
        clip: cases of one clip are not independent of each other.
        category: kind of action.
        condition: what hides the person, a key of `CONDITIONS`, or the data set's name.
        label: what is done throughout; empty where nobody knows.
        track, camera: what methods see.
        truth: what they are scored against.
        segments: what is done when, where that is known instead of one label.
    """

    name: str
    clip: str
    category: str
    condition: str
    label: str
    track: PersonTrack
    camera: Camera
    truth: Truth
    segments: tuple[Segment, ...] = ()

    @property
    def labelled(self) -> tuple[Segment, ...]:
        """What is known of what is done."""
        return self.segments or whole_clip(self.label)

    @property
    def frames(self) -> int:
        """T."""
        return len(self.track.timestamps)


@dataclass(frozen=True)
class Piece:
    """A stretch of a corpus clip with one label: frames `start` to `end`."""

    clip: CorpusClip
    start: int
    end: int
    label: str
    category: str

    @property
    def name(self) -> str:
        """Unlike that of any other piece."""
        return f"{self.clip.name}_{self.start}"


def held_out_clips(path: Path) -> list[CorpusClip]:
    """The clips of performers that no network has seen. Raises UsageError where that cannot be trusted."""
    clips = read_corpus(path)
    trained_on = {clip.performer for clip in clips if not clip.held_out}
    held_out = [clip for clip in clips if clip.held_out]
    both = sorted({clip.performer for clip in held_out} & trained_on)
    strangers = sorted({clip.performer for clip in held_out if not clip.synthetic} - set(HELD_OUT))
    if both or strangers:
        raise UsageError(
            f"The corpus {path} does not keep performers apart: {', '.join(both or strangers)}.",
            "Networks may have been trained on them. Build it again with: adapt-motion train corpus",
        )
    return held_out


def choose_pieces(clips: Sequence[CorpusClip], count: int, authored: bool, seed: int) -> list[Piece]:
    """As many pieces as there are, up to `count`, from all categories alike, and from their labels alike.

    Raises:
        UsageError: there is none.
    """
    by_category: dict[str, dict[str, list[Piece]]] = defaultdict(lambda: defaultdict(list))
    for clip in clips:
        if clip.held_out and clip.synthetic == authored:
            for piece in _pieces(clip):
                by_category[piece.category][piece.label].append(piece)
    rng = np.random.default_rng(seed)
    queues = []
    for category in sorted(by_category):
        labels = [by_category[category][label] for label in sorted(by_category[category])]
        shuffled = [[pieces[i] for i in rng.permutation(len(pieces))] for pieces in labels]
        queues.append([piece for row in itertools.zip_longest(*shuffled) for piece in row if piece])
    chosen = [piece for row in itertools.zip_longest(*queues) for piece in row if piece][:count]
    if not chosen:
        raise UsageError(
            "The corpus has no clips of held-out performers to score on.", "Build it with: adapt-motion train corpus"
        )
    return sorted(chosen, key=lambda piece: (piece.category, piece.name))


def _pieces(clip: CorpusClip) -> Iterator[Piece]:
    for row in clip.labels:
        end = min(row.end, len(clip.pelvis))
        parts = max(1, (end - row.start) // MOST_FRAMES)
        for part in range(parts):
            start = row.start + part * MOST_FRAMES
            stop = min(start + MOST_FRAMES, end)
            if stop - start >= LEAST_FRAMES:
                yield Piece(clip, start, stop, row.label, row.category)


def planned(pieces: Sequence[Piece], every_condition: bool) -> list[tuple[Piece, str]]:
    """Each piece clear and under one of the occlusions in turn, or under all of them."""
    if every_condition:
        return [(piece, condition) for piece in pieces for condition in CONDITIONS]
    # each category begins with another occlusion, so that a few clips see all of them as well
    turn = {category: place for place, category in enumerate(sorted({piece.category for piece in pieces}))}
    plan = []
    for piece in pieces:
        plan += [(piece, CLEAR), (piece, OCCLUDED[turn[piece.category] % len(OCCLUDED)])]
        turn[piece.category] += 1
    return plan


class CorpusCases:
    """Makes cases from pieces. The same seed gives the same observations.

    Args:
        body: the body that motions are put on.
        detector: the measured detector.
        seed: of cameras, shapes, occlusions and noise.
    """

    def __init__(self, body: BodyModel, detector: DetectorModel, seed: int) -> None:
        self.body, self.detector, self.seed = body, detector, seed

    def key(self, piece: Piece, condition: str) -> str:
        """What the case depends on, the observations' code left out."""
        clip = piece.clip
        content = hashlib.sha256(clip.poses[piece.start : piece.end].tobytes())
        content.update(clip.pelvis[piece.start : piece.end].tobytes())
        return f"{piece.name}/{piece.label}/{condition}/{self.seed}/{content.hexdigest()}"

    def make(self, piece: Piece, condition: str) -> Case:
        """The piece as it is seen under a condition; the camera is the same unless that would leave nothing hidden."""
        motion = self._motion(piece)
        for attempt in range(_TRIES):  # some cameras leave nothing to hide, as from above somebody who lies
            generator = torch.Generator().manual_seed(self._number(piece, f"camera {attempt}"))
            with torch.no_grad():
                seen = synthesise(motion, self.body, self.detector, generator, CONDITIONS[condition])
            if condition == CLEAR or float(seen.scene.hidden[0].float().mean()) >= _LEAST_HIDDEN:
                break
        truth = _truth(seen, self.body)
        name = f"{piece.name}_{condition}"
        camera = Camera(seen.scene.intrinsics[0].double().numpy(), "given")
        return Case(name, piece.name, piece.category, condition, piece.label, track_of(seen), camera, truth)

    def _motion(self, piece: Piece) -> MotionBatch:
        clip, rows = piece.clip, slice(piece.start, piece.end)
        poses = torch.from_numpy(clip.poses[rows].reshape(-1, 24, 3))
        rng = np.random.default_rng(self._number(piece, "shape"))
        betas = rng.standard_normal(10).clip(-_SHAPE_LIMIT, _SHAPE_LIMIT).astype(np.float32)
        return MotionBatch(
            rotations=axis_angle_to_matrix(poses)[None],
            pelvis=torch.from_numpy(clip.pelvis[rows])[None],
            betas=torch.from_numpy(betas)[None],
            contacts=torch.from_numpy(clip.contacts[rows]).float()[None],
            times_s=(torch.arange(piece.end - piece.start) / clip.fps)[None],
        )

    def _number(self, piece: Piece, purpose: str) -> int:
        return zlib.crc32(f"{self.seed}/{piece.name}/{purpose}".encode())


def _truth(seen: ObservationBatch, body: BodyModel) -> Truth:
    scene = seen.scene
    pose = Pose(scene.rotations[0].numpy(), scene.betas[0].numpy(), scene.transl[0].numpy())
    limbs = [MEDIAPIPE_33.index(name) for name in LIMB_SET.names]
    return Truth(
        joints=scene.joints[0].numpy().astype(np.float64)[:, list(LIMB_SET.smpl)],
        joint_set=LIMB_SET,
        seen=~scene.hidden[0].numpy()[:, limbs],
        marks=marks_of(body, pose, LIMB_SET.names),
        points=scene.keypoints[0].numpy().astype(np.float64),
        pose=pose,
        body=body,
        mesh_step=_MESH_STEP,
    )


def track_of(seen: ObservationBatch) -> PersonTrack:
    """The first window as the track that the pipeline would make of it."""
    keypoints = np.nan_to_num(seen.keypoints[0].numpy()).astype(np.float32)
    width, height = seen.scene.image_size[0].round().int().tolist()
    return make_track(
        keypoints,
        seen.landmarks3d[0].numpy().astype(np.float32),
        seen.scene.times_s[0].double().numpy(),
        MEDIAPIPE_33,
        (width, height),
    )


def make_track(
    keypoints: NDArray[np.float32],
    landmarks3d: NDArray[np.float32] | None,
    times: NDArray[np.float64],
    names: tuple[str, ...],
    image_size: tuple[int, int],
) -> PersonTrack:
    """A track from keypoints (T, K, 3); frames in which nothing is seen count as not detected."""
    seen = keypoints[..., 2] >= SEEN_CONFIDENCE
    detected = seen.sum(1) > 1
    return PersonTrack(
        person=1,
        frame_indices=np.arange(len(times)),
        timestamps=times,
        keypoints=keypoints,
        landmarks3d=np.full_like(keypoints, np.nan) if landmarks3d is None else landmarks3d,
        boxes=_boxes(keypoints[..., :2], seen, detected),
        detected=detected,
        keypoint_names=names,
        image_size=image_size,
    )


def _boxes(points: NDArray[np.float32], seen: NDArray[np.bool_], detected: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(T, 4) of what is seen; interpolated where nothing is."""
    low = np.where(seen[..., None], points, np.inf).min(1)
    high = np.where(seen[..., None], points, -np.inf).max(1)
    boxes = np.concatenate([low, high], 1)
    rows = np.flatnonzero(detected)
    if not len(rows):
        return np.zeros((len(points), 4), np.float32)
    every = np.arange(len(points))
    return np.stack([np.interp(every, rows, boxes[rows, edge]) for edge in range(4)], 1).astype(np.float32)
