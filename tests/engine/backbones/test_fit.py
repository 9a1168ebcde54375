"""The backbone `fit`: what it must do for any footage, on people whose true motion is known."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from synthetic_people import LIMB_JOINTS, SIZE, hip_centred, seen, stand, unseen, walk

from engine.backbones.evidence import gather
from engine.backbones.fit import FitBackbone
from engine.backbones.fit_settings import FitSettings
from engine.backbones.floor import Floor
from engine.backbones.spline import Spline
from engine.backbones.types import Prediction
from engine.backbones.windows import blend, spans
from engine.body.landmarks import JOINT_NAMES
from engine.errors import CancelledError
from engine.keypoints.joint_sets import BODY_25, COCO_17
from engine.runtime.progress import Silent

QUICK = FitSettings(iterations=120)


@pytest.fixture(scope="module")
def walker(body):
    return walk(body, seconds=1.2)


@pytest.fixture(scope="module")
def walk_fit(body, walker):
    return fitted(body, seen(body, walker, noise_px=1.5), walker)


def fitted(body, track, who, settings=QUICK):
    return FitBackbone(settings).predict(track, who.camera, body, Silent())


def joints_of(body, prediction):
    values = (prediction.rotations, prediction.betas, prediction.transl)
    return body.joints(*(torch.as_tensor(value) for value in values)).numpy()


def error_mm(body, prediction, who):
    off = hip_centred(joints_of(body, prediction)) - hip_centred(who.joints)
    return 1000 * np.linalg.norm(off[:, LIMB_JOINTS], axis=-1).mean()


def is_sound(prediction, rows):
    assert prediction.rotations.shape == (rows, 24, 3, 3)
    assert prediction.transl.shape == (rows, 3)
    for name in Prediction.__dataclass_fields__:
        assert np.isfinite(getattr(prediction, name)).all(), name
    eye = prediction.rotations @ prediction.rotations.swapaxes(-1, -2)
    assert np.allclose(eye, np.eye(3), atol=1e-4)
    assert np.allclose(np.linalg.det(prediction.rotations), 1, atol=1e-3)
    assert (prediction.transl[:, 2] > 0.3).all()


def test_a_walk_is_recovered(body, walker, walk_fit):
    is_sound(walk_fit, len(walker.times))
    assert error_mm(body, walk_fit, walker) < 35
    assert walk_fit.residual_px.mean() < 8
    path = joints_of(body, walk_fit)[:, 0]
    assert np.linalg.norm((path - walker.joints[:, 0]), axis=1).mean() < 0.3
    assert (walk_fit.joint_confidence > 0.9).all()


def test_mirrored_in_mirrored_out(body, walker, walk_fit):
    track = seen(body, walker, noise_px=1.5)
    other = [swap_side(name) for name in track.keypoint_names]
    order = [track.keypoint_names.index(name) for name in other]
    keypoints, landmarks, boxes = (
        track.keypoints[:, order].copy(),
        track.landmarks3d[:, order].copy(),
        track.boxes.copy(),
    )
    keypoints[..., 0] = SIZE[0] - keypoints[..., 0]
    landmarks[..., 0] *= -1
    boxes[:, [0, 2]] = SIZE[0] - boxes[:, [2, 0]]
    mirrored = fitted(body, replace(track, keypoints=keypoints, landmarks3d=landmarks, boxes=boxes), walker)
    joint_order = [JOINT_NAMES.index(swap_side(name)) for name in JOINT_NAMES]
    back = joints_of(body, mirrored)[:, joint_order] * [-1, 1, 1]
    off = np.linalg.norm(hip_centred(back) - hip_centred(joints_of(body, walk_fit)), axis=-1)
    assert 1000 * off.mean() < 12


def swap_side(name):
    return name.replace("left", "L").replace("right", "left").replace("L", "right")


def test_someone_who_stands_still_stays_still(body):
    who = stand(body, seconds=0.8)
    joints = joints_of(body, fitted(body, seen(body, who), who))
    assert 1000 * np.ptp(joints, axis=0).max() < 8


def test_twice_the_rate_gives_the_same_motion(body):
    slow, fast = (walk(body, seconds=1.0, rate=rate) for rate in (25.0, 50.0))
    first = joints_of(body, fitted(body, seen(body, slow), slow))
    second = joints_of(body, fitted(body, seen(body, fast), fast))
    assert len(second) == 2 * len(first)
    assert 1000 * np.linalg.norm(hip_centred(second[::2]) - hip_centred(first), axis=-1).mean() < 12


def test_the_same_input_gives_the_same_bytes(body, walker):
    track = seen(body, walker, noise_px=1.5)
    settings = FitSettings(iterations=10)
    first, second = (fitted(body, track, walker, settings) for _ in range(2))
    assert np.array_equal(first.rotations, second.rotations)
    assert np.array_equal(first.transl, second.transl)


def test_windows_join_without_a_step(body):
    who = walk(body, seconds=2.2)
    settings = FitSettings(iterations=120, window_s=1.0, overlap_s=0.4)
    assert len(spans(torch.as_tensor(who.times), settings.window_s, settings.overlap_s)) == 3
    prediction = fitted(body, seen(body, who, noise_px=1.0), who, settings)
    is_sound(prediction, len(who.times))
    assert error_mm(body, prediction, who) < 40
    jumps, true_jumps = (
        np.linalg.norm(np.diff(x, 2, axis=0), axis=-1).max() for x in (joints_of(body, prediction), who.joints)
    )
    assert jumps < true_jumps + 0.02


@pytest.mark.parametrize("names", [BODY_25, COCO_17])
def test_keypoints_without_depth(body, names):
    who = walk(body, seconds=1.0, heading_degrees=30.0)
    prediction = fitted(
        body, seen(body, who, names=names, with_depth=False, noise_px=1.0), who, FitSettings(iterations=250)
    )
    is_sound(prediction, len(who.times))
    assert error_mm(body, prediction, who) < 90
    facing, true_facing = (x.rotations[:, 0, :, 2] for x in (prediction, who.prediction))
    assert ((facing * true_facing).sum(1) > 0.8).all()


def test_a_hidden_lower_body_hangs_down(body):
    who = stand(body, seconds=0.8)
    hidden = [f"{side}_{part}" for side in ("left", "right") for part in ("knee", "ankle", "heel", "foot_index")]
    prediction = fitted(body, unseen(seen(body, who), names=hidden), who)
    is_sound(prediction, len(who.times))
    joints = joints_of(body, prediction)
    ankle, hip, head = (joints[:, JOINT_NAMES.index(name)] for name in ("left_ankle", "left_hip", "head"))
    down = (ankle - hip) @ -who.up
    assert (down > 0.6).all()
    assert ((head - hip) @ who.up > 0.4).all()
    assert (prediction.joint_confidence[:, JOINT_NAMES.index("left_knee")] == 0).all()


def test_a_gap_is_bridged(body):
    who = walk(body, seconds=1.6)
    gap = slice(18, 30)
    prediction = fitted(body, unseen(seen(body, who), gap), who)
    is_sound(prediction, len(who.times))
    path, truth = joints_of(body, prediction)[gap, 0], who.joints[gap, 0]
    assert np.linalg.norm(path - truth, axis=1).max() < 0.35
    assert (prediction.joint_confidence[gap] == 0).all()
    assert (prediction.residual_px[gap] == 0).all()


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_hardly_any_frames(body, walker, rows):
    track = seen(body, walker)
    few = {
        name: getattr(track, name)[:rows]
        for name in ("frame_indices", "timestamps", "keypoints", "landmarks3d", "boxes", "detected")
    }
    prediction = fitted(body, replace(track, **few), walker)
    is_sound(prediction, rows)
    short = replace(walker, joints=walker.joints[:rows])
    assert error_mm(body, prediction, short) < 60


def test_no_keypoint_at_all(body, walker):
    track = unseen(seen(body, walker))
    prediction = fitted(body, track, walker)
    is_sound(prediction, len(walker.times))
    assert (prediction.joint_confidence == 0).all()


def test_a_flipped_frame_does_not_turn_the_body(body, walker):
    track = seen(body, walker)
    landmarks = track.landmarks3d.copy()
    landmarks[10:13] *= [-1, 1, -1]
    prediction = fitted(body, replace(track, landmarks3d=landmarks), walker)
    assert error_mm(body, prediction, walker) < 40


def test_low_confidence_is_not_seen(body, walker):
    track = seen(body, walker)
    keypoints = track.keypoints.copy()
    keypoints[:, 3, 2] = 0.29
    evidence = gather(replace(track, keypoints=keypoints), walker.camera.intrinsics, body.landmark_names)
    assert (evidence.weights[:, evidence.names.index(track.keypoint_names[3])] == 0).all()
    assert (evidence.weights[:, evidence.names.index("left_knee")] > 0.9).all()


def test_joints_are_as_sure_as_their_keypoints(body, walker):
    track = seen(body, walker)
    keypoints = track.keypoints.copy()
    keypoints[:, track.keypoint_names.index("left_wrist"), 2] = 0.4
    prediction = fitted(body, replace(track, keypoints=keypoints), walker, FitSettings(iterations=1))
    assert np.allclose(prediction.joint_confidence[:, JOINT_NAMES.index("left_wrist")], 0.4)
    assert np.allclose(prediction.joint_confidence[:, JOINT_NAMES.index("left_knee")], 0.95)


def test_a_set_of_points_without_limbs_gives_someone_who_stands(body, walker):
    track = seen(body, walker)
    names = ("nose", "left_ear", "right_ear")
    face = [track.keypoint_names.index(name) for name in names]
    few = {name: getattr(track, name)[:, face] for name in ("keypoints", "landmarks3d")}
    prediction = fitted(body, replace(track, keypoint_names=names, **few), walker)
    is_sound(prediction, len(walker.times))


def test_progress_can_cancel(body, walker):
    class Cancelling(Silent):
        calls = 0

        def __call__(self, done, total):
            assert 0 <= done <= total
            self.calls += 1
            if self.calls == 7:
                raise CancelledError("stopped")

    with pytest.raises(CancelledError):
        FitBackbone(QUICK).predict(seen(body, walker), walker.camera, body, Cancelling())


def test_splines_follow_curves_at_uneven_times():
    times = torch.cumsum(torch.rand(80, generator=torch.Generator().manual_seed(0)).double() * 0.04 + 0.005, 0)
    spline = Spline.over(times, 0.1)
    assert torch.allclose(spline.basis.sum(1), torch.ones(80))
    values = torch.sin(3 * times)[:, None].float()
    weights = torch.ones(80)
    weights[30:36] = 0
    control = spline.approximate(torch.where(weights[:, None] > 0, values, torch.nan), weights, 1e-4)
    assert (spline.basis @ control - values).abs().max() < 0.05
    middle = slice(2, -2)
    inner = spline.acceleration(control)[middle, 0]
    assert (inner.abs() < 15).all()  # 9 in truth


def test_windows_cover_every_row_and_blend_to_what_they_agree_on():
    times = torch.arange(1000).double() / 30
    windows = spans(times, 10.0, 1.5)
    assert windows[0].start == 0
    assert windows[-1].stop == 1000
    assert all(a.stop - b.start > 30 for a, b in pairwise(windows))
    line = torch.arange(1000.0)[:, None]
    assert torch.allclose(blend([(span, line[span]) for span in windows], 1000), line, atol=1e-3)
    steps = blend(
        [(span, torch.full((span.stop - span.start, 1), float(number))) for number, span in enumerate(windows)], 1000
    )
    assert steps.diff(dim=0).max() < 0.05


def test_a_motion_that_is_not_finite_has_no_floor(body):
    turns, transl = torch.eye(3).expand(9, 24, 3, 3), torch.zeros(9, 3)
    times = torch.arange(9) / 30
    assert Floor.under(turns, transl, torch.zeros(10), body, times) is not None
    assert Floor.under(turns, transl.log() * 0, torch.zeros(10), body, times) is None
