"""MotionCLIP and CLIP in the place of our motion-text space, with BABEL's labels and AMASS's motions as dictionary."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from engine.body.model import OPEN_BODY
from engine.body.rotations import matrix_to_six, six_to_matrix
from engine.body.smpl_file import read_body_file
from engine.errors import ModelFileError
from engine.runtime.progress import Progress
from engine.semantics.amass import find_amass, key_of, read_window
from engine.semantics.babel import BabelLabel, read_babel
from engine.semantics.clip_text import ClipText, load_clip_text
from engine.semantics.clip_tokens import ClipTokens
from engine.semantics.motionclip import MotionClip, motion_tokens, token_rotations
from engine.semantics.types import WINDOW, Match
from engine.weights.model_files import find, require
from engine.weights.model_settings import ModelSettings

_ANKLE_CHAIN = (0, 2, 5, 8)  # pelvis to right ankle
_FACING_US = ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, 1.0, 0.0))
"""Upright in a world with z up, facing -y."""
_TEXTS_AT_ONCE = 256
_LOOKED_AT = 8
"""Motions of a label among which the one that fits best is its exemplar."""
_SAME_MEANING = 0.9
"""Cosine of two texts in CLIP from which they count as one; without a model to measure with, on the careful side."""
_COMMON = (
    "walk", "stand", "run", "jump", "sit", "sit down", "stand up", "turn", "turn left", "turn right", "walk backward",
    "walk up stairs", "walk down stairs", "kick", "punch", "throw", "catch", "pick up", "put down", "lift", "carry",
    "wave hand", "clap", "point", "bend", "stretch", "squat", "kneel", "crawl", "climb", "dance", "hop", "skip", "jog",
    "march", "stumble", "fall down", "get up", "lie down", "bow", "salute", "drink", "eat", "talk on the phone", "swim",
    "play the guitar", "play the violin", "play basketball", "play golf", "play tennis", "swing", "raise arms",
    "cross arms", "scratch head", "look around", "reach", "push", "pull", "cartwheel", "jumping jacks",
)  # fmt: skip
"""Common actions in our own words, for the dictionary where BABEL is not given."""


class MotionClipSpace(nn.Module):
    """Meets `engine.semantics.types.MotionTextSpace`. Labels may be any text. Frozen.

    Heading is not normalised, as in its training; adaptation gives it the heading of the exemplar.

    Args:
        motion: MotionCLIP.
        text, tokens: CLIP's text side.
    """

    bones: Tensor
    upright: Tensor

    def __init__(self, motion: MotionClip, text: ClipText, tokens: ClipTokens) -> None:
        super().__init__()
        self.motion, self.text, self.tokens = motion.eval(), text.eval(), tokens
        self.requires_grad_(False)
        body = read_body_file(OPEN_BODY)  # the mean shape: MotionCLIP saw no other
        joints = torch.as_tensor(body.joint_regressor @ body.v_template, dtype=torch.float32)
        self.register_buffer("bones", joints[list(_ANKLE_CHAIN)].diff(dim=0), persistent=False)
        self.register_buffer("upright", torch.tensor(_FACING_US), persistent=False)
        self._text_length: float | None = None

    def encode_motion(self, six: Tensor) -> Tensor:
        """(B, 60, 24, 6) in six numbers to unit vectors (B, 512). Differentiable."""
        rotations = six_to_matrix(six, "columns")
        return functional.normalize(self.motion.encode(motion_tokens(rotations, self._ankle_path(rotations))), dim=-1)

    def _ankle_path(self, rotations: Tensor) -> Tensor:
        """(B, T, 3) where the right ankle is about the pelvis."""
        turn = rotations[:, :, 0]
        place = turn @ self.bones[0]
        for joint, bone in zip(_ANKLE_CHAIN[1:], self.bones[1:], strict=False):
            turn = turn @ rotations[:, :, joint]
            place = place + turn @ bone
        return place

    def decode(self, latent: Tensor) -> Tensor:
        """Motion of unit vectors (B, 512): (B, 60, 24, 6), upright, facing -y: MotionCLIP's own root is of no use."""
        if self._text_length is None:
            with torch.no_grad():
                self._text_length = float(self._features(_COMMON[:8]).norm(dim=1).mean())
        rotations = token_rotations(self.motion.decode(latent * self._text_length, WINDOW))
        root = self.upright.expand(*rotations.shape[:2], 1, 3, 3)
        return matrix_to_six(torch.cat((root, rotations[:, :, 1:]), 2), "columns")

    def encode_labels(self, labels: Sequence[str]) -> Tensor:
        """Unit vectors (N, 512) of any texts, as CLIP reads them."""
        with torch.no_grad():
            return functional.normalize(self._features(labels), dim=1)

    def _features(self, labels: Sequence[str]) -> Tensor:
        tokens = self.tokens(labels)
        longest = int(tokens.argmax(1).max()) + 1  # the end of a text is the largest number of all
        tokens = tokens[:, :longest].to(self.bones.device)
        return torch.cat([self.text(some) for some in torch.split(tokens, _TEXTS_AT_ONCE)])


