"""Job files: what Blender writes is read, and anything else is refused with a sentence."""

import json

import pytest

from engine.errors import UsageError
from engine.farm.command import run_farm
from engine.farm.jobs import read_jobs
from engine.protocol import Job
from engine.runtime.cancel import Cancel
from engine.runtime.reporter import Reporter

GOOD = {"protocol": 1, "footage": ["a.mp4"], "out": "out"}


def test_what_was_written_is_read(tmp_path):
    job = Job(["a.mp4", "b"], "out", person="1,3", focal_px=1200.0, end_s=2.5, overrides=["detection.model=full"])
    job.write(tmp_path / "job.json")
    assert read_jobs([str(tmp_path / "job.json")]) == [job]


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{", "[" * 100_000, "1e999", json.dumps({**GOOD, "protocol": 2}), json.dumps({**GOOD, "magic": 1}),
        json.dumps({**GOOD, "footage": "a.mp4"}), json.dumps({**GOOD, "footage": [["a"]]}),
        json.dumps({**GOOD, "seed": "0"}), json.dumps({**GOOD, "end_s": [1]}), json.dumps({**GOOD, "resume": 1}),
        json.dumps({**GOOD, "out": None}),
    ],
)  # fmt: skip
def test_anything_else_is_refused(tmp_path, text):
    (tmp_path / "job.json").write_text(text)
    with pytest.raises(UsageError, match="is not a job file") as caught:
        read_jobs([str(tmp_path / "job.json")])
    assert len(caught.value.message) < 600


def run(jobs):
    return run_farm(jobs, "", False, "", 0, False, Reporter(type("Sink", (), {"send": print})(), Cancel()))


def test_a_farm_has_footage_and_one_folder(tmp_path):
    with pytest.raises(UsageError, match="There is no footage to work on"):
        run([Job([], str(tmp_path))])
    with pytest.raises(UsageError, match="several output folders"):
        run([Job(["a.mp4"], str(tmp_path / name)) for name in "ab"])
