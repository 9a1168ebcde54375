"""HMR and HMR2.0 as backbones: crops, the full frame's camera, gradients in bounded memory, weights put back."""

import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch
from published_files import write_hmr
from torch import nn

from engine.backbones.crop_backbone import CropBackbone, CropPoseNetwork, PictureInputs, crop_backbone, half_dtype
from engine.backbones.crop_network import CropNetwork, CropPrediction
from engine.backbones.crop_settings import CropSettings
from engine.backbones.crop_store import CropStore, cut_all, squares_of
from engine.backbones.crops import HMR_CROPS, CropStyle, crop_translation, cut, project_to_crop
from engine.backbones.hmr2 import Hmr2
from engine.backbones.types import Camera
from engine.body.rotations import six_to_matrix
from engine.camera.pinhole import project
from engine.errors import CancelledError, FootageError, ModelFileError, UsageError
from engine.footage.decoding import Frame
from engine.keypoints.joint_sets import MEDIAPIPE_33
from engine.keypoints.types import PersonTrack
from engine.runtime.progress import Silent
from engine.weights.model_settings import ModelSettings

ROWS, FIRST, SIZE = 11, 4, (160, 120)
CPU = torch.device("cpu")
SMALL_CROPS = CropStyle(size=32, widest=1.0, blurred=False, whole_greys=False)
CAMERA = Camera(np.array([[200.0, 0, 80], [0, 200.0, 60], [0, 0, 1]]), "given")


class Small(CropNetwork):
    """Meets the protocol at a thousandth of the cost; drops values in training, as HMR does."""

    crop_style = SMALL_CROPS

    def __init__(self, half=None):
        super().__init__()
        self.look = nn.Sequential(nn.Conv2d(3, 4, 8, stride=8), nn.ReLU(), nn.Flatten(), nn.Linear(64, 16))
        self.drop = nn.Dropout(0.5)
        self.tell = nn.Linear(16, 157)
        self.passes = []
        self.half = half

    def forward(self, crops):
        self.passes.append(len(crops))
        features = self.look(crops)
        out = self.tell(self.drop(features))
        upright = torch.tensor([1.0, 0, 0, 0, -1.0, 0])
        camera = torch.cat((0.9 + 0.1 * torch.tanh(out[:, 154:155]), 0.1 * out[:, 155:]), 1)
        rotations = six_to_matrix(upright + 0.3 * out[:, :144].reshape(-1, 24, 6))
        return CropPrediction(rotations, out[:, 144:154], camera, features)


def pictures():
    random = np.random.default_rng(0)
    for index in range(FIRST + ROWS + 3):
        yield Frame(index, index / 30, random.integers(0, 255, (SIZE[1], SIZE[0], 3)).astype(np.uint8))


@pytest.fixture
def track():
    random = np.random.default_rng(1)
    keypoints = random.uniform(30, 90, (ROWS, 33, 3)).astype(np.float32)
    keypoints[..., 2] = 0.9
    left = np.linspace(20, 60, ROWS)
    boxes = np.stack((left, np.full(ROWS, 20.0), left + 40, np.full(ROWS, 100.0)), 1).astype(np.float32)
    return PersonTrack(
        person=1, frame_indices=np.arange(FIRST, FIRST + ROWS), timestamps=np.arange(FIRST, FIRST + ROWS) / 30,
        keypoints=keypoints, landmarks3d=np.full((ROWS, 33, 3), np.nan, np.float32), boxes=boxes,
        detected=np.ones(ROWS, bool), keypoint_names=MEDIAPIPE_33, image_size=SIZE,
    )  # fmt: skip


def small(half=None):
    torch.manual_seed(0)
    return Small(half)


def backbone(make=small, **settings):
    return CropBackbone(make, pictures, CropSettings(**settings), Silent())


def inputs(settings=None, **models):
    return PictureInputs(ModelSettings(**models), settings or CropSettings(), pictures, Silent())


