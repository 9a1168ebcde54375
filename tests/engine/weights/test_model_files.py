"""Published models: found where they may lie, checked by loading, and requested with their origin where missing."""

import json

import numpy as np
import pytest
import torch

from engine.adaptation.mdnet import MdNet
from engine.config import load_settings
from engine.doctor import published
from engine.doctor.published import examine
from engine.errors import ModelFileError
from engine.protocol import ExitCode
from engine.weights.model_files import PUBLISHED, find, models_folder, require
from engine.weights.model_settings import ModelSettings


@pytest.fixture(autouse=True)
def no_folder_of_the_user(monkeypatch, tmp_path):
    monkeypatch.setenv("ADAPT_MOTION_MODELS", str(tmp_path / "of the user"))


def test_every_model_has_a_check_and_a_setting():
    keys = {entry.key for entry in PUBLISHED}
    assert keys == set(published._CHECKS)
    assert keys - {"smpl"} == set(ModelSettings.model_fields) - {"folder"}


def test_a_model_is_found_by_its_name_in_the_folder_or_below_it(tmp_path):
    settings = ModelSettings(folder=str(tmp_path))
    assert find("hmr2", settings) is None
    deep = tmp_path / "4dhumans" / "checkpoints" / "epoch=35-step=1000000.ckpt"
    deep.parent.mkdir(parents=True)
    deep.write_bytes(b"x")
    assert find("hmr2", settings) == deep


def test_a_models_folder_that_cannot_be_searched_has_no_models():
    assert find("hmr", ModelSettings(folder="long " * 100)) is None


def test_a_given_path_goes_before_the_folder(tmp_path):
    (tmp_path / "md_basemodel.pt").write_bytes(b"x")
    assert find("mdnet", ModelSettings(folder=str(tmp_path), mdnet=str(tmp_path / "mine.pt"))) == tmp_path / "mine.pt"


def test_the_folder_is_the_setting_s_then_the_variable_s_then_the_user_s(tmp_path, monkeypatch):
    assert models_folder(ModelSettings(folder=str(tmp_path))) == tmp_path
    assert models_folder(ModelSettings()) == tmp_path / "of the user"
    monkeypatch.delenv("ADAPT_MOTION_MODELS")
    assert models_folder(ModelSettings()).parts[-2:] == ("adapt-motion", "models")


def test_paths_come_from_the_command_line():
    assert load_settings(overrides=["models.hmr=C:\\models\\hmr.pt"]).models.hmr == "C:\\models\\hmr.pt"


@pytest.mark.parametrize("key", ["hmr", "hmr2", "mdnet", "motionclip", "clip", "babel", "amass"])
def test_a_missing_model_is_requested_with_its_origin(key, tmp_path):
    with pytest.raises(ModelFileError) as raised:
        require(key, ModelSettings(), "--backbone x")
    entry = next(one for one in PUBLISHED if one.key == key)
    assert raised.value.exit_code == ExitCode.MODEL_FILE
    assert str(tmp_path / "of the user") in raised.value.message
    assert entry.obtain in raised.value.hint
    assert f"models.{key}=" in raised.value.hint
    with pytest.raises(ModelFileError, match="is not there"):
        require(key, ModelSettings(**{key: str(tmp_path / "nothing")}), "--backbone x")


def found(key, settings=None, body=""):
    (finding,) = examine(settings or ModelSettings(), body, [key])
    return finding


def test_a_whole_checkpoint_is_ok_and_another_model_s_is_refused(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "md_basemodel.pt"
    torch.save({"model": MdNet().state_dict(), "optimizer": {"step": torch.tensor(3)}}, path)
    whole = found("mdnet", ModelSettings(mdnet=str(path)))
    assert (whole.state, whole.path) == ("ok", str(path))
    assert "whole" in whole.found
    assert "optimizer" in whole.found, "what is not used is named"
    other = found("hmr", ModelSettings(hmr=str(path)))
    assert other.state == "refused"
    assert "MDNet" in other.found, "it says which model it seems to be"
    assert other.hint


def test_an_incomplete_checkpoint_is_refused(tmp_path):
    state = MdNet().state_dict()
    state.pop("motion_fc_out.weight")
    torch.save(state, tmp_path / "md.pt")
    finding = found("mdnet", ModelSettings(mdnet=str(tmp_path / "md.pt")))
    assert finding.state == "refused"
    assert "motion_fc_out.weight" in finding.found


def test_a_body_file_is_checked(tmp_path):
    (tmp_path / "SMPL_NEUTRAL.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    finding = found("smpl", body=str(tmp_path / "SMPL_NEUTRAL.pkl"))
    assert finding.state == "refused"
    assert "os.system" in finding.found


def test_data_sets_are_checked(tmp_path):
    babel, amass = tmp_path / "babel", tmp_path / "amass"
    babel.mkdir()
    amass.mkdir()
    settings = ModelSettings(babel=str(babel), amass=str(amass))
    assert {found(key, settings).state for key in ("babel", "amass")} == {"refused"}
    labels = [{"proc_label": "walk", "raw_label": "walking", "act_cat": ["walk"], "start_t": 0, "end_t": 1}]
    motion = {"feat_p": "KIT/KIT/3/walk_poses.npz", "dur": 3.0, "frame_ann": {"labels": labels}}
    (babel / "train.json").write_text(json.dumps({"1": motion}))
    np.savez(amass / "walk_poses.npz", poses=np.zeros((2, 156)), mocap_framerate=120.0)
    assert (found("babel", settings).state, found("babel", settings).found) == ("ok", "1 labels in 1 places.")
    assert (found("amass", settings).state, found("amass", settings).found) == ("ok", "1 motion files.")


def test_the_command_checks_what_it_is_given(run_here, tmp_path):
    state = MdNet().state_dict()
    torch.save(state, tmp_path / "md.pt")
    done = run_here("doctor", "--json", "--set", f"models.mdnet={tmp_path / 'md.pt'}")
    assert done.code == ExitCode.DONE
    checks = {check["key"]: check for check in json.loads(done.stdout)["checks"] if check["key"]}
    assert checks["mdnet"]["state"] == "ok"
    assert checks["motionclip"]["state"] == "optional"
    assert checks["motionclip"]["obtain"]
