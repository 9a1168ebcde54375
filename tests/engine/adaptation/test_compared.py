"""BOA, DynaBOA and DAPA on people whose true motion is known, over the shipped network and over small ones."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from small_networks import WavesNetwork
from synthetic_people import SIZE, seen, stand, unseen, walk
from torch import nn

from engine.adaptation.baselines import compared, online
from engine.adaptation.baselines import dapa as dapa_module
from engine.adaptation.baselines.compared import adapt
from engine.adaptation.baselines.drawn import drawn, perturbed
from engine.adaptation.baselines.exemplars import Exemplars
from engine.adaptation.baselines.online import BOA, DYNABOA, Online
from engine.adaptation.baselines.person import Person
from engine.adaptation.baselines.source import Source, read_source, source_key
from engine.adaptation.baselines.terms import keypoint_term
from engine.adaptation.evidence import Seen
from engine.adaptation.priors import Priors
from engine.adaptation.settings import AdaptationSettings
from engine.adaptation.track_inference import Estimate
from engine.backbones.crop_backbone import CropBackbone
from engine.backbones.crop_network import CropNetwork, CropPrediction
from engine.backbones.crop_settings import CropSettings
from engine.backbones.crops import CropStyle, frame_to_crop
from engine.backbones.landmark import LandmarkBackbone
from engine.body.rotations import axis_angle_to_matrix, matrix_to_axis_angle, six_to_matrix
from engine.camera.pinhole import project
from engine.errors import CancelledError, UsageError
from engine.files.atomic import write_arrays
from engine.footage.decoding import Frame
from engine.runtime.progress import Silent

CPU = torch.device("cpu")
ROWS = 20


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def someone(body):
    return walk(body, seconds=ROWS / 30)


@pytest.fixture(scope="module")
def track(body, someone):
    return seen(body, someone, noise_px=2.0)


@pytest.fixture(scope="module")
def landmark():
    return LandmarkBackbone.from_file()


def settings(strategy, **more):
    return AdaptationSettings(strategy=strategy, epochs=2, least_steps=2, batch=2, **more)


def source_of(body, *people):
    """The people as a source set, seen without noise."""
    poses, betas, transl, times, keypoints, marks = [], [], [], [], [], []
    for one in people:
        prediction, view = one.prediction, seen(body, one)
        poses.append(matrix_to_axis_angle(torch.as_tensor(prediction.rotations)).flatten(1).numpy())
        betas.append(prediction.betas)
        transl.append(prediction.transl)
        times.append(one.times)
        keypoints.append(view.keypoints)
        marks.append(view.landmarks3d)
    lens = [one.camera.intrinsics for one in people]
    parts = (np.stack(part).astype(np.float32) for part in (poses, betas, transl, lens, times, keypoints, marks))
    return Source(*parts)


def run(strategy, network, track, someone, body, progress=None, source=None, **more):
    return adapt(
        network, track, someone.camera, body, [], Priors(), settings(strategy, **more), 0, progress or Silent(),
        source=source,
    )  # fmt: skip


def same(one, other):
    return all(
        np.array_equal(getattr(one.prediction, name), getattr(other.prediction, name)) for name in vars(one.prediction)
    )


@pytest.mark.parametrize("strategy", ["boa", "dynaboa", "dapa"])
def test_the_2d_comes_nearer_and_the_network_keeps_its_weights(strategy, body, someone, track, landmark):
    source = source_of(body, someone, stand(body, seconds=ROWS / 30)) if strategy == "dynaboa" else None
    network = landmark.bind(track, someone.camera, body, CPU)
    before = network.state()
    result = run(strategy, network, track, someone, body, source=source)
    assert result.prediction.residual_px.mean() < result.initial.residual_px.mean()
    assert all(torch.equal(value, before[name]) for name, value in network.state().items())
    assert result.history[-1]["steps"] > 0
    assert not result.similarity.any()
    again = run(strategy, landmark.bind(track, someone.camera, body, CPU), track, someone, body, source=source)
    assert same(result, again), "the same seed, the same motion"


def test_boa_does_not_look_ahead(body, someone, track, landmark):
    """What comes later changes nothing of the frames before. The person's box, which is smooth over time, stays."""
    moved = track.keypoints.copy()
    moved[12:, track.keypoint_names.index("left_hip"), 1] += 15

    def rotations(one):
        person = person_of(landmark.bind(one, someone.camera, body, CPU), one, someone, body)
        return Online(person, BOA).run()[0].rotations

    whole, part = rotations(track), rotations(replace(track, keypoints=moved))
    assert torch.equal(whole[:12], part[:12])
    assert not torch.equal(whole[12:], part[12:])


