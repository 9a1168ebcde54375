"""`bench --hide` from the command line, on a few frames of the demo clip, and with what is no use."""

import json
from dataclasses import replace

import av
import cv2
import numpy as np
import pytest
from hidden_walks import motion_of, walk

from engine.config import load_settings
from engine.errors import UsageError
from engine.evaluation.hide_rows import ALL, DEFAULT, choose_rows, labels_of, other_label
from engine.evaluation.hide_runs import shared_rows
from engine.evaluation.hide_scores import FIGURES
from engine.evaluation.speed import demo_clip
from engine.footage.decoding import frames
from engine.keypoints.types import PersonTrack
from engine.semantics.dictionary import MotionDictionary


def write_clip(path, pictures, rate=60):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": "16"})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv444p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """21 frames of the demo at an odd size, the same length of an empty room, and a file that is no video."""
    folder = tmp_path_factory.mktemp("Verdeckt ü")
    shown = [cv2.resize(frame.rgb, (405, 719)) for frame in frames(demo_clip(), 0, 0.35)]
    write_clip(folder / "balance.mp4", shown)
    write_clip(folder / "empty.mp4", [np.full((240, 320, 3), 120, np.uint8)] * 21)
    (folder / "broken.mp4").write_text("no video")
    return folder


SETTINGS = ("fit.iterations=20", "adaptation.epochs=1", "adaptation.solve_steps=4")
QUICK = ("--preset", "fast", *(f"--set={setting}" for setting in SETTINGS))


def test_clips_are_hidden_run_scored_and_drawn(clips, run_here, tmp_path):
    results, out = tmp_path / "kept", tmp_path / "figures.json"
    words = [
        *("bench", "--hide", clips / "broken.mp4", clips / "balance.mp4", clips / "empty.mp4"),
        *("--label", "keep one's balance", "--hide-rows", "fit,no_label,wrong_label", *QUICK),
        *("--hide-kinds", "desk,limb", "--hide-limb", "right_arm", "--results", results, "--json", out),
    ]
    ran = run_here(*words, "--hide-at", "0.95")
    assert ran.code == 3, ran.stderr  # of the first clip that failed
    assert "Error: broken: " in ran.stderr
    assert "Error: empty: Nobody was found in the footage." in ran.stderr
    assert "balance, desk: hides no joint that is compared" in ran.stdout
    assert "Hidden: limb" in ran.stdout
    found = json.loads(out.read_text())
    assert list(found["clips"]) == ["balance"]
    limb = found["clips"]["balance"]["kinds"]["limb"]
    assert list(limb["rows"]) == ["fit", "no_label", "wrong_label"]
    assert 0 < limb["hidden"] < 0.6
    for figures in limb["rows"].values():
        assert list(figures) == list(FIGURES)
        assert 0 < figures["pa"] < 500
        assert figures["frames"] == 1
        assert figures["jump"] is None
    assert limb["rows"]["no_label"]["seen_change"] == 0
    assert limb["rows"]["fit"]["seen_change"] > 1
    assert found["means"]["limb"] == limb["rows"]
    assert found["wrong_label"] not in ("", "keep one's balance")
    assert len(found["notes"]) == 3
    assert sorted(file.name.split("-")[0] for file in (results / "balance" / "rows").iterdir()) == [
        "full",
        *["limb"] * 3,
    ]

    again = run_here(*words, "--hide-at", "0.95", "--strips", tmp_path / "strips")
    assert again.code == 3
    assert "balance: " not in again.stderr.replace("balance: people", "")  # nothing is run twice
    assert json.loads(out.read_text()) == found
    strips = sorted(file.name for file in (tmp_path / "strips").iterdir())
    assert strips == [f"balance-limb-{row}.png" for row in ("fit", "no_label", "wrong_label")]
    strip = cv2.imread(str(tmp_path / "strips" / strips[0]))
    tile = (strip.shape[1] // 4, (strip.shape[0] - 22) // 6)
    assert tile == (169, 300)
    first, hidden, drawn, side = (
        strip[22 : 22 + tile[1], n * tile[0] : (n + 1) * tile[0]].astype(int) for n in range(4)
    )
    for picture in (first, drawn):
        assert (abs(picture - hidden) > 40).any(-1).sum() > 500, "a body is drawn over the footage"
    assert blue(side) > 500
    assert (abs(hidden - [80, 75, 70]) < 6).all(-1).sum() > 200  # the box


def blue(picture):
    """Pixels (BGR) that are the drawn body's."""
    return int((picture[..., 0] > picture[..., 2] + 35).sum())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--hide-kinds", "desk,wall"), "--hide-kinds does not know 'wall'."),
        (("--hide-kinds", ","), "--hide-kinds is empty."),
        (("--hide-at", "0"), "--hide-at is 0, not a share of the height"),
        (("--hide-limb", "head"), "--hide-limb does not know 'head'."),
        (("--hide-rows", "fit,best"), "--hide-rows does not know 'best'."),
        (("--hide-rows", "right_label"), "These rows need the right label."),
        (("--speed",), "It is not clear what to measure."),
        (("--footage", "x.mp4"), "--yardstick takes motion files or --footage"),
        (("--device", "tpu"), "There is no device 'tpu'."),
        (("--focal-px", "-3"), "--focal-px is -3"),
        (("--set", "adaptation.nothing=1"), "There is no setting 'adaptation.nothing'."),
    ],
)
def test_what_makes_no_sense_is_refused_before_any_work(clips, run_here, tmp_path, arguments, message):
    ran = run_here("bench", "--hide", clips / "balance.mp4", "--results", tmp_path / "kept", *arguments)
    assert ran.code == 2
    assert message in ran.stderr
    assert not (tmp_path / "kept").exists()


