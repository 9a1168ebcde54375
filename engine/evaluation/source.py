"""DynaBOA's source set for `landmark`: training performers of a corpus, as the measured detector sees them.

python -m engine.evaluation.source CORPUS FILE
"""

from __future__ import annotations

import sys
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray

from engine.adaptation.baselines.source import Source
from engine.body.model import load_body
from engine.body.rotations import matrix_to_axis_angle
from engine.files.atomic import write_arrays
from engine.training.corpus import learnt_from, read_corpus
from engine.training.detector_model import DetectorModel
from engine.training.motion_batches import MotionWindows, Variation
from engine.training.observations import synthesise

_WINDOWS, _ROWS, _AT_ONCE = 512, 15, 64
_RATE = 30.0


@lru_cache(maxsize=1)
def source_of(corpus: Path, seed: int = 0) -> Source:
    """Half a second each of 512 motions by performers that are not held out. Raises UsageError."""
    body, detector = load_body(None), DetectorModel.from_file()
    windows = MotionWindows(learnt_from(read_corpus(corpus)), _ROWS, torch.device("cpu"), rates=(_RATE,))
    generator = torch.Generator().manual_seed(seed)
    parts: dict[str, list[NDArray[np.float32]]] = {}
    for _ in range(_WINDOWS // _AT_ONCE):
        with torch.no_grad():
            seen = synthesise(windows.draw(_AT_ONCE, generator, Variation()), body, detector, generator)
        scene = seen.scene
        values = {
            "poses": matrix_to_axis_angle(scene.rotations).flatten(2),
            "betas": scene.betas,
            "transl": scene.transl,
            "intrinsics": scene.intrinsics,
            "times_s": scene.times_s - scene.times_s[:, :1],
            "keypoints": seen.keypoints.nan_to_num(),
            "landmarks3d": seen.landmarks3d.nan_to_num(),
        }
        for name, value in values.items():
            parts.setdefault(name, []).append(value.float().numpy())
    whole: dict[str, Any] = {name: np.concatenate(part) for name, part in parts.items()}
    return Source(**whole)


def write(corpus: Annotated[Path, typer.Argument()], file: Annotated[Path, typer.Argument()]) -> None:
    """Write the source set of CORPUS to FILE."""
    arrays = {name: value for name, value in vars(source_of(corpus)).items() if value is not None}
    write_arrays(file, arrays)
    sys.stdout.write(f"{len(arrays['poses'])} windows of {_ROWS} frames.\n")


if __name__ == "__main__":
    typer.run(write)
