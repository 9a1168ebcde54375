"""*Install Engine* without Blender: real environments, made by pip (and uv where it is) from tiny packages."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import shutil
import sys
import zipfile
from pathlib import Path

import pytest
from adapt_motion.blender_addon import errors
from adapt_motion.blender_addon.run import engine_home as home
from adapt_motion.blender_addon.run import find_python, install
from adapt_motion.blender_addon.run import install_progress as progress

REPOSITORY = Path(__file__).resolve().parents[3]

needs_python = pytest.mark.skipif(find_python.find_python() is None, reason="no Python 3.11 that makes environments")


def make_wheel(folder: Path, name: str, version: str, source: str = "") -> None:
    """A wheel with one module."""
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", source)
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")


@pytest.fixture
def plan(tmp_path, request):
    """A plan that installs two tiny packages from a local folder, by pip unless the test asks for uv."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    make_wheel(wheels, "tiny_one", "1.4")
    make_wheel(wheels, "tiny_two", "2.0")
    (tmp_path / "requirements.txt").write_text("tiny_one>=1.2  # why\ntiny_two\n")
    (tmp_path / "constraints.txt").write_text("tiny_one==1.4\n")
    uv = find_python.find_uv() if getattr(request, "param", "pip") == "uv" else None
    return install.Plan(
        folder=tmp_path / "user data é" / "environment",
        uv=uv,
        torch="cpu",
        items=(("tiny", 1),),
        extra=("--no-index", "--find-links", str(wheels)),
        requirements=tmp_path / "requirements.txt",
        constraints=tmp_path / "constraints.txt",
    )


def run(plan, log: Path) -> list[dict]:
    installer = install.Installer(plan, log)
    return list(installer.stream())


def error_of(events: list[dict]) -> dict:
    return next(event for event in events if event["event"] == "error")


@needs_python
@pytest.mark.parametrize(
    "plan",
    ["pip", pytest.param("uv", marks=pytest.mark.skipif(not find_python.find_uv(), reason="no uv"))],
    indirect=True,
)
def test_installs_checks_and_stamps(plan, tmp_path):
    assert home.state(plan.folder) is home.EngineState.MISSING
    events = run(plan, tmp_path / "install.log")
    assert events[-1] == {"event": "exited", "code": 0, "cancelled": False}, (tmp_path / "install.log").read_text()
    assert [event["stage"] for event in events if event["event"] == "stage"] == list(install.STAGES)
    done = [event["done"] for event in events if event["event"] == "progress"]
    assert done == sorted(done)
    assert done[-1] == 1000
    finding = next(event for event in events if event["event"] == "checked")
    assert finding["versions"] == {"tiny_one": "1.4", "tiny_two": "2.0"}
    assert finding["problems"] == []
    assert home.state(plan.folder) is home.EngineState.READY
    stamp = home.read_stamp(plan.folder)
    assert stamp["packages"] == home.packages_digest()
    stamp["packages"] = "older"
    home.stamp_path(plan.folder).write_text(json.dumps(stamp))
    assert home.state(plan.folder) is home.EngineState.OUTDATED
    shutil.rmtree(plan.folder)
    assert home.state(plan.folder) is home.EngineState.INTERRUPTED


@needs_python
def test_package_that_cannot_be_had_is_reported_in_words(plan, tmp_path):
    plan.requirements.write_text("no_such_package_of_ours\n")
    events = run(plan, tmp_path / "install.log")
    assert "not to be had" in error_of(events)["message"]
    assert error_of(events)["hint"]
    assert events[-1]["code"] == 1
    assert "no_such_package_of_ours" in (tmp_path / "install.log").read_text()
    assert home.state(plan.folder) is home.EngineState.INTERRUPTED