def test_each_row_sees_its_own_square_of_its_own_frame(track, body):
    network = backbone(box_scale=1.5).bind(track, CAMERA, body, CPU)
    frames = list(pictures())
    squares = squares_of(track, SMALL_CROPS, 1.5)
    assert np.allclose(squares[:, 2], 120), "the longer side of the box, widened"
    for row in (0, 5, ROWS - 1):
        crop = cut(frames[FIRST + row].rgb, squares[row], SMALL_CROPS)
        np.testing.assert_allclose(network.store.read(torch.tensor([row]))[0].numpy(), crop, atol=2e-3)


def test_the_person_lands_where_the_crop_shows_them(track, body):
    """The pelvis, in the crop's camera, is in the same place of the full frame through the run's camera."""
    network = backbone().bind(track, CAMERA, body, CPU)
    with torch.no_grad():
        batch = network(torch.arange(ROWS)[None])
        predicted = network.network(network.store.read(torch.arange(ROWS)))
    square = torch.from_numpy(squares_of(track, SMALL_CROPS, 1.2)).float()
    middle = torch.zeros(ROWS, 1, 3)
    in_crop = project_to_crop(middle, crop_translation(predicted.camera, SMALL_CROPS), SMALL_CROPS)[:, 0]
    wanted = square[:, :2] + in_crop * square[:, 2:] / SMALL_CROPS.size
    found = project(batch.transl[0], torch.from_numpy(CAMERA.intrinsics))
    torch.testing.assert_close(found, wanted, atol=0.05, rtol=0)
    assert batch.contact_logits is None
    assert (batch.transl[..., 2] > 0).all()


def test_a_row_is_looked_at_once_and_passes_stay_small(track, body):
    network = backbone(crops_at_once=4, dropout=False).bind(track, CAMERA, body, CPU)
    rows = torch.tensor([[0, 1, 2, 3, 4, 5], [3, 4, 5, 6, 7, 8]])
    with torch.no_grad():
        together = network(rows)
    assert network.network.passes == [4, 4, 1]
    assert together.rotations.shape == (2, 6, 24, 3, 3)
    assert together.betas.shape == (2, 6, 10)
    torch.testing.assert_close(together.transl[0, 3:], together.transl[1, :3])
    with torch.no_grad():
        alone = network(rows[1:])
    torch.testing.assert_close(alone.rotations[0], together.rotations[1])


def loss_of(batch):
    return batch.rotations.square()[..., 0].sum() + batch.betas.square().sum() + batch.transl.sum()


def test_gradients_of_many_passes_are_those_of_one(track, body):
    gradients = []
    for at_once in (2, 100):
        network = backbone(crops_at_once=at_once, dropout=False).bind(track, CAMERA, body, CPU)
        loss_of(network(torch.arange(ROWS)[None])).backward()
        gradients.append([part.grad for part in network.parameters()])
        assert all(part.grad.abs().max() > 0 for part in network.parameters())
    for few, many in zip(*gradients, strict=True):
        torch.testing.assert_close(few, many, atol=1e-4, rtol=1e-4)


def test_what_gradients_need_does_not_grow_with_the_batch(track, body):
    """Between the passes forward and backward only results are kept, no activations."""
    network = backbone(crops_at_once=2).bind(track, CAMERA, body, CPU)
    kept = []
    network.network.look[1].register_forward_hook(lambda module, given, out: kept.append(weakref.ref(out)))
    batch = network(torch.arange(ROWS)[None])
    assert len(kept) == 6
    assert all(one() is None for one in kept)
    loss_of(batch).backward()
    assert len(kept) == 12, "each pass was computed anew"


