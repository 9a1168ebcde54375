"""A performer learns: weights and shape of a finished clip are where the next clip of the same person begins.

They lie in the output folder, `performers/NAME.safetensors`, and beside it as `NAME.before.safetensors` what the clip
itself began from: the same clip, run again, begins from there and not from itself.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import save as safetensors_bytes
from torch import Tensor

from engine.backbones.types import PoseNetwork
from engine.errors import OutputError
from engine.files.atomic import replacing
from engine.output.folders import safe_name
from engine.runtime.cache import content_of
from engine.runtime.progress import Progress

FOLDER = "performers"
FORMAT = "1"
_MOST_BYTES = 2**31
_BETAS = "betas"
_MOST_SHAPE = 1e4


@dataclass(frozen=True)
class Start:
    """What is known of a performer.

    Attributes:
        weights: of the pose network, by name.
        betas: (10,) shape.
        surface_model_type: whose shape numbers they are.
        key: of the file's content.
        clip: name of the clip that it is from; rows: how many it had.
    """

    weights: dict[str, Tensor]
    betas: Tensor
    surface_model_type: str
    key: str
    clip: str
    rows: int


@dataclass(frozen=True)
class Performer:
    """Somebody by name, and the clip that is run.

    Attributes:
        folder: where performers are kept.
        name: theirs.
        footage: key of the clip's footage.
        clip: its name.
    """

    folder: Path
    name: str
    footage: str
    clip: str

    def start(self, progress: Progress) -> Start | None:
        """What this clip begins from; None where it is the first, or where the file cannot be used, with a warning."""
        path = self._path()
        if path.is_file() and _about(path).get("footage") == self.footage:
            path = self._path(".before")
        if not path.is_file():
            return None
        try:
            return _read(path)
        except Exception as error:  # whatever a damaged file makes the reader raise
            progress.warn(
                "performer",
                f"What was learned of the performer '{self.name}' cannot be used ({error}): adaptation begins from the "
                "pre-trained network.",
            )
            return None

    def keep(self, weights: dict[str, Tensor], betas: NDArray[np.float32], surface_model_type: str, rows: int) -> None:
        """Have the next clip begin from this one; of several stretches of it, from the longest.

        Raises:
            OutputError: the disk refuses.
        """
        path = self._path()
        if path.is_file():
            about = _about(path)
            if about.get("footage") != self.footage:
                try:
                    os.replace(path, self._path(".before"))
                except OSError as error:
                    raise OutputError(f"{path} cannot be moved: {error.strerror or error}.", "Free it.") from error
            elif int(about.get("rows", 0)) > rows:
                return
        about = {
            "format": FORMAT, "footage": self.footage, "clip": self.clip, "rows": str(rows), "body": surface_model_type,
        }  # fmt: skip
        tensors = {name: value.detach().cpu().contiguous().clone() for name, value in weights.items()}
        tensors[_BETAS] = torch.from_numpy(np.asarray(betas, np.float32).copy())
        self.folder.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            file.write(safetensors_bytes(tensors, about))

    def _path(self, which: str = "") -> Path:
        return self.folder / f"{safe_name(self.name)}{which}.safetensors"


def begin_from(start: Start | None, network: PoseNetwork, name: str, surface: str, progress: Progress) -> Tensor | None:
    """Put a performer's weights into the network; gives back their shape, None where it is another body's.

    Says in words what the clip begins from. Weights of another network are not used.
    """
    if start is None:
        progress.warn("performer", f"This is the first clip of the performer '{name}' here: what is learned is kept.")
        return None
    own = network.state()
    fits = own.keys() == start.weights.keys() and all(
        value.shape == start.weights[key].shape and value.dtype == start.weights[key].dtype
        for key, value in own.items()
    )
    if not fits:
        progress.warn(
            "performer",
            f"What was learned of the performer '{name}' is of another network: adaptation begins from the pre-trained "
            "one.",
        )
        return None
    network.restore({key: value.to(own[key].device) for key, value in start.weights.items()})
    progress.warn(
        "performer", f"Adaptation begins from what was learned of the performer '{name}' in the clip {start.clip}."
    )
    return start.betas if start.surface_model_type == surface else None


def _about(path: Path) -> dict[str, str]:
    """What a file says of itself; nothing if it cannot be read."""
    try:
        with safe_open(path, "pt") as file:
            found: dict[str, str] = file.metadata() or {}
            return found
    except Exception:  # whatever a damaged file makes the reader raise
        return {}


def _read(path: Path) -> Start:
    """A performer's file. Raises ValueError, or what the reader raises."""
    if path.stat().st_size > _MOST_BYTES:
        raise ValueError("the file is too large")
    with safe_open(path, "pt") as file:
        about: dict[str, Any] = file.metadata() or {}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
    if about.get("format") != FORMAT:
        raise ValueError("it is of another version")
    betas = tensors.pop(_BETAS, torch.zeros(0)).float()
    whole = all(bool(value.isfinite().all()) for value in tensors.values() if value.is_floating_point())
    if betas.shape != (10,) or not bool((betas.abs() < _MOST_SHAPE).all()) or not tensors or not whole:
        raise ValueError("its numbers are not those of a performer")
    clip, rows = json.dumps(str(about.get("clip", ""))[:200])[1:-1], int(about.get("rows", 0))
    return Start(tensors, betas, str(about.get("body", "")), content_of(path), clip, rows)
