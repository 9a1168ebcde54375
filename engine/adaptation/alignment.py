"""What the labels say about the motion (eq. 3 and 4): similarity of segments, and the loss that raises it.

Legend: N segments, B of them chosen, S rows each, L different labels, D numbers of the motion-text space.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.adaptation import losses, sampler
from engine.adaptation.baselines.discriminator import Adversary
from engine.adaptation.sampler import Segments
from engine.adaptation.settings import LabelUse
from engine.body.rotations import matrix_to_six
from engine.runtime.progress import Progress
from engine.semantics.types import MotionDictionary, MotionTextSpace

_SEGMENTS_AT_ONCE = 32
UNLIKE = 0.35
"""Similarity below which motion is unlike its label. Right labels have 0.3 to 0.9 before adaptation, others less."""


def match_labels(labels: NDArray[np.str_], dictionary: MotionDictionary, progress: Progress) -> dict[str, str]:
    """What each different label (T,) means in the dictionary: '' for '' and, with a warning, for what is not known."""
    meaning = {"": ""}
    for label in sorted(set(labels.tolist()) - {""}):
        match = dictionary.match(label)
        meaning[label] = match.label or ""
        if match.label is None:
            near = f" Near it are {', '.join(match.suggestions[:3])}." if match.suggestions else ""
            progress.warn("label_unknown", f"The label '{label}' is not known, so it does not change the motion.{near}")
    return meaning


def report_unlike(similarity: Tensor, labels: Sequence[str], progress: Progress) -> None:
    """Warn of labels of segments that the motion is unlike before adaptation. They count in full all the same.

    Args:
        similarity: (N,) of the segments and their labels.
        labels: theirs, '' for none.
        progress: is warned.
    """
    for label in sorted(set(labels) - {""}):
        there = torch.tensor([one == label for one in labels], device=similarity.device)
        if float(mean := similarity[there].mean()) < UNLIKE:
            progress.warn(
                "label_unlike",
                f"Before adaptation the motion is unlike its label '{label}' (similarity {mean:.2f}). "
                "The label counts in full.",
            )


class Alignment:
    """Compares segments with their labels. Everything in it is frozen.

    Args:
        segments: of the track, with labels of the dictionary.
        space: where motions and texts lie.
        dictionary: has an exemplar for each label.
        use: of the label by `loss`, as in the settings; all but `alignment` are of the paper's Table 4.
        device: where the pose network is.
    """

    def __init__(
        self,
        segments: Segments,
        space: MotionTextSpace,
        dictionary: MotionDictionary,
        use: LabelUse,
        device: torch.device,
    ) -> None:
        names = sorted({label for label in segments.labels if label})
        place = {name: index for index, name in enumerate(names)}
        self.segments, self.space, self.device = segments, space, device
        self.labelled = segments.labelled
        self._label = torch.tensor([place.get(label, 0) for label in segments.labels], device=device)
        with torch.no_grad():
            self._text = space.encode_labels(names).to(device)
            self._decoded = space.decode(self._text).to(device) if use == "unpaired" else None
        self._adversary = Adversary(space, device) if use == "discriminator" else None
        exemplars = [torch.as_tensor(dictionary.exemplar(name), device=device) for name in names]
        self._exemplars = torch.stack(exemplars).float()

    def similarity(self, six: Tensor, chosen: Tensor) -> Tensor:
        """Eq. 3 of M' and the label: (B, S, 24, 6) rotations of the chosen (B,) segments to (B,)."""
        motion = sampler.resampled(six, self.segments, chosen)
        motion = losses.with_root_of(motion, self._exemplars[self._label[chosen]])
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            encoded = self.space.encode_motion(motion)
        return losses.motion_text_similarity(encoded.float(), self._text[self._label[chosen]].float())

    def loss(self, rotations: Tensor, chosen: Tensor, share: Tensor) -> Tensor:
        """Eq. 4 of rotations (B, S, 24, 3, 3) of the chosen (B,) segments; the rest as in `alignment_loss`."""
        six = matrix_to_six(rotations)
        if self._decoded is None and self._adversary is None:
            return losses.alignment_loss(self.similarity(six, chosen), share)
        motion = sampler.resampled(six, self.segments, chosen)
        if self._adversary is not None:
            return self._adversary.loss(motion, self._text[self._label[chosen]].float(), share)
        assert self._decoded is not None
        return losses.unpaired_loss(motion, self._decoded[self._label[chosen]], share)

    def of_track(self, rotations: Tensor) -> Tensor:
        """Similarity (N,) of all segments in the motion of a track (T, 24, 3, 3); 0 for segments without a label."""
        six = matrix_to_six(rotations)
        similarity = torch.zeros(len(self.segments.labels), device=six.device)
        with torch.no_grad():
            for chosen in torch.split(torch.nonzero(self.labelled)[:, 0], _SEGMENTS_AT_ONCE):
                similarity[chosen] = self.similarity(six[self.segments.rows[chosen]], chosen)
        return similarity