def test_dropout_is_on_only_while_learning(track, body):
    network = backbone().bind(track, CAMERA, body, CPU)
    rows = torch.arange(ROWS)[None]
    torch.manual_seed(1)
    first, second = network(rows).betas, network(rows).betas
    assert not torch.equal(first, second)
    with torch.no_grad():
        assert torch.equal(network(rows).betas, network(rows).betas)
    calm = backbone(dropout=False).bind(track, CAMERA, body, CPU)
    assert torch.equal(calm(rows).betas, calm(rows).betas)


def test_only_the_chosen_layers_change_and_come_back(track, body):
    network = backbone(layers=("tell",)).bind(track, CAMERA, body, CPU)
    assert len(network.parameters()) == 2
    before, frozen = network.state(), network.network.look[0].weight.clone()
    assert set(before) == {"tell.weight", "tell.bias"}
    optimiser = torch.optim.Adam(network.parameters(), 0.1)
    loss_of(network(torch.arange(4)[None])).backward()
    optimiser.step()
    assert not torch.equal(network.network.tell.weight, before["tell.weight"])
    assert torch.equal(network.network.look[0].weight, frozen)
    network.restore(before)
    assert torch.equal(network.network.tell.weight, before["tell.weight"])
    with pytest.raises(UsageError, match="no layer 'wrong'"):
        backbone(layers=("wrong",)).bind(track, CAMERA, body, CPU)


def test_the_next_track_begins_with_the_pretrained_weights(track, body):
    one = backbone()
    first = one.bind(track, CAMERA, body, CPU)
    with torch.no_grad():
        first.network.tell.bias.add_(1)
    second = one.bind(track, CAMERA, body, CPU)
    assert not torch.equal(first.network.tell.bias, second.network.tell.bias)
    assert torch.equal(second.network.tell.bias, small().tell.bias)
    assert second.store is first.store, "prediction and adaptation share the crops"
    assert one.bind(replace(track), CAMERA, body, CPU).store is not first.store


def test_crops_beyond_the_memory_lie_in_a_file(tmp_path):
    random = np.random.default_rng(2)
    crops = random.normal(size=(6, 3, 32, 32)).astype(np.float32)
    stores = [CropStore(6, SMALL_CROPS, mib, CPU, tmp_path) for mib in (1, 0.01)]
    assert [store.in_memory for store in stores] == [True, False]
    for store in stores:
        for row, crop in enumerate(crops):
            store.put(row, crop)
        store.full()
    rows = torch.tensor([5, 0, 5])
    assert torch.equal(stores[0].read(rows), stores[1].read(rows))
    np.testing.assert_allclose(stores[1].read(rows).numpy(), crops[[5, 0, 5]], atol=2e-3)
    del stores
    assert list(tmp_path.iterdir()) == []


def test_footage_that_ends_too_early_is_reported(track):
    store = CropStore(ROWS, SMALL_CROPS, 1, CPU)
    with pytest.raises(FootageError, match="after 2 of the 11 frames"):
        cut_all(lambda: list(pictures())[: FIRST + 2], track, squares_of(track, SMALL_CROPS, 1.2), store, Silent())


def test_cutting_stops_on_request(track, body):
    class Impatient(Silent):
        def __call__(self, done, total):
            if done == 3:
                raise CancelledError("The run was cancelled.")

    with pytest.raises(CancelledError):
        CropBackbone(small, pictures, CropSettings(), Impatient()).bind(track, CAMERA, body, CPU)


def test_a_whole_track_is_predicted(track, body):
    prediction = backbone(crops_at_once=3).predict(track, CAMERA, body, Silent())
    assert prediction.rotations.shape == (ROWS, 24, 3, 3)
    identity = prediction.rotations @ prediction.rotations.swapaxes(-1, -2)
    np.testing.assert_allclose(identity, np.broadcast_to(np.eye(3), identity.shape), atol=1e-5)
    assert prediction.betas.shape == (10,)
    assert prediction.transl.shape == (ROWS, 3)
    assert prediction.joint_confidence.shape == (ROWS, 24)
    assert np.isfinite(prediction.residual_px).all()
    network = backbone().bind(track, CAMERA, body, CPU)
    with torch.no_grad():
        batch = network(torch.arange(ROWS)[None])
    np.testing.assert_allclose(prediction.transl, batch.transl[0].numpy(), atol=1e-4)
    np.testing.assert_allclose(prediction.betas, batch.betas[0].mean(0).numpy(), atol=1e-5)


