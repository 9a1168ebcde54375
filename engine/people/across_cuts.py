"""Which possible cuts are cuts: those across which nobody goes on."""

from __future__ import annotations

from collections.abc import Sequence

from engine.footage.shots import Cuts
from engine.keypoints.following import SAME_POSE, pose_distance
from engine.keypoints.types import FrameDetections

_NEAR_FRAMES = 2
_MOST_LISTED = 6


def confirmed(cuts: Cuts, found: Sequence[FrameDetections]) -> tuple[int, ...]:
    """Indices of the frames that begin another shot.

    Where the camera stands still on both sides of a cut, light may change the picture as much as the cut does. Then it
    is one if people are on both sides of it and not one of them goes on in the pose that they had.

    Args:
        cuts: what the pictures say.
        found: everybody in every frame.
    """
    rows = {frame.index: row for row, frame in enumerate(found)}
    jumps = [cut for cut in cuts.possible if cut in rows and _everybody_jumps(found, rows[cut])]
    return tuple(sorted({*cuts.sure, *jumps}))


def describe_cuts(cuts_s: Sequence[float]) -> str:
    """A sentence for the user about cuts at these seconds."""
    times = [f"{cut:.2f}" for cut in cuts_s[:_MOST_LISTED]]
    if len(cuts_s) > _MOST_LISTED:
        where = f"at {', '.join(times)} s and so on"
    else:
        where = f"at {' and '.join(filter(None, [', '.join(times[:-1]), times[-1]]))} s"
    count = "once" if len(cuts_s) == 1 else f"{len(cuts_s)} times"
    return f"The footage is cut {count}, {where}. Each shot has been followed and adapted by itself."


def _everybody_jumps(found: Sequence[FrameDetections], row: int) -> bool:
    before = next((one for one in reversed(found[max(row - _NEAR_FRAMES, 0) : row]) if len(one.keypoints)), None)
    after = next((one for one in found[row : row + _NEAR_FRAMES] if len(one.keypoints)), None)
    if before is None or after is None:
        return False
    return all(pose_distance(one, other) > SAME_POSE for one in before.keypoints for other in after.keypoints)
