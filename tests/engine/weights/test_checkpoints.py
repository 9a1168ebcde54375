"""Checkpoints: read whole in every format, run never, and identified."""

import argparse
import gzip
import io
import pickle
import struct
import zipfile
from collections import OrderedDict, defaultdict
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from engine.errors import ModelFileError
from engine.weights.checkpoint_reader import NotACheckpointError, UnsafeCheckpointError, open_tensors
from engine.weights.checkpoints import CLIP, CLIP_TRANSFORMERS, HMR, HMR2, KNOWN_MODELS, MDNET, build, open_checkpoint

STATE = {
    "motion_fc_in.weight": torch.arange(6.0).reshape(2, 3),
    "motion_mlp.mlps.0.fc0.fc.weight": torch.tensor([[0.5]]),
    "count": torch.tensor(7),
}


class Small(nn.Module):
    """Has MDNet's telltale names and nothing of its size."""

    def __init__(self):
        super().__init__()
        for name, value in STATE.items():
            *parents, last = name.split(".")
            owner = self
            for parent in parents:
                if not hasattr(owner, parent):
                    owner.add_module(parent, nn.Module())
                owner = getattr(owner, parent)
            if value.is_floating_point():
                owner.register_parameter(last, nn.Parameter(torch.zeros(value.shape)))
            else:
                owner.register_buffer(last, torch.zeros(value.shape, dtype=value.dtype))


def load(path, progress=None, **options):
    with open_checkpoint(path, MDNET) as checkpoint:
        return build(checkpoint, Small, progress, **options)


def saved(path, content, **options):
    torch.save(content, path, **options)
    return path


class Warnings:
    def __init__(self):
        self.messages = []

    def warn(self, code, message):
        self.messages.append(message)


# --- formats --------------------------------------------------------------------------------------------------------

KINDS = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8,
         torch.uint8, torch.bool]  # fmt: skip


def every_kind():
    shared = torch.arange(24.0).reshape(4, 6)
    return {
        **{str(kind): torch.arange(5).to(kind) for kind in KINDS},
        "view": shared[1:3, ::2],
        "turned": shared.T,
        "empty": torch.zeros(0, 3),
        "scalar": torch.tensor(3.5),
        "parameter": nn.Parameter(torch.ones(2)),
        "weird name ß": torch.ones(1),
    }


@pytest.mark.parametrize("zipped", [True, False])
def test_every_tensor_of_a_torch_file_is_read_as_torch_reads_it(tmp_path, zipped):
    tensors = every_kind()
    nested = {
        "model": OrderedDict(tensors),
        "list": [{"exp_avg": torch.ones(3)}],
        "epoch": 3,
        "name": "x",
        "none": None,
    }
    path = saved(tmp_path / "a.pt", nested, _use_new_zipfile_serialization=zipped)
    with open_tensors(path) as found:
        assert set(found) == {f"model.{name}" for name in tensors} | {"list.0.exp_avg"}
        for name, tensor in tensors.items():
            stored = found[f"model.{name}"]
            assert stored.shape == tuple(tensor.shape)
            assert stored.dtype == tensor.dtype
            assert torch.equal(stored.read(), tensor)


def test_safetensors_are_read(tmp_path):
    tensors = {str(kind): torch.arange(5).to(kind) for kind in KINDS}
    save_file(tensors, tmp_path / "a.safetensors")
    with open_tensors(tmp_path / "a.safetensors") as found:
        assert {name: (part.shape, part.dtype) for name, part in found.items()} == {
            name: (tuple(tensor.shape), tensor.dtype) for name, tensor in tensors.items()
        }
        assert all(torch.equal(found[name].read(), tensor) for name, tensor in tensors.items())


def test_settings_beside_the_tensors_do_no_harm(tmp_path):
    content = {
        "model": STATE,
        "best": np.float64(0.5),
        "order": np.arange(3),
        "device": torch.device("cpu"),
        "size": torch.Size([1, 2]),
        "kind": torch.float32,
        "path": Path("a/b"),
        "callbacks": defaultdict(dict, {"x": {1, 2}}),
        "arguments": argparse.Namespace(lr=0.1, names=["a"]),
    }
    loaded = load(saved(tmp_path / "a.pt", content))
    assert torch.equal(loaded.motion_fc_in.weight, STATE["motion_fc_in.weight"])