def test_gaps_are_bridged(track, body):
    detected = track.detected.copy()
    detected[[0, 4, 5]] = False
    prediction = backbone().predict(replace(track, detected=detected), CAMERA, body, Silent())
    np.testing.assert_allclose(prediction.transl[0], prediction.transl[1])
    between = prediction.transl[3] + (prediction.transl[6] - prediction.transl[3]) / 3
    np.testing.assert_allclose(prediction.transl[4], between, atol=1e-4)
    nobody = backbone().predict(replace(track, detected=np.zeros(ROWS, bool)), CAMERA, body, Silent())
    assert np.isfinite(nobody.rotations).all()


def test_half_precision_is_for_cards_that_have_it():
    assert half_dtype(CropSettings(half="auto"), CPU) is None
    assert half_dtype(CropSettings(half="bf16"), CPU) is torch.bfloat16
    assert half_dtype(CropSettings(half="off"), torch.device("cuda")) is None


def test_missing_weights_are_requested(tmp_path):
    with pytest.raises(ModelFileError, match=r"--backbone hmr2 needs HMR2\.0") as raised:
        crop_backbone("hmr2", inputs(folder=str(tmp_path)))
    assert "4D-Humans" in raised.value.hint


@pytest.fixture(scope="module")
def hmr_file(tmp_path_factory):
    return write_hmr(tmp_path_factory.mktemp("models"))


def test_hmr_itself_is_bound_and_every_layer_gets_a_gradient(track, body, hmr_file):
    network = crop_backbone("hmr", inputs(CropSettings(crops_at_once=2), hmr=str(hmr_file))).bind(
        track, CAMERA, body, CPU
    )
    assert isinstance(network, CropPoseNetwork)
    assert network.store.style == HMR_CROPS
    loss_of(network(torch.arange(3)[None])).backward()
    for name, parameter in network.network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.nightly("slow where the processor has no bfloat16")
def test_16_bit_products_hardly_move_hmr(track, body, hmr_file):
    turns = []
    for half in ("off", "bf16"):
        network = crop_backbone("hmr", inputs(CropSettings(half=half), hmr=str(hmr_file)))
        with torch.no_grad():
            batch = network.bind(track, CAMERA, body, CPU)(torch.arange(2)[None])
        assert batch.rotations.dtype == torch.float32
        turns.append(batch.rotations)
    cosine = ((turns[0] * turns[1]).sum((-1, -2)) - 1) / 2
    degrees = torch.rad2deg(torch.acos(cosine.clamp(-1, 1)))
    assert 0 < degrees.mean() < 1


def test_all_of_hmr2_adapts_in_24_gb():
    """Counted without computing: weights, gradients, Adam's two moments, and what one pass leaves behind in float32."""
    with torch.device("meta"):
        network = Hmr2(recomputing=False).train()
        crops = torch.zeros(CropSettings().crops_at_once, 3, 256, 256)
    weights = {parameter.untyped_storage()._cdata for parameter in network.parameters()}
    kept = {}

    def keep(tensor):
        kept[tensor.untyped_storage()._cdata] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        out = network(crops)
    one_pass = sum(tensor.untyped_storage().nbytes() for place, tensor in kept.items() if place not in weights)
    parameters = sum(parameter.numel() * 4 for parameter in network.parameters())
    assert out.rotations.shape == (16, 24, 3, 3)
    assert 2.5e9 < parameters < 2.8e9
    assert one_pass > 1e9, "something was counted"
    assert 4 * parameters + one_pass < 22e9
