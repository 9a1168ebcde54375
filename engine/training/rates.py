"""Takes whose rate cannot be right: hands and feet that change their speed faster than people do.

What is compared is how quickly the speed of wrists and ankles changes, in units of the speed: about 2 pi times the
frequency of the movement, whatever its size. Played twice as fast it doubles. The figures behind `_MOST_PER_S`: of 757
captured takes 500 move enough to be judged, and ten of these are above it (flips, kicks, boxing); of 30 takes of salsa
none is at its true rate, and all are at twice that.
"""

from __future__ import annotations

import numpy as np

from engine.training.figure import INDEX, Floats

_MOVED = tuple(INDEX[name] for name in ("left_wrist", "right_wrist", "left_ankle", "right_ankle"))
_LEAST_S, _LEAST_SPEED = 1.5, 0.4
"""Takes shorter or slower than that are not judged."""
_MOST_PER_S = 13.0


def quickness(joints: Floats, fps: float) -> float | None:
    """Median change of the speed of wrists and ankles in units of their median speed, 1/s.

    Args:
        joints: (T, 24, 3) metres.
        fps: frames per second.

    Returns:
        None for a take that is too short or too slow to be judged.
    """
    if len(joints) < max(3, _LEAST_S * fps):
        return None
    moved = joints[:, list(_MOVED)]
    speed, change = np.diff(moved, axis=0) * fps, np.diff(moved, 2, axis=0) * fps**2
    typical = float(np.median(np.sqrt((speed**2).sum(2).mean(1))))
    if typical < _LEAST_SPEED:
        return None
    return float(np.median(np.sqrt((change**2).sum(2).mean(1)))) / typical


def suspicious_rate(joints: Floats, fps: float) -> str | None:
    """A half-sentence for a take that seems to play too fast, such as one of 60 frames a second that says 120.

    Args:
        joints: (T, 24, 3) metres.
        fps: frames per second.
    """
    per_s = quickness(joints, fps)
    if per_s is None or per_s <= _MOST_PER_S:
        return None
    return f"hands and feet change their speed {per_s:.0f} times a second: does it play twice as fast as it was taken?"
