"""The engine as a child process. No `bpy` in here: the panel, batch mode and the tests run the same code.

A `Job` starts the process, a thread reads its stdout, and whoever owns the job takes events out of `Job.events`. The
last event is always `exited`, also when the process died, so nothing waits for ever.
"""

from __future__ import annotations

import contextlib
import dataclasses
import glob
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from ...engine import protocol

EXITED = "exited"
"""Name of the last event: `{"event": "exited", "code": int, "cancelled": bool}`; a negative code is a signal."""

MAX_LINE = 1 << 20
"""Bytes of one line of output. A longer line is no event; its start becomes a `log` event and the rest is dropped."""

CANCEL_WAIT_S = 1.6
TERMINATE_WAIT_S = 0.3
"""How long a job may take to end after a request, and after a signal. Then it is killed: 2 s in all. The
engine ends itself 1.4 s after the request."""

QUIET_S = 1.0
"""How long stdout may be silent after the child's death before it is given up: a grandchild may still hold it open."""

Event = dict[str, Any]


def engine_root() -> Path:
    """Folder that holds the bundled `engine` package: the add-on's root, or the repository's in a checkout."""
    return Path(__file__).resolve().parents[2]


def engine_environment(root: Path | None = None) -> dict[str, str]:
    """Environment for a Python that is not Blender's.

    Every `PYTHON*` variable that Blender or the user's shell set is dropped, user site-packages are off, and besides
    the environment's own packages `root` (the bundled engine by default) can be imported.
    """
    dropped = {"__PYVENV_LAUNCHER__", "VIRTUAL_ENV"}
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON") and key not in dropped}
    ours = {
        "PYTHONPATH": str(root or engine_root()),
        "PYTHONNOUSERSITE": "1",
        "PYTHONUTF8": "1",
        "PYTHONUNBUFFERED": "1",
    }
    return {**kept, **ours}


def start_run(
    python: str | Path,
    run: protocol.Job,
    log: Path,
    root: Path | None = None,
    *,
    extra: Mapping[str, str] | None = None,
    with_key: bool = False,
) -> Job:
    """Start the bundled engine on `run` with the Python of its environment.

    Relative paths in `run` count from Blender's working folder, not from the engine's.

    Args:
        python: of the engine's environment.
        run: what it is to do.
        log: file that takes its stderr.
        root: folder with the `engine` package; the bundled one by default.
        extra: environment variables to add.
        with_key: let it have the key that lies in the system's keyring (`key_store.py`).

    Raises:
        OSError: `python` cannot be started.
    """
    root = root or engine_root()
    words = _with_whole_paths(run).arguments()
    program = [str(python), *([str(Path(__file__).with_name("key_store.py")), "run"] if with_key else [])]
    command = [*program, "-m", "engine", words[0], "--events", "jsonl", "--watch-stdin", *words[1:]]
    return Job(command, log, {**engine_environment(root), **(extra or {})}, root)


def start_farm(
    python: str | Path,
    runs: Sequence[protocol.Job],
    address: str,
    log: Path,
    root: Path | None = None,
    *,
    extra: Mapping[str, str] | None = None,
) -> Job:
    """Start the bundled engine's `farm` on runs that go into one output folder.

    Args:
        python, log, root, extra: as for `start_run`.
        runs: each with settings of its own; their files lie beside the log.
        address: of the Ray that it is sent to; '' for this computer alone.

    Raises:
        OSError: `python` cannot be started, or the files cannot be written.
    """
    root = root or engine_root()
    words = ["--address", address] if address else []
    for number, run in enumerate(runs):
        path = log.with_suffix(f".{number:04d}.json")
        _with_whole_paths(run).write(path)
        words += ["--job", str(path)]
    command = [str(python), "-m", "engine", "farm", "--events", "jsonl", "--watch-stdin", *words]
    return Job(command, log, {**engine_environment(root), **(extra or {})}, root)


def _with_whole_paths(run: protocol.Job) -> protocol.Job:
    """The run with paths that do not count from a working folder."""
    files = {
        name: os.path.abspath(path)
        for name in ("out", "labels", "body", "camera")
        if (path := getattr(run, name)) and path not in protocol.CAMERAS
    }
    return dataclasses.replace(run, footage=[os.path.abspath(path) for path in run.footage], **files)


class EventSource:
    """Something that runs beside Blender and puts events into a queue, the last of them `exited`."""

    def __init__(self, log: Path) -> None:
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.log = Path(log)
        self.cancelled = False
        self.log.parent.mkdir(parents=True, exist_ok=True)

    def cancel(self) -> None:
        """Ask it to stop; what is this simple has nothing to stop."""

    def close(self) -> None:
        """Cancel and wait."""

    def drain(self, limit: int = 1000) -> list[Event]:
        """Up to `limit` events that are there now, without waiting."""
        drained: list[Event] = []
        with contextlib.suppress(queue.Empty):
            while len(drained) < limit:
                drained.append(self.events.get_nowait())
        return drained

    def stream(self) -> Iterator[Event]:
        """Every event as it comes, up to and with `exited`. Waits, so only for batch mode and scripts."""
        while True:
            try:
                event = self.events.get(timeout=0.2)  # a timeout lets Ctrl-C through on Windows
            except queue.Empty:
                continue
            yield event
            if event["event"] == EXITED:
                return


