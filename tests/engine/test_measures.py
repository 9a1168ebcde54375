"""The benchmark on the command line, with the networks that ship."""

import json
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))
from bench_cases import clip

from engine.adaptation.priors import DENOISER
from engine.backbones.landmark import LANDMARK_WEIGHTS
from engine.evaluation.assemble import assemble
from engine.evaluation.methods import ABLATION
from engine.semantics.motion_text import MOTION_TEXT
from engine.training.corpus import write_corpus

needs_networks = pytest.mark.skipif(
    not all(path.is_file() for path in (DENOISER, LANDMARK_WEIGHTS, MOTION_TEXT)), reason="the networks are not here"
)
QUICK = ("--set", "adaptation.epochs=1", "--set", "adaptation.least_steps=1", "--set", "fit.iterations=2")


@pytest.fixture
def corpus(tmp_path):
    write_corpus(tmp_path / "corpus.npz", [clip("a", label="walk", category="walk"), clip("t", "ann", held_out=False)])
    return tmp_path / "corpus.npz"


@needs_networks
def test_the_corpus_is_measured_by_two_processes_and_again_from_what_they_left(run_engine, run_here, corpus, tmp_path):
    arguments = ("bench", "--corpus", corpus, "--quick", *QUICK, "--results", tmp_path / "done.jsonl")
    ran = run_engine(*arguments, "--jobs", 2, "--json", tmp_path / "first.json")
    assert ran.code == 0, ran.stderr
    for row in ABLATION:
        assert row.title in ran.stdout
    assert "Fewer than 30 clips" in ran.stdout
    done = [json.loads(line)["row"] for line in (tmp_path / "done.jsonl").read_text().splitlines()]
    assert sorted(done) == sorted(2 * [row.key for row in ABLATION])
    first = json.loads((tmp_path / "first.json").read_text())
    assert first["clips"] == ["a_0"]
    assert first["tables"]["ablation"]["occluded"]["full"]["pa"]["mean"] > 0
    again = run_here(*arguments, "--json", tmp_path / "second.json")
    assert again.code == 0, again.stderr
    assert again.stderr == ""  # nothing was left to do
    assert json.loads((tmp_path / "second.json").read_text())["tables"] == first["tables"]


@needs_networks
def test_the_tools_are_those_of_a_run():
    tools = assemble("paper", ["adaptation.epochs=3"], "landmark", None, "cpu", 7)
    assert (tools.settings.epochs, tools.settings.denoiser_step, tools.seed) == (3, 1, 7)
    assert tools.labeler is not None


def test_a_backbone_that_needs_pictures_is_refused(run_here, corpus):
    ran = run_here("bench", "--corpus", corpus, "--backbone", "hmr")
    assert ran.code == 2
    assert "The benchmark adapts the backbone landmark, not 'hmr'." in ran.stderr
