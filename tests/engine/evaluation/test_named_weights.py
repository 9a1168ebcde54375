"""Weights drawn from names are those that the official code was run with."""

import hashlib
import json

import numpy as np
import pytest
import torch
from parity_fixtures import FOLDER, needs_fixtures, shapes

from engine.adaptation.mdnet import MdNet
from engine.evaluation.named_weights import fill, is_drawn, named_weight, named_weights


@needs_fixtures
@pytest.mark.parametrize("model", ["mdnet_cycleadapt", "hmr_cycleadapt"])
def test_every_bit_is_the_official_one(model):
    digest = hashlib.sha256()
    for name, shape in shapes(model).items():
        digest.update(named_weight(name, shape).astype("<f4").tobytes())
    reply = json.loads((FOLDER / model / "meta.json").read_text())
    assert digest.hexdigest() == reply["weights_sha256_all_float_tensors_in_manifest_order"]


@needs_fixtures
@pytest.mark.parametrize(
    ("model", "name", "file"),
    [
        ("motionclip", "encoder.muQuery", "manifest.json"),
        ("motionclip", "decoder.finallayer.weight", "manifest.json"),
        ("clip_text_vitb32", "text_projection", "manifest.json"),
        ("hmr2", "smpl_head.deccam.weight", "manifest_reduced_depth2.json"),
    ],
)
def test_the_first_numbers_are_the_official_ones(model, name, file):
    reply = json.loads((FOLDER / model / "meta.json").read_text())["weight_probe_first3"][name]
    ours = named_weight(name, shapes(model, file=file)[name]).ravel()[:3]
    np.testing.assert_array_equal(ours, np.array(reply, np.float32))


def test_a_network_is_filled_name_by_name():
    network = MdNet()
    fill(network)
    drawn = named_weights({name: tensor.shape for name, tensor in network.state_dict().items()})
    assert all(torch.equal(tensor, drawn[name]) for name, tensor in network.state_dict().items())


def test_what_a_network_computes_itself_is_left_alone():
    assert not is_drawn("encoder.sequence_pos_encoder.pe", torch.zeros(3))
    assert not is_drawn("bn1.num_batches_tracked", torch.tensor(0))
    assert is_drawn("fc1.weight", torch.zeros(3, 3))
