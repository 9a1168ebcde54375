"""MotionCLIP, CLIP, BABEL and AMASS in the place of our own space and dictionary. Weights are random."""

import json

import numpy as np
import pytest
import torch
from published_files import write_mdnet, write_motionclip_and_clip
from torch.nn import functional

from engine.adaptation.priors import load_priors, priors_key
from engine.adaptation.smoothing import MdNetDenoiser
from engine.body.model import load_body
from engine.body.rotations import axis_angle_to_matrix, matrix_to_six, six_to_matrix
from engine.errors import ModelFileError
from engine.runtime.progress import Silent
from engine.semantics.amass import read_window
from engine.semantics.motionclip import motion_tokens, right_ankle_path
from engine.semantics.motionclip_space import BabelDictionary, MotionClipSpace, load_motionclip
from engine.weights.model_settings import ModelSettings


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A models folder as a user would fill it, with motions of three labels."""
    folder = tmp_path_factory.mktemp("models")
    write_motionclip_and_clip(folder)
    random = np.random.default_rng(3)
    motions = folder / "amass" / "KIT" / "3"
    motions.mkdir(parents=True)
    for number in range(3):
        poses = random.normal(scale=0.4, size=(90, 156))
        np.savez(motions / f"take{number}_poses.npz", poses=poses, mocap_framerate=30.0)
    (motions / "take3_poses.npz").write_bytes(b"cut off")
    (folder / "babel").mkdir()
    content = {str(number): place(number, "walk", "walking") for number in range(4)}
    content["9"] = place(9, "juggle", "juggling balls")
    (folder / "babel" / "train.json").write_text(json.dumps(content))
    return folder


def place(number, label, raw):
    labels = [{"proc_label": label, "raw_label": raw, "act_cat": ["any"], "start_t": 0.0, "end_t": 3.0}]
    return {"feat_p": f"KIT/KIT/3/take{number}_poses.npz", "dur": 3.0, "frame_ann": {"labels": labels}}


@pytest.fixture(scope="module")
def loaded(folder):
    return load_motionclip(ModelSettings(folder=str(folder)), "cpu", Silent())


@pytest.fixture(scope="module")
def space(loaded):
    return loaded[0]


@pytest.fixture(scope="module")
def dictionary(loaded):
    return loaded[1]


@pytest.fixture
def motion():
    random = np.random.default_rng(1)
    return matrix_to_six(axis_angle_to_matrix(torch.tensor(random.normal(scale=0.5, size=(2, 60, 24, 3))).float()))


def test_motion_goes_in_as_motionclip_knows_it(space, motion):
    """The 25 tokens with the path of the right ankle, got from the body itself."""
    rotations = six_to_matrix(motion)
    body = load_body()
    joints = torch.stack([body.joints(one, torch.zeros(10)) for one in rotations])
    with torch.no_grad():
        wanted = space.motion.encode(motion_tokens(rotations, right_ankle_path(joints)))
        found = space.encode_motion(motion)
    torch.testing.assert_close(found, functional.normalize(wanted, dim=-1), atol=1e-5, rtol=0)


def test_gradients_reach_every_frame_and_no_weight(space, motion):
    six = motion.clone().requires_grad_()
    points = space.encode_motion(six)
    torch.testing.assert_close(points.norm(dim=1), torch.ones(2))
    (1 - (points * space.encode_labels(["walk", "kick"])).sum(1)).sum().backward()
    assert (six.grad.abs().amax((2, 3)) > 0).all()
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in space.parameters())


def test_any_text_has_a_place(space):
    points = space.encode_labels(["walk", "stand on one leg", "walk"])
    assert points.shape == (3, 512)
    torch.testing.assert_close(points.norm(dim=1), torch.ones(3))
    assert torch.equal(points[0], points[2])
    assert not torch.allclose(points[0], points[1], atol=1e-3)


def test_decoded_motion_is_of_rotations_upright_and_facing_us(space):
    six = space.decode(space.encode_labels(["walk", "kick"]))
    assert six.shape == (2, 60, 24, 6)
    rotations = six_to_matrix(six)
    torch.testing.assert_close(matrix_to_six(rotations), six, atol=1e-5, rtol=0)
    root = rotations[0, 0, 0]
    torch.testing.assert_close(root @ torch.tensor([0.0, 1, 0]), torch.tensor([0.0, 0, 1]), atol=1e-6, rtol=0)
    torch.testing.assert_close(root @ torch.tensor([0.0, 0, 1]), torch.tensor([0.0, -1, 0]), atol=1e-6, rtol=0)


def test_the_dictionary_is_babels(dictionary):
    assert dictionary.labels == ("walk", "juggle")
    assert dictionary.category("walk") == "any"
    assert dictionary.paraphrases("walk") == ("walking",)
    with pytest.raises(KeyError):
        dictionary.exemplar("swim")


def test_an_exemplar_is_the_motion_of_amass_that_fits_its_text_best(folder, space, dictionary):
    found = dictionary.exemplar("walk")
    candidates = [
        read_window(folder / "amass" / "KIT" / "3" / f"take{number}_poses.npz", 0.0, 3.0) for number in range(3)
    ]
    with torch.no_grad():
        similar = space.encode_motion(torch.from_numpy(np.stack(candidates))) @ space.encode_labels(["walk"])[0]
    np.testing.assert_array_equal(found, candidates[int(similar.argmax())])
    assert dictionary.exemplar("walk") is found, "it is looked for once"


def test_a_label_without_a_motion_has_a_decoded_exemplar(space, dictionary):
    decoded = space.decode(space.encode_labels(["juggle"]))[0]
    np.testing.assert_allclose(dictionary.exemplar("juggle"), decoded.numpy(), atol=1e-6)


def test_free_text_is_matched(dictionary):
    assert dictionary.match("Walking").label == "walk"
    assert dictionary.match("walk").score == 1.0
    assert dictionary.match("juggling  balls!").label == "juggle"
    other = dictionary.match("read a newspaper on a rainy afternoon in november")
    assert set(other.suggestions) == {"walk", "juggle"}
    assert other.label in (None, other.suggestions[0])
    assert dictionary.match(" ").label is None


def test_without_babel_there_are_common_actions(folder):
    settings = {
        name: str(folder / file) for name, file in (("motionclip", "checkpoint_0100.pth.tar"), ("clip", "ViT-B-32.pt"))
    }
    _, dictionary = load_motionclip(ModelSettings(folder=str(folder / "none"), **settings), "cpu", Silent())
    assert "walk" in dictionary.labels
    assert len(dictionary.labels) == len(set(dictionary.labels)) > 50
    assert dictionary.exemplar("walk").shape == (60, 24, 6)


def test_what_is_missing_is_requested(folder, tmp_path):
    motion = str(folder / "checkpoint_0100.pth.tar")
    with pytest.raises(ModelFileError, match="MotionCLIP needs CLIP") as raised:
        load_motionclip(ModelSettings(folder=str(tmp_path), motionclip=motion), "cpu", Silent())
    assert "models.clip" in raised.value.hint


def test_adaptation_takes_them_where_their_files_are_given(folder, tmp_path):
    mdnet = write_mdnet(tmp_path)
    models = ModelSettings(folder=str(folder), motionclip=str(folder / "checkpoint_0100.pth.tar"), mdnet=str(mdnet))
    priors = load_priors(models, "cpu", True, Silent())
    assert isinstance(priors.space, MotionClipSpace)
    assert isinstance(priors.dictionary, BabelDictionary)
    assert isinstance(priors.denoiser, MdNetDenoiser)
    assert load_priors(models, "cpu", False, Silent()).space is None
    key = priors_key(models, True)
    assert {"motionclip", "clip", "babel", "amass", "md_basemodel.pt"} <= set(key)
    assert priors_key(ModelSettings(folder=str(folder), mdnet=str(mdnet)), False) != key
