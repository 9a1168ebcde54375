"""What a machine checks before it works, and whose fault it is when it cannot."""

from collections import namedtuple
from dataclasses import replace

import pytest

from engine.errors import OutputError
from engine.farm import tasks
from engine.farm.tasks import MachineError, Order
from engine.output import folders
from engine.protocol import Job
from engine.run_options import check_options
from engine.runtime.versions import versions


@pytest.fixture
def order(tmp_path):
    """A clip that this machine sees."""
    footage, folder = tmp_path / "walk.mp4", tmp_path / "out" / "walk"
    footage.write_bytes(b"x")
    folders.prepare_folder(folder, footage)
    options = check_options(Job([str(footage)], str(tmp_path / "out")), find_device=False)
    return Order("walk", footage, folder, options, versions())


def test_the_same_machine_has_the_same_versions(order):
    tasks._check_versions(order, "render3")
    tasks._check_folders(order, "render3")


def test_other_versions_are_named(order):
    other = replace(order, versions={**order.versions, "numpy": "1.0", "scipy": None})
    with pytest.raises(MachineError) as caught:
        tasks._check_versions(other, "render3")
    here = versions()
    assert caught.value.message == (
        f"The machine render3 has other versions: numpy {here['numpy']} in place of 1.0, "
        f"scipy {here['scipy']} in place of None."
    )


def test_builds_for_cards_and_processors_are_one_version(order):
    plain = (versions()["torch"] or "").partition("+")[0]
    tasks._check_versions(replace(order, versions={**order.versions, "torch": f"{plain}+cu128"}), "render3")


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("walk.mp4", r"The machine render3 does not see the footage .*walk\.mp4"),
        ("out/walk/.cache/clip.json", r"The machine render3 does not see the output folder .*out\."),
        ("body.npz", r"The machine render3 does not see .*body\.npz"),
    ],
)
def test_what_is_not_seen_is_named(order, tmp_path, missing, words):
    (tmp_path / missing).unlink(missing_ok=True)
    if missing == "body.npz":
        order = replace(order, options=replace(order.options, body=tmp_path / missing))
    with pytest.raises(MachineError, match=words):
        tasks._check_folders(order, "render3")


def test_a_full_disk_is_the_machine_s(order, monkeypatch):
    error = OutputError("x could not be written.", "Free some space.")
    assert tasks._of_machine(error, order.folder, "render3") is error
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(tasks.shutil, "disk_usage", lambda folder: usage(10**9, 10**9, 1000))
    found = tasks._of_machine(error, order.folder, "render3")
    assert isinstance(found, MachineError)
    assert found.message == "A disk of the machine render3 is full: x could not be written."
