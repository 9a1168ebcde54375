"""The add-on switched on as Blender does it, alone or with the fake engine; imported by the tests of its face."""

from __future__ import annotations

import sys

import bpy
import fake_engine
import pytest
from adapt_motion import blender_addon
from adapt_motion.blender_addon.run import dictionary, job, prefs

HANDLERS = [name for name in dir(bpy.app.handlers) if isinstance(getattr(bpy.app.handlers, name), list)]


def handler_counts() -> dict[str, int]:
    return {name: len(getattr(bpy.app.handlers, name)) for name in HANDLERS}


def refused(operator, *arguments, **options) -> str:
    """Why a button is grey, or what it reports."""
    with pytest.raises(RuntimeError) as caught:
        operator(*arguments, **options)
    return str(caught.value)


@pytest.fixture
def addon(blank, tmp_path, monkeypatch):
    """The add-on, switched on as Blender does it, with a user folder of its own and no engine."""
    monkeypatch.setattr(prefs.compat, "user_folder", lambda package: tmp_path / "user")
    entry = bpy.context.preferences.addons.new()
    entry.module = prefs.PACKAGE
    blender_addon.register()
    yield prefs.get()
    blender_addon.unregister()
    bpy.context.preferences.addons.remove(bpy.context.preferences.addons[prefs.PACKAGE])


@pytest.fixture
def fake(addon, tmp_path, monkeypatch):
    """The add-on with the fake engine, and footage that is there."""
    dictionary.actions()  # the fake engine brings no dictionary along
    root = fake_engine.install_fake(tmp_path / "root")
    monkeypatch.setattr(job, "engine_root", lambda: root)
    addon.engine_python = sys.executable
    footage = tmp_path / "my clip.mp4"
    footage.touch()
    settings = bpy.context.scene.adapt_motion
    settings.footage, settings.output_folder = str(footage), str(tmp_path / "out")

    def behave(how: str) -> None:
        monkeypatch.setattr(job.protocol.Job, "arguments", _with_preset(job.protocol.Job.arguments, how))

    return behave


def _with_preset(arguments, how: str):
    def changed(self):
        words = arguments(self)
        words[words.index("--preset") + 1] = how
        return words

    return changed
