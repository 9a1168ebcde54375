"""The published models: what their files hold, how to identify them, and loading them into a network.

Nothing in a file is run (`engine.weights.checkpoint_reader`). Every tensor is used or named in a warning, and a file
of another model is refused with the name of the model that it seems to be.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from engine.errors import ModelFileError
from engine.runtime.progress import Progress
from engine.weights.checkpoint_reader import NotACheckpointError, StoredTensor, UnsafeCheckpointError, open_tensors

log = logging.getLogger(__name__)
Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class KnownModel:
    """A published model.

    Attributes:
        name: what people call it.
        file: the name of the published file.
        obtain: where it is officially had, one sentence.
        licence: one sentence.
        telltales: tensors that together are found in no other model; what stands before them is the prefix of them all.
        absent: tensors that such a file does not have.
        leftovers: why tensors that begin so are not needed.
    """

    name: str
    file: str
    obtain: str
    licence: str
    telltales: tuple[str, ...]
    absent: tuple[str, ...] = ()
    leftovers: Mapping[str, str] = field(default_factory=dict)


_CYCLEADAPT = "The 'base_data' link in asset/directory.md of the CycleAdapt project (hygenie1228/CycleAdapt_RELEASE)."
_CYCLEADAPT_LICENCE = "The project has no licence file: ask its authors before passing weights on."
_CLIP = "OpenAI's CLIP project (openai/CLIP); the package's download table names the address and checksum."

HMR = KnownModel(
    name="HMR of CycleAdapt (ResNet-50 with group norm)",
    file="hmr_basemodel.pt",
    obtain=_CYCLEADAPT,
    licence=_CYCLEADAPT_LICENCE,
    telltales=("layer1.0.bn1.weight", "fc1.weight", "decpose.weight"),
    absent=("bn1.running_mean",),
)
HMR_BATCH_NORM = KnownModel(
    name="HMR of SPIN (ResNet-50 with batch norm)",
    file="model_checkpoint.pt",
    obtain="The fetch_data script of the SPIN project (nkolot/SPIN).",
    licence="BSD-3-Clause code; trained on data sets for research.",
    telltales=("layer1.0.bn1.running_mean", "fc1.weight", "decpose.weight"),
)
HMR2 = KnownModel(
    name="HMR2.0 of 4D-Humans (ViT-H)",
    file="epoch=35-step=1000000.ckpt",
    obtain="hmr2_data.tar.gz, which the demo of the 4D-Humans project (shubham-goel/4D-Humans) fetches.",
    licence="MIT code, no separate statement for the weights; SMPL has its own licence.",
    telltales=("backbone.blocks.0.attn.qkv.weight", "smpl_head.decpose.weight"),
    leftovers={"smpl.": "a copy of the body model", "discriminator.": "for training", "initialized": "for training"},
)
MDNET = KnownModel(
    name="MDNet of CycleAdapt (motion denoiser)",
    file="md_basemodel.pt",
    obtain=_CYCLEADAPT,
    licence=_CYCLEADAPT_LICENCE,
    telltales=("motion_fc_in.weight", "motion_mlp.mlps.0.fc0.fc.weight"),
)
MOTIONCLIP = KnownModel(
    name="MotionCLIP",
    file="paper-model/checkpoint_0100.pth.tar",
    obtain="The links in the README of the MotionCLIP project (GuyTevet/MotionCLIP).",
    licence="MIT code; trained on AMASS and BABEL, which are for research.",
    telltales=("encoder.skelEmbedding.weight", "decoder.finallayer.weight"),
    leftovers={"clip_model.": "CLIP is loaded from its own file"},
)
CLIP = KnownModel(
    name="CLIP ViT-B/32 (OpenAI)",
    file="ViT-B-32.pt",
    obtain=_CLIP,
    licence="MIT; read its model card on intended use.",
    telltales=("token_embedding.weight", "text_projection", "transformer.resblocks.0.attn.in_proj_weight"),
    leftovers={
        **dict.fromkeys(("input_resolution", "context_length", "vocab_size"), "a setting"),
        **dict.fromkeys(("visual.", "logit_scale"), "for pictures"),
    },
)
CLIP_TRANSFORMERS = KnownModel(
    name="CLIP (transformers)",
    file="model.safetensors",
    obtain="openai/clip-vit-base-patch32 on the Hugging Face hub.",
    licence="MIT; read its model card on intended use.",
    telltales=("text_model.embeddings.token_embedding.weight", "text_projection.weight"),
    leftovers={
        "text_model.embeddings.position_ids": "a counter",
        "vision_model.embeddings.position_ids": "a counter",
        **dict.fromkeys(("visual.", "logit_scale"), "for pictures"),
    },
)
KNOWN_MODELS = (HMR, HMR_BATCH_NORM, HMR2, MDNET, MOTIONCLIP, CLIP, CLIP_TRANSFORMERS)


@dataclass(frozen=True)
class OpenCheckpoint:
    """A checkpoint while its file is open.

    Attributes:
        path: the file.
        model: which model it holds.
        tensors: the model's tensors by their bare names.
        others: full names of tensors that stand outside of the model, such as an optimiser's.
    """

    path: Path
    model: KnownModel
    tensors: dict[str, StoredTensor]
    others: tuple[str, ...]

    def count(self, pattern: str) -> int:
        """How many layers are numbered in `pattern`, such as `blocks.{}.norm1.weight`."""
        number = 0
        while pattern.format(number) in self.tensors:
            number += 1
        return number


@contextmanager
def open_checkpoint(path: Path, *models: KnownModel) -> Iterator[OpenCheckpoint]:
    """Open a checkpoint of one of `models`.

    Raises:
        ModelFileError: missing, damaged, unsafe, or of another model.
    """
    wanted = " or ".join(model.name for model in models)
    hint = f"Give {' or '.join(model.file for model in models)}. {models[0].obtain}"
    if not path.is_file():
        raise ModelFileError(f"There is no model file {path} for {wanted}.", hint)
    try:
        with open_tensors(path) as tensors:
            for model in models:
                prefix = _prefix(tensors, model)
                if prefix is not None:
                    inside = {
                        name.removeprefix(prefix): part for name, part in tensors.items() if name.startswith(prefix)
                    }
                    yield OpenCheckpoint(path, model, inside, tuple(n for n in tensors if not n.startswith(prefix)))
                    return
            raise ModelFileError(f"{path} is no checkpoint of {wanted}: {_resemblance(tensors)}.", hint)
    except UnsafeCheckpointError as error:
        body = " It seems to be an SMPL body file." if "'chumpy." in str(error) else ""
        raise ModelFileError(f"{path} was refused: {error}. Nothing in it was run.{body}", hint) from error
    except NotACheckpointError as error:
        raise ModelFileError(f"{path} cannot be used for {wanted}: {error}.", hint) from error
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror or error}.", hint) from error


def _prefix(tensors: Mapping[str, StoredTensor], model: KnownModel) -> str | None:
    """What stands before the model's names in the file (`model.module.`), or None if the model is not in it."""
    first, *others = model.telltales
    for name in tensors:
        if name != first and not name.endswith(f".{first}"):
            continue
        prefix = name.removesuffix(first)
        if all(prefix + other in tensors for other in others) and not any(prefix + a in tensors for a in model.absent):
            return prefix
    return None


