"""*Install Engine*: make the engine's own Python environment in the user's data folder. No `bpy` in here.

Nothing is put into Blender's Python and no administrator is needed. `Installer` runs in a thread of its own and gives
events like a `Job`: `stage`, `progress` (in thousandths), `log`, `checked`, `error`, and `exited` at the end.
"""

from __future__ import annotations

import json
import platform
import re
import shlex
import shutil
import subprocess
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import UserError
from . import find_python
from .engine_home import check_command, environment_python, packages_digest, parse_check, stamp_path
from .install_progress import SETTLED_SHARE, InstallProgress, failure
from .job import EXITED, EventSource, end_process, engine_environment, engine_root, own_process_group, read_lines

STAGES = ("python", "environment", "packages", "check")
"""Steps of an installation, in order."""

# Megabytes to download, measured for the pinned versions; CUDA on Windows is an estimate.
_TORCH_MB = {
    ("Linux", "cpu"): 192,
    ("Linux", "cuda"): 2729,
    ("Windows", "cpu"): 122,
    ("Windows", "cuda"): 2600,
    ("Darwin", "cpu"): 111,
}
_OTHERS = ("OpenCV", "MediaPipe (2D pose)", "PyAV (video)", "COLMAP (moving cameras)", "SciPy", "NumPy", "Others")
_OTHERS_MB = {
    "Linux": (82, 43, 36, 38, 35, 17, 42),
    "Windows": (47, 25, 28, 24, 37, 13, 42),
    "Darwin": (60, 40, 18, 21, 20, 6, 42),
}
_UV_PYTHON_MB = 35
_DISK_FACTOR = {"cpu": 3.8, "cuda": 2.8}
_INDEX_OPTIONS = (
    "-i",
    "-f",
    "--index-url",
    "--default-index",
    "--index",
    "--extra-index-url",
    "--find-links",
    "--torch-backend",
)


@dataclass(frozen=True)
class Plan:
    """What an installation will do, to be shown before it starts.

    Attributes:
        folder: the environment's folder; a former one there is replaced.
        uv: the `uv` that does it; None: a Python of this computer and its `pip`.
        torch: `cpu` or `cuda`: the build of PyTorch that will really come.
        items: names and megabytes of what is downloaded, about.
        notes: plain sentences that the user should read first.
        extra: the user's own arguments for pip or uv.
        requirements, constraints: files that say which packages in which versions.
        locked: every package and version with the hashes of its files.
        pypi: whether PyTorch comes from where everything else does, so that its hash is known too.
    """

    folder: Path
    uv: Path | None
    torch: str
    items: tuple[tuple[str, int], ...]
    notes: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    requirements: Path = field(default_factory=lambda: engine_root() / "engine" / "requirements.txt")
    constraints: Path = field(default_factory=lambda: engine_root() / "constraints.txt")
    locked: Path = field(default_factory=lambda: engine_root() / "engine" / "locked.txt")
    pypi: bool = True

    @property
    def own_source(self) -> bool:
        """Whether the user names where packages come from: they may be other builds, whose hashes are not known."""
        return any(word.split("=")[0] in _INDEX_OPTIONS for word in self.extra)

    @property
    def download_mb(self) -> int:
        """About how much is downloaded, megabytes."""
        return sum(size for _, size in self.items)

    @property
    def disk_mb(self) -> int:
        """About how much disk the environment takes, megabytes."""
        return round(self.download_mb * _DISK_FACTOR[self.torch], -2)


def make_plan(folder: Path, torch: str, extra_arguments: str = "") -> Plan:
    """What *Install Engine* would do. Starts nothing and asks no server.

    Args:
        folder: where the environment comes to be.
        torch: `cpu` or `cuda`, as the user wishes.
        extra_arguments: for pip or uv, as one would type them.

    Raises:
        UserError: the extra arguments cannot be read.
    """
    system, uv = platform.system(), find_python.find_uv()
    try:
        extra = tuple(shlex.split(extra_arguments, posix=system != "Windows"))
    except ValueError as error:
        raise UserError(
            f"The installer arguments cannot be read: {error}.", "Correct them in the preferences."
        ) from error
    notes = []
    own_index = any(word.split("=")[0] in _INDEX_OPTIONS for word in extra)
    if system == "Darwin":
        torch = "cpu"
    elif not uv and not own_index:
        torch, note = _torch_by_pip(system, torch)
        notes += [note] if note else []
    items = [("PyTorch", _TORCH_MB[system, torch]), *zip(_OTHERS, _OTHERS_MB[system], strict=True)]
    if uv:
        items.append(("Python, if there is none", _UV_PYTHON_MB))
    pypi = uv is None or system == "Darwin" or (system, torch) == ("Windows", "cpu")
    return Plan(folder, uv, torch, tuple(items), tuple(notes), extra, pypi=pypi)


