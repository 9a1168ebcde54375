"""What is installed, which devices and model files are there, what is missing and how to get it."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import platform
import sys
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

from engine import __version__
from engine.errors import ExportError
from engine.versions import version_of

ASSETS = Path(__file__).resolve().parent / "assets"
_INSTALL = "Install the engine again: `pip install` in its environment, or Install Engine in the add-on's preferences."

_PACKAGES = {
    "av": "av",
    "mediapipe": "mediapipe",
    "numpy": "numpy",
    "pydantic": "pydantic",
    "rich": "rich",
    "safetensors": "safetensors",
    "scipy": "scipy",
    "smplx": "smplx",
    "torch": "torch",
    "typer": "typer",
}
"""Package to the module that it is imported as."""

_MODELS = (
    ("pose_landmarker_heavy.task", "2D pose, default", "Apache-2.0"),
    ("pose_landmarker_full.task", "2D pose, preset fast", "Apache-2.0"),
    ("open_body.npz", "the open body", "Apache-2.0, made from CC0 assets"),
)


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        section: `engine`, `packages`, `devices`, `models` or `exports`.
        name, found: what it is, and what there is of it.
        state: `ok`; `missing` stops the engine; `optional` is not there and not needed for the motion itself.
        hint: how to get what is missing.
    """

    section: str
    name: str
    found: str
    state: str = "ok"
    hint: str = ""


@dataclass(frozen=True)
class Findings:
    """All the checks."""

    checks: tuple[Check, ...]

    @property
    def usable(self) -> bool:
        """Whether the engine can turn footage into motion."""
        return all(check.state != "missing" for check in self.checks)


def examine() -> Findings:
    """Look at everything. Imports every package, which takes some seconds."""
    return Findings((*_engine(), *_packages(), *_devices(), *_models(), *_exports()))


def show(findings: Findings, stream: TextIO, as_json: bool) -> None:
    """Write the findings to `stream`, as JSON or as a table with the hints below it."""
    if as_json:
        value = {"usable": findings.usable, "checks": [asdict(check) for check in findings.checks]}
        stream.write(json.dumps(value, indent=1) + "\n")
        return
    from rich.console import Console
    from rich.table import Table

    colours = {"ok": "green", "missing": "red", "optional": "yellow"}
    table = Table(title=f"Adapt Motion engine {__version__}")
    for column in ("", "What", "Found", "State"):
        table.add_column(column, overflow="fold")
    section = ""
    for check in findings.checks:
        first = check.section if check.section != section else ""
        section = check.section
        table.add_row(first, check.name, check.found, f"[{colours[check.state]}]{check.state}[/]")
    console = Console(file=stream, highlight=False)
    console.print(table)
    for check in findings.checks:
        if check.hint:
            console.print(f"{check.name}: {check.hint}", markup=False)
    console.print("Ready." if findings.usable else "Something that is needed is missing: see above.")


def _engine() -> list[Check]:
    enough = sys.version_info >= (3, 11)
    return [
        Check("engine", "version", __version__),
        Check(
            "engine",
            "Python",
            f"{platform.python_version()} at {sys.executable}",
            "ok" if enough else "missing",
            "" if enough else "The engine needs Python 3.11 or later.",
        ),
        Check("engine", "system", platform.platform()),
    ]


def _packages() -> list[Check]:
    return [_package(name, module) for name, module in _PACKAGES.items()]


def _package(name: str, module: str) -> Check:
    try:
        importlib.import_module(module)
    except Exception as error:  # a damaged package may raise anything
        return Check("packages", name, f"{type(error).__name__}: {error}", "missing", _INSTALL)
    return Check("packages", name, version_of(name) or "version unknown")


def _devices() -> list[Check]:
    checks = [Check("devices", "cpu", f"{os.cpu_count()} cores")]
    try:
        import torch
    except Exception:
        return checks
    cuda = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    for index, card in enumerate(cuda):
        checks.append(Check("devices", f"cuda:{index}", f"{card.name}, {card.total_memory / 2**30:.1f} GiB"))
    if not cuda:
        hint = "With an NVIDIA card: install the CUDA build of PyTorch." if torch.version.cuda is None else ""
        checks.append(Check("devices", "cuda", "none", "optional", hint))
    if torch.backends.mps.is_available():
        checks.append(Check("devices", "mps", "Apple GPU"))
    return checks


def _models() -> list[Check]:
    checks = [_model(ASSETS / name, use, licence) for name, use, licence in _MODELS]
    hint = "Optional: a SMPL file from the SMPL project's site (its own licence), given with --body."
    return [*checks, Check("models", "SMPL file", "none is shipped; give yours with --body", "optional", hint)]


def _model(path: Path, use: str, licence: str) -> Check:
    name = f"{path.name} ({use})"
    if not path.is_file():
        return Check("models", name, "not there", "missing", _INSTALL)
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    found = f"{len(content) / 2**20:.1f} MiB, sha256 {digest[:16]}, {licence}"
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip() is not None
    except zipfile.BadZipFile:
        damaged = True
    return Check("models", name, "damaged: " + found, "missing", _INSTALL) if damaged else Check("models", name, found)


def _exports() -> list[Check]:
    from engine.blender_export import find_blender

    try:
        return [Check("exports", "Blender", find_blender()[0])]
    except ExportError as error:
        return [Check("exports", "Blender", error.message, "optional", error.hint)]
