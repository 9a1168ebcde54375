"""What the preferences say of this computer, also kept beside the environment: Blender forgets an add-on's preferences
when it is switched off. Whether pictures may be sent is not kept: that has to be agreed to again."""

from __future__ import annotations

import contextlib

from ...engine.files.json_file import keep_json, read_json
from ..blender import compat
from . import prefs

_NAMES = (
    "engine_python", "device", "build", "installer_arguments", "body_model", "models_folder", "vlm_server", "vlm_model",
    "lock_feet", "look", "farm_address",
)  # fmt: skip
_FILE = "preferences.json"


def remember(preferences, _context=None) -> None:
    """Called by Blender when one of them has changed: write them down. A disk that refuses is no reason to stop."""
    path = compat.user_folder(prefs.PACKAGE) / _FILE
    values = {name: getattr(preferences, name) for name in _NAMES if preferences.is_property_set(name)}
    with contextlib.suppress(OSError):
        keep_json(path, values)


def recall() -> None:
    """Give preferences that are as new what was written down."""
    preferences = prefs.get()
    if preferences is None or any(preferences.is_property_set(name) for name in _NAMES):
        return
    try:
        values = read_json(compat.user_folder(prefs.PACKAGE) / _FILE)
    except (OSError, ValueError):
        return
    for name in _NAMES:
        if isinstance(values, dict) and isinstance(values.get(name), type(getattr(preferences, name))):
            with contextlib.suppress(TypeError):  # a choice that this version does not have
                setattr(preferences, name, values[name])
