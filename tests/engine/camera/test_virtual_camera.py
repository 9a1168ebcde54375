"""Turns of a virtual camera over real footage, as docs/figures.md has them: `-s` prints the figures."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from virtual_camera import film, pan, shake

from engine.camera.background import follow_background
from engine.footage.decoding import frames, probe

FOOTAGE = Path(__file__).resolve().parents[4] / "shared" / "data" / "footage"
FOCAL_PX = {"walk_sit_stand": 901, "demo_balance": 2200, "roof_jump_three_people": 2000}


@pytest.mark.skipif(not FOOTAGE.is_dir(), reason="reference footage lies in ../shared, which is not there")
@pytest.mark.nightly("films three clips four times")
@pytest.mark.parametrize("name", FOCAL_PX)
@pytest.mark.parametrize("way", ["pan", "both", "shake", "little"])
def test_turns_over_real_footage(tmp_path, name, way):
    source = FOOTAGE / f"{name}.mp4"
    count = probe(source).frame_count
    turns = {
        "pan": pan(count, 5), "both": pan(count, 3) @ shake(count, 0.4), "shake": shake(count, 0.6),
        "little": shake(count, 0.1),
    }[way]  # fmt: skip
    intrinsics = film(source, tmp_path / "clip.mp4", turns, FOCAL_PX[name])
    (shot,) = follow_background(frames(tmp_path / "clip.mp4"), {}, (), intrinsics)
    apart = np.degrees((Rotation.from_matrix(turns).inv() * Rotation.from_matrix(shot.turns)).magnitude())
    print(f"\n{name}, {way}: {shot.kind}, {apart.mean():.3f} degrees off on the mean, {apart.max():.3f} at most")
    assert shot.kind == "turning"
    assert apart.max() < 0.05
