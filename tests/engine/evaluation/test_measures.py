"""The benchmark on the command line, with the networks that ship."""

import json

import dataset_files
import numpy as np
import pytest
from bench_cases import clip

from engine.adaptation.baselines.source import read_source
from engine.adaptation.priors import DENOISER
from engine.backbones.landmark import LANDMARK_WEIGHTS
from engine.body.model import load_body
from engine.errors import UsageError
from engine.evaluation.assemble import assemble
from engine.evaluation.methods import ABLATION, METHODS
from engine.evaluation.plots import FILLED, GAIN, draw
from engine.evaluation.source import source_of, write
from engine.semantics.motion_text import MOTION_TEXT
from engine.training.corpus import write_corpus

needs_networks = pytest.mark.skipif(
    not all(path.is_file() for path in (DENOISER, LANDMARK_WEIGHTS, MOTION_TEXT)), reason="the networks are not here"
)
SETTINGS = ("adaptation.epochs=1", "adaptation.least_steps=1", "adaptation.solve_steps=2", "fit.iterations=2")
QUICK = tuple(f"--set={setting}" for setting in SETTINGS)


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


@needs_networks
def test_a_data_set_is_measured_with_labels_of_the_users_own(run_here, tmp_path):
    dataset_files.write_3dpw(tmp_path / "3dpw", load_body(None))
    label = [{"start": 0, "end": 1, "label": "walk"}]
    (tmp_path / "downtown_walk_00_0.json").write_text(json.dumps(label))
    ran = run_here(
        *("bench", "--dataset", "3dpw", "--root", tmp_path / "3dpw", "--labels", tmp_path, *QUICK),
        *("--json", tmp_path / "out.json", "--results", tmp_path / "done.jsonl"),
    )
    assert ran.code == 0, ran.stderr
    done = [json.loads(line) for line in (tmp_path / "done.jsonl").read_text().splitlines()]
    full = [entry["case"] for entry in done if entry["row"] == "full"]
    assert full == ["downtown_walk_00_0"]  # the other person has no labels
    table = json.loads((tmp_path / "out.json").read_text())["table"]
    assert {"fit", "backbone", "cycle", "full"} <= set(table)
    assert "no --regressor was given" in ran.stdout


@needs_networks
def test_the_methods_are_compared_on_a_corpus_and_plotted(run_here, corpus, tmp_path):
    """DynaBOA takes its exemplars from the corpus' training performers."""
    pytest.importorskip("matplotlib")
    ran = run_here(
        *("bench", "--corpus", corpus, "--clips", "1", "--tables", "methods,ablation,fill-in", *QUICK),
        *("--set", "adaptation.takes=1", "--plots", tmp_path / "plots", "--json", tmp_path / "found.json"),
    )
    assert ran.code == 0, ran.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    assert list(found["tables"]["methods"]["occluded"]) == [row.key for row in METHODS]
    assert found["runtime"]["boa"]["adapt"] > found["runtime"]["backbone"]["predict"]
    goals = [goal["goal"] for goal in found["goals"]]
    assert "BOA lowers the 2D error" in goals
    assert "time for a frame beside BOA's" in goals
    for name in (GAIN, FILLED):
        assert (tmp_path / "plots" / name).read_bytes().startswith(b"\x89PNG")
        assert name in ran.stdout


def test_a_dry_run_reads_a_data_set_and_runs_nothing(run_here, body, tmp_path):
    dataset_files.write_emdb(tmp_path / "set", body)
    command = ("bench", "--dataset", "emdb2", "--dry-run", "--json", tmp_path / "found.json", "--root")
    ran = run_here(*command, tmp_path / "set")
    assert ran.code == 0, ran.stderr
    assert "P0_09_walk" in ran.stdout
    assert "Missing: no --set adaptation.source=FILE was given, so DynaBOA is left out." in ran.stdout
    assert json.loads((tmp_path / "found.json").read_text())["people"] == {"P0_09_walk": dataset_files.FRAMES}
    (tmp_path / "empty").mkdir()
    ran = run_here(*command, tmp_path / "empty")
    assert ran.code == 2
    assert "has no sequences" in ran.stderr


def test_a_source_set_is_made_of_training_performers_and_written(corpus, tmp_path):
    source = source_of(corpus)
    assert source.poses.shape[2] == 72
    assert len(source.poses) == len(source.keypoints) > 100
    assert source.times_s[:, 0].max() == 0
    write(corpus, tmp_path / "source.npz")
    assert np.array_equal(read_source(tmp_path / "source.npz").keypoints, source.keypoints)


def test_there_has_to_be_something_to_plot(tmp_path):
    pytest.importorskip("matplotlib")
    with pytest.raises(UsageError, match="nothing to plot"):
        draw({"tables": {}, "categories": {}}, tmp_path)
