"""What an adaptation goes on from after an interruption: a safetensors file, replaced after every epoch."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save as safetensors_bytes
from torch import Tensor, nn

from engine.adaptation.targets import Targets
from engine.adaptation.track_inference import Estimate
from engine.files.atomic import replacing
from engine.runtime.progress import Progress

History = list[dict[str, Any]]


@dataclass(frozen=True)
class Snapshot:
    """Everything at the end of an epoch. The names of the tensors are those in the file.

    Attributes:
        network: weights of the pose network, as its `state` gives them.
        optimiser: Adam's moments, by place and name.
        denoiser: weights of the denoiser.
        denoiser_optimiser: Adam's moments.
        targets: 2D targets of the next epoch.
        motion: the network's motion.
        smooth: what eq. 9 stays near in the next epoch; None where there is none.
        similarity: (N,) of the segments.
        history: one entry for each epoch done.
    """

    network: dict[str, Tensor]
    optimiser: dict[str, Tensor]
    denoiser: dict[str, Tensor]
    denoiser_optimiser: dict[str, Tensor]
    targets: Targets
    motion: Estimate
    smooth: Estimate | None
    similarity: Tensor
    history: History


def copied(network: nn.Module | None) -> dict[str, Tensor]:
    """A copy of a network's weights; nothing for none."""
    return {} if network is None else {name: value.detach().clone() for name, value in network.state_dict().items()}


class StateFile:
    """Where an adaptation is kept while it runs.

    Args:
        path: the file; it is removed at the end.
        key: of everything that the adaptation depends on; a file with another key is not used.
    """

    def __init__(self, path: Path, key: str) -> None:
        self.path, self.key = path, key

    def write(self, snapshot: Snapshot) -> None:
        """Replace the file. Raises OutputError if the disk refuses."""
        tensors: dict[str, Tensor] = {"similarity": snapshot.similarity}
        for group in ("network", "optimiser", "denoiser", "denoiser_optimiser"):
            tensors |= {f"{group}/{name}": value for name, value in getattr(snapshot, group).items()}
        for group in ("targets", "motion", "smooth"):
            part = getattr(snapshot, group)
            if part is not None:
                parts = {f"{group}/{item.name}": getattr(part, item.name) for item in fields(part)}
                tensors |= {name: value for name, value in parts.items() if value is not None}
        plain = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
        about = {"key": self.key, "history": json.dumps(snapshot.history)}
        with replacing(self.path) as file:
            file.write(safetensors_bytes(plain, about))

    def read(self, progress: Progress) -> Snapshot | None:
        """What an earlier run left, on the CPU; None if there is nothing, or nothing that can be used."""
        if not self.path.is_file():
            return None
        try:
            with safe_open(self.path, "pt") as file:
                about = file.metadata() or {}
                if about.get("key") != self.key:
                    return None
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
            return _snapshot(tensors, json.loads(about["history"]))
        except Exception as error:  # whatever a damaged file makes the reader raise
            progress.warn("cache", f"The saved result {self.path.name} is damaged ({error}) and is made again.")
            return None

    def remove(self) -> None:
        """Take the file away; it has served."""
        self.path.unlink(missing_ok=True)


def _snapshot(tensors: dict[str, Tensor], history: History) -> Snapshot:
    groups: dict[str, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        group, _, rest = name.partition("/")
        groups.setdefault(group, {})[rest] = value
    return Snapshot(
        network=groups["network"],
        optimiser=groups.get("optimiser", {}),
        denoiser=groups.get("denoiser", {}),
        denoiser_optimiser=groups.get("denoiser_optimiser", {}),
        targets=Targets(**groups["targets"]),
        motion=Estimate(**groups["motion"]),
        smooth=Estimate(**groups["smooth"]) if "smooth" in groups else None,
        similarity=tensors["similarity"],
        history=history,
    )
