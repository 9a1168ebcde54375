import csv
from pathlib import Path

import pytest

from engine.training.split import (
    HELD_OUT,
    NEVER_LEAKED,
    OLDER_HELD_OUT,
    is_held_out,
    is_uneven,
    leaked,
    same_people,
    true_performers,
)

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
OLDER, MORE = DATA / "motions", DATA / "motions_more"
needs_motions = pytest.mark.skipif(not MORE.is_dir(), reason="the motion capture folders are not here")
UNKNOWN = {"cmux_signal_c", "cmux_walk_48"}
SINGLE_SIDED = {
    "jump up in place": "both who jump are held out anyway",
    "cartwheel": "cmu_49 and dm have much else that nobody else has",
    "stand with knees bent and arms held out": "4 s",
}


def table(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def people():
    """True performer of every clip of both folders."""
    groups = {row["clip"]: row["split_group"] for folder in (MORE, OLDER) for row in table(folder / "provenance.csv")}
    recognised = {row["old_clip"]: row["performer"] for row in table(MORE / "cmux_performers.csv")}
    return true_performers(groups, recognised)


def test_clips_of_a_group_with_one_recognised_person_are_of_that_person():
    groups = {"a": "g", "b": "g", "c": "h", "d": "h", "e": "h", "f": "k"}
    true = true_performers(groups, {"a": "ann", "c": "bob", "d": "cleo", "not there": "dan"})
    assert true == {"a": "ann", "b": "ann", "c": "bob", "d": "cleo", "e": "h", "f": "k"}


def test_names_that_cannot_be_kept_apart_are_on_one_side():
    joined = same_people([("x", "y"), ("y", "hdm_tr"), ("p", "q")])
    assert joined["x"] == {"x", "y", "hdm_tr"}
    assert is_held_out("x", joined)
    assert not is_held_out("p", joined)
    assert is_held_out("hdm_tr", {})
    assert not is_held_out("z", {})


def test_uneven_ground_is_known_by_performer_and_by_notes():
    assert is_uneven("cmu_01", "")
    assert is_uneven("cmu_14", "feet leave the level floor (steps, ladder or stool are not part of the data)")
    assert not is_uneven("cmu_14", "first frame dropped")


def test_who_never_leaked_is_held_out():
    assert HELD_OUT.keys() >= NEVER_LEAKED
    assert not NEVER_LEAKED & UNKNOWN


@needs_motions
def test_who_leaked_is_what_the_tables_say():
    groups = {row["clip"]: row["split_group"] for row in table(OLDER / "provenance.csv")}
    recognised = {row["old_clip"]: row["performer"] for row in table(MORE / "cmux_performers.csv")}
    trained_on = leaked(groups, recognised)
    assert trained_on & HELD_OUT.keys() == {"cmu_16", "cmu_29", "cmu_35"}
    true = true_performers(groups, recognised)
    groups_of_theirs = {group for clip, group in groups.items() if true[clip] in trained_on} | {"cmux_run"}
    assert HELD_OUT.keys() - trained_on - groups_of_theirs - UNKNOWN == NEVER_LEAKED
    assert HELD_OUT.keys() >= OLDER_HELD_OUT


@needs_motions
def test_nothing_of_one_person_is_on_both_sides():
    true = people()
    groups = {row["clip"]: row["split_group"] for folder in (MORE, OLDER) for row in table(folder / "provenance.csv")}
    assert set(HELD_OUT) <= set(groups.values()) | set(true.values())
    for clip, group in groups.items():  # whoever is held out under one name is under the other, too
        if group in HELD_OUT:
            assert true[clip] in HELD_OUT, clip


@needs_motions
def test_every_label_with_several_performers_has_one_on_each_side():
    true, by_label = people(), {}
    for folder in (OLDER, MORE):
        for row in table(folder / "labels.csv"):
            by_label.setdefault(row["label"], set()).add(true[row["clip"]])
    several = {label: found for label, found in by_label.items() if len(found) > 1}
    assert len(several) > 35
    one_sided = {label for label, found in several.items() if not (found & set(HELD_OUT) and found - set(HELD_OUT))}
    assert one_sided == set(SINGLE_SIDED)
