import numpy as np
import pytest
from bvh_files import hanging, write_bvh, write_tables

from engine.body.model import load_body
from engine.errors import CancelledError, UsageError
from engine.runtime.progress import Silent
from engine.semantics.dictionary import MotionDictionary
from engine.training.authored import ACTIONS
from engine.training.corpus import mirrored_text, performers_by_label, read_corpus
from engine.training.corpus_build import build_corpus
from engine.training.figure import MIRROR, figure_of, matrices
from engine.training.label_names import label_names

FEW = ("wave", "walk upstairs", "limp on the left leg")


class Heard(Silent):
    """Progress that remembers."""

    def __init__(self, stop_at=None):
        self.steps, self.warnings, self.stop_at = [], [], stop_at

    def __call__(self, done, total):
        self.steps.append((done, total))
        if self.stop_at is not None and done >= self.stop_at:
            raise CancelledError("Stopped.")

    def warn(self, code, message):
        self.warnings.append((code, message))


@pytest.fixture(scope="module")
def motions(tmp_path_factory):
    """Three clips of two performers, one of them damaged."""
    folder = tmp_path_factory.mktemp("motions")
    walker, root = hanging(40)
    root[:, 2] = np.linspace(0, 50, 40)
    write_bvh(folder / "bvh" / "mine" / "a.bvh", walker, root)
    write_bvh(folder / "bvh" / "mine" / "b.bvh", *hanging(30))
    (folder / "bvh" / "mine" / "c.bvh").write_text("HIERARCHY\nnothing")
    labels = [
        {"clip": "a", "start_frame": 0, "end_frame": 25, "label": "slide to the left", "category": "walk"},
        {"clip": "a", "start_frame": 25, "end_frame": 40, "label": "stand", "category": "stand"},
        {"clip": "b", "start_frame": 0, "end_frame": 30, "label": "stand", "category": "stand"},
    ]
    performers = [{"clip": name, "split_group": who} for name, who in (("a", "hdm_tr"), ("b", "ann"), ("c", "ann"))]
    write_tables(folder, labels, performers)
    return folder


@pytest.fixture(scope="module")
def built(motions, tmp_path_factory):
    heard, out = Heard(), tmp_path_factory.mktemp("out") / "corpus.npz"
    report = build_corpus(motions, out, 3, heard, authored_performers=2, actions=FEW)
    return report, read_corpus(out), heard, out


def test_captured_and_authored_clips_are_in_and_kept_apart(built):
    report, clips, _, _ = built
    assert report.clips == len(clips) == 2 + 2 * 2 * len(FEW)
    assert {c.name for c in clips if not c.synthetic} == {"a", "b"}
    assert {row.label for c in clips if c.synthetic for row in c.labels} == set(FEW)
    assert report.minutes == pytest.approx(sum(len(c.pelvis) for c in clips) / 30 / 60)
    assert report.joint_error_mm["mine"] < 30


def test_bad_clips_are_warned_of_and_the_others_go_on(built):
    report, _, heard, _ = built
    assert len(report.refused) == 1
    assert report.refused[0].startswith("c.bvh, line 2: ")
    assert heard.warnings == [("clip_refused", report.refused[0])]


def test_progress_ends_where_it_should(built):
    _, _, heard, _ = built
    done, total = heard.steps[-1]
    assert done == total
    assert [d for d, _ in heard.steps] == sorted(d for d, _ in heard.steps)


def test_labels_and_performers_are_kept(built):
    _, clips, _, _ = built
    a, b = clips[0], clips[1]
    assert [(r.start, r.end, r.label) for r in a.labels] == [(0, 25, "slide to the left"), (25, 40, "stand")]
    assert (a.performer, a.held_out) == ("hdm_tr", True)
    assert (b.performer, b.held_out) == ("ann", False)
    assert performers_by_label(clips)["stand"] == {"hdm_tr": 1, "ann": 1}


def test_authored_actions_have_performers_on_both_sides(built):
    _, clips, _, _ = built
    for action in FEW:
        sides = {c.held_out for c in clips if c.labels and c.labels[0].label == action}
        assert sides == {True, False}
    out = {c.performer for c in clips if c.held_out}
    assert not out & {c.performer for c in clips if not c.held_out}