def split_locked(text: str) -> tuple[str, str]:
    """PyTorch's name and version, and the locked packages without it and what comes with it for graphics cards."""
    entries = re.split(r"\n(?=[A-Za-z0-9])", "\n" + text)
    torch = next(entry for entry in entries if entry.startswith("torch==")).split()[0]
    others = [entry for entry in entries if not re.match(r"torch==|triton==|nvidia-|cuda-", entry)]
    return torch, "\n".join(others)


def without_passwords(line: str) -> str:
    """A line for the log, without name and password that the address of a package index may have."""
    return re.sub(r"(://)[^/@\s]+@", r"\1…@", line)


def _torch_by_pip(system: str, torch: str) -> tuple[str, str]:
    """The build that the default package index has for this system, and a note if that is not what was chosen."""
    if system == "Linux" and torch == "cpu":
        note = (
            "pip brings PyTorch with CUDA on Linux, which is large. With uv installed, the small CPU build would come."
        )
        return "cuda", note
    if system == "Windows" and torch == "cuda":
        return (
            "cpu",
            "pip brings PyTorch for the CPU on Windows. With uv installed, the build for the graphics card would come.",
        )
    return torch, ""


class _FailedError(Exception):
    """A step failed: message and hint."""


class Installer(EventSource):
    """Carries out a `Plan`. `cancel` stops it within a second; what is half done is redone the next time."""

    def __init__(self, plan: Plan, log: Path) -> None:
        super().__init__(log)
        self.plan = plan
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._log_file = self.log.open("w", encoding="utf-8", errors="replace", buffering=1)
        self._thread = threading.Thread(target=self._run, name="adapt-motion installer", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether it still works."""
        return self._thread.is_alive()

    def cancel(self) -> None:
        """Stop. Returns at once."""
        with self._lock:
            self.cancelled = self.cancelled or self.running
            if self._process is not None:
                end_process(self._process, force=True)

    def close(self) -> None:
        """Stop and wait until nothing of it runs."""
        self.cancel()
        self._thread.join(5.0)

    def _run(self) -> None:
        code = 1
        try:
            self._install()
            code = 0
        except _FailedError as trouble:
            message, hint = trouble.args
            if self.cancelled:
                message, hint = "The installation was cancelled.", "Press Install Engine to begin again."
            self._log_file.write(f"\n{message} {hint}\n")
            self.events.put({"event": "error", "code": "install", "message": message, "hint": hint})
        except OSError as error:
            message, hint = failure([f"ERROR: {error}"])
            self._log_file.write(f"\n{error!r}\n")
            self.events.put({"event": "error", "code": "install", "message": message, "hint": hint})
        finally:
            self._log_file.close()
            self.events.put({"event": EXITED, "code": code, "cancelled": self.cancelled})

    def _install(self) -> None:
        folder = self.plan.folder
        self._stage("python")
        make = self._make_environment_command()
        self._stage("environment")
        self._check_space()
        folder.parent.mkdir(parents=True, exist_ok=True)
        stamp_path(folder).write_text(json.dumps({"state": "making"}), encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        self._call(make)
        self._stage("packages")
        self._install_packages()
        self._stage("check")
        finding = self._check()
        stamp = {"state": "ready", "packages": packages_digest(), **finding}
        stamp_path(folder).write_text(json.dumps(stamp, indent=1), encoding="utf-8")
        self._progress(1.0)
        self.events.put(finding)

    def _make_environment_command(self) -> list[str]:
        if self.plan.uv:
            return [str(self.plan.uv), "venv", "--no-project", "--python", ">=3.11,<3.14", str(self.plan.folder)]
        refused: list[str] = []
        found = find_python.find_python(refused)
        if found is None:
            for line in refused:
                self._log(line)
            raise _FailedError(
                "No Python 3.11 or newer was found on this computer." + (f" {refused[0]}" if refused else ""),
                "Install Python 3.11 from python.org, or install uv, then press Install Engine again.",
            )
        self._log(f"Python {'.'.join(map(str, found.version))}: {found.executable}")
        return [str(found.executable), "-I", "-m", "venv", str(self.plan.folder)]

    def _check_space(self) -> None:
        existing = next(path for path in (self.plan.folder, *self.plan.folder.parents) if path.exists())
        free, needed = shutil.disk_usage(existing).free / 1e9, self.plan.disk_mb / 1e3
        if free < needed:
            raise _FailedError(
                f"The engine needs about {needed:.1f} GB; {existing} has {free:.1f} GB free.",
                "Free some space and press Install Engine again.",
            )

    def _install_packages(self) -> None:
        progress = InstallProgress(self.plan.download_mb, parallel=self.plan.uv is not None)
        output: deque[str] = deque(maxlen=60)
        for command in self._commands(str(environment_python(self.plan.folder))):
            for line in self._lines(command):
                output.append(line)
                progress.feed(line)
                self._progress(0.05 + 0.9 * progress.share, progress.what)
            self._require_success(output)
        self._progress(0.05 + 0.9 * SETTLED_SHARE, "Checking")

    def _commands(self, python: str) -> list[list[str]]:
        """What is run, one after the other. From the package index only files whose hashes are known are taken."""
        plan = self.plan
        if plan.uv:
            base = [str(plan.uv), "pip", "install", "--python", python]
        else:
            base = [python, "-m", "pip", "install", "--no-input", *self._pip_progress(python)]
        if plan.own_source:
            return [[*base, "-c", str(plan.constraints), "-r", str(plan.requirements), *plan.extra]]
        known = [*base, "--require-hashes", "--only-binary", ":all:", *plan.extra]
        if plan.pypi:
            return [[*known, "--no-deps", "-r", str(plan.locked)]]
        torch, others = split_locked(plan.locked.read_text(encoding="utf-8"))
        listed = plan.folder / "locked-others.txt"
        listed.write_text(others, encoding="utf-8")
        backend = f"--torch-backend={'auto' if plan.torch == 'cuda' else 'cpu'}"
        return [
            [*known, "--no-deps", "-r", str(listed)],
            [*base, "--only-binary", ":all:", *plan.extra, torch, "-c", str(plan.constraints), backend],
        ]

    def _pip_progress(self, python: str) -> list[str]:
        """pip reports how far a download is from 24.1 on."""
        output = " ".join(self._lines([python, "-m", "pip", "--version"])).split()
        new = len(output) > 1 and [int(part) for part in output[1].split(".")[:2] if part.isdigit()] >= [24, 1]
        return ["--progress-bar", "raw" if new else "off"]

    def _check(self) -> dict:
        python = environment_python(self.plan.folder)
        command = check_command(python, self.plan.requirements)
        finding = None
        output: deque[str] = deque(maxlen=60)
        for line in self._lines(command, engine_environment()):
            output.append(line)
            finding = parse_check(line) or finding
        self._require_success(output)
        if finding is None or finding["problems"]:
            problem = finding["problems"][0] if finding else "It printed nothing."
            raise _FailedError(
                f"The engine was installed but does not run: {problem}", "Open the log, then install it again."
            )
        return finding

    def _call(self, command: list[str]) -> None:
        output = deque(self._lines(command), maxlen=60)
        self._require_success(output)

    def _lines(self, command: list[str], env: dict[str, str] | None = None) -> Iterator[str]:
        """Output of a child process line by line, logged. Afterwards `_require_success` checks how it ended."""
        if env is None:
            env = {**engine_environment(), "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_USER": "0", "NO_COLOR": "1"}
            del env["PYTHONPATH"]
        self._log("$ " + without_passwords(shlex.join(command)))
        with self._lock:
            if self.cancelled:
                raise _FailedError("", "")
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=self.plan.folder.parent,
                **own_process_group(),
            )
        with self._process.stdout as output:
            for line in read_lines(output):
                known = without_passwords(line.rstrip())
                self._log(known)
                yield known
        self._process.wait()

    def _require_success(self, output: deque[str]) -> None:
        if self.cancelled or self._process.returncode != 0:
            raise _FailedError(*failure(output))

    def _log(self, line: str) -> None:
        if not line.startswith("Progress "):
            self._log_file.write(line + "\n")

    def _stage(self, name: str) -> None:
        if self.cancelled:
            raise _FailedError("", "")
        step = STAGES.index(name) + 1
        self.events.put({"event": "stage", "clip": "", "stage": name, "index": step, "count": len(STAGES)})

    def _progress(self, share: float, what: str = "") -> None:
        done = {"clip": "", "stage": "install", "done": round(share * 1000), "total": 1000, "what": what}
        self.events.put({"event": "progress", **done})