def test_only_what_is_requested_is_read(tmp_path, monkeypatch):
    path = saved(tmp_path / "a.pt", {"model": STATE, "optimizer": {"big": torch.zeros(1000, 1000)}})
    read = []
    original = zipfile.ZipFile.read
    monkeypatch.setattr(
        zipfile.ZipFile, "read", lambda self, name, *a: read.append(len(d := original(self, name, *a))) or d
    )
    load(path)
    assert sum(read) < 10_000


# --- using all of it ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["", "model.", "model.module.", "module.", "model_state_dict.md_net."])
def test_a_model_is_found_under_any_wrapping(tmp_path, prefix):
    content = {f"{prefix}{name}": value for name, value in STATE.items()}
    loaded = load(saved(tmp_path / "a.pt", content))
    assert all(torch.equal(value, STATE[name]) for name, value in loaded.state_dict().items())
    assert not loaded.training
    assert loaded.motion_fc_in.weight.requires_grad


def test_half_weights_become_float32(tmp_path):
    content = {n: v.half() if v.is_floating_point() else v for n, v in STATE.items()}
    assert load(saved(tmp_path / "a.pt", content)).motion_fc_in.weight.dtype == torch.float32


def test_every_tensor_not_used_is_named(tmp_path):
    one = torch.ones(1)
    content = {"model": {**STATE, "surplus.weight": one, "other": one}, "optimizer": [one, one], "loose": one}
    warnings = Warnings()
    load(saved(tmp_path / "a.pt", content), warnings)
    assert warnings.messages == [
        "Not used from a.pt: surplus.weight, other, 2 in optimizer.* (outside of the model), loose."
    ]
    warnings = Warnings()
    load(saved(tmp_path / "b.pt", STATE), warnings)
    assert warnings.messages == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda s: s.pop("count"), "it lacks 1 of 3 tensors, count."),
        (lambda s: s.update(count=torch.ones(2)), r"count is \(2,\), not \(\)"),
        (lambda s: s["motion_fc_in.weight"].fill_(float("nan")), "motion_fc_in.weight has values that are not finite"),
    ],
)
def test_an_incomplete_model_is_refused(tmp_path, change, sentence):
    state = {name: value.clone() for name, value in STATE.items()}
    change(state)
    with pytest.raises(ModelFileError, match=sentence) as caught:
        load(saved(tmp_path / "a.pt", state))
    assert "base_data" in caught.value.hint


def test_what_may_be_missing_has_a_default(tmp_path):
    state = {name: value for name, value in STATE.items() if name != "count"}
    loaded = load(saved(tmp_path / "a.pt", state), defaults={"count": torch.tensor(9)})
    assert loaded.count == 9


# --- the wrong file -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", KNOWN_MODELS, ids=lambda model: model.name)
def test_a_file_of_another_model_is_known_by_name(tmp_path, model):
    path = saved(tmp_path / "a.pt", {"state_dict": {name: torch.ones(1) for name in model.telltales}})
    wanted = HMR2 if model is MDNET else MDNET
    with pytest.raises(ModelFileError) as caught, open_checkpoint(path, wanted):
        pass
    assert f"it seems to be {model.name}." in caught.value.message
    assert wanted.name in caught.value.message
    assert wanted.file in caught.value.hint
    with open_checkpoint(path, model) as checkpoint:
        assert set(checkpoint.tensors) == set(model.telltales)


def test_the_two_kinds_of_hmr_are_not_confused(tmp_path):
    names = ["layer1.0.bn1.weight", "layer1.0.bn1.running_mean", "bn1.running_mean", "fc1.weight", "decpose.weight"]
    path = saved(tmp_path / "a.pt", {name: torch.ones(1) for name in names})
    with pytest.raises(ModelFileError, match=r"seems to be HMR of SPIN"), open_checkpoint(path, HMR):
        pass


def test_one_of_several_models_may_be_in_the_file(tmp_path):
    path = saved(tmp_path / "a.pt", {name: torch.ones(1) for name in CLIP_TRANSFORMERS.telltales})
    with open_checkpoint(path, CLIP, CLIP_TRANSFORMERS) as checkpoint:
        assert checkpoint.model is CLIP_TRANSFORMERS


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "it is empty"),
        (b"<!DOCTYPE html><html>", "web page"),
        (gzip.compress(b"x" * 999, mtime=0), "unpack it"),
        (b"\0" * 257 + b"ustar\0" + b"\0" * 99, "unpack it"),
        (b"no model at all", "it is no checkpoint"),
        (b"PK\x03\x04broken", "damaged"),
        (b"\x80\x02broken", "damaged"),
        (struct.pack("<Q", 10**9) + b"{}", "damaged"),
        (pickle.dumps({"a": 1}), "a pickle, but no checkpoint"),
    ],
)
def test_what_is_no_checkpoint_is_reported(tmp_path, content, sentence):
    path = tmp_path / "a.pt"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=sentence), open_checkpoint(path, MDNET):
        pass


