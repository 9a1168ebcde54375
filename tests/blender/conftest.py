"""The add-on as the zip has it: package `adapt_motion` over the repository."""

from __future__ import annotations

import importlib.util
import os
import sys
import types
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
HAS_BPY = importlib.util.find_spec("bpy") is not None
NEEDS_BPY = [f"test_{name}.py" for name in ("rig", "keying", "camera", "scene", "files", "batch", "zip", "ui")]
NEEDS_BPY += [
    f"test_{name}.py" for name in ("transfer", "retarget_feet", "retarget_ui", "plain_rig", "linked", "edits", "amass")
]
NEEDS_BPY += [
    f"test_{name}.py"
    for name in ("people", "labels", "actions", "queue", "footage", "evidence", "comparison", "overlay")
]
NEEDS_BPY += [f"test_{name}.py" for name in ("solved_camera", "results", "bring_in", "health", "translations")]
NEEDS_BPY += [
    f"test_{name}.py"
    for name in ("clip_times", "clip_memory", "contacts", "soak", "key_reduction", "one_floor", "rig_at_rest")
]
NEEDS_BPY += [f"test_{name}.py" for name in ("takes", "figure", "ghost", "shots_in_scene", "people_edits", "mirrored")]
NEEDS_BPY += [
    f"test_{name}.py" for name in ("pins", "pins_run", "keypoint_pins", "handles", "review", "proposed", "farm")
]
NEEDS_BPY += [f"test_{name}.py" for name in ("layers", "pin_marks", "takes_run")]
# once, outside of Blender
NO_BPY = [f"test_{name}.py" for name in ("any_skeleton", "job", "install", "messages")]
NO_BPY += [f"test_{name}.py" for name in ("window", "window_tour", "window_day", "window_pins")]
_LEFT_OUT = NO_BPY if HAS_BPY else NEEDS_BPY
collect_ignore = [str(path.relative_to(HERE)) for path in HERE.rglob("test_*.py") if path.name in _LEFT_OUT]

if HAS_BPY:
    import bpy  # noqa: F401  brings Blender's own modules, such as addon_utils

sys.path[:0] = [str(HERE), str(HERE.parent / "common")]
import examples  # noqa: E402, F401  of property tests

if "adapt_motion" not in sys.modules:
    package = types.ModuleType("adapt_motion")
    package.__path__ = [str(REPOSITORY)]
    sys.modules["adapt_motion"] = package
    if not HAS_BPY:  # the add-on's __init__ wants it
        without_bpy = types.ModuleType("adapt_motion.blender_addon")
        without_bpy.__path__ = [str(REPOSITORY / "blender_addon")]
        sys.modules["adapt_motion.blender_addon"] = without_bpy


def pytest_collection_modifyitems(config, items):
    """With two processes at once a file stays together, and windows come one after the other: they are clicked.

    What is marked `nightly` waits for `nox -s tests -- --all`.
    """
    for item in items:
        if item.get_closest_marker("nightly") and not os.environ.get("ADAPT_MOTION_ALL"):
            item.add_marker(pytest.mark.skip(reason="nightly: ADAPT_MOTION_ALL=1, or nox -s tests -- --all"))
    if config.pluginmanager.hasplugin("xdist"):
        for item in items:
            folder, name = item.path.parts[-2:]
            item.add_marker(pytest.mark.xdist_group("window" if folder == "window" else name))


@pytest.fixture
def blank():
    """The context's scene of an empty file with factory settings."""
    import bpy

    bpy.ops.wm.read_factory_settings(use_empty=True)
    return bpy.context.scene


@pytest.fixture(scope="session")
def engine_python() -> str:
    """A Python that has what the engine needs, from ADAPT_MOTION_PYTHON; skips visibly without."""
    python = os.environ.get("ADAPT_MOTION_PYTHON", "")
    if not python:
        pytest.skip("ADAPT_MOTION_PYTHON names no Python with the engine's packages")
    return python


if HAS_BPY:
    from addon_fixtures import addon, fake  # noqa: F401  for every test in here
    from rigify_rigs import rigify_file  # noqa: F401
