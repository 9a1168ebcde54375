"""A clip that a run works on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from engine.footage.bars import Picture
from engine.footage.decoding import FootageInfo, Frame, frames
from engine.footage.frame_reader import FrameReader
from engine.footage.frame_table import NO_FRAMES, FrameTable, TableMaker
from engine.footage.shots import NO_CUTS, Cuts


@dataclass(frozen=True)
class Clip:
    """Footage that a run works on.

    Attributes:
        path, info: which it is, and what is known of it.
        footage_key: stands for its content.
        cuts: those that its pictures show.
        picture: where the picture lies between black bars; None if it fills the frame.
        mirrored: whether it is flipped back when it is read.
        table: its frames, up to where a run reads it.
    """

    path: Path
    info: FootageInfo
    footage_key: str
    cuts: Cuts = NO_CUTS
    picture: Picture | None = None
    mirrored: bool = False
    table: FrameTable = NO_FRAMES

    def frames(
        self,
        start_s: float | None = None,
        end_s: float | None = None,
        *,
        image_rate: Fraction,
        warn: Callable[[str, str], None] | None = None,
        table: TableMaker | None = None,
    ) -> Iterator[Frame]:
        """Frames of the footage, as `engine.footage.decoding.frames` gives them."""
        return frames(self.path, start_s, end_s, image_rate=image_rate, mirrored=self.mirrored, warn=warn, table=table)

    def reader(self, image_rate: Fraction) -> FrameReader:
        """What gives frames by the indices that the table has."""
        return FrameReader(self.path, self.table, image_rate, self.mirrored)
