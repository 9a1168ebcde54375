"""A clip that a run works on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.footage.decoding import FootageInfo
from engine.footage.shots import NO_CUTS, Cuts


@dataclass(frozen=True)
class Clip:
    """Footage that a run works on; `footage_key` stands for its content, `cuts` are those that its pictures show."""

    path: Path
    info: FootageInfo
    footage_key: str
    cuts: Cuts = NO_CUTS
