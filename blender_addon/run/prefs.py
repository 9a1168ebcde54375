"""What the add-on's preferences say: the engine, the device, model files. `ui/preferences.py` draws them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import bpy

from .. import messages
from ..blender import compat
from . import engine_home
from .engine_home import EngineState

PACKAGE = __package__.rsplit(".", 2)[0]
"""Name under which Blender knows the add-on: `adapt_motion`, or `bl_ext.<repository>.adapt_motion` as an extension."""


@dataclass(frozen=True)
class Engine:
    """The engine that runs would use: `python`, whether it is there, and what is wrong (empty if nothing)."""

    python: Path
    state: EngineState
    problem: str = ""


_known: dict[str, Engine] = {}  # by the path in the preferences, so that drawing touches no disk


def environment_folder() -> Path:
    """Where *Install Engine* makes the environment."""
    return compat.user_folder(PACKAGE) / "environment"


def log_folder() -> Path:
    """Where the logs are."""
    return compat.user_folder(PACKAGE) / "logs"


def get(context: bpy.types.Context | None = None):
    """The add-on's preferences; None where Blender runs its code without the add-on being on, such as a checkout."""
    addon = (context or bpy.context).preferences.addons.get(PACKAGE)
    return addon.preferences if addon else None


def device(context: bpy.types.Context | None = None) -> str:
    """The device to run on, as the engine takes it."""
    preferences = get(context)
    return preferences.device if preferences else "auto"


def farm_address(context: bpy.types.Context | None = None) -> str:
    """Where *Send to Farm* sends to: `auto`, `HOST:PORT`, or '' for this computer."""
    preferences = get(context)
    return preferences.farm_address.strip() if preferences else ""


def locks_feet(context: bpy.types.Context | None = None) -> bool:
    """Whether planted feet are held still in motion that comes in."""
    preferences = get(context)
    return preferences is not None and preferences.lock_feet


def look(context: bpy.types.Context | None = None) -> str:
    """How bodies that come in look, one of `character/figure.py`'s `LOOKS`."""
    preferences = get(context)
    return preferences.look if preferences is not None else "DRESSED"


def engine_variables(context: bpy.types.Context | None = None) -> dict[str, str]:
    """Environment variables that pass the preferences to the engine."""
    preferences = get(context)
    if preferences is None:
        return {}
    found = {}
    if preferences.models_folder:
        found["ADAPT_MOTION_MODELS"] = os.path.abspath(bpy.path.abspath(preferences.models_folder))
    if preferences.use_vlm and preferences.vlm_server:
        found["OPENAI_BASE_URL"] = preferences.vlm_server
    return found


def vlm_problem(context: bpy.types.Context | None = None) -> str:
    """Why a vision-language model cannot be used; '' if nothing is in the way."""
    preferences = get(context)
    if preferences is None or not preferences.use_vlm:
        return messages.VLM_OFF
    return "" if compat.online() else messages.OFFLINE


def engine(context: bpy.types.Context | None = None) -> Engine:
    """The engine as last seen. Looks at the disk only the first time, and after `forget_engine`."""
    preferences = get(context)
    chosen = preferences.engine_python if preferences else ""
    if chosen not in _known:
        _known[chosen] = _look(chosen)
    return _known[chosen]


def forget_engine() -> None:
    """Look at the disk again the next time."""
    _known.clear()


def _look(chosen: str) -> Engine:
    if chosen:
        python = engine_home.python_of(Path(os.path.abspath(bpy.path.abspath(chosen))))
        there = python.is_file()
        return Engine(
            python, EngineState.READY if there else EngineState.MISSING, "" if there else messages.ENGINE_GONE
        )
    folder = environment_folder()
    state = engine_home.state(folder)
    problem = {
        EngineState.MISSING: messages.ENGINE_MISSING,
        EngineState.INTERRUPTED: messages.ENGINE_INTERRUPTED,
        EngineState.OUTDATED: messages.ENGINE_OUTDATED,
        EngineState.READY: "",
    }[state]
    return Engine(engine_home.environment_python(folder), state, problem)