@needs_python
def test_broken_package_is_found_by_the_check(plan, tmp_path):
    make_wheel(tmp_path / "wheels", "tiny_two", "3.0", "raise OSError('libtiny.so is missing')")
    events = run(plan, tmp_path / "install.log")
    assert "tiny_two does not load: OSError: libtiny.so is missing" in error_of(events)["message"]
    assert home.state(plan.folder) is home.EngineState.INTERRUPTED


@needs_python
def test_interrupted_installation_is_redone(plan, tmp_path):
    (plan.folder / "lib").mkdir(parents=True)
    (plan.folder / "lib" / "half").write_text("of a file")
    home.stamp_path(plan.folder).write_text(json.dumps({"state": "making"}))
    assert home.state(plan.folder) is home.EngineState.INTERRUPTED
    assert run(plan, tmp_path / "install.log")[-1]["code"] == 0
    assert not (plan.folder / "lib" / "half").exists()
    assert home.state(plan.folder) is home.EngineState.READY


@needs_python
def test_cancel_stops_soon_and_leaves_an_interrupted_environment(plan, tmp_path):
    installer = install.Installer(plan, tmp_path / "install.log")
    for event in installer.stream():
        if event["event"] == "stage" and event["stage"] == "packages":
            installer.cancel()
        last = event
        if event["event"] == "error":
            assert event["message"] == "The installation was cancelled."
    assert last == {"event": "exited", "code": 1, "cancelled": True}
    assert home.state(plan.folder) is home.EngineState.INTERRUPTED


def locked(plan: install.Plan, wheels: Path, monkeypatch) -> install.Plan:
    """The plan from the package index, which the folder of wheels stands for, with the hashes of what is there."""
    lines = []
    for wheel in sorted(wheels.glob("*.whl")):
        name, version = wheel.name.split("-")[:2]
        lines.append(f"{name}=={version} \\\n    --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n")
    plan.requirements.with_name("locked.txt").write_text("# how it is made\n" + "".join(lines))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    return dataclasses.replace(plan, extra=(), locked=plan.requirements.with_name("locked.txt"))


@needs_python
def test_packages_are_taken_by_their_hashes(plan, tmp_path, monkeypatch):
    plan = locked(plan, tmp_path / "wheels", monkeypatch)
    events = run(plan, tmp_path / "install.log")
    assert events[-1]["code"] == 0, (tmp_path / "install.log").read_text()
    assert "--require-hashes" in (tmp_path / "install.log").read_text()


@needs_python
def test_a_package_of_another_hash_is_not_installed(plan, tmp_path, monkeypatch):
    plan = locked(plan, tmp_path / "wheels", monkeypatch)
    make_wheel(tmp_path / "wheels", "tiny_two", "2.0", "import pathlib; pathlib.Path('ran').touch()")
    events = run(plan, tmp_path / "install.log")
    assert "not the one that this version was tested with" in error_of(events)["message"]
    assert events[-1]["code"] == 1
    assert not list(plan.folder.rglob("tiny_two*"))
    assert home.state(plan.folder) is home.EngineState.INTERRUPTED


def test_everything_that_is_installed_is_locked():
    text = (REPOSITORY / "engine" / "locked.txt").read_text(encoding="utf-8")
    entries = dict(re.findall(r"^([a-z0-9._-]+)==([^ ]+)", text, re.MULTILINE))
    pinned = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8")
    pins = {name.lower().replace("_", "-"): version for name, version in re.findall(r"^(\S+)==(\S+)$", pinned, re.M)}
    assert {name: pins[name] for name in entries if name in pins} == {
        name: version for name, version in entries.items() if name in pins
    }
    wanted = (REPOSITORY / "engine" / "requirements.txt").read_text(encoding="utf-8")
    assert set(re.findall(r"^([a-z]+)>=", wanted, re.MULTILINE)) <= set(entries)
    for entry in re.split(r"\n(?=[a-z0-9])", text)[1:]:
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry


