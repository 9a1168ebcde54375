"""The speed bench: clips repeated, memory seen from outside, a real run measured."""

import io
import itertools
import json
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from engine.errors import EngineError
from engine.evaluation import method_speed, speed, tables
from engine.evaluation.methods import BACKBONE, DATA_SET, DYNABOA, TABLES
from engine.footage.decoding import frames, probe

ROOT = Path(__file__).resolve().parents[3]
REAL = ROOT.parent / "shared" / "data" / "real"


def test_a_longer_clip_goes_forwards_and_backwards_without_a_leap(tmp_path):
    speed.lengthen_clip(speed.demo_clip(), tmp_path / "long.mp4", 3)
    info = probe(tmp_path / "long.mp4")
    assert (info.frame_count, info.frame_rate, info.variable_rate) == (300, 60, False)
    pictures = [frame.rgb[::8, ::8].astype(int) for frame in frames(tmp_path / "long.mp4")]
    turned, same, other = (np.abs(pictures[row] - pictures[0]).mean() for row in (199, 200, 100))
    assert max(turned, same) < 2 < other


def test_methods_are_timed_and_what_cannot_run_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr(method_speed, "METHODS", (BACKBONE, DYNABOA))
    clip = tmp_path / "short.mp4"
    with av.open(str(speed.demo_clip())) as source, av.open(str(clip), "w") as target:
        stream = target.add_stream("libx264", rate=60)
        stream.width, stream.height = 1080, 1920
        for number, frame in enumerate(itertools.islice(source.decode(video=0), 8)):
            frame.pts, frame.time_base = number, Fraction(1, 60)
            target.mux(stream.encode(frame))
        target.mux(stream.encode())
    costs = method_speed.method_costs(clip, "cuda", lambda _: None)
    assert costs[BACKBONE.title]["cpu"] > 0
    assert "needs a source set" in costs[DYNABOA.title]["cpu"]
    if not torch.cuda.is_available():
        assert costs[BACKBONE.title]["cuda"].startswith("not run: The device 'cuda' is not available")
    assert costs["HMR2.0 of 4D-Humans (ViT-H), every method"]["cpu"] == "not run: its weights are missing"


def test_memory_of_another_process_is_seen():
    code = "import time; data = bytearray(200 * 2**20); print('ready', flush=True); time.sleep(30)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        memory = speed.resident_mib(process.pid)
        process.kill()
    if memory is None:
        pytest.skip("this system does not tell")
    assert 200 < memory < 300
    assert speed.resident_mib(process.pid) is None


CHILD = """
import sys, time
def begin(): print(flush=True); sys.stdin.readline()
begin(); time.sleep(0.3)
begin(); data = bytearray(150 * 2**20); time.sleep(0.3); del data
begin(); time.sleep(0.3)
"""


