"""The study of the detector, run for real on one drawn sequence, and the fit to made-up pairs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from drawn_scenes import scene

from engine.errors import UsageError
from engine.training.corpus import CorpusClip, LabelRow, write_corpus
from engine.training.detector_fit import fit_detector_model, read_pairs
from engine.training.detector_model import DetectorModel
from engine.training.detector_study import FRAMES, study_detector


class Steps:
    """Progress that remembers."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, int]] = []

    def __call__(self, done: int, total: int) -> None:
        self.seen.append((done, total))

    def warn(self, code: str, message: str) -> None:
        raise AssertionError(f"{code}: {message}")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Somebody who stands."""
    poses = np.zeros((90, 72), np.float32)
    poses[:, 0] = np.pi / 2
    poses[:, [50, 53]] = -1.1, 1.1  # arms down
    pelvis = np.tile(np.array([0, 0, 0.9], np.float32), (90, 1))
    clip = CorpusClip(
        "stand", "made", "somebody", False, False, poses, pelvis, np.ones((90, 4), np.int8), np.zeros(10, np.float32),
        (LabelRow(0, 90, "stand", "stand"),),
    )  # fmt: skip
    path = tmp_path_factory.mktemp("corpus") / "corpus.npz"
    write_corpus(path, [clip])
    return path


def test_the_detector_finds_the_drawn_body(corpus: Path, tmp_path: Path) -> None:
    steps = Steps()
    study_detector(corpus, tmp_path, 3, 4, steps)
    pairs = read_pairs(tmp_path)
    assert steps.seen == [(3, 3)]
    assert pairs.keypoints.shape == (3, FRAMES, 33, 3)
    found = pairs.keypoints.isfinite().all(-1).all(-1)
    assert float(found.float().mean()) > 0.6
    tall = (pairs.true_keypoints.amax(2) - pairs.true_keypoints.amin(2)).amax(-1)[..., None]
    off = (pairs.keypoints[..., :2] - pairs.true_keypoints).norm(dim=-1) / tall
    assert float(off[found[..., None] & ~pairs.hidden].median()) < 0.05
    before = (tmp_path / "pairs_0000.npz").stat().st_mtime_ns
    study_detector(corpus, tmp_path, 3, 4, Steps())
    assert (tmp_path / "pairs_0000.npz").stat().st_mtime_ns == before


def made_up_pairs(folder: Path, sequences: int = 40, slip: float = 12.0) -> None:
    """Reports that lie to the right of the truth by a steady `slip` and a little noise."""
    rng = np.random.default_rng(0)
    parts = [scene(seed=seed) for seed in range(-(-sequences // 24))]
    truth, landmarks, hidden, camera, size, times = (
        np.concatenate([getattr(part, name).numpy() for part in parts])[:sequences]
        for name in ("keypoints", "landmarks", "hidden", "intrinsics", "image_size", "times_s")
    )
    tall = (truth.max(2) - truth.min(2)).max(-1)[..., None, None] / 300
    points = truth + tall * (np.array([slip, 0]) + rng.normal(0, 1.0, truth.shape))
    body = landmarks - landmarks[:, :, [23, 24]].mean(2, keepdims=True)
    arrays = {
        "keypoints": np.concatenate((points, np.full((*points.shape[:-1], 1), 0.9)), -1).astype(np.float32),
        "landmarks3d": (body + rng.normal(0, 0.02, body.shape)).astype(np.float32),
        "true_keypoints": truth, "true_landmarks": landmarks, "hidden": hidden, "intrinsics": camera,
        "image_size": size, "times_s": times,
    }  # fmt: skip
    np.savez(folder / "pairs_0000.npz", **arrays)


def test_the_fit_learns_what_was_put_in(tmp_path: Path) -> None:
    made_up_pairs(tmp_path)
    steps = Steps()
    figures = fit_detector_model(tmp_path, tmp_path / "model.npz", 80, 0, steps)
    assert steps.seen[-1] == (240, 240)
    assert figures["found"] == 1.0
    assert figures["drawn_seen_percent_of_height"] == pytest.approx(figures["real_seen_percent_of_height"], rel=0.4)
    assert abs(figures["drawn_seen_confidence"] - 0.9) < 0.1
    model = DetectorModel.from_file(tmp_path / "model.npz")
    assert float(model.swapped[:, 0].max()) < 0.05
    again = tmp_path / "again.npz"
    fit_detector_model(tmp_path, again, 80, 0, Steps())
    assert again.read_bytes() == (tmp_path / "model.npz").read_bytes()


def test_mirrored_pairs_are_a_mirror_image(tmp_path: Path) -> None:
    made_up_pairs(tmp_path, 4)
    pairs = read_pairs(tmp_path)
    twice = pairs.mirrored().mirrored()
    assert torch.allclose(twice.keypoints, pairs.keypoints, atol=1e-3)
    assert torch.allclose(twice.true_landmarks, pairs.true_landmarks)
    assert torch.equal(pairs.mirrored().hidden[:, :, 11], pairs.hidden[:, :, 12])


def test_an_empty_folder_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no pairs"):
        read_pairs(tmp_path)
