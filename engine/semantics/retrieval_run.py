"""The retrieval labeller in a run, and how well motion and labels agree where nothing is adapted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.runtime.progress import Progress
from engine.semantics.dictionary import MotionDictionary
from engine.semantics.motion_text import MotionTextSpace
from engine.semantics.retrieval_labeler import fill_in, label_similarity


def label_rows(
    typed: NDArray[np.str_], poses: NDArray[np.float32], times: NDArray[np.float64], progress: Progress
) -> NDArray[np.str_]:
    """Labels (T,) of one person: what is typed (T,), '' for none, and what the motion shows where nothing is.

    Args:
        typed: the user's labels, which always win.
        poses: (T, 72) first prediction, root in a world with z up.
        times: (T,) seconds.
        progress: called after every batch; is warned where labels were requested and none was found.

    Raises:
        ModelFileError: the motion-text space is missing or damaged.
    """
    labels = fill_in(typed, poses, times, MotionTextSpace.from_file(), progress)
    if not bool((labels != "").any()):
        progress.warn("labeler", "The motion fits no action of the dictionary well enough, so no label was given.")
    return labels


def agreement(labels: NDArray[np.str_], poses: NDArray[np.float32], times: NDArray[np.float64]) -> NDArray[np.float32]:
    """(T,) similarity of motion and label, 0 where there is none that the dictionary knows. Arguments as above."""
    names = sorted(set(labels.tolist()) - {""})
    if not names:
        return np.zeros(len(labels), np.float32)
    dictionary = MotionDictionary.from_files()
    known = np.zeros(len(labels), f"<U{max(len(label) for label in dictionary.labels)}")
    for name in names:
        known[labels == name] = dictionary.match(name).label or ""
    return label_similarity(poses, times, known, MotionTextSpace.from_file())