def test_a_peak_belongs_to_its_stage():
    with subprocess.Popen([sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        memory = speed._Memory(process)
        for stage in ("before", "large", "after"):
            process.stdout.readline()
            memory.begin(stage)
            process.stdin.write(b"\n")
            process.stdin.flush()
    if not memory.peaks:
        pytest.skip("this system does not tell")
    assert memory.peaks["large"] > memory.peaks["before"] + 140
    assert memory.peaks["large"] > memory.peaks["after"] + 140


@pytest.mark.nightly("starts the engine twice")
def test_the_table_and_the_json_hold_every_stage_of_real_runs(quick):
    stream = io.StringIO()
    figures = tables.speed(None, 2, [*quick, "--end-s", "0.1", "--set", "fit.iterations=2"], stream)
    stages = ["footage", "shots", "detect", "track", "predict", "segment", "adapt", "world", "write"]
    for cost in (figures["short"], figures["long"]):
        assert list(cost["stages"]) == stages
        assert cost["seconds"] > 0
    assert figures["long"]["frames"] == 2 * figures["short"]["frames"] == 200
    if sys.platform in ("linux", "darwin"):
        assert figures["short"]["stages"]["detect"]["peak_mib"] > 100
    for stage in [*stages, "all"]:
        assert f" {stage} " in stream.getvalue()
    json.dumps(figures)


def test_a_run_that_fails_is_reported(tmp_path):
    with pytest.raises(EngineError, match=r"none\.mp4"):
        speed.measure(tmp_path / "none.mp4", tmp_path / "out", [])


def test_the_yardstick_scores_a_motion_file(real_run, run_here, tmp_path):
    if not REAL.is_dir():
        pytest.skip("the yardstick is not here")
    shutil.copytree(real_run.folder, tmp_path / "demo_balance")
    motion = tmp_path / "demo_balance" / "person_1.npz"
    ran = run_here("bench", "--yardstick", REAL, motion, "--json", tmp_path / "scores.json")
    assert ran.code == 0, ran.stderr
    assert "PA-MPJPE, mm" in ran.stdout
    scores = json.loads((tmp_path / "scores.json").read_text())["scores"][str(motion)]
    assert scores["frames"] == 21
    assert 20 < scores["pa_mpjpe"] < 150


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "It is not clear what to measure."),
        (("--speed", "--yardstick", "x", "y.npz"), "It is not clear what to measure."),
        (("--dataset", "3dpw"), "It is not clear what to measure."),
        (("--yardstick", "x"), "--yardstick takes motion files or --footage"),
        (("--speed", "y.npz"), "--yardstick takes motion files or --footage"),
        (("--corpus", "x.npz"), "x.npz is no corpus file."),
        (("--speed", "--plots", "x"), "--plots belongs to --corpus"),
        (("--corpus", "x.npz", "--dry-run"), "--dry-run to --dataset"),
        (("--corpus", "x.npz", "--tables", "all"), "There is no table 'all'."),
        (("--corpus", "x.npz", "--jobs", "2"), "--jobs needs --results"),
    ],
)
def test_what_makes_no_sense_is_refused(run_here, arguments, message):
    ran = run_here("bench", *arguments)
    assert ran.code == 2
    assert message in ran.stderr


def test_every_row_is_listed_with_its_source_and_its_cost(run_here, tmp_path):
    ran = run_here("bench", "--list", "--json", tmp_path / "rows.json")
    assert ran.code == 0, ran.stderr
    rows = {one["row"]: one for one in json.loads((tmp_path / "rows.json").read_text())["rows"]}
    assert set(rows) == {row.key for table in (*TABLES.values(), DATA_SET) for row in table}
    assert all(one["source"] and one["cost"] and one["tables"] for one in rows.values())
    assert "CVPR 2021" in rows["boa"]["source"]
    assert "DynaBOA" in ran.stdout


@pytest.mark.nightly("detects the whole clip with the heavy model")
def test_footage_goes_through_presets_and_is_scored(run_here, quick, tmp_path):
    if not REAL.is_dir():
        pytest.skip("the yardstick is not here")
    clip = tmp_path / "demo_balance.mp4"
    shutil.copyfile(speed.demo_clip(), clip)
    options = " ".join(["--backbone", "fit", *quick[2:], "--set", "fit.iterations=2"])
    ran = run_here(
        *("bench", "--yardstick", REAL, "--footage", clip, "--presets", "fast", "--run-options", options),
        *("--json", tmp_path / "scores.json"),
    )
    assert ran.code == 0, ran.stderr
    scores = json.loads((tmp_path / "scores.json").read_text())["scores"]
    assert list(scores) == ["demo_balance, MediaPipe's own 3D", "demo_balance, fast"]
    own = scores["demo_balance, MediaPipe's own 3D"]
    assert own["pa_mpjpe"] == pytest.approx(84, abs=5)  # the yardstick's own figure for the heavy model
    assert own["root"] is None
    assert scores["demo_balance, fast"]["frames"] == 21