def person_of(network, track, someone, body, strategy="boa"):
    times = torch.from_numpy(np.asarray(track.timestamps, np.float64))
    evidence = Seen.of(track, someone.camera, body, CPU)
    return Person(network, evidence, times, someone.camera, body, settings(strategy), 0, CPU, lambda *_: None)


def spoilt(someone, by=0.15):
    turn = torch.randn(1, 24, 3, generator=torch.Generator().manual_seed(3)) * by
    return replace(someone.prediction, rotations=someone.prediction.rotations @ axis_angle_to_matrix(turn).numpy())


def test_the_upper_gradient_is_taken_at_the_probe_and_applied_at_the_weights(body, someone, track):
    network = WavesNetwork(spoilt(someone), someone.times)
    rule = replace(BOA, lower_rate=1e-2, rate=1e-3, motion=0.0)
    stream = Online(person_of(network, track, someone, body), rule)
    (weight,) = network.parameters()
    start = weight.detach().clone()

    def lower():
        return stream._frame_terms(stream._posed(network(stream._rows(0, 0)), [-1]), [0])

    (first,) = torch.autograd.grad(lower(), weight)
    with torch.no_grad():
        weight.copy_(start - 1e-2 * first)
    (second,) = torch.autograd.grad(stream._upper(0, None), weight)
    with torch.no_grad():
        weight.copy_(start)
    stream._adapt(0)
    # Adam's first step goes against the sign of the gradient, by the rate
    moved = weight.detach() - start
    sure = second.abs() > 1e-6
    torch.testing.assert_close(moved[sure], -1e-3 * second.sign()[sure], rtol=1e-2, atol=1e-6)
    torch.testing.assert_close(stream.teacher[0], torch.lerp(start, weight.detach(), 0.9))


def test_dynaboa_takes_the_nearest_exemplar_and_updates_until_the_features_stand_still(body, someone, landmark):
    still = stand(body, seconds=ROWS / 30)
    source, track = source_of(body, someone, still), seen(body, still)
    network = landmark.bind(track, still.camera, body, CPU)
    person = person_of(network, track, still, body, "dynaboa")
    counts = []
    for threshold in (2.0, 0.0):
        stream = Online(person, replace(DYNABOA, still=threshold), source.exemplars(network))
        features = network(torch.arange(ROWS)[None]).features[0, -1].detach()
        assert stream._nearest(features).tolist() == [1], "whoever stands is like the one who stands"
        stream.run()
        counts.append(stream.updates)
    assert counts == [ROWS, ROWS * 8]


def test_guidance_is_least_at_the_truth(body, someone):
    truth = someone.prediction
    parts = [torch.as_tensor(value) for value in (truth.rotations, truth.betas, truth.transl)]
    rows = torch.arange(ROWS)[None]
    right, wrong = (
        Exemplars(WavesNetwork(one, someone.times), rows, parts[0], parts[1].expand(ROWS, 10), parts[2])
        for one in (truth, spoilt(someone))
    )
    places = torch.arange(33)
    chosen = torch.tensor([0])
    assert right.guidance(chosen, body, places).item() == pytest.approx(0, abs=1e-6)
    assert wrong.guidance(chosen, body, places).item() > 0.01


def test_keypoints_are_counted_in_halves_of_the_box():
    points = torch.tensor([[[10.0, 0.0], [0.0, 0.0]]])
    term = keypoint_term(points, torch.zeros(1, 2, 2), torch.tensor([[1.0, 0.0]]), torch.tensor([40.0]))
    assert float(term) == pytest.approx((10 / 20) ** 2 / 4)


