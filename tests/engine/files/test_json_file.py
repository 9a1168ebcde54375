"""The reader of JSON: ordinary files of limited size and depth, whatever is in them."""

import math
import os

import pytest
from effort import counted_calls

from engine.files.json_file import JsonFileError, depth_of, parse_json, read_json


@pytest.fixture
def write(tmp_path):
    def write(content):
        path = tmp_path / "a.json"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_what_json_holds_comes_back(write):
    assert read_json(write('{"a": [1, 2.5, null, true, "ü"]}')) == {"a": [1, 2.5, None, True, "ü"]}
    assert read_json(write(b"\xef\xbb\xbf[1]")) == [1]
    assert read_json(write("[" * 20 + "]" * 20))


HOSTILE = {
    "nothing": "",
    "text": "hello",
    "nul": "\0" * 100,
    "more behind": "[1] more",
    "comment": "// no\n[1]",
    "utf-16": "[1]".encode("utf-16"),
    "latin-1": '["gehen ü"]'.encode("latin1"),
    "open list": "[",
    "deep list": "[" * 10_000 + "]" * 10_000,
    "million lists": "[" * 1_000_000,
    "deep object": '{"a":' * 10_000 + "1" + "}" * 10_000,
    "deep in between": '[{"a": 1}, ' * 200 + "1" + "]" * 200,
    "open text": '["' + "a" * 100,
    "open escape": '["\\',
    "brackets in an open text": '["' + "[" * 1000,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_is_no_json_is_reported(write, kind):
    path = write(HOSTILE[kind])
    with counted_calls() as calls, pytest.raises(JsonFileError) as caught:
        read_json(path)
    assert calls[0] < 1000, "no call for each of a million brackets"
    assert len(str(caught.value)) < 200


def test_brackets_in_text_are_none():
    assert depth_of('["' + "[" * 100 + '\\"{{{"]', 10) == 1
    assert parse_json('["' + "[" * 100 + '"]') == ["[" * 100]


def test_long_numbers_do_not_overflow():
    assert parse_json("[" + "9" * 18 + "]") == [10**18 - 1]
    assert parse_json("[1" + "0" * 30 + "]") == [1e30]
    assert parse_json("[1" + "0" * 400 + ", -1" + "0" * 5000 + ", 1e999]") == [math.inf, -math.inf, math.inf]


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    path = tmp_path / "a.json"
    with path.open("wb") as file:
        file.truncate(2**36)
    with pytest.raises(JsonFileError, match="more than 1 MiB"):
        read_json(path, most_bytes=2**20)


def test_pipes_and_devices_are_not_waited_for(tmp_path):
    if not hasattr(os, "mkfifo") or not os.path.exists("/dev/zero"):
        pytest.skip("this system has no pipes with names")
    os.mkfifo(tmp_path / "a.json")
    for path in (tmp_path / "a.json", "/dev/zero", "/dev/stdin"):
        with pytest.raises(OSError, match=r"pipe or a device|No such|denied"):
            read_json(path)