class BabelDictionary:
    """Meets `engine.semantics.types.MotionDictionary`: BABEL's labels, and motions of AMASS where it is given.

    Args:
        labels: from `read_babel`.
        space: judges which motion of a label is its best example, and makes one where there is none.
        motions: from `find_amass`; None without AMASS.
    """

    def __init__(
        self, labels: Sequence[BabelLabel], space: MotionClipSpace, motions: dict[tuple[str, str], Path] | None
    ) -> None:
        self._labels = {one.label: one for one in labels}
        self._by_text = {_plain(text): one.label for one in reversed(labels) for text in (*one.wordings, one.label)}
        self._by_text |= {_plain(one.label): one.label for one in labels}
        self._space, self._motions = space, motions
        self._exemplars: dict[str, NDArray[np.float32]] = {}
        self._points: Tensor | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels, the most frequent first."""
        return tuple(self._labels)

    def category(self, label: str) -> str:
        """BABEL's action category. Raises KeyError for a label that is not in the dictionary, as do the next two."""
        return self._labels[label].category

    def paraphrases(self, label: str) -> tuple[str, ...]:
        """What annotators wrote for it."""
        return self._labels[label].wordings

    def exemplar(self, label: str) -> NDArray[np.float32]:
        """(60, 24, 6): of its motions in AMASS the one most like the text; decoded where there is none."""
        if label not in self._exemplars:
            self._exemplars[label] = self._best(self._labels[label])
        return self._exemplars[label]

    def _best(self, label: BabelLabel) -> NDArray[np.float32]:
        device = self._space.bones.device
        text = self._space.encode_labels([label.label])
        found = self._found(label)
        with torch.no_grad():
            if not found:
                decoded: NDArray[np.float32] = self._space.decode(text)[0].cpu().numpy()
                return decoded
            similar = self._space.encode_motion(torch.from_numpy(np.stack(found)).to(device)) @ text[0]
        return found[int(similar.argmax())]

    def _found(self, label: BabelLabel) -> list[NDArray[np.float32]]:
        """Motions of a label that are there and whole, of its longest places."""
        found: list[NDArray[np.float32]] = []
        for place in label.places:
            path = (self._motions or {}).get(key_of(place.motion))
            if path is not None:
                try:
                    found.append(read_window(path, place.start_s, place.end_s))
                except ModelFileError:
                    continue  # another motion will do
            if len(found) == _LOOKED_AT:
                break
        return found

    def match(self, text: str) -> Match:
        """The label that free text means: one that annotators wrote so, else the nearest in CLIP."""
        known = self._by_text.get(_plain(text))
        if known is not None:
            return Match(known, 1.0, (known,))
        if not self._labels or not text.strip():
            return Match(None, 0.0, ())
        if self._points is None:
            self._points = self._space.encode_labels(self.labels)
        cosines = self._points @ self._space.encode_labels([text])[0]
        order = cosines.argsort(descending=True).tolist()
        suggestions = tuple(self.labels[index] for index in order[:3])
        score = float(cosines[order[0]])
        return Match(suggestions[0] if score >= _SAME_MEANING else None, score, suggestions)


def _plain(text: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", text.lower()))


def load_motionclip(
    models: ModelSettings, device: str | torch.device, progress: Progress
) -> tuple[MotionClipSpace, BabelDictionary]:
    """MotionCLIP, CLIP and the dictionary, from where the settings say.

    Without BABEL the dictionary has some common actions, without AMASS decoded motions.

    Raises:
        ModelFileError: a file is missing, damaged or of another model.
    """
    motion = MotionClip.from_checkpoint(require("motionclip", models, "models.motionclip"), progress)
    text, tokens = load_clip_text(require("clip", models, "MotionCLIP"), progress)
    space = MotionClipSpace(motion, text, tokens).to(device)
    babel, amass = (find(key, models) for key in ("babel", "amass"))
    labels = read_babel(babel) if babel else [BabelLabel(action, "", (), ()) for action in _COMMON]
    return space, BabelDictionary(labels, space, find_amass(amass) if amass and babel else None)


def motionclip_key(models: ModelSettings) -> dict[str, list[str | int]]:
    """What results depend on: path, size and time of change of all that `load_motionclip` reads."""
    found = {key: find(key, models) for key in ("motionclip", "clip", "babel", "amass")}
    there = {key: (path, path.stat()) for key, path in found.items() if path is not None and path.exists()}
    return {key: [str(path.resolve()), about.st_size, about.st_mtime_ns] for key, (path, about) in there.items()}