def _resemblance(tensors: Mapping[str, StoredTensor]) -> str:
    alike = [model.name for model in KNOWN_MODELS if _prefix(tensors, model) is not None]
    if alike:
        return f"it seems to be {' with '.join(alike)}"
    if not tensors:
        return "it holds no tensors"
    return f"it holds {len(tensors)} tensors of a model not known here, the first named {next(iter(tensors))}"


def build(
    checkpoint: OpenCheckpoint,
    make: Callable[[], Network],
    progress: Progress | None,
    *,
    rename: Callable[[dict[str, StoredTensor]], Mapping[str, StoredTensor]] | None = None,
    defaults: Mapping[str, Tensor] | None = None,
) -> Network:
    """The network of a checkpoint, in evaluation mode, with float32 weights.

    Args:
        checkpoint: an open one.
        make: makes the network; called on the meta device, so that no weights are drawn only to be replaced.
        progress: is warned of tensors that are in the file and not used; None puts the warning into the log.
        rename: turns the file's names into the network's.
        defaults: values of tensors that a file may lack.

    Raises:
        ModelFileError: tensors that are missing, of another shape, or not finite.
    """
    with torch.device("meta"):
        network = make()
    stored = rename(checkpoint.tensors) if rename else checkpoint.tensors
    wanted = network.state_dict()
    _check_names(checkpoint, wanted, stored, defaults or {})
    state: dict[str, Tensor] = {}
    for name, place in wanted.items():
        value = _read(checkpoint, name, stored[name], place) if name in stored else (defaults or {})[name]
        state[name] = value.to(place.dtype)
    network.load_state_dict(state, strict=True, assign=True)
    _warn_unused(checkpoint, [name for name in stored if name not in wanted], progress)
    return network.eval()


def _check_names(
    checkpoint: OpenCheckpoint,
    wanted: Mapping[str, Tensor],
    stored: Mapping[str, StoredTensor],
    defaults: Mapping[str, Tensor],
) -> None:
    start = f"{checkpoint.path} is no complete checkpoint of {checkpoint.model.name}: "
    hint = f"Get {checkpoint.model.file} again. {checkpoint.model.obtain}"
    missing = [name for name in wanted if name not in stored and name not in defaults]
    if missing:
        raise ModelFileError(f"{start}it lacks {len(missing)} of {len(wanted)} tensors, {_some(missing)}.", hint)
    for name, place in wanted.items():
        if name in stored and stored[name].shape != tuple(place.shape):
            raise ModelFileError(f"{start}{name} is {stored[name].shape}, not {tuple(place.shape)}.", hint)


def _read(checkpoint: OpenCheckpoint, name: str, stored: StoredTensor, place: Tensor) -> Tensor:
    value = stored.read()
    if place.is_floating_point() and not torch.isfinite(value).all():
        raise ModelFileError(
            f"{checkpoint.path} is damaged: {name} has values that are not finite.",
            f"Get {checkpoint.model.file} again. {checkpoint.model.obtain}",
        )
    return value


def _warn_unused(checkpoint: OpenCheckpoint, unused: Sequence[str], progress: Progress | None) -> None:
    """One warning that names every tensor not used, those of a known purpose and those outside by their group."""
    groups: dict[str, int] = {}
    for name in unused:
        known = ((start, why) for start, why in checkpoint.model.leftovers.items() if name.startswith(start))
        group = next((f"{start}{'*' if start != name else ''} ({why})" for start, why in known), name)
        groups[group] = groups.get(group, 0) + 1
    for name in checkpoint.others:
        group = f"{name.split('.')[0]}.* (outside of the model)" if "." in name else name
        groups[group] = groups.get(group, 0) + 1
    if groups:
        unused = ", ".join(group if count == 1 else f"{count} in {group}" for group, count in groups.items())
        sentence = f"Not used from {checkpoint.path.name}: {unused}."
        if progress is None:
            log.warning(sentence)
        else:
            progress.warn("checkpoint_tensors_unused", sentence)


def _some(names: Sequence[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")
