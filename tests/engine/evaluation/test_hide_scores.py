"""Figures of hidden limbs on walks of which they are known."""

import math
import runpy
from pathlib import Path

import numpy as np
import pytest
from hidden_walks import joints_of, motion_of, view_of, walk

from engine.evaluation.hide_scores import Joints, angles, matched, score, seen_change
from engine.output.motion_file import write_motion

SHARED = Path(__file__).resolve().parents[4] / "shared" / "hidden" / "score.py"


def scored(joints, full=None, **options):
    return score(view_of(walk() if full is None else full, **options), joints_of(joints))


def test_the_same_motion_is_perfect():
    found = scored(walk())
    assert found["pa"] == pytest.approx(0, abs=1e-6)
    assert (found["range"], found["rate"], found["phase"]) == pytest.approx((1, 1, 1))
    assert found["frames"] == 1
    assert math.isnan(found["jump"])


def test_place_direction_and_size_do_not_count():
    turn = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1.0]])
    found = scored(1.3 * walk() @ turn.T + [2, 0, 1])
    assert found["pa"] == pytest.approx(0, abs=1e-6)
    assert (found["range"], found["phase"]) == pytest.approx((1, 1))


def test_half_the_swing_is_half_the_range():
    found = scored(walk(amplitude=10))
    assert found["range"] == pytest.approx(0.5, abs=0.01)
    assert found["phase"] == pytest.approx(1, abs=0.01)
    assert found["pa"] > 20


def test_standing_still_has_no_range_and_no_phase():
    found = scored(walk(amplitude=0))
    assert found["range"] == pytest.approx(0, abs=1e-6)
    assert found["phase"] == pytest.approx(0, abs=1e-6)


def test_exchanged_legs_are_out_of_phase_and_a_little_late_is_not():
    assert scored(walk(phase=0.5))["phase"] < 0.15
    late = scored(walk(phase=-0.125))
    assert late["phase"] > 0.99
    assert late["pa"] > 20


@pytest.mark.parametrize("rate", [0.5, 2.0])
def test_another_rate_is_found(rate):
    found = scored(walk(rate=rate))
    assert found["rate"] == pytest.approx(rate, abs=0.05)
    assert found["phase"] < 0.6


def test_only_the_hidden_limb_counts():
    joints = walk()
    arm = joints.copy()
    arm[:, 20] += [0, -0.2, 0.2]  # a hand is raised; the legs are the same
    assert scored(arm)["range"] == pytest.approx(1)
    hidden = np.zeros(joints.shape[:2], bool)
    hidden[:, [18, 20]] = True
    found = scored(arm, hidden=hidden, limbs=("left_arm",))
    assert found["pa"] > 80
    assert math.isnan(found.get("range", math.nan))  # the full view's arm stands still


def test_where_a_bar_passes_only_the_rows_behind_it_count():
    joints = walk()
    hidden = np.zeros(joints.shape[:2], bool)
    hidden[40:70, [4, 7]] = True
    wrong = joints.copy()
    wrong[:40] = walk(amplitude=0)[:40]
    wrong[70:] = walk(amplitude=0)[70:]
    found = scored(wrong, hidden=hidden, limbs=())
    assert found["pa"] == pytest.approx(0, abs=1e-6)
    assert (found["range"], found["rate"]) == pytest.approx((1, 1))
    inside = joints.copy()
    inside[40:70] = walk(amplitude=0)[40:70]
    found = scored(inside, hidden=hidden, limbs=())
    assert found["range"] < 0.05
    assert found["pa"] > 20
    hidden[55:] = False
    assert math.isnan(scored(joints, hidden=hidden, limbs=())["rate"])  # 0.6 s hold no cycle


def test_feet_that_are_seen_do_not_count_as_contacts():
    joints, rows = walk(), 100
    stands = np.zeros((rows, 4))
    stands[:50, :2] = 1  # left foot
    view = view_of(joints, contacts=stands)
    assert score(view, joints_of(joints, stands))["contacts"] == 1
    assert score(view, joints_of(joints))["contacts"] == 0.75
    toes = stands * [0, 1, 0, 0]  # on its toe it stands, too
    assert score(view, joints_of(joints, toes))["contacts"] == 1
    arm = np.zeros(joints.shape[:2], bool)
    arm[:, 20] = True
    assert math.isnan(score(view_of(joints, arm, ("left_arm",)), joints_of(joints))["contacts"])


