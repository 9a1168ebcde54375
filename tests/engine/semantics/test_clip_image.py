"""CLIP's picture side: the published tensors, and, where `transformers` is installed, its numbers."""

import numpy as np
import pytest
import torch
from parity_fixtures import agree, filled, needs_fixtures, shapes, shapes_of
from safetensors.torch import save_file

from engine.evaluation.named_weights import named_weights
from engine.semantics.clip_image import ClipImage, clip_picture


@needs_fixtures
def test_it_has_the_picture_tensors_of_the_published_file():
    with torch.device("meta"):
        ours = shapes_of(ClipImage())
    official = shapes("clip_text_vitb32", lambda name: name.startswith("visual."))
    assert {f"visual.{name}": shape for name, shape in ours.items()} == official


@needs_fixtures
def test_both_files_give_the_same_network(tmp_path, caplog):
    official = named_weights(shapes("clip_text_vitb32", lambda name: name.startswith("visual.")))
    texts = {name: torch.zeros(1) for name in ("token_embedding.weight", "text_projection")}
    texts["transformer.resblocks.0.attn.in_proj_weight"] = torch.zeros(1)
    torch.save({**{name: value.half() for name, value in official.items()}, **texts}, tmp_path / "ViT-B-32.pt")
    loaded = ClipImage.from_checkpoint(tmp_path / "ViT-B-32.pt")
    (tmp_path / "ViT-B-32.pt").unlink()
    assert all(torch.equal(v, official[f"visual.{n}"].half().float()) for n, v in loaded.state_dict().items())
    assert caplog.messages == []


def test_a_model_of_transformers_gives_its_numbers(tmp_path):
    transformers = pytest.importorskip("transformers")
    theirs = transformers.CLIPModel(transformers.CLIPConfig()).eval()
    weights = named_weights({n: p.shape for n, p in theirs.named_parameters() if n.startswith("vis") and p.dim()})
    theirs.load_state_dict(weights, strict=False)
    save_file(theirs.state_dict(), tmp_path / "model.safetensors")
    ours = ClipImage.from_checkpoint(tmp_path / "model.safetensors")
    (tmp_path / "model.safetensors").unlink()
    pictures = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(9))
    with torch.no_grad():
        features = theirs.get_image_features(pixel_values=pictures)
        agree(ours(pictures), getattr(features, "pooler_output", features))


@needs_fixtures
def test_the_network_looks_at_the_whole_picture():
    network = filled(ClipImage)
    picture = np.zeros((300, 400, 3), np.uint8)
    plain = network(clip_picture(picture)[None])
    assert plain.shape == (1, 512)
    for row, column in ((10, 60), (290, 340), (150, 200)):
        marked = picture.copy()
        marked[row - 8 : row + 8, column - 8 : column + 8] = 255
        assert (network(clip_picture(marked)[None]) - plain).abs().max() > 1e-3


@pytest.mark.parametrize("size", [(224, 224), (480, 640), (1080, 607), (100, 90)])
def test_pictures_are_cut_from_the_middle_and_keep_their_colours(size):
    picture = np.full((*size, 3), (255, 128, 0), np.uint8)
    prepared = clip_picture(picture)
    assert prepared.shape == (3, 224, 224)
    mean, deviation = (
        torch.tensor([0.48145466, 0.4578275, 0.40821073]),
        torch.tensor([0.26862954, 0.26130258, 0.27577711]),
    )
    colours = (prepared * deviation[:, None, None] + mean[:, None, None]) * 255
    torch.testing.assert_close(colours.amax((1, 2)), torch.tensor([255.0, 128, 0]), atol=1e-2, rtol=0)
    torch.testing.assert_close(colours.amin((1, 2)), torch.tensor([255.0, 128, 0]), atol=1e-2, rtol=0)
