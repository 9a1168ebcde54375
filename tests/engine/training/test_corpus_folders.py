"""Corpora of several folders, and what is odd in their tables."""

import numpy as np
import pytest
from bvh_files import hanging, write_bvh, write_tables

from engine.errors import UsageError
from engine.runtime.progress import Silent
from engine.training.corpus import read_corpus
from engine.training.corpus_build import build_corpus
from engine.training.corpus_tables import add_looked_at, read_tables
from engine.training.figure import INDEX


class Heard(Silent):
    def __init__(self):
        self.warnings = []

    def warn(self, code, message):
        self.warnings.append((code, message))


def swinging(frames, seed):
    """Arms and knees that swing, unlike with every seed."""
    rng = np.random.default_rng(seed)
    angles, root = hanging(frames)
    times = np.arange(frames) / 30
    for name in ("left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_hip", "right_hip", "left_knee"):
        for axis in (1, 2):
            course = sum(rng.uniform(5, 18) * np.sin(2 * np.pi * rng.uniform(0.2, 1.2) * times + k) for k in range(3))
            angles[:, INDEX[name], axis] += course
    return angles, root


def row(clip, start, end, label):
    return {"clip": clip, "start_frame": start, "end_frame": end, "label": label, "category": "x"}


def who(clip, group, notes="", fps=30):
    return {"clip": clip, "split_group": group, "notes": notes, "original_fps": fps}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two folders: one take is in both under two names and two performers, one name is in both for two takes."""
    first, second = tmp_path_factory.mktemp("first"), tmp_path_factory.mktemp("second")
    angles, root = swinging(120, 1)
    write_bvh(first / "bvh" / "mine" / "a.bvh", angles, root)
    write_bvh(first / "bvh" / "mine" / "b.bvh", *swinging(90, 2))
    write_bvh(first / "bvh" / "mine" / "n.bvh", *swinging(90, 5))
    write_bvh(second / "bvh" / "mine" / "c.bvh", angles[10:], root[10:])
    write_bvh(second / "bvh" / "mine" / "b.bvh", *swinging(60, 3))
    write_bvh(second / "bvh" / "mine" / "d.bvh", *swinging(80, 4))
    write_bvh(second / "bvh" / "other" / "e.bvh", *swinging(40, 6))
    write_tables(first, [row("a", 0, 100, "rotate both arms backward")], [who("a", "x"), who("b", "y"), who("n", "z")])
    write_tables(
        second,
        [row("c", 0, 60, "walk, then run"), row("d", 0, 40, "stand"), row("d", 30, 80, "walk")],
        [who("c", "hdm_tr"), who("b", "p"), who("d", "q", "feet leave the level floor"), who("d", "hdm_tr")],
    )
    (second / "cmux_performers.csv").write_text("old_clip,old_split_group,is_cmu_take,performer\nn,z,1,hdm_tr\n")
    return first, second


@pytest.fixture(scope="module")
def built(folders, tmp_path_factory):
    heard, out = Heard(), tmp_path_factory.mktemp("out") / "corpus.npz"
    report = build_corpus(folders, out, 0, heard, authored_performers=0)
    return report, {clip.name: clip for clip in read_corpus(out)}, heard


def test_a_take_of_both_folders_is_kept_once_and_its_people_on_one_side(built):
    report, clips, heard = built
    assert set(clips) == {"a", "b", "n", "d"}
    assert report.duplicates == ["c is the same take as a and was left out."]
    assert ("duplicate", report.duplicates[0]) in heard.warnings
    assert (clips["a"].performer, clips["a"].held_out) == ("hdm_tr", True)  # who x is, as it turns out
    assert any("a and c are one take, of x and hdm_tr" in sentence for sentence in report.issues)


def test_a_name_that_is_there_twice_and_another_skeleton_are_refused(built):
    report, clips, _ = built
    assert len(clips["b"].pelvis) == 90
    assert any(s.startswith("b.bvh of second") and "of that name" in s for s in report.refused)
    assert any(s.startswith("e.bvh: there is no joint map for the source 'other'") for s in report.refused)


def test_who_is_recognised_is_held_out_under_the_other_name(built):
    _, clips, _ = built
    assert clips["n"].performer == "hdm_tr"
    assert clips["n"].held_out
    assert not clips["b"].held_out


def test_two_labels_for_one_frame_and_two_performers_are_known_by_line(built):
    report, clips, heard = built
    labels = [s for s in report.issues if s.startswith("labels.csv, line 4: d has two labels for one frame")]
    assert labels
    assert "line 3 counts" in labels[0]
    assert [(r.start, r.end, r.label) for r in clips["d"].labels] == [(0, 40, "stand")]
    assert any(s.startswith("provenance.csv, line 5: d is of hdm_tr, in line 4 of q") for s in report.issues)
    assert clips["d"].held_out  # nobody knows which of the two it is
    assert all(("tables", s) in heard.warnings for s in labels)


def test_uneven_ground_is_a_matter_of_the_clip(built):
    _, clips, _ = built
    assert (clips["d"].contacts == -1).all()
    assert (clips["b"].contacts >= 0).all()


def test_a_take_that_plays_too_fast_is_named_by_the_line_of_its_rate_and_all_others_go_on(tmp_path):
    slow, root = swinging(120, 7)
    write_bvh(tmp_path / "bvh" / "mine" / "fine.bvh", slow, root)
    fast, _ = swinging(960, 7)
    quick = tmp_path / "bvh" / "mine" / "quick.bvh"
    write_bvh(quick, fast[::8], root)
    write_bvh(tmp_path / "bvh" / "stranger" / "e.bvh", *swinging(40, 6))
    write_tables(tmp_path, [row("fine", 0, 60, "walk")], [who(name, name) for name in ("fine", "quick", "e")])
    report = build_corpus([tmp_path], tmp_path / "corpus.npz", 0, Heard(), authored_performers=0)
    line = next(n for n, text in enumerate(quick.read_text().splitlines(), 1) if text.startswith("Frame Time"))
    named = [issue for issue in report.issues if "twice as fast" in issue]
    assert len(named) == 1
    assert named[0].startswith(f"mine/quick.bvh, line {line}: hands and feet change their speed ")
    assert report.refused == ["e.bvh: there is no joint map for the source 'stranger'."]
    assert {clip.name for clip in read_corpus(tmp_path / "corpus.npz")} == {"fine", "quick"}


def test_guessed_performers_are_reported_once(tmp_path):
    notes = "which half is subject 60 or 61 is inferred"
    write_tables(tmp_path, [row("a", 0, 1, "x")], [who("a", "p", notes), who("b", "p", notes), who("c", "q")])
    assert read_tables(tmp_path).issues == ["provenance.csv: who performs is a guess of the source: p in lines 2 to 3."]


def test_a_group_of_several_people_stays_together(tmp_path):
    write_tables(tmp_path, [row("a", 0, 1, "x")], [who("a", "g"), who("b", "g"), who("c", "g")])
    (tmp_path / "cmux_performers.csv").write_text("old_clip,performer\na,ann\nb,bob\n")
    tables = read_tables(tmp_path)
    assert tables.joined()["ann"] == {"g", "ann", "bob"}
    assert tables.mixed_groups()[0].startswith("cmux_performers.csv: the clips of g are of ann and bob")


def test_what_was_looked_at_labels_clips_that_have_no_label(tmp_path):
    write_tables(tmp_path, [row("a", 0, 1, "x")], [who("cmu_49_21", "cmu_49"), who("a", "p")])
    tables = read_tables(tmp_path)
    add_looked_at(tables)
    assert [(r.start, r.end, r.label) for r in tables.labels["cmu_49_21"]] == [(53, 606, "hang and swing")]
    assert set(tables.labels) == {"a", "cmu_49_21"}
    tables.labels["cmu_49_21"] = []
    add_looked_at(tables)
    assert tables.labels["cmu_49_21"] == []


def test_rows_without_a_performer_are_named(tmp_path):
    write_tables(tmp_path, [row("a", 0, 1, "x")], [who("a", "")])
    with pytest.raises(UsageError, match=r"provenance\.csv, line 2: no split_group"):
        read_tables(tmp_path)
