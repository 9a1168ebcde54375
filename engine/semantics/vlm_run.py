"""`--labeler openai` in a run: dictionary, consent and the check by CLIP, as the settings say."""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray

from engine.backbones.crop_store import FrameStream
from engine.keypoints.types import PersonTrack
from engine.runtime.progress import Progress
from engine.semantics.clip_check import ClipCheck
from engine.semantics.dictionary import MotionDictionary
from engine.semantics.motionclip_space import load_motionclip
from engine.semantics.types import MotionDictionary as Dictionary
from engine.semantics.vlm_labeler import Plan, VlmLabeler
from engine.semantics.vlm_settings import VlmSettings
from engine.weights.model_files import find
from engine.weights.model_settings import ModelSettings


def label_rows(
    typed: NDArray[np.str_],
    track: PersonTrack,
    frames: FrameStream,
    settings: VlmSettings,
    models: ModelSettings,
    device: str,
    allow_upload: bool,
    progress: Progress,
) -> NDArray[np.str_]:
    """Labels (T,) by a vision-language model where nothing is typed.

    Args:
        typed: (T,) the user's labels, '' for none; they always win.
        track: the person.
        frames: begins the footage anew.
        settings: see there.
        models: MotionCLIP's dictionary is used where MotionCLIP is, and CLIP checks labels where it is there.
        device: of CLIP.
        allow_upload: whether the user has agreed already; else a prompt on the terminal.
        progress: receives what is sent, and a warning of what failed.

    Raises:
        UsageError: nobody agreed, the budget does not do, or there is no server.
        ModelFileError: a model file is damaged.
    """
    if (typed != "").all():
        return typed
    dictionary: Dictionary = MotionDictionary.from_files()
    if models.motionclip:
        dictionary = load_motionclip(models, device, progress)[1]
    clip = find("clip", models)
    check = ClipCheck(clip, progress, device) if clip is not None else None

    def consent(plan: Plan) -> bool:
        if not (allow_upload or _agreed(plan)):
            return False
        progress.warn("upload", f"Labels are requested: {plan.sentence()}")
        return True

    return VlmLabeler(settings, consent, check).label(frames, track, dictionary, typed, progress)


def can_ask() -> bool:
    """Whether somebody sits at a terminal."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def _agreed(plan: Plan) -> bool:
    if not can_ask():
        return False
    sys.stderr.write(f"\n{plan.sentence()}\nSend them? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