def test_without_a_label_its_rows_are_left_out_and_that_is_reported():
    rows, notes = choose_rows((), "")
    assert [row.key for row in rows] == ["fit", "no_label"]
    assert notes == [
        "No label is given, so these rows are left out: right label, wrong label. Add --label TEXT for them."
    ]
    assert choose_rows((), "walk") == (list(DEFAULT), [])
    with pytest.raises(UsageError):
        choose_rows(("right_label",), "")


def test_all_rows_add_table_3_once_each_with_settings_that_there_are():
    rows, _ = choose_rows(("all",), "walk")
    keys = [row.key for row in rows]
    assert rows == list(ALL)
    assert len(set(keys)) == len(keys)
    assert {row.key for row in DEFAULT} | {"backbone", "cycle", "aligned", "ema", "filled"} <= set(keys)
    assert "detector" not in keys
    for row in rows:
        settings = load_settings("balanced", row.overrides).adaptation
        assert settings.enabled == (row.key != "backbone")
    aligned = next(row for row in rows if row.key == "aligned")
    assert load_settings("balanced", aligned.overrides).adaptation.fill_in is False
    assert next(row for row in rows if row.key == "fit").backbone == "fit"


def test_labels_go_to_their_rows():
    rows = {row.key: labels_of(row, "walk", "sit") for row in ALL}
    assert rows["right_label"] == rows["aligned"] == ("walk", "none")
    assert rows["wrong_label"] == ("sit", "none")
    assert rows["fit"] == rows["no_label"] == rows["cycle"] == ("", "none")
    assert rows["found_label"] == ("", "retrieval")


def test_the_wrong_label_is_of_another_kind_of_action():
    dictionary = MotionDictionary.from_files()
    for label in ("walk", "walking along"):
        wrong = other_label(label, 0)
        assert dictionary.category(wrong) != dictionary.category("walk")
        assert wrong == other_label(label, 0)


def track_of(keypoints, names, times, person=1):
    rows = len(keypoints)
    return PersonTrack(
        person=person,
        frame_indices=np.arange(rows),
        timestamps=times,
        keypoints=keypoints,
        landmarks3d=np.full(keypoints.shape, np.nan, np.float32),
        boxes=np.zeros((rows, 4), np.float32),
        detected=np.ones(rows, bool),
        keypoint_names=tuple(names),
        image_size=(321, 243),
    )


def test_the_person_is_found_again_among_several():
    motion = motion_of(walk(rows=30))
    names = motion.keypoint_names.tolist()
    mine = track_of(motion.keypoints2d + np.float32([1, 1, 0]), names, motion.timestamps)
    legless = motion.keypoints2d.copy()
    legless[:, 2:, 2] = 0.1
    beside = track_of(motion.keypoints2d + np.float32([90, 0, 0]), names, motion.timestamps)
    assert shared_rows(mine, motion) == 30
    assert shared_rows(replace(mine, keypoints=legless), motion) == 30
    assert shared_rows(beside, motion) == 0
    assert shared_rows(track_of(mine.keypoints[:12], names, motion.timestamps[:12]), motion) == 12
    assert shared_rows(replace(mine, detected=np.zeros(30, bool)), motion) == 0
    assert shared_rows(replace(mine, timestamps=motion.timestamps + 50), motion) == 0
