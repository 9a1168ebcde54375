"""The whole adaptation with `hmr` on real footage. Its weights are random, so only that it learns can be judged."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from published_files import write_hmr, write_mdnet, write_motionclip_and_clip

from engine.adaptation.loop import adapt
from engine.adaptation.mdnet import MdNet
from engine.adaptation.priors import Priors
from engine.adaptation.settings import AdaptationSettings
from engine.adaptation.smoothing import MdNetDenoiser
from engine.backbones.crop_backbone import PictureInputs, crop_backbone
from engine.backbones.crop_settings import CropSettings
from engine.backbones.types import Camera
from engine.body.model import load_body
from engine.camera.pinhole import default_focal_px, intrinsics
from engine.footage.decoding import frames, probe
from engine.keypoints.mediapipe_detector import MODELS, MediaPipeDetector
from engine.keypoints.tracking import choose, track_people
from engine.protocol import ExitCode
from engine.runtime.progress import Silent
from engine.weights.model_settings import ModelSettings

DEMO_CLIP = Path(__file__).resolve().parents[3] / "presets" / "demo" / "demo.mp4"
END_S = 0.06


def footage():
    return frames(DEMO_CLIP, None, END_S)


@pytest.fixture(scope="module")
def hmr_file(tmp_path_factory):
    return write_hmr(tmp_path_factory.mktemp("models"))


@pytest.mark.nightly("all of HMR in 32 bits")
def test_it_learns_the_clip_with_every_layer(hmr_file):
    info = probe(DEMO_CLIP)
    with MediaPipeDetector(MODELS["full"], 1) as detector:
        (track,) = choose(track_people(list(detector.detect(footage())), info), "main")
    assert len(track.timestamps) == 4
    camera = Camera(intrinsics(default_focal_px(info.width, info.height), info.width, info.height).numpy(), "guess")
    pictures = PictureInputs(
        ModelSettings(hmr=str(hmr_file)), CropSettings(crops_at_once=3, dropout=False), footage, Silent()
    )
    body = load_body()
    network = crop_backbone("hmr", pictures).bind(track, camera, body, torch.device("cpu"))
    before = network.state()
    torch.manual_seed(0)
    settings = AdaptationSettings(epochs=2, batch=1, least_steps=1, solve_steps=2, learning_rate=3e-4)
    priors = Priors(denoiser=MdNetDenoiser(MdNet()))
    result = adapt(network, track, camera, body, [], priors, settings, 0, Silent())
    losses = [epoch["projection"] for epoch in result.history]
    assert len(losses) == 2
    assert losses[1] < losses[0]
    assert all(np.isfinite(value) for epoch in result.history for value in epoch.values() if value is not None)
    for name, parameter in network.network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0, name
    for array in (result.prediction.rotations, result.prediction.transl, result.prediction.betas, result.keypoints):
        assert np.isfinite(array).all()
    assert all(torch.equal(value, before[name]) for name, value in network.state().items()), "as before, for the next"


def test_the_command_runs_with_the_paper_s_own_parts(hmr_file, run_here, tmp_path):
    """HMR, MDNet, MotionCLIP and CLIP together, from the command line to the motion file."""
    motionclip = write_motionclip_and_clip(tmp_path)
    given = {
        "hmr": hmr_file,
        "mdnet": write_mdnet(tmp_path),
        "motionclip": motionclip,
        "clip": tmp_path / "ViT-B-32.pt",
    }
    done = run_here(
        "run", DEMO_CLIP, "-o", tmp_path / "out", "--preset", "fast", "--end-s", END_S, "--backbone", "hmr",
        *(part for name, path in given.items() for part in ("--set", f"models.{name}={path}")), "--label", "Kick!",
        "--set", 'hmr.layers=["decpose", "deccam"]', "--set", "adaptation.epochs=1", "--set",
        "adaptation.least_steps=1", "--set", "adaptation.solve_steps=2",
        "--set", "adaptation.least_label_s=0.25", "--events", "jsonl",
    )  # fmt: skip
    assert done.code == ExitCode.DONE, done.errors
    (result,) = done.named("result")
    with np.load(result["motion"]) as motion:
        assert motion["poses"].shape == (4, 72)
        assert np.isfinite(motion["poses"]).all()
    (person,) = json.loads((tmp_path / "out" / DEMO_CLIP.stem / "report.json").read_text())["people"]
    (epoch,) = person["adaptation"]["epochs"]
    assert epoch["loss"] > 0
    assert epoch["denoiser"] is not None
    assert person["adaptation"]["labels"]["Kick!"] == "kick"


def test_missing_weights_stop_the_run_before_it_begins(run_here, tmp_path, monkeypatch):
    monkeypatch.setenv("ADAPT_MOTION_MODELS", str(tmp_path))
    done = run_here("run", DEMO_CLIP, "-o", tmp_path / "out", "--backbone", "hmr2", "--events", "jsonl")
    assert done.code == ExitCode.MODEL_FILE
    assert "4D-Humans" in done.errors[0]
    assert done.named("stage") == []