def test_world_is_z_up_and_bodies_stand_on_its_floor(built):
    _, clips, _, _ = built
    for clip in (clips[0], next(c for c in clips if "wave" in c.name)):
        figure = figure_of(load_body(None), clip.betas.astype(float))
        rotations = matrices(clip.poses.reshape(-1, 24, 3).astype(float))
        joints, turned = figure.pose(rotations, clip.pelvis.astype(float))
        skin = figure.skin_points(joints, turned)
        assert np.abs(skin[:, figure.soles, 2].min(1)).max() < 0.02
        assert (joints[:, 15, 2] > joints[:, 0, 2] + 0.3).all()
    walked = clips[0].pelvis[-1] - clips[0].pelvis[0]
    assert walked[1] < -0.3  # bodies face -y
    assert abs(walked[0]) < 0.05


def test_mirrored_clip_changes_sides_and_words(built):
    _, clips, _, _ = built
    for clip in (clips[0], next(c for c in clips if "stairs" in c.name)):
        image = clip.mirrored()
        joints, mirrored = (
            figure_of(load_body(None)).pose(matrices(c.poses.reshape(-1, 24, 3).astype(float)), c.pelvis.astype(float))[
                0
            ]
            for c in (clip, image)
        )
        np.testing.assert_allclose(mirrored, joints[:, MIRROR] * (-1, 1, 1), atol=2e-3)
    assert clips[0].mirrored().labels[0].label == "slide to the right"


def test_words_are_swapped_whole():
    assert mirrored_text("kick with left leg, right arm up") == "kick with right leg, left arm up"
    assert mirrored_text("stand upright, leftover") == "stand upright, leftover"


def test_the_same_seed_gives_the_same_file(built, motions, tmp_path):
    _, clips, _, out = built
    again = tmp_path / "again.npz"
    build_corpus(motions, again, 3, Silent(), authored_performers=2, actions=FEW)
    assert again.read_bytes() == out.read_bytes()
    build_corpus(motions, again, 4, Silent(), authored_performers=2, actions=FEW)
    other = read_corpus(again)
    np.testing.assert_array_equal(other[0].poses, clips[0].poses)
    assert any(len(a.pelvis) != len(b.pelvis) for a, b in zip(clips, other, strict=True))


def test_cancelling_leaves_nothing_behind(motions, tmp_path):
    with pytest.raises(CancelledError):
        build_corpus(motions, tmp_path / "corpus.npz", 0, Heard(stop_at=1), authored_performers=2, actions=FEW)
    assert list(tmp_path.iterdir()) == []


def test_missing_or_damaged_tables_are_named(motions, tmp_path):
    with pytest.raises(UsageError, match="no folder 'bvh'"):
        build_corpus(tmp_path, tmp_path / "x.npz", 0, Silent())
    (tmp_path / "bvh").mkdir()
    with pytest.raises(UsageError, match=r"labels\.csv cannot be read"):
        build_corpus(tmp_path, tmp_path / "x.npz", 0, Silent())
    (tmp_path / "labels.csv").write_text("clip,start_frame\na,zero\n")
    with pytest.raises(UsageError, match=r"labels\.csv, line 2"):
        build_corpus(tmp_path, tmp_path / "x.npz", 0, Silent())


def test_a_file_that_is_no_corpus_is_refused(tmp_path):
    path = tmp_path / "corpus.npz"
    for write in (lambda: path.write_bytes(b"no"), lambda: np.savez(path, poses=np.zeros(3))):
        write()
        with pytest.raises(UsageError, match="is no corpus file"):
            read_corpus(path)
    nothing = {"poses": (0, 72), "pelvis": (0, 3), "contacts": (0, 4), "betas": (0, 10)}
    arrays = {name: np.zeros(shape, np.float32) for name, shape in nothing.items()}
    np.savez(path, format_version=99, clips="[]", **arrays)
    with pytest.raises(UsageError, match="version 99"):
        read_corpus(path)


def test_every_authored_action_has_a_name_in_the_dictionary():
    known = MotionDictionary.from_files()
    names = label_names(known)
    assert len(ACTIONS) == 82
    assert {names.get(label, label) for label in ACTIONS} <= set(known.labels)
