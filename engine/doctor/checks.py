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
from engine.runtime.versions import version_of
from engine.weights.model_settings import ModelSettings

ASSETS = Path(__file__).resolve().parents[1] / "assets"
_INSTALL = "Install the engine again: `pip install` in its environment, or Install Engine in the add-on's preferences."

_PACKAGES = {
    "av": "av",
    "mediapipe": "mediapipe",
    "numpy": "numpy",
    "pydantic": "pydantic",
    "rich": "rich",
    "safetensors": "safetensors",
    "scipy": "scipy",
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
        section: `engine`, `packages`, `devices`, `models`, `labels`, `exports` or `published models`.
        name, found: what it is, and what there is of it.
        state: `ok`; `missing` stops the engine; `optional` is not there and not needed for the motion itself; `refused`
            is there and of no use.
        hint: how to get what is missing, and its licence where it is not ours.
        key, path, obtain, licence, place, option: of a published model, see `engine.doctor.published.ModelFinding`.
    """

    section: str
    name: str
    found: str
    state: str = "ok"
    hint: str = ""
    key: str = ""
    path: str = ""
    obtain: str = ""
    licence: str = ""
    place: str = ""
    option: str = ""


@dataclass(frozen=True)
class DoctorReport:
    """All the checks."""

    checks: tuple[Check, ...]

    @property
    def usable(self) -> bool:
        """Whether the engine can turn footage into motion."""
        return all(check.state != "missing" for check in self.checks)


def examine(settings: ModelSettings | None = None, body: str = "") -> DoctorReport:
    """Look at everything. Imports every package and loads every published model, which takes some seconds.

    Args:
        settings: where published models lie; None for the usual places.
        body: the user's body file, as `--body` of a run takes it.
    """
    own = (*_engine(), *_packages(), *_devices(), *_models(), *_labels(), *_exports())
    return DoctorReport((*own, *_published(settings or ModelSettings(), body)))


def show(report: DoctorReport, stream: TextIO, as_json: bool) -> None:
    """Write the report to `stream`, as JSON or as a table with the hints below it."""
    if as_json:
        value = {"usable": report.usable, "checks": [asdict(check) for check in report.checks]}
        stream.write(json.dumps(value, indent=1) + "\n")
        return
    from rich.console import Console
    from rich.table import Table

    colours = {"ok": "green", "missing": "red", "optional": "yellow", "refused": "red"}
    table = Table(title=f"Adapt Motion engine {__version__}")
    for column in ("", "What", "Found", "State"):
        table.add_column(column, overflow="fold")
    section = ""
    for check in report.checks:
        first = check.section if check.section != section else ""
        section = check.section
        table.add_row(first, check.name, check.found, f"[{colours[check.state]}]{check.state}[/]")
    console = Console(file=stream, highlight=False)
    console.print(table)
    for check in report.checks:
        if check.hint:
            console.print(f"{check.name}: {check.hint}", markup=False)
    console.print("Ready." if report.usable else "Something that is needed is missing: see above.")


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
    return [_model(ASSETS / name, use, licence) for name, use, licence in _MODELS]


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


def _labels() -> list[Check]:
    """What `--labeler openai` needs. The key itself is never shown."""
    client = version_of("openai")
    checks = [Check("labels", "openai client", client)] if client else []
    if not client:
        hint = "Only for --labeler openai: `pip install openai` in the engine's environment."
        checks.append(Check("labels", "openai client", "not installed", "optional", hint))
    server, key = os.environ.get("OPENAI_BASE_URL", ""), bool(os.environ.get("OPENAI_API_KEY"))
    found = f"{'a' if key else 'no'} key in OPENAI_API_KEY, server {server or 'of OpenAI'}"
    hint = "" if key or server else "Only for --labeler openai: set OPENAI_API_KEY, or OPENAI_BASE_URL for a server."
    return [*checks, Check("labels", "openai server", found, "ok" if key or server else "optional", hint)]


def _published(settings: ModelSettings, body: str) -> list[Check]:
    """Models that are had from their authors alone; none of them is needed."""
    from engine.doctor.published import examine as examine_models

    return [
        Check(
            "published models",
            f"{one.title} ({one.use})",
            f"{one.found} {one.path}".strip(),
            {"missing": "optional"}.get(one.state, one.state),
            f"{one.hint} Had from: {one.obtain} Licence: {one.licence} {'' if one.path else one.place}".strip(),
            **{name: getattr(one, name) for name in ("key", "path", "obtain", "licence", "place", "option")},
        )
        for one in examine_models(settings, body)
    ]


def _exports() -> list[Check]:
    from engine.output.blender_export import find_blender

    try:
        return [Check("exports", "Blender", find_blender()[0])]
    except ExportError as error:
        return [Check("exports", "Blender", error.message, "optional", error.hint)]