class Job(EventSource):
    """A running child process whose stdout is events.

    Args:
        command: program and arguments.
        log: file that takes the child's stderr; its folder is made.
        env: whole environment of the child.
        cwd: working folder of the child.
        parse: turns a line of stdout into an event.
        stdin: what is written to the child at once; its stdin stays open.

    Raises:
        OSError: the program cannot be started or the log cannot be written.
    """

    def __init__(
        self,
        command: list[str],
        log: Path,
        env: dict[str, str],
        cwd: Path | None = None,
        parse: Callable[[str], Event] = protocol.parse_event,
        stdin: str = "",
    ) -> None:
        super().__init__(log)
        self._parse = parse
        self._lock = threading.Lock()
        self._last_read = 0.0
        self._over = False
        with self.log.open("wb") as errors:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=env,
                cwd=cwd,
                **own_process_group(),
            )
        if stdin:
            with contextlib.suppress(OSError):
                self._process.stdin.write(stdin.encode())
                self._process.stdin.flush()
        self._reader = threading.Thread(target=self._read, name="adapt-motion reader", daemon=True)
        self._reader.start()
        threading.Thread(target=self._wait, name="adapt-motion waiter", daemon=True).start()

    @property
    def pid(self) -> int:
        """Process number of the child."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the child still runs."""
        return self._process.poll() is None

    def cancel(self) -> None:
        """Ask the child to stop; if it does not, end it, then kill it. Returns at once."""
        if self._ask_to_stop():
            threading.Thread(target=self._escalate, name="adapt-motion cancel", daemon=True).start()

    def close(self) -> None:
        """Cancel and wait until the child is gone (at most some 2 s). For unregistering and leaving Blender."""
        self._ask_to_stop()
        self._close_stdin()
        self._escalate()

    def _ask_to_stop(self) -> bool:
        """Write the cancel line once; whether this call was the first."""
        with self._lock:
            if self.cancelled or not self.running:
                return False
            self.cancelled = True
            with contextlib.suppress(OSError, ValueError):  # it ended meanwhile
                self._process.stdin.write(f"{protocol.CANCEL_LINE}\n".encode())
                self._process.stdin.flush()
            return True

    def _close_stdin(self) -> None:
        with self._lock, contextlib.suppress(OSError):
            self._process.stdin.close()

    def _escalate(self) -> None:
        if self._ended_within(CANCEL_WAIT_S):
            return
        self._close_stdin()
        end_process(self._process, force=False)
        if not self._ended_within(TERMINATE_WAIT_S):
            end_process(self._process, force=True)
            self._ended_within(TERMINATE_WAIT_S)

    def _ended_within(self, seconds: float) -> bool:
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _read(self) -> None:
        for line in read_lines(self._process.stdout):
            event = self._parse(line)
            self._last_read = time.monotonic()
            with self._lock:
                if self._over:
                    return
                self.events.put(event)

    def _wait(self) -> None:
        code = self._process.wait()
        ended = time.monotonic()
        while self._reader.is_alive() and time.monotonic() - max(ended, self._last_read) < QUIET_S:
            self._reader.join(0.05)
        self._close_stdin()
        with self._lock:
            self._over = True
            self.events.put({"event": EXITED, "code": code, "cancelled": self.cancelled})


def read_lines(stream: BinaryIO) -> Iterator[str]:
    """Lines of `stream` as text, whatever the bytes are; of a line over `MAX_LINE` bytes only the start."""
    while True:
        line = stream.readline(MAX_LINE)
        if not line:
            return
        if len(line) < MAX_LINE or line.endswith(b"\n"):
            yield line.decode("utf-8", errors="replace")
            continue
        yield line[:200].decode("utf-8", errors="replace") + " … (line too long)"
        while line and not line.endswith(b"\n"):
            line = stream.readline(MAX_LINE)


def own_process_group() -> dict[str, Any]:
    """Arguments of Popen that put the child in a group of its own, so that its children end with it, and hide its
    console on Windows."""
    if os.name == "nt":
        return {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def end_process(process: subprocess.Popen[bytes], force: bool) -> None:
    """End a child that `own_process_group` started, and its children: politely, or at once if `force`."""
    if process.poll() is not None:
        return
    if os.name == "nt":  # Windows has no polite way for a program without a window
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        program = os.path.join(os.environ.get("SYSTEMROOT", r"C:\Windows"), "System32", "taskkill.exe")
        subprocess.run([program, "/F", "/T", "/PID", str(process.pid)], check=False, **quiet, **own_process_group())
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL if force else signal.SIGTERM)


def new_log(folder: Path, name: str) -> Path:
    """Path for a new log in `folder`; older ones of the same name but the last nine are deleted, with their files."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in sorted(folder.glob(f"{name}-*.log"))[:-9]:
        for file in (old, *folder.glob(f"{glob.escape(old.stem)}.*.json")):
            file.unlink(missing_ok=True)
    return new_path(folder, name, "log")


def new_path(folder: Path, name: str, ending: str) -> Path:
    """A path in `folder` that is not taken; names made later come later in the alphabet."""
    stem = f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
    paths = (folder / f"{stem}{f'-{number:03}' if number else ''}.{ending}" for number in range(1000))
    return next(path for path in paths if not path.exists())
