"""The labels file, and labels per frame."""

import json

import numpy as np
import pytest

from engine.errors import UsageError
from engine.semantics.segments import MOST_LABELS, MOST_NAMED, Segment, beyond, read_labels, spread, unseen, whole_clip


def labels_file(folder, content):
    path = folder / "labels.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def entry(start, end, label="walk"):
    return {"start": start, "end": end, "label": label}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("not json", "is not JSON"),
        ({"start": 0}, "does not hold a list"),
        ([3], "Entry 1 .* is not an object"),
        ([entry(0, 1), {"start": 1, "label": "run"}], "Entry 2 .* lacks end"),
        ([entry(0, 1) | {"colour": 1}], "Entry 1 .* has 'colour'"),
        ([entry(2, 2)], r"Entry 1 .* \('walk'\) ends at 2 s, not after its start at 2 s"),
        ([entry(3, 1)], "Entry 1 .* not after its start"),
        ([entry("0", 1)], "Entry 1 .* start is '0'"),
        ([entry(-1, 1)], "Entry 1 .* start is -1"),
        ('[{"start": NaN, "end": 1, "label": "walk"}]', "Entry 1 .* start is nan"),
        ('[{"start": 0, "end": 1e999, "label": "walk"}]', "Entry 1 .* end is inf"),
        ('[{"start": 0, "end": 1%s, "label": "walk"}]' % ("0" * 400), "Entry 1 .* end is inf"),
        ('[{"start": "%s", "end": 1, "label": "walk"}]' % ("9" * 5000), "Entry 1 .* start is '9{50,70}…, not"),
        ("[" * 10_000 + "]" * 10_000, "is not JSON: it has more than 32 lists"),
        ('[{"label": ' + '{"a":' * 10_000 + "1" + "}" * 10_000 + "}]", "is not JSON: it has more than 32 lists"),
        ('[{"start": 0, "end": 1, "label": "%s"}]' % ("walk " * 200_000), "Entry 1 .* more than 200 characters"),
        ('[{"start": 0, "end": 1, "label": "\\u001b \\ud800"}]', "Entry 1 .* no text"),
        ([entry(0, True)], "Entry 1 .* end is True"),
        ([entry(0, 1, " ")], "Entry 1 .* no text"),
        ([entry(0, 1, 7)], "Entry 1 .* no text"),
        ([entry(4, 6, "run"), entry(0, 2), entry(1.5, 4)], "Entries 2 and 3 .* overlap: 'walk' ends at 2 s"),
    ],
)
def test_a_wrong_labels_file_is_refused_by_entry(tmp_path, content, sentence):
    with pytest.raises(UsageError, match=sentence) as caught:
        read_labels(labels_file(tmp_path, content))
    assert caught.value.hint


def test_a_missing_labels_file_is_refused(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        read_labels(tmp_path / "none.json")


def test_labels_are_sorted_and_spread_over_frames(tmp_path):
    segments = read_labels(labels_file(tmp_path, [entry(2, 3, "läuft "), entry(0, 1)]))
    assert segments == (Segment(0, 1, "walk"), Segment(2, 3, "läuft"))
    labels = spread(segments, np.array([0, 0.5, 1, 1.5, 2, 2.99, 3]))
    assert labels.tolist() == ["walk", "walk", "", "", "läuft", "läuft", ""]
    assert labels.dtype.kind == "U"


def test_one_label_covers_the_whole_clip():
    assert spread(whole_clip("kick"), np.array([0.0, 1e6])).tolist() == ["kick", "kick"]
    assert spread(whole_clip("  "), np.array([0.0])).tolist() == [""]


def test_labels_beyond_the_footage_are_reported():
    segments = (Segment(0, 2, "a"), Segment(2, 9, "b"), Segment(20, 30, "c"))
    sentences = beyond(segments, 5.0)
    assert len(sentences) == 2
    assert "reaches beyond" in sentences[0]
    assert "lies beyond" in sentences[1]
    assert not beyond(whole_clip("x"), 1.0)


def test_of_many_labels_without_effect_the_first_are_named():
    segments = tuple(Segment(one, one + 1, "a") for one in range(5, 205))
    for sentences, rest in (
        (beyond(segments, 1.0), "Labels beyond the footage that are not named here: 190."),
        (unseen(segments, np.array([1.0])), "Labels that change no motion and are not named here: 190."),
    ):
        assert len(sentences) == MOST_NAMED + 1
        assert sentences[-1] == rest
        assert "from 14 s" in sentences[-2]
    assert len(beyond(segments[:MOST_NAMED], 1.0)) == MOST_NAMED


def test_more_labels_than_anybody_gives_are_refused(tmp_path):
    few = [entry(one, one + 1) for one in range(MOST_LABELS)]
    assert len(read_labels(labels_file(tmp_path, few))) == MOST_LABELS
    with pytest.raises(UsageError, match="has more than 10000 labels"):
        read_labels(labels_file(tmp_path, [*few, entry(MOST_LABELS, MOST_LABELS + 1)]))


def test_a_label_for_a_time_in_which_nobody_is_seen_is_named():
    labels = (Segment(0, 1, "walk"), Segment(1, 2, "sit"), *whole_clip("wave"))
    (sentence,) = unseen(labels, np.array([0.5, 0.9, 2.0]))
    assert sentence == "The label 'sit' from 1 s to 2 s changes no motion: nobody is seen then."
