"""CLIP's text side against the official code, from each of the files it comes in."""

import pytest
import torch
from parity_fixtures import agree, arrays, filled, needs_fixtures, shapes, shapes_of
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

from engine.errors import ModelFileError
from engine.semantics.clip_text import ClipText, load_clip_text
from engine.semantics.clip_tokens import ClipTokens


@pytest.fixture(scope="module")
def network():
    return filled(ClipText)


@needs_fixtures
def test_it_has_the_text_tensors_of_the_published_file(network):
    text = shapes("clip_text_vitb32", lambda name: not name.startswith("visual.") and name != "logit_scale")
    assert shapes_of(network) == text


@needs_fixtures
def test_it_computes_what_the_official_code_does(network):
    official = arrays("clip_text_vitb32")
    features = network(official["tokens"])
    agree(features, official["text_features"])
    agree(functional.normalize(features, dim=-1), official["text_features_unit"], 1e-6)


class Part(nn.Module):
    """A module that does nothing but hold tensors, for a TorchScript archive."""

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        return given


def as_module(state):
    root = Part()
    for name, value in state.items():
        *parents, last = name.split(".")
        owner = root
        for parent in parents:
            if not hasattr(owner, parent):
                owner.add_module(parent, Part())
            owner = getattr(owner, parent)
        owner.register_buffer(last, value) if not value.is_floating_point() else owner.register_parameter(
            last, nn.Parameter(value, requires_grad=False)
        )
    return root


def half_state(network):
    return {name: value.half() for name, value in network.state_dict().items()}


def assert_same_half(loaded, network):
    assert all(torch.equal(value, network.state_dict()[n].half().float()) for n, value in loaded.state_dict().items())


@pytest.mark.filterwarnings("ignore:.*torch.jit.*")
def test_openais_torchscript_archive_loads_whole(tmp_path, network, caplog):
    settings = {name: torch.tensor(77) for name in ("input_resolution", "context_length", "vocab_size")}
    pictures = {
        "visual.conv1.weight": torch.zeros(4, 3, 2, 2),
        "visual.proj": torch.zeros(4, 4),
        "logit_scale": torch.tensor(4.6),
    }
    path = tmp_path / "ViT-B-32.pt"
    torch.jit.script(as_module({**half_state(network), **settings, **pictures})).save(str(path))
    loaded = ClipText.from_checkpoint(path)
    path.unlink()
    assert_same_half(loaded, network)
    for group in ("2 in visual.* (for pictures)", "logit_scale (for pictures)", "vocab_size (a setting)"):
        assert group in caplog.text


TRANSFORMERS_NAMES = (
    ("token_embedding.", "text_model.embeddings.token_embedding."),
    ("positional_embedding", "text_model.embeddings.position_embedding.weight"),
    ("ln_final.", "text_model.final_layer_norm."),
    ("transformer.resblocks.", "text_model.encoder.layers."),
    (".attn.out_proj.", ".self_attn.out_proj."),
    (".ln_", ".layer_norm"),
    (".mlp.c_fc.", ".mlp.fc1."),
    (".mlp.c_proj.", ".mlp.fc2."),
)


def as_transformers(state):
    renamed = {}
    for full, value in state.items():
        name = full
        for openai, theirs in TRANSFORMERS_NAMES:
            name = name.replace(openai, theirs)
        if full == "text_projection":
            renamed["text_projection.weight"] = value.T.contiguous()
        elif ".attn.in_proj_" in name:
            for part, rows in zip("qkv", value.chunk(3), strict=True):
                renamed[name.replace(".attn.in_proj_", f".self_attn.{part}_proj.")] = rows.contiguous()
        else:
            renamed[name] = value
    return renamed


def test_a_folder_of_transformers_loads_whole(tmp_path, network, caplog):
    save_file(as_transformers(half_state(network)), tmp_path / "model.safetensors")
    with pytest.raises(ModelFileError, match="table of merges is not in"):
        load_clip_text(tmp_path)
    write_merges(tmp_path / "merges.txt")
    loaded, tokens = load_clip_text(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    assert_same_half(loaded, network)
    assert tokens(["a"]).shape == (1, 77)
    assert caplog.messages == []
    with pytest.raises(ModelFileError, match="no CLIP model in the folder"):
        load_clip_text(tmp_path)


def write_merges(path):
    """A table of CLIP's length that joins nothing."""
    path.write_text("\n".join(["#version: 0.2", *(f"x{rank} y{rank}" for rank in range(48894)), ""]))


def test_text_of_any_kind_becomes_numbers(tmp_path):
    write_merges(tmp_path / "merges.txt")
    tokens = ClipTokens.from_folder(tmp_path)
    rows = tokens(["", "日本語 ½ 😀 don\u2019t", "long " * 100])
    assert rows[0].tolist()[:3] == [49406, 49407, 0]
    assert (rows.argmax(1) == torch.tensor([1, int(rows[1].argmax()), 76])).all()
    assert torch.equal(rows[1], tokens(["日本語 ½ 😀 don't"])[0])


@pytest.mark.parametrize("content", [b"#version\na b\n", b"\xff\xfe\x00"])
def test_another_table_is_refused(tmp_path, content):
    (tmp_path / "merges.txt").write_bytes(content)
    with pytest.raises(ModelFileError):
        ClipTokens.from_folder(tmp_path)


def test_the_package_transformers_gives_the_same_features(tmp_path):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    theirs = transformers.CLIPModel(transformers.CLIPConfig()).eval()
    for weights in theirs.parameters():
        torch.nn.init.normal_(weights, std=0.03)
    theirs.save_pretrained(tmp_path)
    ours = ClipText.from_checkpoint(tmp_path / "model.safetensors").eval()
    tokens = torch.randint(1, 49000, (3, 77))
    for row, length in enumerate((5, 20, 77)):
        tokens[row, length - 1 :] = 0
        tokens[row, length - 1] = 49407
    with torch.no_grad():
        wanted = theirs.get_text_features(input_ids=tokens)
        wanted = getattr(wanted, "pooler_output", wanted)
        assert torch.allclose(ours(tokens), wanted, atol=1e-6)