def test_drawn_people_are_seen_as_the_clip_was(body, someone, track, landmark):
    """In the drawn poses, with the clip's misses, and unseen where the clip's person is."""
    hidden = unseen(track, names=("left_knee", "left_ankle"))
    network = landmark.bind(hidden, someone.camera, body, CPU)
    person = person_of(network, hidden, someone, body)
    truth = someone.prediction
    betas = torch.as_tensor(truth.betas).expand(ROWS, 10)
    motion = Estimate(torch.as_tensor(truth.rotations), betas, torch.as_tensor(truth.transl))
    made = drawn(person, motion, torch.arange(ROWS)[None], torch.Generator().manual_seed(0))
    assert not torch.equal(made.rotations, motion.rotations)
    confidence = made.network.view.features[:, : 33 * 6].reshape(ROWS, 33, 6)[..., 2]
    assert not confidence[:, [hidden.keypoint_names.index("left_knee")]].any()
    with torch.no_grad():
        predicted = made.network(torch.arange(ROWS)[None]).rotations[0]
    places = [body.joints(one, betas)[:, 1:] - body.joints(one, betas)[:, :1] for one in (predicted, made.rotations)]
    places.append(body.joints(motion.rotations, betas)[:, 1:] - body.joints(motion.rotations, betas)[:, :1])
    to_drawn, to_clip = ((places[0] - one).norm(dim=-1).mean() for one in places[1:])
    assert to_drawn < 0.7 * to_clip, "the network sees the drawn pose, not the clip's"


def test_perturbed_poses_change_slowly(someone):
    truth = someone.prediction
    motion = Estimate(torch.as_tensor(truth.rotations), torch.zeros(ROWS, 10), torch.as_tensor(truth.transl))
    turned = perturbed(motion, 1 / 30, torch.Generator().manual_seed(0))
    turn = matrix_to_axis_angle(motion.rotations.mT @ turned.rotations)
    assert 0.1 < float(turn.norm(dim=-1).mean()) < 0.6
    assert float(turn.diff(dim=0).norm(dim=-1).max()) < 0.1


def test_dynaboa_says_that_it_needs_a_source(body, someone, track, landmark):
    with pytest.raises(UsageError, match="needs a source set"):
        run("dynaboa", landmark.bind(track, someone.camera, body, CPU), track, someone, body)


def test_a_source_set_is_read_again_as_it_was_written(tmp_path, body, someone, landmark, track):
    source = source_of(body, someone)
    write_arrays(tmp_path / "source.npz", {name: part for name, part in vars(source).items() if part is not None})
    again = read_source(tmp_path / "source.npz")
    assert np.array_equal(again.keypoints, source.keypoints)
    assert source_key(str(tmp_path / "source.npz")) != source_key(str(tmp_path / "bad.npz")) == source_key("") == ""
    (tmp_path / "bad.npz").write_bytes(b"nothing")
    with pytest.raises(UsageError, match="cannot be read as a source set"):
        read_source(tmp_path / "bad.npz")
    with pytest.raises(UsageError, match="no keypoints"):
        replace(source, keypoints=None).exemplars(landmark.bind(track, someone.camera, body, CPU))
    with pytest.raises(UsageError, match="cannot look at"):
        source.exemplars(WavesNetwork(someone.prediction, someone.times))


class Stop(Silent):
    def __call__(self, done, total):
        if done > 2:
            raise CancelledError("stopped")


@pytest.mark.parametrize("strategy", ["boa", "dapa"])
def test_it_can_be_cancelled_and_the_weights_are_put_back(strategy, body, someone, track, landmark):
    network = landmark.bind(track, someone.camera, body, CPU)
    before = network.state()
    with pytest.raises(CancelledError):
        run(strategy, network, track, someone, body, progress=Stop())
    assert all(torch.equal(value, before[name]) for name, value in network.state().items())


class Small(CropNetwork):
    """A picture network at a thousandth of the cost."""

    crop_style = CropStyle(size=32, widest=1.0, blurred=False, whole_greys=False)

    def __init__(self):
        super().__init__()
        self.look = nn.Sequential(nn.Conv2d(3, 4, 8, stride=8), nn.ReLU(), nn.Flatten(), nn.Linear(64, 16))
        self.tell = nn.Linear(16, 157)

    def forward(self, crops):
        features = self.look(crops)
        out = self.tell(features)
        upright = torch.tensor([1.0, 0, 0, 0, -1.0, 0])
        camera = torch.cat((0.9 + 0.1 * torch.tanh(out[:, 154:155]), 0.1 * out[:, 155:]), 1)
        return CropPrediction(
            six_to_matrix(upright + 0.3 * out[:, :144].reshape(-1, 24, 6)), out[:, 144:154], camera, features
        )


