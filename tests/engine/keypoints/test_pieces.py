"""Detection in pieces: where they begin, and that it does not matter who works on them, and after what."""

import pickle
from fractions import Fraction
from pathlib import Path

import pytest

from engine.footage.clip import Clip
from engine.footage.decoding import fingerprint, frames, probe
from engine.footage.frame_table import TableMaker
from engine.footage.shots import Cuts
from engine.keypoints.mediapipe_detector import MODELS, MediaPipeDetector
from engine.keypoints.pieces import Looking, detect_piece, piece_detector, pieces_of
from engine.runtime.workers import Workers

ROOT = Path(__file__).resolve().parents[3]
DEMO = ROOT / "presets" / "demo" / "demo.mp4"
LOOKING = Looking("full", 2, Fraction(24))
PIECES = [range(3, 7), range(7, 10), range(40, 44)]


@pytest.fixture(scope="module")
def whole():
    maker = TableMaker()
    return list(frames(DEMO, table=maker)), maker.table()


@pytest.fixture(scope="module")
def clip(whole):
    return Clip(DEMO, probe(DEMO), fingerprint(DEMO), table=whole[1])


@pytest.fixture(scope="module")
def expected(whole):
    """What the detector finds in the frames of each piece, read from the beginning."""
    detector = MediaPipeDetector(MODELS["full"], 2)
    return [list(detector.detect(whole[0][piece.start : piece.stop])) for piece in PIECES]


def assert_same(found, expected):
    assert [(one.index, one.time_s) for one in found] == [(one.index, one.time_s) for one in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.keypoints.tobytes() == other.keypoints.tobytes()
        assert one.landmarks3d.tobytes() == other.landmarks3d.tobytes()


def cut_clip(clip, sure=(), possible=()):
    return Clip(clip.path, clip.info, clip.footage_key, Cuts(sure, possible), table=clip.table)


@pytest.mark.parametrize(
    ("frames", "cuts", "lengths"),
    [
        (range(100), (), [100]),
        (range(7, 20), (), [13]),
        (range(40, 250), (), [100, 100, 10]),
        (range(100), (30, 31), [30, 1, 69]),
        (range(40, 260), (30, 40, 100), [60, 100, 60]),
        (range(5, 5), (), []),
    ],
)
def test_pieces_cover_all_frames_once_and_end_at_cuts(clip, frames, cuts, lengths):
    for kind in ("sure", "possible"):
        found = pieces_of(cut_clip(clip, **{kind: cuts}), frames)
        assert [len(piece) for piece in found] == lengths
        assert [index for piece in found for index in piece] == list(frames)


def test_a_piece_is_what_the_detector_finds_in_its_frames(clip, expected):
    for piece, wanted in zip(PIECES, expected, strict=True):
        assert_same(detect_piece(*pickle.loads(pickle.dumps((clip, piece, LOOKING)))), wanted)


def test_what_was_detected_before_changes_nothing(clip, expected):
    steps = []
    with piece_detector(clip, LOOKING) as detect:
        for place in (2, 0, 1):
            assert_same(detect(PIECES[place], steps.append), expected[place])
    assert steps == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2]


@pytest.mark.parametrize(("count", "threads"), [(1, 1), (1, 2), (2, 1), (3, 2)])
def test_any_number_of_processes_gives_the_same_bytes(clip, expected, tmp_path, count, threads, capfd):
    log = tmp_path / "libraries.log"
    with Workers(count, log, piece_detector, clip, LOOKING, threads) as workers:
        found = dict(workers.work(PIECES, lambda *_: None, lambda: None))
    for place, wanted in enumerate(expected):
        assert_same(found[place], wanted)
    assert "TensorFlow Lite" in log.read_text(encoding="utf-8", errors="replace")
    assert capfd.readouterr() == ("", "")
