import csv
from pathlib import Path

import numpy as np
import pytest

from engine.body.model import load_body
from engine.training.authored import author, performers
from engine.training.bvh import read_bvh
from engine.training.figure import figure_of
from engine.training.rates import quickness, suspicious_rate
from engine.training.retarget import retarget
from engine.training.source_pose import read_joint_maps

MORE = Path(__file__).resolve().parents[4] / "shared" / "data" / "motions_more"


def joints(action, seed=0):
    person = performers(1, np.random.default_rng(0))[0]
    clip = author(action, person, np.random.default_rng(seed))
    return person.figure.pose(clip.rotations, clip.pelvis)[0]


def test_quickness_doubles_with_the_speed():
    times = np.arange(0, 4, 1 / 30)
    swinging = np.zeros((len(times), 24, 3))
    swinging[..., 0] = np.sin(2 * np.pi * times)[:, None]
    slow, fast = quickness(swinging, 30.0), quickness(swinging[::2], 30.0)
    assert fast == pytest.approx(2 * slow, rel=0.15)


def test_what_is_slow_or_short_is_not_judged():
    assert suspicious_rate(np.zeros((90, 24, 3)), 30.0) is None
    assert suspicious_rate(joints("jumping jack")[:20], 30.0) is None


def test_plain_motion_is_not_suspected():
    for action in ("walk upstairs", "push-up", "wave"):
        assert suspicious_rate(joints(action), 30.0) is None


@pytest.mark.skipif(not MORE.is_dir(), reason="the motion capture folder is not here")
def test_salsa_that_says_twice_its_rate_is_suspected():
    figure, maps = figure_of(load_body(None)), read_joint_maps(MORE / "skeletons.json")
    with (MORE / "provenance.csv").open(encoding="utf-8", newline="") as file:
        clips = [row["clip"] for row in csv.DictReader(file) if row["source"] == "cmu_acrnn"][:4]
    for name in clips:
        clip, _ = retarget(read_bvh(MORE / "bvh" / "cmu_acrnn" / f"{name}.bvh"), maps["cmu_acrnn"], figure)
        posed = figure.pose(clip.rotations, clip.pelvis)[0]
        assert suspicious_rate(posed, 30.0) is None
        assert "twice as fast" in suspicious_rate(posed[::2], 30.0)
