"""How much a person stands out: whose motion the footage is about."""

from __future__ import annotations

import numpy as np

from engine.keypoints.types import Float, PersonTrack


def prominence(track: PersonTrack) -> float:
    """Sum over the frames in which a person is seen of their size (parts of the picture's diagonal), counted in full in
    the middle of the picture, by half at half the way to a corner, by a fifth in the corner."""
    size = np.asarray(track.image_size, np.float32)
    left_top, right_bottom = (np.clip(track.boxes[:, part], 0, size) for part in (slice(0, 2), slice(2, 4)))
    half = float(np.linalg.norm(size)) / 2
    aside = np.linalg.norm((left_top + right_bottom) / 2 - size / 2, axis=1) / half
    counted: Float = (right_bottom - left_top).max(1) / (2 * half) / (1 + (2 * aside) ** 2)
    return float(counted[track.detected].sum())
