"""Detection of a clip as a stage: with everybody or the main person, on one core or two, and what is kept of it."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import DEMO_CLIP

from engine import detection, stages
from engine.footage.clip import Clip
from engine.footage.decoding import fingerprint, probe
from engine.keypoints.tracking import track_people
from engine.protocol import Job
from engine.run_options import check_options
from engine.runtime.cache import Cache
from engine.runtime.progress import Silent


class Steps(Silent):
    """Progress that is kept."""

    def __init__(self):
        self.seen = []

    def __call__(self, done, total):
        self.seen.append((done, total))


def options_of(person, cores=1):
    return check_options(Job(["demo"], "out", preset="fast", person=person, end_s=0.2, device="cpu"), cores=cores)


@pytest.fixture
def cache(tmp_path):
    (tmp_path / ".cache").mkdir()
    return Cache(tmp_path, True, print)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    bare = Clip(DEMO_CLIP, probe(DEMO_CLIP), fingerprint(DEMO_CLIP))
    return stages.find_cuts(bare, options_of("all"), Cache(tmp_path_factory.mktemp("clip"), False, print), Silent())


def entries(tmp_path):
    return sorted(path.name for path in (tmp_path / ".cache").glob("detect-*"))


def main_of(clip, found):
    return track_people(found, clip.info)[0]


def test_the_main_person_is_the_same_with_everybody_and_alone(clip, cache, tmp_path):
    steps = Steps()
    alone = detection.detect(clip, options_of("main", cores=2), cache, steps)
    (kept,) = entries(tmp_path)
    everybody = detection.detect(clip, options_of("all"), cache, Silent())
    assert len(entries(tmp_path)) == 2
    assert kept in entries(tmp_path)
    one, other = main_of(clip, alone), main_of(clip, everybody)
    assert one.keypoints.tobytes() == other.keypoints.tobytes()
    assert [frame.index for frame in alone] == list(range(12))
    assert sum(len(frame.keypoints) for frame in alone) < sum(len(frame.keypoints) for frame in everybody)
    assert steps.seen
    assert all(0 <= done <= total == 12 for done, total in steps.seen)


def test_what_is_known_of_everybody_serves_the_main_person(clip, cache, tmp_path):
    main = options_of("main")
    assert detection.as_known(clip, main, cache) == main
    found = detection.detect(clip, options_of("all"), cache, Silent())
    known = detection.as_known(clip, main, cache)
    assert known == replace(main, everybody=True)
    again = detection.detect(clip, known, cache, Silent())
    assert len(entries(tmp_path)) == 1
    for one, other in zip(found, again, strict=True):
        assert np.array_equal(one.keypoints, other.keypoints)
        assert one.glimpses == other.glimpses
    assert detection.as_known(clip, main, Cache(tmp_path, False, print)) == main


def test_pieces_in_which_somebody_was_overlooked_are_detected_with_everybody(clip, cache, tmp_path, monkeypatch):
    """Half of the clip is taken for unsure, as real footage of a crowd is."""
    monkeypatch.setattr("engine.keypoints.pieces.FRAMES", 6)
    monkeypatch.setattr(detection, "overlooked", lambda frames, tracks: [7])
    steps = Steps()
    found = detection.detect(clip, options_of("main"), cache, steps)
    assert len(entries(tmp_path)) == 3
    assert [len(frame.keypoints) for frame in found[6:]] == [2] * 6
    assert steps.seen[-1][1] == 18


def test_frames_without_people_are_kept(cache):
    assert detection.unpack_detections(detection.pack_detections([])) == []
