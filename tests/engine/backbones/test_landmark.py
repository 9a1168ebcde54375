"""The backbone `landmark`: what it must do for any track, with small untrained networks; figures are in its card."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from synthetic_people import LIMB_JOINTS, hip_centred, seen, unseen, walk

from engine.backbones.landmark import (
    LANDMARK_WEIGHTS,
    WINDOW,
    LandmarkBackbone,
    predict_rows,
    read_network,
    weights_key,
    window_rows,
)
from engine.backbones.landmark_network import LandmarkNetwork, NetworkShape
from engine.backbones.observation import observe
from engine.backbones.track_view import view_of
from engine.errors import CancelledError, ModelFileError
from engine.keypoints.joint_sets import BODY_25, COCO_17
from engine.runtime.progress import Silent

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def backbone():
    return LandmarkBackbone(lively_network())


def lively_network(seed=0):
    """Untrained, but with answers that depend on everything."""
    torch.manual_seed(seed)
    network = LandmarkNetwork(NetworkShape(width=32, layers=2, heads=4))
    with torch.no_grad():
        network.frame_head.weight.normal_(0, 0.1)
        network.shape_head.weight.normal_(0, 0.1)
    return network


def scene(body, seconds=3.0, **options):
    person = walk(body, seconds=seconds)
    return seen(body, person, **options), person.camera


def repeated(track, times):
    """The same again and again, at 30 frames a second."""
    fields = ("keypoints", "landmarks3d", "boxes", "detected")
    rows = len(track.timestamps) * times
    return replace(
        track,
        **{name: np.concatenate([getattr(track, name)] * times) for name in fields},
        timestamps=np.arange(rows) / 30,
        frame_indices=np.arange(rows),
    )


def finite(prediction):
    return all(np.isfinite(value).all() for value in vars(prediction).values())


def test_every_row_gets_rotations_shape_and_place(body, backbone):
    track, camera = scene(body)
    out = backbone.predict(track, camera, body, Silent())
    rows = len(track.timestamps)
    assert out.rotations.shape == (rows, 24, 3, 3)
    assert out.transl.shape == (rows, 3)
    assert out.betas.shape == (10,)
    assert out.joint_confidence.shape == (rows, 24)
    assert out.residual_px.shape == (rows,)
    assert all(value.dtype == np.float32 for value in vars(out).values())
    identity = np.broadcast_to(np.eye(3), out.rotations.shape)
    np.testing.assert_allclose(out.rotations @ np.swapaxes(out.rotations, -1, -2), identity, atol=1e-5)
    assert finite(out)
    assert out.joint_confidence.min() > 0.5


def test_the_pelvis_lies_where_the_network_says(body, backbone):
    """On the ray through the virtual camera, as deep as exp(log depth) half-boxes are wide."""
    track, camera = scene(body, seconds=1.0)
    bound = backbone.bind(track, camera, body, CPU)
    rows = torch.arange(20)[None]
    batch = bound(rows)
    output = backbone.network(bound.view.features[rows], bound.view.times_s[rows], body)
    pelvis = body.joints(batch.rotations[0], batch.betas[0], batch.transl[0])[:, 0]
    depth = output.log_depth[0].exp() / bound.view.scale[:20]
    virtual = (bound.view.turn[:20].mT @ pelvis[..., None])[..., 0]
    torch.testing.assert_close(virtual[:, 2], depth, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(
        virtual[:, :2] / depth[:, None], output.offset[0] * bound.view.scale[:20, None], atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize("names", [COCO_17, BODY_25])
def test_other_keypoint_sets_without_3d(body, backbone, names):
    track, camera = scene(body, seconds=1.0, names=list(names), with_depth=False)
    view = view_of(track, camera, CPU)
    points = view.features[:, :198].reshape(-1, 33, 6)
    assert (points[:, 0, 2] > 0.9).all()  # the nose is seen
    assert (points[:, 17, 2] == 0).all()
    assert (points[..., 3:] == 0).all()
    toes = points[:, 31, 2]
    assert (toes > 0.9).all() if "left_big_toe" in names else (toes == 0).all()
    assert finite(backbone.predict(track, camera, body, Silent()))


def test_gaps_are_bridged_with_finite_numbers(body, backbone):
    track, camera = scene(body)
    gap = unseen(track, slice(20, 60))
    out = backbone.predict(gap, camera, body, Silent())
    assert finite(out)
    assert (out.joint_confidence[20:60] == 0).all()


@pytest.mark.parametrize("rows", [1, 2, 3, 7])
def test_short_clips(body, backbone, rows):
    track, camera = scene(body)
    fields = ("frame_indices", "timestamps", "keypoints", "landmarks3d", "boxes", "detected")
    short = replace(track, **{name: getattr(track, name)[:rows] for name in fields})
    out = backbone.predict(short, camera, body, Silent())
    assert finite(out)
    assert len(out.rotations) == rows


def test_nothing_seen_at_all_and_damaged_keypoints(body, backbone):
    track, camera = scene(body, seconds=1.0)
    assert finite(backbone.predict(unseen(track), camera, body, Silent()))
    keypoints = track.keypoints.copy()
    keypoints[3], keypoints[4, :, :2], keypoints[5, 2] = np.nan, 1e6, np.nan
    assert finite(backbone.predict(replace(track, keypoints=keypoints), camera, body, Silent()))


def test_parts_of_a_long_track_look_as_if_all_of_it_was_looked_at_at_once(body):
    """Rows are prepared in chunks; at their borders and across long gaps nothing shows."""
    track, camera = scene(body, seconds=2.0)
    track = unseen(repeated(track, 20), slice(500, 1000))
    whole = view_of(track, camera, CPU)
    points = torch.from_numpy(np.where(track.detected[:, None, None], track.keypoints, 0))
    direct = observe(
        points[None],
        torch.from_numpy(track.landmarks3d)[None],
        torch.as_tensor(camera.intrinsics).float(),
        whole.times_s[None],
    )
    seen_rows = torch.from_numpy(track.detected)
    torch.testing.assert_close(whole.features[seen_rows], direct.features[0, seen_rows], rtol=0, atol=1e-3)
    torch.testing.assert_close(whole.scale, direct.scale[0], rtol=0.2, atol=0)
    assert whole.scale[500:1000].log().diff().abs().max() < 0.05


def test_no_seams_between_windows(body):
    """With a network that says the same of every row of a window, but something else of each window, rows differ little
    from their neighbours: windows fade into each other."""
    track, camera = scene(body, seconds=20.0)
    backbone = LandmarkBackbone(lively_network())
    bound = backbone.bind(track, camera, body, CPU)

    def flat(rows):
        batch = backbone.bind(track, camera, body, CPU)(rows)
        middle = [value[:, :1].expand_as(value) for value in (batch.rotations, batch.betas, batch.transl)]
        return type(batch)(*middle, None)

    class Flat:
        rest_pelvis = bound.rest_pelvis
        __call__ = staticmethod(flat)

    motion = predict_rows(Flat(), bound.view, Silent())
    jumps = motion.rotations.diff(dim=0).abs().amax((1, 2, 3))
    whole = motion.rotations[::30].diff(dim=0).abs().amax()
    assert jumps.max() < 0.15 * whole


def test_windows_follow_the_time_not_the_count():
    assert window_rows(torch.arange(500) / 30) == WINDOW
    assert window_rows(torch.arange(500) / 10) == 25
    assert window_rows(torch.arange(500) / 0.1) == 2
    assert window_rows(torch.arange(40) / 30) == 40
    assert window_rows(torch.arange(1) / 30) == 1


def test_rows_of_other_segments_change_nothing(body, backbone):
    track, camera = scene(body)
    bound = backbone.bind(track, camera, body, CPU)
    one, other = torch.arange(0, 30)[None], torch.arange(40, 70)[None]
    with torch.no_grad():
        together, alone = bound(torch.cat((one, other))), bound(one)
    torch.testing.assert_close(together.rotations[:1], alone.rotations, atol=1e-5, rtol=0)
    torch.testing.assert_close(together.transl[:1], alone.transl, atol=1e-4, rtol=0)
    assert alone.betas.shape == (1, 30, 10)
    assert alone.contact_logits.shape == (1, 30, 4)


def test_gradients_reach_every_weight_and_the_backbone_stays_as_it_is(body, backbone):
    track, camera = scene(body, seconds=1.0)
    before = {name: value.clone() for name, value in backbone.network.state_dict().items()}
    bound = backbone.bind(track, camera, body, CPU)
    kept = bound.state()
    batch = bound(torch.arange(30)[None])
    marks = body.landmarks(batch.rotations[0], batch.betas[0], batch.transl[0])
    (marks.square().sum() + batch.contact_logits.square().sum()).backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in bound.parameters())
    optimiser = torch.optim.SGD(bound.parameters(), lr=0.1)
    optimiser.step()
    assert any((bound.state()[name] != value).any() for name, value in kept.items())
    bound.restore(kept)
    assert all((bound.state()[name] == value).all() for name, value in kept.items())
    assert all((backbone.network.state_dict()[name] == value).all() for name, value in before.items())


def test_cancelling_stops_a_prediction(body, backbone):
    class Cancelled(Silent):
        def __call__(self, done, total):
            raise CancelledError("cancelled")

    track, camera = scene(body, seconds=1.0)
    with pytest.raises(CancelledError):
        backbone.predict(track, camera, body, Cancelled())


@pytest.mark.slow
def test_ten_minutes_take_no_memory_by_the_square(body, backbone):
    track, camera = scene(body, seconds=2.0)
    long = repeated(track, 300)
    assert len(long.timestamps) == 18000
    view = view_of(long, camera, CPU)  # a kernel of all rows by all would take 1.3 GB a copy
    motion = predict_rows(backbone.bind(long, camera, body, CPU), view, Silent())
    assert motion.rotations.isfinite().all()


def test_weights_come_back_from_a_file(tmp_path, body):
    network = lively_network().half()
    path = tmp_path / "weights.safetensors"
    save_file(network.state_dict(), path)
    loaded = read_network(path)
    assert loaded.shape.width == 32
    assert loaded.shape.layers == 2
    assert all((value.half() == network.state_dict()[name]).all() for name, value in loaded.state_dict().items())


def test_bad_weights_are_refused(tmp_path):
    path = tmp_path / "weights.safetensors"
    with pytest.raises(ModelFileError, match="cannot be read"):
        LandmarkBackbone.from_file(path)
    with pytest.raises(ModelFileError, match="cannot be read"):
        weights_key(path)
    path.write_bytes(b"not weights")
    with pytest.raises(ModelFileError, match="cannot be read"):
        LandmarkBackbone.from_file(path)
    save_file({"something": torch.zeros(3)}, path)
    with pytest.raises(ModelFileError, match="another network"):
        LandmarkBackbone.from_file(path)
    save_file(lively_network().state_dict(), path)
    weights = load_file(path)
    weights["norm.weight"][3] = float("nan")
    save_file(weights, path)
    with pytest.raises(ModelFileError, match="no numbers"):
        LandmarkBackbone.from_file(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ModelFileError, match="cannot be read"):
        LandmarkBackbone.from_file(path)


@pytest.fixture(scope="module")
def shipped():
    return LandmarkBackbone.from_file()


def test_shipped_weights_see_a_walk(body, shipped):
    """Nothing to compare with the card: keypoints without the detector's errors, which the network has never seen."""
    person = walk(body, seconds=2.0)
    out = shipped.predict(seen(body, person), person.camera, body, Silent())
    joints = body.joints(*(torch.as_tensor(value) for value in (out.rotations, out.betas, out.transl))).numpy()
    limbs = list(LIMB_JOINTS)
    errors = np.linalg.norm(hip_centred(joints)[:, limbs] - hip_centred(person.joints)[:, limbs], axis=-1)
    assert errors.mean() < 0.12
    far = np.linalg.norm(joints[:, 0] - person.joints[:, 0], axis=-1) / person.joints[:, 0, 2]
    assert far.mean() < 0.15
    assert np.linalg.det(out.rotations).min() > 0.99


def test_shipped_weights_are_of_the_usual_shape_and_take_little_disk(shipped):
    count = sum(weight.numel() for weight in shipped.network.parameters())
    assert count == sum(weight.numel() for weight in LandmarkNetwork(NetworkShape()).parameters())
    assert LANDMARK_WEIGHTS.stat().st_size < 12e6
    assert LANDMARK_WEIGHTS.with_suffix(".md").is_file()
