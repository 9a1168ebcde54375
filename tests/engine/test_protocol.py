"""What Blender and the engine say to each other."""

import ast
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import protocol
from engine.protocol import Job, format_event, parse_event

NAMES = [name for name in protocol.EVENTS if name != "log"]


@pytest.mark.parametrize("name", NAMES)
def test_an_event_comes_back(name):
    values = {key: f"{key} ü\n" for key in protocol.EVENTS[name]}
    line = format_event(name, **values)
    assert "\n" not in line
    assert line.isascii()
    assert parse_event(line + "\n") == {"event": name, **values}


@pytest.mark.parametrize("name", NAMES)
def test_an_event_that_lacks_a_key_is_not_written_and_not_read(name):
    keys = protocol.EVENTS[name]
    with pytest.raises(ValueError, match=f"lacks {keys[0]}"):
        format_event(name, **dict.fromkeys(keys[1:], 0))
    assert parse_event(json.dumps({"event": name}))["event"] == "log"


def test_not_a_number_is_not_written():
    with pytest.raises(ValueError, match="not JSON compliant"):
        format_event("progress", clip="a", stage="detect", done=0, total=float("nan"))


@given(st.text())
def test_any_other_line_is_a_log_event(line):
    event = parse_event(line)
    assert event["event"] == "log" or event["event"] in protocol.EVENTS


@pytest.mark.parametrize("line", ["", "[]", "3", "{", '{"event": 3}', '{"event": "other"}', "W0000 chatter"])
def test_lines_that_are_no_events(line):
    assert parse_event(line + "\r\n") == {"event": "log", "message": line}


def test_a_job_comes_back_from_its_file(tmp_path):
    job = Job(["a.mp4", "ü b.mov"], "out", label="walk", focal_px=1500.5, exports=["fbx"], overrides=["a.b=1"])
    job.write(tmp_path / "job.json")
    assert Job.read(tmp_path / "job.json") == job


def test_a_known_height_is_an_argument_and_an_unknown_one_is_none():
    words = Job(["a.mp4"], "out", height_m=1.83).arguments()
    assert words[words.index("--height-m") + 1] == "1.83"
    assert "--height-m" not in Job(["a.mp4"], "out").arguments()


@pytest.mark.parametrize(
    "content",
    ["no json", "[]", "{}", '{"protocol": 99, "footage": [], "out": ""}', '{"protocol": 1, "footage": []}',
     '{"protocol": 1, "footage": [], "out": "", "colour": 1}'],
)  # fmt: skip
def test_other_files_are_no_jobs(tmp_path, content):
    (tmp_path / "job.json").write_text(content)
    with pytest.raises(ValueError, match="is not a job file"):
        Job.read(tmp_path / "job.json")


def test_the_file_is_plain_python_310_with_nothing_but_the_standard_library():
    files, read = [Path(protocol.__file__)], set()
    while files:
        path = files.pop()
        read.add(path.name)
        tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 10))
        imported = [name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names]
        come_from = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        imported += [node.module for node in come_from if not node.level]
        assert imported
        assert all(name.split(".")[0] in sys.stdlib_module_names for name in imported), path.name
        beside = [path.parent.joinpath(*node.module.split(".")).with_suffix(".py") for node in come_from if node.level]
        files += [one for one in beside if one.name not in read]
