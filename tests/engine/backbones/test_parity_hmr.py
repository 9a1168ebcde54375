"""HMR against the official code, and what adaptation may change of it."""

import numpy as np
import pytest
import torch
from parity_fixtures import agree, arrays, filled, needs_fixtures, normalised, shapes, shapes_of

from engine.backbones.crops import HMR_CROPS, crop_translation
from engine.backbones.hmr import Hmr
from engine.errors import ModelFileError, UsageError
from engine.evaluation.named_weights import named_weights


@pytest.fixture(scope="module")
def network():
    return filled(Hmr)


class Warnings(list):
    def __call__(self, done, total):
        pass

    def warn(self, code, message):
        self.append(message)


@needs_fixtures
def test_it_has_the_tensors_of_the_published_file(network):
    assert shapes_of(network) == shapes("hmr_cycleadapt")


@needs_fixtures
def test_it_computes_what_the_official_code_does(network):
    official = arrays("hmr_cycleadapt")
    crops = normalised(official["image_uint8_rgb"])
    agree(crops[:, :, ::56, ::56], official["image_norm_probe"], 1e-6)
    stages = []
    hook = network.layer1.register_forward_hook(lambda module, given, out: stages.append(out))
    features = network.features(crops)
    hook.remove()
    pose, shape, camera = network.regress(features)
    agree(stages[0][:, :8, ::8, ::8], official["layer1_slice"])
    agree(features, official["features"])
    agree(pose, official["pose6d"])
    agree(shape, official["betas"])
    agree(camera, official["cam_s_tx_ty"])
    predicted = network(crops)
    agree(predicted.rotations, official["rotmat"])
    agree(crop_translation(predicted.camera, HMR_CROPS), official["cam_trans"])


@needs_fixtures
@pytest.mark.parametrize("wrap", [
    lambda state: {"model": {f"module.{name}": value for name, value in state.items()}},
    lambda state: {"cycle": 12, "model_state_dict": {f"hmr_net.{name}": value for name, value in state.items()}},
])  # fmt: skip
def test_the_published_wrappings_load_whole(tmp_path, network, wrap):
    path = tmp_path / "hmr_basemodel.pt"
    torch.save(wrap(network.state_dict()), path)
    warnings = Warnings()
    loaded = Hmr.from_checkpoint(path, warnings)
    path.unlink()
    assert warnings == []
    assert not loaded.training
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in loaded.state_dict().items())


@pytest.fixture(scope="module")
def small_batch_norm_state():
    """SPIN's tensors: ours, with statistics."""
    return named_weights({n: t.shape for n, t in Hmr(batch_norm=True).state_dict().items() if t.is_floating_point()})


def test_spins_variant_is_known_from_its_statistics(tmp_path, small_batch_norm_state):
    state = {n: v.abs() + 0.5 if n.endswith("running_var") else v for n, v in small_batch_norm_state.items()}
    start = {name: state.pop(f"init_{name}")[0].numpy() for name in ("pose", "shape", "cam")}
    path = tmp_path / "model_checkpoint.pt"
    torch.save({"model": state, "optimizer": {"state": {0: {"exp_avg": torch.zeros(2)}}}}, path)
    with pytest.raises(ModelFileError, match="init_pose, init_shape, init_cam"):
        Hmr.from_checkpoint(path)
    np.savez(tmp_path / "smpl_mean_params.npz", **start)
    warnings = Warnings()
    loaded = Hmr.from_checkpoint(path, warnings)
    path.unlink()
    assert warnings == ["Not used from model_checkpoint.pt: optimizer.* (outside of the model)."]
    assert torch.equal(loaded.init_pose[0], torch.from_numpy(start["pose"]))
    assert torch.equal(loaded.bn1.running_var, state["bn1.running_var"])

    crops = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        alone, together = loaded(crops[:1]).rotations, loaded(crops).rotations[:1]
        loaded.train()
        loaded.features(crops)
    torch.testing.assert_close(alone, together, atol=1e-4, rtol=1e-4)
    assert torch.equal(loaded.bn1.running_var, state["bn1.running_var"]), "adaptation changed the statistics"


def test_gradients_reach_the_chosen_layers_alone():
    network = Hmr()
    chosen = network.adapt_only(["layer4.2", "fc1"])
    assert {id(p) for p in chosen} == {
        id(p) for n, p in network.named_parameters() if n.startswith(("layer4.2.", "fc1."))
    }
    predicted = network(torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(2)))
    (predicted.rotations.square()[..., 0].sum() + predicted.betas.sum() + predicted.camera.sum()).backward()
    for name, parameter in network.named_parameters():
        if name.startswith(("layer4.2.", "fc1.")):
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name
            assert parameter.grad.abs().max() > 0, name
        else:
            assert parameter.grad is None, name
    assert len(network.adapt_only([])) == len(list(network.parameters()))
    with pytest.raises(UsageError, match="no layer 'layer9'"):
        network.adapt_only(["layer9"])


def test_the_regressor_drops_values_only_in_training():
    network = Hmr()
    features = torch.randn(1, 2048, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        assert torch.equal(network.eval().regress(features)[0], network.regress(features)[0])
        network.train()
        assert not torch.equal(network.regress(features)[0], network.regress(features)[0])
