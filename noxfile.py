"""Everything that is done with the project is one command here.

python -m nox -s demo            the demo clip through the whole path, into out/demo/
python -m nox -s tests           lint, types, the engine's tests, then Blender's (queued as sessions of their own)
python -m nox -s tests -- --all  the same, with all of Blender's tests in every version
python -m nox -s quick           lint, types and the tests that run neither the engine nor Blender
python -m nox -s build           the add-on zip, into dist/
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import nox

ROOT = Path(__file__).parent
CONSTRAINTS = str(ROOT / "constraints.txt")
BPY_PYTHONS = {"4.2": "3.11", "4.5": "3.11", "5.0": "3.11", "5.2": "3.13", "5.3": "3.13"}
"""Versions of the bpy module, from the oldest to the newest, and the Python that each is made for."""

WHOLE = ("5.3",) if shutil.which("blender") else ("4.2", "5.3")
"""Versions in which all of the add-on's tests run, as they do in an installed Blender, which is older; in those between
the ones marked `short` run, unless all are wanted."""

WITHOUT_ENGINE = ("-m", "not engine")
"""The engine does the same whichever Blender starts it: once inside of one, and once from a window, is enough."""

AT_ONCE = ("-n", "2", "--dist", "loadfile")
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
DEMO_BPY = "4.2"  # the newest that shares an environment with NumPy 2, which the engine uses

nox.options.sessions = ["tests"]


def install(session: nox.Session, *packages: str) -> None:
    """Install with the tested versions."""
    session.install("-c", CONSTRAINTS, *packages)


def tests_environment() -> Path:
    """The environment of the `tests` session, whose Python starts the engine for Blender's tests."""
    return ROOT / ".nox" / "tests"


def tests_path(kind: str) -> Path:
    """Folder of `scripts` or of packages (`purelib`) in the environment of the `tests` session."""
    folder = str(tests_environment())
    return Path(sysconfig.get_path(kind, scheme="venv", vars={"base": folder, "platbase": folder}))


def engine_python(session: nox.Session) -> str:
    """Python of the `tests` session; stops with a sentence where that has not run yet."""
    python = shutil.which("python", path=str(tests_path("scripts")))
    if not python:
        session.error("run `nox -s tests` first: its environment has the engine that Blender's tests start")
    return python


@nox.session
def demo(session: nox.Session) -> None:
    """Footage to motion file, FBX, .blend and preview, on the demo clip."""
    install(session, "-e", ".", f"bpy=={DEMO_BPY}.*")
    session.run(
        *("python", "-m", "engine", "run", "presets/demo/demo.mp4", "--out", "out"),
        *("--fbx", "--blend", "--preview", *session.posargs),
        env={"ADAPT_MOTION_BLENDER": "python"},  # the bpy of this environment, not an older Blender on the path
    )


@nox.session
def tests(session: nox.Session) -> None:
    """Lint, types and the engine's tests; queues the Blender sessions."""
    _install_for_tests(session)
    everything = session.posargs == ["--all"]
    if session.posargs and not everything:  # a chosen few
        _lint_types_and(session, "pytest", *session.posargs)
        return
    if everything:
        os.environ["ADAPT_MOTION_ALL"] = "1"  # many examples of property tests, in the queued sessions too
    _lint_types_and(session, "pytest", *AT_ONCE, env=ONE_THREAD)
    for version in BPY_PYTHONS:
        short = () if everything or version in WHOLE else ("-m", "short")
        session.notify(f"blender({version})", posargs=short)
    once = not everything and find_python(BPY_PYTHONS[WHOLE[-1]])
    session.notify("blender_window", posargs=WITHOUT_ENGINE if once else ())
    if everything:
        session.notify("fuzz", posargs=())


@nox.session(reuse_venv=True)  # for every day: a minute, once its environment is there
def quick(session: nox.Session) -> None:
    """Lint, types and the tests that run neither the engine nor Blender."""
    _install_for_tests(session)
    _lint_types_and(session, "pytest", *AT_ONCE, "-m", "not slow", *session.posargs, env=ONE_THREAD)


