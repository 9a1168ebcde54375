"""HMR2.0 against the official code: two layers deep always, at full depth on request."""

import sys
import types

import pytest
import torch
from parity_fixtures import agree, arrays, filled, needs_fixtures, normalised, shapes, shapes_of

from engine.backbones.crops import HMR2_CROPS, crop_translation
from engine.backbones.hmr2 import Hmr2


def is_used(name):
    return name.startswith(("backbone.", "smpl_head."))


@pytest.fixture(scope="module")
def network():
    return filled(lambda: Hmr2(depth=2))


@pytest.fixture(scope="module")
def crops():
    return normalised(arrays("hmr2")["image_uint8_rgb"])


def compare(network, crops, official):
    tokens = network.backbone(crops)
    feature_map = tokens.transpose(1, 2).unflatten(2, (16, 12))
    agree(feature_map[:, ::16, ::3, ::3], official["backbone_feat_slice"])
    agree(network.smpl_head.transformer(tokens), official["token"])
    pose, shape, camera, _ = network.smpl_head(tokens)
    agree(pose, official["pose6d"])
    agree(shape, official["betas"])
    agree(camera, official["pred_cam"])
    agree(crop_translation(camera, HMR2_CROPS), official["pred_cam_t"])
    return pose


@needs_fixtures
def test_it_has_the_tensors_of_the_published_file(network):
    assert shapes_of(network) == shapes("hmr2", is_used, "manifest_reduced_depth2.json")
    with torch.device("meta"):
        assert shapes_of(Hmr2()) == shapes("hmr2", is_used)


@needs_fixtures
def test_it_computes_what_the_official_code_does(network, crops):
    official = arrays("hmr2")
    compare(network, crops, official)
    agree(network(crops).rotations, official["rotmat"])


@pytest.mark.nightly("5 GB of memory, a minute")
@needs_fixtures
def test_it_computes_what_the_official_code_does_at_full_depth(crops):
    network = filled(Hmr2)
    official = arrays("hmr2", "fixture_full_depth32.npz")
    compare(network, crops, official)
    agree(network(crops).rotations, official["rotmat"])


@needs_fixtures
def test_half_precision_changes_little(network, crops):
    network.backbone.half_dtype = torch.bfloat16
    try:
        predicted = network(crops)
    finally:
        network.backbone.half_dtype = None
    exact = network(crops)
    assert predicted.rotations.dtype == torch.float32
    assert not torch.equal(predicted.rotations, exact.rotations)
    torch.testing.assert_close(predicted.rotations, exact.rotations, atol=0.05, rtol=0)
    torch.testing.assert_close(predicted.camera, exact.camera, atol=0.01, rtol=0)


@needs_fixtures
def test_recomputing_gives_the_same_gradients_to_the_chosen_layers_alone(network, crops):
    chosen = network.adapt_only(["backbone.blocks.1", "smpl_head.decpose"])
    gradients = []
    for recomputing in (True, False):
        network.backbone.recomputing = recomputing
        network.zero_grad()
        network(crops[:1]).rotations.square()[..., 0].sum().backward()
        gradients.append([parameter.grad.clone() for parameter in chosen])
        others = [name for name, p in network.named_parameters() if p.grad is not None and not p.requires_grad]
        assert others == []
    network.requires_grad_(False)
    assert all(gradient.abs().max() > 0 for gradient in gradients[0])
    for recomputed, kept in zip(*gradients, strict=True):
        torch.testing.assert_close(recomputed, kept, atol=1e-6, rtol=1e-4)


@needs_fixtures
def test_the_published_wrapping_loads_whole_with_settings_of_classes_that_are_not_installed(
    tmp_path, network, monkeypatch
):
    """A Lightning checkpoint: a pickled configuration, optimiser states, a copy of the body, a discriminator."""
    module = types.ModuleType("omegaconf.dictconfig")
    settings = type("DictConfig", (), {"__module__": "omegaconf.dictconfig", "__qualname__": "DictConfig"})
    module.DictConfig = settings
    monkeypatch.setitem(sys.modules, "omegaconf", types.ModuleType("omegaconf"))
    monkeypatch.setitem(sys.modules, "omegaconf.dictconfig", module)
    configuration = settings()
    configuration.__dict__.update(_content={"SMPL": settings()}, _parent=None)
    extra = {
        "initialized": torch.tensor(True),
        "smpl.parents": torch.arange(24),
        "discriminator.D_conv1.bias": torch.zeros(32),
    }
    path = tmp_path / "epoch=35-step=1000000.ckpt"
    torch.save(
        {
            "epoch": 35,
            "state_dict": {**network.state_dict(), **extra},
            "optimizer_states": [{"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 1e-5}]}],
            "hyper_parameters": {"cfg": configuration},
        },
        path,
    )
    for name in ("omegaconf", "omegaconf.dictconfig"):
        monkeypatch.delitem(sys.modules, name)
    warnings = []
    progress = types.SimpleNamespace(warn=lambda code, message: warnings.append(message))
    loaded = Hmr2.from_checkpoint(path, progress)
    path.unlink()
    assert len(loaded.backbone.blocks) == 2
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in loaded.state_dict().items())
    assert warnings == [
        "Not used from epoch=35-step=1000000.ckpt: initialized (for training), smpl.* (a copy of the body model), "
        "discriminator.* (for training), optimizer_states.* (outside of the model)."
    ]
