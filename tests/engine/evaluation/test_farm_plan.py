"""The simulated farm: what can be counted by hand comes out, and the sender is a limit."""

import json

import pytest
from typer.testing import CliRunner

from engine.errors import UsageError
from engine.evaluation.farm_plan import Measured, measured_of, plan, simulate
from engine.farm.graph import Step

SECONDS = {Step.LOOK: 1.0, Step.DETECT: 2.0, Step.ESTIMATE: 1.0, Step.ADAPT: 3.0, Step.FINISH: 1.0}


def measured(**changed):
    values = {"pieces": 2, "people": 2, "start_s": 0.0, "dispatch_s": 0.0, "spread": 0.0, "kept_bytes": 10}
    return Measured(SECONDS, **{**values, **changed})


def test_one_core_does_everything_one_after_the_other():
    assert measured().clip_s == 13
    one = simulate(measured(), clips=7, cores=1)
    assert one.wall_s == pytest.approx(7 * 13)
    assert one.efficiency == pytest.approx(1)
    assert one.store_bytes == 40, "four clips are begun at a time"


def test_one_clip_takes_its_longest_path_however_many_cores():
    assert simulate(measured(), clips=1, cores=50).wall_s == pytest.approx(1 + 2 + 1 + 3 + 1)


def test_twice_the_cores_take_half_the_time_of_many_clips():
    two, four = (simulate(measured(spread=0.2), clips=400, cores=cores) for cores in (2, 4))
    assert two.wall_s / four.wall_s == pytest.approx(2, rel=0.02)
    assert min(two.efficiency, four.efficiency) > 0.98


def test_processes_that_start_and_a_slow_sender_cost():
    assert simulate(measured(start_s=13.0), clips=1, cores=1).wall_s == pytest.approx(26)
    slow = simulate(measured(dispatch_s=0.5), clips=200, cores=64)
    assert slow.sender > 0.95
    assert slow.wall_s == pytest.approx(200 * 7 * 0.5, rel=0.05), "seven tasks a clip, half a second each"


def test_times_come_from_a_farm_that_ran(tmp_path):
    clips = [
        {
            "status": "done",
            "cpu_s_of_stages": {step.value: 4 * SECONDS[step] for step in Step},
            "tasks_of_stages": {step.value: 4 if step is Step.DETECT else 1 for step in Step},
        },
        {"status": "failed"},
    ]
    found = measured_of({"clips": clips}, 6.0, 0.003, 100)
    assert (found.pieces, found.people, found.spread) == (4, 1, 0.0)
    assert found.seconds == {step: (1 if step is Step.DETECT else 4) * SECONDS[step] for step in Step}
    with pytest.raises(UsageError, match="No clip of that farm was done"):
        measured_of({"clips": clips[1:]}, 6.0, 0.003, 100)
    (tmp_path / "farm.json").write_text(json.dumps({"clips": clips}))
    import typer

    app = typer.Typer()
    app.command()(plan)
    shown = CliRunner().invoke(app, [str(tmp_path / "farm.json"), "--clips", "50", "--cores", "1,8"])
    assert shown.exit_code == 0, shown.output
    assert "4 pieces, 1 people, 32.0 s of a core a clip" in shown.output
    assert shown.output.count("of the cores' time") == 2
