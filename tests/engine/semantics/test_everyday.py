"""What the dictionary of everyday words holds, and what texts find in it."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.adaptation.alignment import UNLIKE
from engine.body.rotations import matrix_to_axis_angle, six_to_matrix
from engine.errors import ModelFileError
from engine.semantics.dictionary import MotionDictionary, mirrored
from engine.semantics.retrieval_run import agreement
from engine.training.authored import ACTIONS
from engine.training.label_names import TABLE, label_names

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
PHRASES = json.loads(Path(__file__).with_name("phrases.json").read_text(encoding="utf-8"))
FORMER = json.loads(Path(__file__).with_name("former_labels.json").read_text(encoding="utf-8"))
"""The 125 labels of the dictionary of version 1."""


@pytest.fixture(scope="module")
def everyday():
    return MotionDictionary.from_files()


def test_it_is_a_tree_of_about_two_hundred_actions(everyday):
    assert 180 <= len(everyday.labels) <= 220
    roots = {everyday.category(label) for label in everyday.labels}
    assert {"locomotion", "posture", "gesture", "daily", "object", "sport", "fight", "dance"} <= roots
    assert everyday.path("walk slowly") == "locomotion/walk"
    assert everyday.style("walk slowly") == "slowly"
    assert everyday.style("walk") == ""
    assert all(4 <= len(everyday.texts(label)) - 1 <= 10 for label in everyday.labels)
    assert {mirrored(label) for label in everyday.labels} == set(everyday.labels)


def test_babel_categories_are_aliases(everyday):
    assert everyday.of_babel("take/pick something up") == "pick something up"
    assert everyday.of_babel("walk") == "walk"
    assert everyday.of_babel("levitate") is None
    assert everyday.match("backwards movement").label == "walk backward"


def test_labels_of_version_1_mean_what_the_corpus_calls_their_motions_now(everyday):
    """Labels in .blend files and label files of users go on to work."""
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    assert len(FORMER) == 125
    for label in FORMER:
        became = label if label in everyday.labels else table[label]
        match = everyday.match(f" {label.upper()} ")
        assert (match.label, match.score) == (became, 1), label
        assert everyday.category(match.label)
        if label != mirrored(label):
            assert everyday.match(mirrored(label)).label == mirrored(became), label


def test_a_label_that_is_a_text_of_an_action_by_itself_means_that_action(tmp_path):
    entries = [{"label": name, "path": "a", "captured": True, "paraphrases": [f"{name} on"]} for name in ("go", "stay")]
    entries[0]["formerly"] = ["Stay", "Went"]
    path = tmp_path / "actions.json"
    path.write_text(json.dumps({"format_version": 2, "exemplars": "e.npz", "actions": entries}))
    dictionary = MotionDictionary.from_files(path)
    assert [dictionary.match(text).label for text in ("stay", "went", "go")] == ["stay", "go", "go"]
    assert dictionary.texts("go") == ("go", "go on"), "what something was called is no wording of it"


@pytest.mark.parametrize(("rows", "right"), [(slice(0, None, 2), 0.95), (slice(1, None, 2), 0.9)])
def test_phrases_as_animators_type_them(everyday, rows, right):
    """Even rows served to choose wordings; odd rows are the score. All were written before the first result."""
    phrases = PHRASES["phrases"][rows]
    found = [everyday.match(text).label in labels for text, labels in phrases]
    assert len(phrases) == 150
    assert np.mean(found) >= right


def test_nothing_near_is_reported_where_there_is_no_action(everyday):
    texts = PHRASES["no_action"]
    assert len(texts) == 50
    assert np.mean([everyday.match(text).label is None for text in texts]) >= 0.9


def test_every_text_of_the_dictionary_means_its_label(everyday):
    texts = [(text, label) for label in everyday.labels for text in everyday.texts(label)]
    wrong = [(text, label) for text, label in texts if everyday.match(text).label != label]
    assert len(wrong) <= 0.01 * len(texts), wrong


@pytest.mark.skipif(not DATA.is_dir(), reason="the motion capture folders are not here")
def test_every_label_of_the_sources_has_a_name_in_it(everyday):
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    captured = set()
    for folder in ("motions", "motions_more"):
        with (DATA / folder / "labels.csv").open(encoding="utf-8", newline="") as file:
            captured |= {row["label"] for row in csv.DictReader(file)}
    assert set(table) == set(FORMER) | captured
    assert set(table.values()) <= set(everyday.labels)
    names = {table[label] for label in captured}
    names |= {mirrored(label) for label in names}
    authored = {table.get(label, label) for label in ACTIONS}
    authored |= {mirrored(label) for label in authored}
    for label in everyday.labels:
        assert everyday.captured(label) == (label in names), label
        assert label in names | authored, label


def test_labels_that_a_dictionary_has_itself_keep_their_names(everyday):
    assert label_names(everyday)["dance salsa"] == "salsa dance"
    assert "walk" not in label_names(everyday)
    assert label_names(everyday)["walk and veer left"] == "walk and turn left"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"path": "a//b"}, "wrong at actions.0.path"),
        ({"category": "walk"}, "wrong at actions.0.category"),
        ({"babel": "walk"}, "wrong at actions.0.babel"),
        ({"babel": ["Go For It", "go for it"]}, "has the text 'go for it' twice"),
    ],
)
def test_damaged_files_of_format_2_are_refused(tmp_path, changes, message):
    entry = {"label": "walk", "path": "a/b", "captured": True, "paraphrases": ["go"], **changes}
    path = tmp_path / "actions.json"
    path.write_text(json.dumps({"format_version": 2, "exemplars": "e.npz", "actions": [entry]}))
    with pytest.raises(ModelFileError, match=message):
        MotionDictionary.from_files(path)


def test_balance_on_one_leg_is_an_action_of_its_own_that_its_motion_is_like(everyday):
    """It had been taken for keeping balance on both, and the motion was then reported to be unlike it."""
    assert everyday.match("balance on one leg").label == "balance on one leg"
    assert everyday.match("Stand on one leg").label == "balance on one leg"
    rotations = torch.from_numpy(everyday.exemplar("balance on one leg"))
    poses = matrix_to_axis_angle(six_to_matrix(rotations)).reshape(len(rotations), 72).numpy()
    times = np.arange(len(poses)) / 30

    def similarity(label):
        return agreement(np.full(len(poses), label), poses, times).mean()

    assert similarity("balance on one leg") > max(UNLIKE, similarity("keep balance"))