def test_what_comes_from_pytorchs_own_index_is_set_apart():
    text = (REPOSITORY / "engine" / "locked.txt").read_text(encoding="utf-8")
    torch, others = install.split_locked(text)
    assert torch == "torch==2.13.0"
    assert "numpy==" in others
    assert "sympy==" in others
    assert not re.search(r"^(torch|triton|nvidia|cuda)", others, re.MULTILINE)
    assert others.count("--hash") + 20 < text.count("--hash")


def test_full_disk_is_reported_before_anything_is_made(plan, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(install.shutil, "disk_usage", lambda path: usage._replace(free=10**6))
    monkeypatch.setattr(
        install.find_python, "find_python", lambda refused: find_python.FoundPython(Path("python"), (3, 11, 0))
    )
    events = run(dataclasses.replace(plan, items=(("tiny", 500),)), tmp_path / "install.log")
    assert "needs about 1.9 GB" in error_of(events)["message"]
    assert not plan.folder.exists()


def test_no_python_is_reported_with_the_reason(plan, tmp_path, monkeypatch):
    def nothing(refused):
        refused.append("/usr/bin/python3 is version 3.9.2; 3.11 or newer is needed.")

    monkeypatch.setattr(install.find_python, "find_python", nothing)
    trouble = error_of(run(plan, tmp_path / "install.log"))
    assert trouble["message"].startswith("No Python 3.11 or newer was found")
    assert "3.9.2" in trouble["message"]
    assert "python.org" in trouble["hint"]


@pytest.mark.skipif(os.name == "nt" or os.getuid() == 0, reason="root may write anywhere")
def test_folder_that_cannot_be_written(plan, tmp_path):
    tmp_path.chmod(0o500)
    try:
        events = run(plan, tmp_path.parent / "install.log")
    finally:
        tmp_path.chmod(0o700)
    assert "could not be written" in error_of(events)["message"]


def test_file_in_the_way_is_an_error_event_not_a_hang(plan, tmp_path):
    plan.folder.parent.write_text("a file where the folder should be")
    events = run(plan, tmp_path / "install.log")
    assert error_of(events)["message"]
    assert events[-1]["code"] == 1


def test_plans_say_what_comes(tmp_path, monkeypatch):
    def plan(system: str, torch: str, uv: Path | None, extra: str = ""):
        monkeypatch.setattr(install.platform, "system", lambda: system)
        monkeypatch.setattr(install.find_python, "find_uv", lambda: uv)
        return install.make_plan(tmp_path, torch, extra)

    uv = tmp_path / "uv"
    small, large = plan("Linux", "cpu", uv), plan("Linux", "cpu", None)
    assert (small.torch, small.notes) == ("cpu", ())
    assert small.download_mb < 600
    assert large.torch == "cuda"
    assert "CUDA" in large.notes[0]
    assert large.download_mb > 2500
    assert plan("Linux", "cpu", None, "--find-links /wheels").torch == "cpu"
    assert plan("Linux", "cpu", None, "--find-links /wheels").own_source
    assert not plan("Linux", "cpu", None, "--proxy http://x").own_source
    assert [plan("Linux", "cpu", uv).pypi, plan("Linux", "cpu", None).pypi, plan("Windows", "cpu", uv).pypi] == [
        False, True, True,
    ]  # fmt: skip
    assert plan("Windows", "cuda", None).torch == "cpu"
    assert plan("Windows", "cuda", uv).torch == "cuda"
    assert plan("Darwin", "cuda", uv).torch == "cpu"
    assert large.requirements == REPOSITORY / "engine" / "requirements.txt"
    assert large.requirements.is_file()
    assert large.constraints.is_file()
    with pytest.raises(errors.UserError, match="cannot be read"):
        plan("Linux", "cpu", None, "--proxy 'http")


def test_blenders_own_and_old_pythons_are_refused(tmp_path):
    good = {"version": [3, 11, 4], "bits": 64, "venv": True, "base": "/usr", "executable": "/usr/bin/python3.11"}
    assert find_python._why_not(good) == ""
    (tmp_path / "4.2" / "scripts" / "startup").mkdir(parents=True)
    assert "Blender" in find_python._why_not({**good, "base": str(tmp_path / "4.2" / "python")})
    assert "3.10.9" in find_python._why_not({**good, "version": [3, 10, 9]})
    assert "32-bit" in find_python._why_not({**good, "bits": 32})
    assert "python3-venv" in find_python._why_not({**good, "venv": False})


def test_broken_candidates_are_passed_over(tmp_path, monkeypatch):
    broken = tmp_path / "python3.11"
    broken.write_text("#!/bin/sh\nexit 9\n")
    broken.chmod(0o755)
    monkeypatch.setattr(
        find_python, "_candidates", lambda: iter([[str(broken)], [str(tmp_path / "none")], [sys.executable]])
    )
    found = find_python.find_python()
    assert found is None or found.executable != broken
    assert find_python._probe([str(broken)]) is None


def test_pip_lines_become_progress():
    shown = progress.InstallProgress(expected_mb=100, parallel=False)
    shares = []
    for line in (
        "Collecting torch",
        "  Downloading torch-2.13.0-cp311-manylinux.whl (60.0 MB)",
        "Progress 30000000 of 60000000",
        "  Downloading numpy-2.4.6-cp311-manylinux.whl (500 kB)",
        "Using cached scipy-1.0-cp311-manylinux.whl (39.5 MB)",
        "Installing collected packages: numpy, torch",
        "garbage 123",
    ):
        shown.feed(line)
        shares.append(shown.share)
        if "torch-2" in line:
            assert shown.what == "Downloading torch (60 MB)"
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert shares[2] == pytest.approx(0.85 * 0.3)
    assert shares[-1] == 0.85
    assert shown.what == "Unpacking"


def test_uv_lines_become_progress():
    shown = progress.InstallProgress(expected_mb=100, parallel=True)
    for line in (
        "Resolved 40 packages in 1s",
        "Downloading torch (180.0MiB)",
        "Downloading numpy (20.0MiB)",
        " Downloaded numpy",
    ):
        shown.feed(line)
    assert shown.share == pytest.approx(0.85 * 20 / 200)
    shown.feed("Prepared 40 packages in 3s")
    assert shown.share == 0.85


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        (
            "NewConnectionError: Failed to establish a new connection: Temporary failure in name resolution",
            "no connection",
        ),
        ("ERROR: No matching distribution found for torch==2.13.0", "not to be had"),
        ("ERROR: [Errno 13] Permission denied: 'x'", "could not be written"),
        ("ERROR: the moon is full", "the moon is full"),
        ("", "The installer failed."),
    ],
)
def test_failures_are_reported_in_words(line, expected):
    message, hint = progress.failure(["Collecting torch", line])
    assert expected in message
    assert hint


def test_check_of_an_environment_says_what_is_missing(tmp_path):
    running = home.start_check(Path(sys.executable), tmp_path / "check.log")
    finding = next(event for event in running.stream() if event["event"] == "checked")
    assert finding["python"].startswith("3.")
    missing = {problem for problem in finding["problems"] if "is missing" in problem}
    lines = (REPOSITORY / "engine" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert len(missing) + len(finding["versions"]) == sum(not line.startswith("#") for line in lines if line) > 5


def test_a_folder_or_its_python_may_be_pointed_at(tmp_path):
    python = home.environment_python(tmp_path / "env")
    python.parent.mkdir(parents=True)
    python.touch()
    assert home.python_of(tmp_path / "env") == python
    assert home.python_of(python) == python
    (tmp_path / "project").mkdir()
    assert home.python_of(tmp_path / "project").parent.parent.name == ".venv"


def test_passwords_of_an_index_stay_out_of_the_log():
    line = "$ pip install --index-url https://me:geheim@packages.example/simple torch --find-links /a@b"
    assert install.without_passwords(line) == (
        "$ pip install --index-url https://…@packages.example/simple torch --find-links /a@b"
    )