def test_other_zip_files_folders_and_missing_files_are_reported(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        archive.writestr("holiday.txt", "sun")
    for path, sentence in (
        (tmp_path / "a.pt", "zip file"),
        (tmp_path, "no model file"),
        (tmp_path / "b.pt", "no model file"),
    ):
        with pytest.raises(ModelFileError, match=sentence), open_checkpoint(path, MDNET):
            pass
    with pytest.raises(ModelFileError, match="holds 1 tensors of a model not known here, the first named x"):
        load(saved(tmp_path / "c.pt", {"x": torch.ones(1)}))
    with pytest.raises(ModelFileError, match="holds no tensors"):
        load(saved(tmp_path / "d.pt", {"epoch": 1}))


def test_an_smpl_body_is_recognised(tmp_path):
    (tmp_path / "a.pkl").write_bytes(b"\x80\x02cchumpy.ch\nCh\n.")
    with (
        pytest.raises(ModelFileError, match="seems to be an SMPL body file"),
        open_checkpoint(tmp_path / "a.pkl", MDNET),
    ):
        pass


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_cut_short_anywhere_is_reported(tmp_path, zipped):
    whole = saved(tmp_path / "a.pt", {"model": STATE}, _use_new_zipfile_serialization=zipped).read_bytes()
    path = tmp_path / "b.pt"
    for end in range(0, len(whole) - 1, max(len(whole) // 60, 1)):
        path.write_bytes(whole[:end])
        with pytest.raises(ModelFileError):
            load(path)


def test_damage_within_the_numbers_is_reported(tmp_path):
    path = saved(tmp_path / "a.pt", {"model": STATE})
    content = bytearray(path.read_bytes())
    position = content.find(STATE["motion_fc_in.weight"].numpy().tobytes())
    content[position] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match="damaged"):
        load(path)


# --- hostile files --------------------------------------------------------------------------------------------------

RAN = []


def leave_a_trace(*_arguments):
    RAN.append(True)
    return torch.ones(1)


class Hostile:
    def __init__(self, function, *arguments):
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced


def attacks(trace):
    """Ways to run something while a pickle is read."""
    return {
        "a function": Hostile(leave_a_trace),
        "open": Hostile(open, str(trace), "w"),
        "exec": Hostile(exec, f"open({str(trace)!r}, 'w')"),
        "a method": Hostile(getattr, Path(trace), "touch"),
        "import": Hostile(__import__, "this"),
        "within the tensors": {"x": OrderedDict(a=[Hostile(leave_a_trace)])},
        "torch.load": Hostile(torch.load, str(trace)),
        "numpy": Hostile(np.load, str(trace), None, True),
    }


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("attack", attacks("trace"))
def test_a_hostile_checkpoint_is_refused_and_nothing_of_it_runs(tmp_path, attack, zipped):
    trace = tmp_path / "trace"
    content = {"model": STATE, "payload": attacks(trace)[attack]}
    path = saved(tmp_path / "a.pt", content, _use_new_zipfile_serialization=zipped)
    RAN.clear()
    with pytest.raises(ModelFileError, match=r"was refused: it asks for '.*', which no checkpoint needs\. Nothing"):
        load(path)
    assert not RAN
    assert not trace.exists()


def test_the_attacks_would_work_on_an_ordinary_unpickler(tmp_path):
    """Else the test above would prove nothing."""
    trace = tmp_path / "trace"
    RAN.clear()
    pickle.loads(pickle.dumps(attacks(trace)["a function"]))
    assert RAN
    pickle.loads(pickle.dumps(attacks(trace)["exec"]))
    assert trace.exists()


def archive(path, program):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a/data.pkl", program)
        file.writestr("a/data/0", struct.pack("<4f", 1, 2, 3, 4))
    return path


STORAGE = b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x04tQ"
REBUILD = b"ctorch._utils\n_rebuild_tensor_v2\n"


def tensor_program(offset=b"K\x00", shape=b"K\x04\x85", stride=b"K\x01\x85", storage=STORAGE):
    return b"\x80\x02}X\x01\0\0\0x" + REBUILD + b"(" + storage + offset + shape + stride + b"\x89N" + b"tRs."


def test_the_hand_written_program_is_a_tensor(tmp_path):
    with open_tensors(archive(tmp_path / "a.pt", tensor_program())) as found:
        assert found["x"].read().tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "program",
    [
        tensor_program(offset=b"K\x01"),  # one number too far
        tensor_program(offset=b"J\xff\xff\xff\xff"),  # before the first
        tensor_program(shape=b"J\xff\xff\xff\x7f\x85"),
        tensor_program(shape=b"K\x04K\x04\x86"),  # another number of dimensions than strides
        tensor_program(stride=b"K\x02\x85"),
        tensor_program(storage=b"N"),
        tensor_program(storage=STORAGE.replace(b"FloatStorage", b"Size")),
        tensor_program(storage=STORAGE.replace(b"storage", b"elephan")),
        b"\x80\x02" + REBUILD + b"}X\x08\0\0\0functioncos\nsystem\nsb.",  # change a function that is allowed
        b"\x80\x02" + REBUILD + b"}X\x08\0\0\0functionNsb.",
        b"\x80\x02ctorch\nFloatStorage\n)R.",  # use a type as a function
        b"\x80\x04\x8c\x0bcollections\x8c\x14OrderedDict.fromkeys\x93.",  # an attribute of something allowed
        b"\x80\x02ccollections\nOrderedDict\n}X\x06\0\0\0updateNsN\x86b.",  # change a class that is allowed
        b"\x80\x02\x82\x01.",  # the registry of extensions
        b"\x80\x02}q\0X\x01\0\0\0xh\0s.",  # a dictionary that holds itself
        b"\x80\x02" + b"]q\0(h\0" + b"h\0" * 9 + b"e.",  # a list that holds itself ten times
    ],
)
def test_hand_written_attacks_are_refused(tmp_path, program):
    with pytest.raises((UnsafeCheckpointError, NotACheckpointError)), open_tensors(archive(tmp_path / "a.pt", program)):
        pass


def test_allowed_names_are_stand_ins(tmp_path):
    """A file that calls everything on the list gets nothing but tensors, and changes no class of ours or Python's."""
    from engine.weights import checkpoint_reader

    before = {name: dict(vars(kind)) for name, kind in vars(checkpoint_reader).items() if isinstance(kind, type)}
    for name in checkpoint_reader._ALLOWED:
        module, function = name.split(" ")
        make = f"c{module}\n{function}\n".encode()
        for program in (make + b")R}b.", make + b"(K\x01K\x02tR.", make + b")\x81.", make + b"}X\x01\0\0\0aNsb."):
            refusals = (UnsafeCheckpointError, NotACheckpointError)
            with suppress(*refusals), open_tensors(archive(tmp_path / "a.pt", b"\x80\x02" + program)) as found:
                assert found == {}
    after = {name: dict(vars(kind)) for name, kind in vars(checkpoint_reader).items() if isinstance(kind, type)}
    assert after == before


@pytest.mark.filterwarnings("ignore:.*torch.jit.*")
def test_torchscript_is_read_and_never_run(tmp_path):
    class Scripted(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(2, 2)
            self.register_buffer("steps", torch.tensor(5))
            self.sizes = [1, 2]

        def forward(self, given: torch.Tensor) -> torch.Tensor:
            return self.inner(given)

    module = Scripted()
    path = tmp_path / "a.pt"
    torch.jit.script(module).save(str(path))
    with open_tensors(path) as found:
        assert set(found) == {"inner.weight", "inner.bias", "steps"}
        assert torch.equal(found["inner.weight"].read(), module.inner.weight)
    buffer = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():  # its code is not even looked at
            new.writestr(name, b"import os" if "/code/" in name else old.read(name))
    path.write_bytes(buffer.getvalue())
    with open_tensors(path) as found:
        assert set(found) == {"inner.weight", "inner.bias", "steps"}


def test_a_module_pickled_whole_is_refused(tmp_path):
    with pytest.raises(ModelFileError, match="which no checkpoint needs"):
        load(saved(tmp_path / "a.pt", nn.Linear(2, 2)))