def test_a_limb_that_pops_where_it_appears_again_is_reported():
    joints = walk()
    hidden = np.zeros(joints.shape[:2], bool)
    hidden[20:50, [4, 7]] = True
    popped = joints.copy()
    popped[20:50, 7, 0] += 0.08
    found = scored(popped, hidden=hidden, limbs=())
    own = 1000 * np.linalg.norm(np.diff(joints[:, 7], axis=0), axis=-1)
    assert found["jump"] == pytest.approx(np.hypot(80, own[49]) - own[47:53].max(), abs=1)
    assert scored(joints, hidden=hidden, limbs=())["jump"] == pytest.approx(0, abs=1e-9)
    hidden[50:, [4, 7]] = True  # it never appears again
    assert math.isnan(scored(popped, hidden=hidden, limbs=())["jump"])


def test_one_hidden_frame_is_no_appearance():
    joints = walk()
    hidden = np.zeros(joints.shape[:2], bool)
    hidden[30, [4, 7]] = True
    assert math.isnan(scored(joints, hidden=hidden, limbs=())["jump"])


def test_what_is_seen_is_compared_with_the_run_without_a_label():
    joints = walk()
    view, base = view_of(joints), joints_of(joints)
    legs = joints.copy()
    legs[:, [4, 5, 7, 8]] += [0.1, 0, 0.2]
    assert seen_change(view, joints_of(legs + 1), base) == pytest.approx(0, abs=1e-6)
    arm = joints.copy()
    arm[:, 20] += [0, 0, 0.08]
    assert 5 < seen_change(view, joints_of(arm), base) < 30
    nothing = view_of(joints, np.ones(joints.shape[:2], bool))
    assert math.isnan(seen_change(nothing, base, base))


def test_rows_go_together_by_time():
    full = joints_of(walk())
    late = Joints(full.times[30:], full.camera[30:], full.world[30:], full.contacts[30:])
    rows, keep = matched(full.times, late.times)
    assert rows.tolist() == list(range(70))
    assert np.flatnonzero(keep).tolist() == list(range(30, 100))
    found = score(view_of(walk()), late)
    assert found["frames"] == 0.7
    assert found["pa"] == pytest.approx(0, abs=1e-6)
    never = Joints(full.times + 100, full.camera, full.world, full.contacts)
    assert score(view_of(walk()), never)["frames"] == 0


def test_a_single_frame_has_a_distance_and_no_movement():
    joints = walk(rows=1)
    found = score(view_of(joints), joints_of(joints))
    assert found["pa"] == pytest.approx(0, abs=1e-6)
    assert math.isnan(found["range"])
    assert math.isnan(found["phase"])


def test_angles_are_those_that_the_walk_was_made_with():
    found = angles(walk(amplitude=0))
    assert found[:, 2:] == pytest.approx(np.full((100, 2, 2), 40), abs=1e-6)
    assert found[:, :2, 1] == pytest.approx(np.zeros((100, 2)), abs=1e-3)


@pytest.mark.skipif(not SHARED.is_file(), reason="the reference script is not here")
@pytest.mark.parametrize("limbs", ["legs", "arms"])
def test_figures_are_those_of_the_reference_script(tmp_path, capsys, limbs):
    rng = np.random.default_rng(4)
    full, result = walk(rows=90), walk(rows=90, amplitude=9, phase=0.1, rate=1.2)
    full, result = (joints + rng.normal(0, 0.02, joints.shape) for joints in (full, result))
    paths = [tmp_path / "full.npz", tmp_path / "result.npz"]
    for path, joints in zip(paths, (full, result), strict=True):
        write_motion(motion_of(joints), path)
    runpy.run_path(str(SHARED))["main"](str(paths[0]), [str(paths[1])], limbs)
    printed = [float(word) for word in capsys.readouterr().out.split()[-4:]]
    sides = {"legs": ("left_leg", "right_leg"), "arms": ("left_arm", "right_arm")}[limbs]
    found = score(view_of(full, limbs=sides), joints_of(result))
    assert [round(found["pa"])] == printed[:1]
    assert [found[name] for name in ("range", "rate", "phase")] == pytest.approx(printed[1:], abs=0.0051)
