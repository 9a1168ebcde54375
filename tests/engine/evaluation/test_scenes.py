"""Generated scenes: cameras that do what they say, films with their truth beside them, and figures of what is known."""

from dataclasses import replace

import av
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.body.landmarks import JOINT_NAMES
from engine.errors import EngineError, UsageError
from engine.evaluation.data import Piece
from engine.evaluation.scenes import bench, build, places
from engine.evaluation.scenes.cameras import KINDS
from engine.output.blender_export import find_blender
from engine.training.corpus import CorpusClip, LabelRow

TIMES = np.arange(90) / 30
TARGET = np.stack([0.5 * TIMES, 0 * TIMES, 0 * TIMES + 0.9], 1)
PLACE = np.array([4.0, 1.0, 1.5])


def filmed(kind):
    return KINDS[kind](TIMES, TARGET, PLACE, np.random.default_rng(0))


@pytest.mark.parametrize("kind", KINDS)
def test_a_camera_is_rigid_and_has_the_person_in_view(kind):
    poses = filmed(kind)
    turns = poses[:, :3, :3]
    np.testing.assert_allclose(turns @ turns.transpose(0, 2, 1), np.repeat(np.eye(3)[None], 90, 0), atol=1e-9)
    seen = np.einsum("tji,tj->ti", turns, TARGET - poses[:, :3, 3])
    assert (seen[:, 2] > 2).all()
    assert np.degrees(np.arctan2(np.abs(seen[:, 0]), seen[:, 2])).max() < 25


def test_each_kind_moves_as_it_says():
    way = {kind: np.ptp(filmed(kind)[:, :3, 3], axis=0) for kind in KINDS}
    assert way["pan"].max() == 0
    assert 0.03 < way["handheld"].max() < 0.3
    assert np.linalg.norm(way["dolly"]) == pytest.approx(1.6, abs=0.05)
    assert np.linalg.norm(way["walk"][:2]) > 1.5
    turn = Rotation.from_matrix(filmed("pan")[:, :3, :3]).magnitude()
    assert np.degrees(np.ptp(turn)) > 5


@pytest.mark.parametrize("place", places.PLACES)
def test_nothing_stands_where_person_and_camera_are(place):
    walls = places.PLACES[place](np.random.default_rng(3), 0.0)
    assert walls.corners.shape[1:] == (4, 3)
    assert len(walls.corners) == len(walls.pictures)
    upright = walls.corners[np.ptp(walls.corners[..., 2], axis=1) > 0]
    assert np.linalg.norm(upright[..., :2], axis=-1).min() > 2.5


def corpus_clip(frames=150, speed=0.6, labelled=True):
    """A held-out performer who stands in a T-pose and glides along."""
    pelvis = np.zeros((frames, 3), np.float32)
    pelvis[:, 0], pelvis[:, 2] = speed * np.arange(frames) / 30, 0.95
    poses = np.zeros((frames, 72), np.float32)
    poses[:, :3] = Rotation.from_euler("x", 90, degrees=True).as_rotvec()
    rows = (LabelRow(10, frames, "walk", "locomotion"),) if labelled else ()
    return CorpusClip(
        "walk_1", "test", "somebody", False, True, poses, pelvis, np.ones((frames, 4), np.int8),
        np.zeros(10, np.float32), rows,
    )  # fmt: skip


def test_motions_that_go_somewhere_are_chosen():
    (piece,) = build.choose_motions([corpus_clip(), replace(corpus_clip(speed=0), performer="another")], 1, 0)
    assert (piece.start, piece.end, piece.label) == (10, 10 + build.FRAMES, "walk")
    with pytest.raises(UsageError, match="The corpus has motions for 1 scenes, and 2 are wanted"):
        build.choose_motions([corpus_clip()], 2, 0)


@pytest.mark.slow
def test_a_scene_is_filmed_with_its_truth(tmp_path, body):
    try:
        find_blender()
    except EngineError:
        pytest.skip("no Blender is installed")
    piece = Piece(corpus_clip(), 10, 13, "walk", "locomotion")
    clip = tmp_path / "00_dolly.mp4"
    build.film(piece, "dolly", "room", body, clip, (0, 0))
    with av.open(str(clip)) as footage:
        pictures = [frame.to_ndarray(format="rgb24") for frame in footage.decode(video=0)]
    assert len(pictures) == 3
    assert pictures[0].shape == (build.SIZE[1], build.SIZE[0], 3)
    assert pictures[0].std() > 20, "a picture of nothing"
    truth = bench.read_truth(build.truth_of(clip))
    assert truth.joints.shape == (3, 24, 3)
    assert truth.joints[0, JOINT_NAMES.index("head"), 2] > truth.joints[0, JOINT_NAMES.index("left_ankle"), 2]
    assert bench.scenes_in(tmp_path) == [clip]


def test_a_folder_without_scenes_and_a_truth_that_is_none_are_refused(tmp_path):
    with pytest.raises(UsageError, match="has no scenes"):
        bench.scenes_in(tmp_path)
    (tmp_path / "a_world.npz").write_bytes(b"PK no")
    with pytest.raises(UsageError, match="cannot be read as a scene's truth"):
        bench.read_truth(tmp_path / "a_world.npz")
