import json

import numpy as np
import pytest
import torch
from action_queries import DEVELOPMENT, UNSEEN

from engine.body.rotations import six_to_matrix
from engine.errors import ModelFileError
from engine.semantics.dictionary import ACTIONS, MotionDictionary
from engine.semantics.text_match import TextMatcher, read_words, side_of


@pytest.fixture(scope="module")
def dictionary():
    return MotionDictionary.from_files()


def test_entries_are_as_in_the_file(dictionary):
    entries = json.loads(ACTIONS.read_text(encoding="utf-8"))["actions"]
    assert dictionary.labels == tuple(entry["label"] for entry in entries)
    for entry in entries:
        assert dictionary.path(entry["label"]) == entry["path"]
        assert dictionary.category(entry["label"]) == entry["path"].split("/")[0]
        assert dictionary.captured(entry["label"]) == entry["captured"]
        assert dictionary.paraphrases(entry["label"]) == tuple(entry["paraphrases"])
    with pytest.raises(KeyError):
        dictionary.category("juggle")


def test_every_text_of_the_dictionary_means_its_label(dictionary):
    wrong = [
        (text, label)
        for label in dictionary.labels
        for text in dictionary.texts(label)
        if dictionary.match(text).label != label
    ]
    assert not wrong


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("she walks up the stairs", "walk upstairs"),
        ("  Walking DOWN the stairs!", "walk downstairs"),
        ("jogg", "jog"),
        ("clappng", "clap"),
        ("kick ahead with the left foot", "kick forward with left leg"),
        ("kick ahead with the right foot", "kick forward with right leg"),
        ("punch", "punch"),
        ("running clockwise in a circle", "jog in a circle to the right"),
    ],
)
def test_free_text_finds_its_label(dictionary, text, label):
    assert dictionary.match(text).label == label


@pytest.mark.parametrize("text", ["", "!!!", "привет", "4711", "quantum mechanics", "my favourite colour is blue"])
def test_what_means_no_action_matches_nothing(dictionary, text):
    match = dictionary.match(text)
    assert match.label is None
    assert match.score < 0.55


def test_a_side_that_is_left_open_is_not_guessed(dictionary):
    assert dictionary.match("hop on one leg").label == "hop"
    match = dictionary.match("kick sideways")
    assert match.label is None
    assert {"side kick with left leg", "side kick with right leg"} <= set(match.suggestions)
    assert [side_of(text) for text in ("left hand", "counterclockwise", "to the right", "both arms")] == [-1, -1, 1, 0]


@pytest.mark.parametrize(("texts", "right", "wrong"), [(DEVELOPMENT, 0.9, 0.06), (UNSEEN, 0.9, 0.06)])
def test_texts_as_users_type_them(dictionary, texts, right, wrong):
    meant, unrelated = texts
    found = [(dictionary.match(text).label, labels) for text, labels in meant]
    assert np.mean([label in labels for label, labels in found]) >= right
    assert np.mean([label is not None and label not in labels for label, labels in found]) <= wrong
    assert np.mean([dictionary.match(text).label is None for text in unrelated]) >= 0.8


def test_paraphrases_that_the_matcher_has_not_seen(dictionary):
    """Each left out in turn; many labels differ in details alone, so what counts is to come near."""
    texts = [(text, label) for label in dictionary.labels for text in dictionary.texts(label)]
    matcher = TextMatcher.from_file([text for text, _ in texts])
    exact = related = count = 0
    for row, (text, label) in enumerate(texts):
        if text == label:
            continue
        scores = matcher.scores(text)
        scores[row] = -1
        found = texts[int(scores.argmax())][1]
        count += 1
        exact += found == label
        related += dictionary.category(found) == dictionary.category(label)
    print(f"left out: own label {exact / count:.3f}, own category {related / count:.3f}")
    assert exact / count > 0.3
    assert related / count > 0.7


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def entry(label="walk", **changes):
    return {"label": label, "category": "walk", "captured": True, "paraphrases": [f"go and {label}"], **changes}


def whole(*entries, **changes):
    return {"format_version": 1, "exemplars": "e.npz", "actions": list(entries), **changes}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "is wrong at"),
        (whole(), "wrong at actions"),
        (whole(entry(), format_version=3), "wrong at format_version"),
        (whole(entry(), exemplars="../../secret.npz"), "wrong at exemplars"),
        (whole(entry(label=" ")), "wrong at actions.0.label"),
        (whole(entry(label="x" * 5000)), "wrong at actions.0.label"),
        (whole(entry(captured="perhaps")), "wrong at actions.0.captured"),
        (whole(entry(paraphrases="go")), "wrong at actions.0.paraphrases"),
        (whole(entry(), entry("run", colour="red")), "wrong at actions.1.colour"),
        (whole(entry(), entry("Walk", paraphrases=["x"])), "has the text 'Walk' twice"),
    ],
)
def test_damaged_dictionaries_are_refused_with_a_sentence(tmp_path, content, message):
    with pytest.raises(ModelFileError, match=message) as caught:
        MotionDictionary.from_files(write(tmp_path / "actions.json", content))
    assert caught.value.hint


def test_a_dictionary_that_is_not_there_or_not_text(tmp_path):
    with pytest.raises(ModelFileError, match="cannot be read"):
        MotionDictionary.from_files(tmp_path / "absent.json")
    (tmp_path / "actions.json").write_bytes(b"\xff\xfe\x00bad")
    with pytest.raises(ModelFileError):
        MotionDictionary.from_files(tmp_path / "actions.json")


def exemplar_file(path, labels=("walk", "run"), fill=0.1, shape=(60, 24, 3)):
    np.savez(path, labels=np.array(labels), rotations=np.full((len(labels), *shape), fill, np.float16))


@pytest.fixture
def small(tmp_path):
    return MotionDictionary.from_files(write(tmp_path / "actions.json", whole(entry("walk"), entry("run"))))


def test_exemplars_are_rotations_in_the_order_of_the_labels(small, tmp_path):
    exemplar_file(tmp_path / "e.npz")
    six = small.exemplar("run")
    assert six.shape == (60, 24, 6)
    matrices = six_to_matrix(torch.from_numpy(six))
    torch.testing.assert_close(matrices @ matrices.transpose(-1, -2), torch.eye(3).expand_as(matrices))
    with pytest.raises(KeyError):
        small.exemplar("juggle")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": ("run", "walk")}, "another dictionary"),
        ({"shape": (59, 24, 3)}, "another dictionary"),
        ({"fill": np.nan}, "cannot be read"),
    ],
)
def test_exemplars_of_something_else_are_refused(small, tmp_path, changes, message):
    exemplar_file(tmp_path / "e.npz", **changes)
    with pytest.raises(ModelFileError, match=message):
        small.exemplar("walk")


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 nothing"])
def test_exemplars_that_cannot_be_read(small, tmp_path, content):
    if content is not None:
        (tmp_path / "e.npz").write_bytes(content)
    with pytest.raises(ModelFileError, match="cannot be read"):
        small.exemplar("walk")


def test_damaged_tables_of_words_are_refused(tmp_path):
    path = tmp_path / "words.npz"
    path.write_bytes(b"no table")
    with pytest.raises(ModelFileError, match="cannot be read"):
        read_words(path)
    np.savez(path, words=np.array(["one", "two"]), vectors=np.zeros((3, 4), np.int8), scale=np.ones(4, np.float32))
    with pytest.raises(ModelFileError, match="damaged"):
        read_words(path)