def noise(index):
    return np.random.default_rng(index).integers(0, 255, (SIZE[1] // 4, SIZE[0] // 4, 3)).repeat(4, 0).repeat(4, 1)


def bound_to_pictures(track, someone, body):
    torch.manual_seed(0)
    network = Small()
    backbone = CropBackbone(
        lambda half: network,
        lambda: (Frame(row, row / 30, noise(row).astype(np.uint8)) for row in range(ROWS)),
        CropSettings(dropout=False, crops_at_once=8),
        Silent(),
    )
    return backbone.bind(track, someone.camera, body, CPU)


@pytest.mark.parametrize("strategy", ["boa", "dynaboa", "dapa"])
def test_picture_networks_are_adapted_too(strategy, tmp_path, monkeypatch, body, someone, track):
    # rates of a trained ResNet would move so small a network by nothing
    for name in ("BOA", "DYNABOA"):
        rule = replace(getattr(online, name), lower_rate=1e-3, rate=3e-3, more_updates=1 if name == "DYNABOA" else 0)
        monkeypatch.setattr(compared, name, rule)
    monkeypatch.setattr(dapa_module, "_RATE", 3e-3)
    source = None
    if strategy == "dynaboa":
        source = read_source(write_pictures(tmp_path, someone))
    network = bound_to_pictures(track, someone, body)
    result = run(strategy, network, track, someone, body, source=source)
    assert result.prediction.residual_px.mean() < result.initial.residual_px.mean()
    assert np.isfinite(result.prediction.rotations).all()


def write_pictures(folder, someone):
    """A source set of three pictures, each with a camera of its own."""
    truth, count = someone.prediction, 3
    lens = np.stack([someone.camera.intrinsics * [[1 + row / 10], [1 + row / 10], [1]] for row in range(count)])
    for row in range(count):
        cv2.imwrite(str(folder / f"{row}.png"), noise(100 + row).astype(np.uint8))
    arrays = {
        "poses": matrix_to_axis_angle(torch.as_tensor(truth.rotations[:count])).reshape(count, 1, 72).numpy(),
        "betas": np.repeat(truth.betas[None], count, 0),
        "transl": truth.transl[:count, None],
        "intrinsics": lens,
        "pictures": np.array([f"{row}.png" for row in range(count)]),
        "boxes": np.tile([100.0, 50, 300, 400], (count, 1)),
    }
    write_arrays(folder / "source.npz", arrays)
    return folder / "source.npz"


def test_the_body_is_drawn_into_the_crop_where_it_is(body, someone, track):
    network = bound_to_pictures(track, someone, body)
    person = person_of(network, track, someone, body, "dapa")
    truth = someone.prediction
    betas = torch.as_tensor(truth.betas).expand(ROWS, 10)
    motion = Estimate(torch.as_tensor(truth.rotations), betas, torch.as_tensor(truth.transl))
    made = drawn(person, motion, torch.arange(ROWS)[None], torch.Generator().manual_seed(0))
    rows = torch.arange(ROWS)
    before, after = network.store.read(rows), made.network.store.read(rows)
    changed = (before != after).any(1)
    assert 0.05 < float(changed.float().mean()) < 0.6
    joints = body.joints(made.rotations, made.betas, made.transl)
    pelvis = project(joints[:, :1], torch.as_tensor(someone.camera.intrinsics))
    column, row = (
        frame_to_crop(pelvis, torch.as_tensor(network.squares), Small.crop_style)[:, 0].round().long().unbind(-1)
    )
    assert changed[rows, row, column].all()


def test_a_missing_picture_of_a_source_set_is_named(tmp_path, body, someone, track):
    path = write_pictures(tmp_path, someone)
    (tmp_path / "1.png").unlink()
    with pytest.raises(UsageError, match=r"1\.png"):
        read_source(path).exemplars(bound_to_pictures(track, someone, body))
