"""How the files of people in several shots are named."""

from types import SimpleNamespace

import numpy as np

from engine.output.results import _plain_shots


def stretch(start_s, end_s):
    return SimpleNamespace(track=SimpleNamespace(timestamps=np.array([start_s, end_s])))


def test_a_shot_that_is_over_at_once_leaves_the_long_one_its_plain_name():
    files = {
        (1, 1): [stretch(0.0, 0.1)],
        (1, 2): [stretch(0.2, 4.0)],
        (2, 1): [stretch(0.0, 2.0)],
        (2, 2): [stretch(2.1, 3.0)],
        (3, 2): [stretch(2.1, 2.2)],
    }
    assert _plain_shots(files) == {(1, 2), (3, 2)}
