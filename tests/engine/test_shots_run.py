"""The whole command on footage with a cut: a shot of the demo's man, then the same scene mirrored and nearer."""

import json

import numpy as np
import pytest
import torch
from made_footage import DEMO, nearer, pictures, write_video

from engine.body.rotations import axis_angle_to_matrix
from engine.output.motion_file import read_motion

CUT = 24
QUICK = ("--preset", "fast", "--set", "adaptation.enabled=false")


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    rgb = pictures(DEMO)[0]
    shots = [*rgb[:CUT], *nearer(rgb[CUT : 2 * CUT], 1.4, True)]
    return write_video(tmp_path_factory.mktemp("cut") / "cut.mp4", shots, 30)


@pytest.fixture(scope="module")
def split_run(clip, run_engine, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    ran = run_engine("run", clip, "-o", out, *QUICK,
                     "--events", "jsonl")  # fmt: skip
    assert ran.code == 0, ran.stderr
    return out, ran


def report_of(out):
    return json.loads((out / "cut" / "report.json").read_text())


def test_each_shot_has_a_motion_of_its_own(split_run):
    out, ran = split_run
    names = [result["motion"].rsplit("/")[-1].rsplit("\\")[-1] for result in ran.named("result")]
    assert names == ["person_1_shot_1.npz", "person_1_shot_2.npz"], "the man is the same in both"
    first, second = (read_motion(out / "cut" / name) for name in names)
    assert len(first.poses) == len(second.poses) == CUT
    assert second.timestamps[0] == pytest.approx(CUT / 30)
    assert first.shots.tolist() == second.shots.tolist() == [[0, CUT - 1]]
    assert first.cuts_s == pytest.approx([CUT / 30])
    np.testing.assert_array_equal(first.betas, second.betas)
    assert (out / "cut" / "person_1_shot_2_body.npz").is_file()


def test_the_cut_is_reported(split_run):
    out, ran = split_run
    (reply,) = [event for event in ran.named("warning") if event["code"] == "cuts"]
    assert reply["message"].startswith("The footage is cut once, at 0.80 s.")
    assert report_of(out)["footage"]["cuts_s"] == [0.8]
    assert [(one["person"], one["shot"]) for one in report_of(out)["people"]] == [(1, 1), (1, 2)]


def test_nothing_is_smoothed_across_it(split_run):
    out, _ = split_run
    first, second = (read_motion(out / "cut" / f"person_1_shot_{number}.npz") for number in (1, 2))
    turns = [axis_angle_to_matrix(torch.as_tensor(one.cam_global_orient)) for one in (first, second)]
    assert np.degrees(angle(turns[0][-1], turns[1][0])) > 30, "mirrored, he faces the other way"
    for one in turns:
        assert np.degrees(angle(one[:-1], one[1:]).max()) < 30


def angle(first, second):
    trace = np.einsum("...ij,...ij->...", np.asarray(first), np.asarray(second))
    return np.arccos(np.clip((trace - 1) / 2, -1, 1))


def test_joined_it_is_one_motion_with_the_camera_of_each_shot(split_run, clip, run_here):
    out, _ = split_run
    ran = run_here("run", clip, "-o", out, *QUICK,
                   "--shots", "join", "--resume", "--events", "jsonl")  # fmt: skip
    assert ran.code == 0, ran.stderr
    (result,) = ran.named("result")
    assert result["frames"] == 2 * CUT
    motion = read_motion(out / "cut" / "person_1.npz")
    assert motion.shots.tolist() == [[0, CUT - 1], [CUT, 2 * CUT - 1]]
    assert np.ptp(motion.camera_path[:CUT], axis=0).max() == 0
    in_world = np.einsum("tij,tnj->tni", motion.camera_path[:, :3, :3], motion.joints3d_cam)
    np.testing.assert_allclose(in_world + motion.camera_path[:, None, :3, 3], motion.joints3d_world, atol=1e-4)
    assert {"shots", "detect", "track", "predict"} <= set(report_of(out)["reused"])


def test_people_are_put_together_and_taken_apart_without_detecting_again(split_run, clip, run_here):
    out, _ = split_run
    base = ("run", clip, "-o", out, *QUICK, "--resume", "--events", "jsonl")
    (reply,) = run_here(*base, "--only", "people").named("people")
    everybody = [one["person"] for one in reply["people"]]
    detected = {file: file.stat().st_mtime_ns for file in (out / "cut" / ".cache").glob("detect-*")}
    assert detected
    assert reply["people"][0]["stretches"] == 2
    (reply,) = run_here(*base, "--only", "people", "--split", "1").named("people")
    apart = [one["person"] for one in reply["people"]]
    assert apart == [*everybody, max(everybody) + 1]
    assert {file: file.stat().st_mtime_ns for file in detected} == detected
    (reply,) = run_here(*base, "--only", "people", "--split", "1", "--merge", f"1={apart[-1]}").named("people")
    assert [one["person"] for one in reply["people"]] == everybody
    (reply,) = run_here(*base, "--only", "people", "--split", "1@0.5").named("people")
    spans = {one["person"]: (one["first_s"], one["last_s"]) for one in reply["people"]}
    assert spans[1][1] < 0.5 <= spans[max(spans)][0]
    refused = run_here(*base, "--merge", "1=99")
    assert refused.code == 2
    assert "--merge names person 99, who is not in the footage" in refused.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--merge", "1"), "--merge does not understand '1'"),
        (("--split", "all"), "--split does not understand 'all'"),
        (("--shots", "cut"), "--shots does not know 'cut'"),
    ],
)
def test_what_makes_no_sense_is_reported_before_any_work(clip, run_here, tmp_path, words, message):
    ran = run_here("run", clip, "-o", tmp_path / "out", *words)
    assert ran.code == 2
    assert message in ran.stderr + ran.stdout
