"""The networks that adaptation uses beside the pose network: those that ship, or the user's published ones."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from engine.adaptation.denoiser import MotionDenoiser
from engine.adaptation.infiller import INFILLER, MotionInfiller
from engine.adaptation.mdnet import MdNet
from engine.adaptation.smoothing import MdNetDenoiser
from engine.errors import ModelFileError
from engine.files.user_folder import studio_file
from engine.runtime.cache import content_of
from engine.runtime.progress import Progress
from engine.semantics.dictionary import ACTIONS, MotionDictionary
from engine.semantics.motion_text import MOTION_TEXT, MotionTextSpace
from engine.semantics.motionclip_space import load_motionclip, motionclip_key
from engine.semantics.types import MotionDictionary as AnyDictionary
from engine.semantics.types import MotionTextSpace as AnySpace
from engine.weights.model_settings import ModelSettings

DENOISER = Path(__file__).resolve().parents[1] / "assets" / "denoiser.safetensors"


@dataclass(frozen=True)
class Priors:
    """What is known of motion beside the footage. Each may be missing, and its term with it.

    Attributes:
        space, dictionary: where motions and labels meet; both or none.
        denoiser: pre-trained; a copy of it is adapted.
        infiller: frozen.
    """

    space: AnySpace | None = None
    dictionary: AnyDictionary | None = None
    denoiser: nn.Module | None = None
    infiller: MotionInfiller | None = None


def load_priors(models: ModelSettings, device: str | torch.device, labelled: bool, progress: Progress) -> Priors:
    """Denoiser, in-filler, motion-text space and dictionary.

    Args:
        models: where published models lie; CycleAdapt's MDNet takes the place of our denoiser, and MotionCLIP with CLIP
            and BABEL that of our space and dictionary, where its file is given.
        device: of the pose network.
        labelled: whether there are labels; without, space and dictionary are not needed.
        progress: is warned of tensors that a file has too many.

    Raises:
        ModelFileError: a file is missing, damaged or of another network.
    """
    denoiser, infiller = _denoiser(models, progress).to(device), MotionInfiller.from_file(INFILLER).to(device)
    if not labelled:
        return Priors(denoiser=denoiser, infiller=infiller)
    if models.motionclip:
        return Priors(*load_motionclip(models, device, progress), denoiser, infiller)
    dictionary = MotionDictionary.from_files(ACTIONS).with_studio(studio_file())
    space = MotionTextSpace.from_file(MOTION_TEXT).to(device).knowing(dictionary)
    return Priors(space, dictionary, denoiser, infiller.knowing(dictionary))


def priors_key(models: ModelSettings, labelled: bool) -> dict[str, Any]:
    """Contents of the files that `load_priors` reads, for the keys of saved results. Raises ModelFileError."""
    files = [Path(os.path.expanduser(models.mdnet)) if models.mdnet else DENOISER, INFILLER]
    if labelled and not models.motionclip:
        files += [MOTION_TEXT, ACTIONS]
    missing = [file for file in files if not file.is_file()]
    if missing:
        raise ModelFileError(f"There is no model file {missing[0]} for adaptation.", "Install the engine again.")
    published = motionclip_key(models) if labelled and models.motionclip else {}
    studio = {"studio": content_of(studio_file())} if labelled and studio_file().is_file() else {}
    return {**{file.name: content_of(file) for file in files}, **studio, **published}


def _denoiser(models: ModelSettings, progress: Progress) -> nn.Module:
    if models.mdnet:
        return MdNetDenoiser(MdNet.from_checkpoint(Path(os.path.expanduser(models.mdnet)), progress))
    return MotionDenoiser.from_file(DENOISER)
