"""The farm on a terminal and in a file: what it says, and that names of clips change nothing but their own cell."""

import csv
import io
import json

import pytest
from rich.console import Console

from engine.errors import FootageError
from engine.farm.clip_state import ClipState
from engine.farm.graph import ClipGraph
from engine.farm.summary import FARM, TABLE, write_summary
from engine.farm.table import FarmTable, clock, headline
from engine.farm.tasks import Order
from engine.protocol import Job
from engine.run_options import check_options


def shown(table):
    console = Console(file=io.StringIO(), width=100)
    console.print(table.table())
    return console.file.getvalue()


def test_the_table_shows_what_goes_on(capsys):
    out = io.StringIO()
    table = FarmTable(out)
    table.send("start", clips=["a", "b"], dashboard="http://127.0.0.1:8265")
    for name in ("a", "[red]b"):
        table.send("stage", clip=name, stage="detect", index=2, count=5)
        table.send("progress", clip=name, stage="detect", done=3, total=8)
    table.send("farm", done=0, failed=0, clips=2, machines=2, cores=8, tasks=5, eta_s=75.0)
    text = shown(table)
    assert "0 of 2 clips done, 5 tasks on 8 cores of 2 machines, 1:15 left" in text
    assert text.count("detect (2/5)") == 2
    assert "3/8" in text
    assert "[red]b" in text
    table.send("result", clip="a", motion="/out/a/person_1.npz")
    table.send("over", clip="a", status="done", seconds=3)
    table.send("error", clip="[red]b", code="nobody", message="Nobody was found.", hint="Trim it.")
    table.send("over", clip="[red]b", status="failed", seconds=3)
    assert "detect" not in shown(table)
    table.send("end", exit_code=4, succeeded=1, failed=1)
    table.close()
    assert out.getvalue() == "/out/a/person_1.npz\n"
    errors = capsys.readouterr().err.splitlines()
    assert errors == [
        "Ray's dashboard: http://127.0.0.1:8265",
        "Error: [red]b: Nobody was found. Trim it.",
        "Clips done: 1, failed: 1.",
    ]


def test_many_clips_do_not_fill_the_screen():
    table = FarmTable(io.StringIO())
    for number in range(40):
        table.send("stage", clip=f"clip {number}", stage="shots", index=1, count=5)
    assert "and 24 more" in shown(table)
    assert len(shown(table).splitlines()) < 22


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0:00"), (61, "1:01"), (3723, "1:02:03")])
def test_the_clock(seconds, text):
    assert clock(seconds) == text


def test_what_failed_is_in_the_headline():
    values = {"done": 3, "failed": 2, "clips": 9, "machines": 1, "cores": 4, "tasks": 4}
    assert headline(values) == "3 of 9 clips done, 2 failed, 4 tasks on 4 cores of 1 machines"


def test_the_summary_has_every_clip_and_no_formula(tmp_path):
    options = check_options(Job([], str(tmp_path)))
    names = ["good", "=cmd|' /C calc'!A0", '"quoted", with, commas']
    clips = [
        ClipState(Order(name, tmp_path / name, tmp_path / "out" / name, options, {}), ClipGraph(number), None)
        for number, name in enumerate(names)
    ]
    clips[0].status, clips[0].seconds["detect"], clips[0].machines = "done", 30.0, {"a", "b"}
    clips[1].status, clips[1].error = "failed", FootageError("It is empty.", "Export it again.")
    clips[2].status = "stopped"
    write_summary(tmp_path, clips, wall_s=20.0, cores=2.0, machines=2)
    farm = json.loads((tmp_path / FARM).read_text())
    assert farm["cores_busy"] == 0.75
    assert [clip["clip"] for clip in farm["clips"]] == names
    assert [clip["status"] for clip in farm["clips"]] == ["done", "failed", "stopped"]
    assert farm["clips"][0]["report"] == str(tmp_path / "out" / "good" / "report.json")
    assert farm["clips"][1]["code"] == "footage"
    rows = list(csv.DictReader((tmp_path / TABLE).open(encoding="utf-8", newline="")))
    assert [row["clip"] for row in rows] == [names[0], f"'{names[1]}", names[2]]
    assert rows[0]["machines"] == "a b"
    assert rows[1]["message"] == "It is empty. Export it again."