def _lint_types_and(session: nox.Session, *command: str, env: dict[str, str] | None = None) -> None:
    """Run ruff, then the command, and beside it mypy, which has but one process."""
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    program = shutil.which("mypy", path=os.pathsep.join(session.bin_paths or []))
    assert program, "mypy is among the packages of `dev`"
    with tempfile.TemporaryFile() as report:
        mypy = subprocess.Popen([program], stdout=report, stderr=subprocess.STDOUT)
        try:
            session.run(*command, env=env)
            code = mypy.wait()
        finally:
            mypy.kill()
        report.seek(0)
        session.log(f"mypy: {report.read().decode()}")
    if code:
        session.error("mypy has found errors")


def _install_for_tests(session: nox.Session) -> None:
    install(session, "-e", ".[dev]")
    install(session, "--no-deps", "clip-anytorch")  # for its vocabulary and tokenizer: the rest wants torchvision


def find_python(version: str) -> str | None:
    """A Python of this version: this one, pyenv's, or one on the path; None if there is none."""
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    pyenv = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"))
    found = str(pyenv[-1]) if pyenv else shutil.which(f"python{version}")
    if found and subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode == 0:
        return found  # and no shim that leads nowhere
    return None


@nox.session
@nox.parametrize(
    "python,bpy",
    [nox.param(find_python(python), version, id=version) for version, python in BPY_PYTHONS.items()],
)
def blender(session: nox.Session, bpy: str) -> None:
    """The add-on's tests inside the bpy module of one Blender version."""
    wanted = BPY_PYTHONS[bpy]
    if find_python(wanted) is None:
        session.skip(f"there is no Python {wanted}, which bpy {bpy} is made for: put one on the path or into ~/.pyenv")
    session.install(f"bpy=={bpy}.*", "hypothesis", "pytest")  # not the engine's versions: bpy has its own
    _run_in_parts(session, "python", "tests/blender/run.py", env=_blender_environment(session))


@nox.session(venv_backend="none")
def blender_window(session: nox.Session) -> None:
    """The add-on's tests beside Blender, inside the installed Blender, and in its window under Xvfb."""
    environment = _blender_environment(session)
    words = ("-m", "pytest", "-n", "2", "--dist", "loadgroup", "tests/blender")
    session.run(engine_python(session), *words, *session.posargs, env=environment)
    program = shutil.which("blender")
    if not program:
        session.skip("there is no `blender` on the PATH: tests inside of an installed Blender are left out")
    # Debian's Blender takes the first Python on the path for its own
    environment["PATH"] = os.pathsep.join((str(Path(program).parent), os.environ["PATH"]))
    _run_in_parts(
        session,
        *("blender", "-b", "--factory-startup", "--python-exit-code", "1", "-P", "tests/blender/run.py", "--"),
        *("--site", str(tests_path("purelib"))),
        env=environment,
    )


def _run_in_parts(session: nox.Session, *command: str, env: dict[str, str]) -> None:
    """Run Blender's tests in parts, each in a Blender of its own; a chosen few at once."""
    if session.posargs[:1] not in ([], ["-m"]):
        session.run(*command, *session.posargs, env=env)
    else:
        parts = ("tests/blender/in_parts.py", "--parts", "2" if "short" in session.posargs else "5")
        session.run(engine_python(session), *parts, *command, *session.posargs, env=env, external=True)


def _blender_environment(session: nox.Session) -> dict[str, str]:
    scratch = Path(session.create_tmp()) / "blender-user"
    scratch.mkdir(exist_ok=True)
    return {"BLENDER_USER_RESOURCES": str(scratch), "ADAPT_MOTION_PYTHON": engine_python(session)}


@nox.session(venv_backend="none")
def build(session: nox.Session) -> None:
    """The add-on zip."""
    session.run("python", "build_addon.py", *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Anything at all through every reader, for ten minutes or ADAPT_MOTION_FUZZ_S seconds; runs killed 200 times."""
    install(session, "-e", ".[dev]")
    session.install("atheris", success_codes=[0, 1])  # there is none for some systems
    seconds = os.environ.get("ADAPT_MOTION_FUZZ_S", "600")
    session.run("pytest", "tests/engine/test_fuzz.py", *session.posargs, env={"ADAPT_MOTION_FUZZ_S": seconds})
    session.run("python", "tests/engine/coverage_fuzz.py", str(int(float(seconds) / 20)))
    kills = os.environ.get("ADAPT_MOTION_RUN_KILLS", "200")
    session.run("pytest", "tests/engine/runtime/test_kills.py", env={"ADAPT_MOTION_RUN_KILLS": kills})
