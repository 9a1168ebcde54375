import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from bvh_files import hanging, write_bvh, write_tables

from engine.adaptation.denoiser import MotionDenoiser
from engine.training.commands import figure_lines
from engine.training.corpus import read_corpus, write_corpus

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def motions(tmp_path_factory):
    """Two clips of two performers, one of them held out, and a damaged one; a path that is not plain."""
    folder = tmp_path_factory.mktemp("Bewegungen ü")
    walker, root = hanging(80)
    root[:, 2] = np.linspace(0, 90, 80)
    write_bvh(folder / "bvh" / "mine" / "a.bvh", walker, root)
    write_bvh(folder / "bvh" / "mine" / "b.bvh", *hanging(60))
    (folder / "bvh" / "mine" / "c.bvh").write_text("HIERARCHY\nnothing")
    rows = [{"clip": clip, "start_frame": 0, "end_frame": 60, "label": "stand", "category": "stand"} for clip in "ab"]
    performers = [{"clip": name, "split_group": who} for name, who in (("a", "hdm_tr"), ("b", "ann"), ("c", "ann"))]
    write_tables(folder, rows, performers)
    return folder


@pytest.fixture(scope="module")
def corpus(motions, tmp_path_factory, run_engine):
    out = tmp_path_factory.mktemp("out") / "new folder" / "corpus.npz"
    return out, run_engine("train", "corpus", motions, "-o", out, "--performers", 2, "--seed", 3)


def test_corpus_is_built_and_bad_files_are_named_with_their_line(corpus):
    out, ran = corpus
    assert ran.code == 0, ran.stderr
    assert "Warning: c.bvh, line 2: " in ran.stderr
    assert "corpus: " in ran.stderr
    clips = read_corpus(out)
    assert {"a", "b"} <= {clip.name for clip in clips}
    figures = json.loads(out.with_suffix(".json").read_text())
    assert figures["clips"] == len(clips)
    assert figures["refused"][0].startswith("c.bvh, line 2: ")
    assert f"clips: {len(clips)}" in ran.stdout


@pytest.fixture(scope="module")
def small(corpus, tmp_path_factory):
    """The captured clips and one authored one, which is quick to score."""
    path = tmp_path_factory.mktemp("small") / "corpus.npz"
    clips = read_corpus(corpus[0])
    write_corpus(path, [*(c for c in clips if not c.synthetic), next(c for c in clips if c.synthetic and c.held_out)])
    return path


def test_denoiser_is_trained_scored_and_written(small, run_here, tmp_path):
    out = tmp_path / "denoiser.safetensors"
    ran = run_here("train", "denoiser", small, "-o", out, "--steps", 2, "--device", "cpu")
    assert ran.code == 0, ran.stderr
    MotionDenoiser.from_file(out)
    figures = json.loads((tmp_path / "denoiser.json").read_text())
    assert (figures["seed"], figures["steps"], figures["device"]) == (0, 2, "cpu")
    assert figures["captured"]["windows"] == 1
    assert figures["captured"]["levels"][0]["pa_mpjpe_noisy"] > 5
    assert "captured:" in ran.stdout
    assert "authored:" in ran.stdout
    assert "denoiser: 2 of 2" in ran.stderr
    again = run_here("train", "denoiser", small, "-o", out, "--steps", 2, "--device", "cpu")
    assert again.code == 0
    assert "is complete, so nothing was trained." in again.stderr
    assert json.loads((tmp_path / "denoiser.json").read_text()) == figures


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to one process")
def test_ctrl_c_leaves_a_checkpoint_from_which_the_same_command_goes_on(small, run_here, tmp_path):
    out = tmp_path / "denoiser.safetensors"
    words = ["train", "denoiser", str(small), "-o", str(out), "--device", "cpu"]
    command = [sys.executable, "-m", "engine", *words, "--steps", "100000"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert "denoiser: 1 of 100000" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 7
    assert errors.count("The training was stopped. Run the same command again: it goes on from") == 1
    assert "Traceback" not in errors
    assert sorted(file.name for file in tmp_path.iterdir()) == ["denoiser.safetensors.checkpoint"]
    ran = run_here(*words, "--steps", 4)
    assert ran.code == 0
    assert "Going on after step " in ran.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("denoiser", "no such corpus.npz", "-o", "x.safetensors"), "adapt-motion train corpus"),
        (("backbone", "no such corpus.npz", "-o", "x.safetensors"), "adapt-motion train corpus"),
        (("backbone", "c.npz", "-o", "x.safetensors", "--detector", "no such.npz"), "c.npz is no corpus file"),
        (("motion-text", "no such corpus.npz", "-o", "x.safetensors"), "adapt-motion train corpus"),
        (("detector-model", "no such corpus.npz", "-o", "x.npz"), "--pairs"),
        (("detector-model", "c.npz", "-o", "x.npz", "--pairs", "p", "--model", "lite"), "There is no detector 'lite'"),
        (("corpus", "no such folder", "-o", "x.npz"), "no such folder"),
        (("denoiser", "c.npz", "-o", "x.safetensors", "--steps", "0"), "--steps"),
        (("denoiser", "c.npz", "-o", "x.safetensors", "--seed", "-1"), "--seed"),
        (("denoiser", "c.npz", "-o", "x.safetensors", "--device", "tpu"), "There is no device 'tpu'"),
        (("denoiser", "c.npz"), "--out"),
        (("everything",), "everything"),
    ],
)
def test_bad_arguments_are_one_sentence(run_here, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    ran = run_here("train", *words)
    assert ran.code == 2
    assert message in ran.stderr
    assert "Traceback" not in ran.stderr
    assert list(tmp_path.iterdir()) == []


def test_figures_are_lines_of_text():
    rows = ({"x": 1, "y_z": 2.0},)
    figures = {"seed": 0, "a_b": {"c": 1.23456, "none": None}, "rows": rows, "refused": ["bad"], "e": []}
    expected = ["seed: 0", "a b:", "  c: 1.235", "rows:", "  x 1, y z 2", "refused:", "  bad"]
    assert list(figure_lines(figures)) == expected
