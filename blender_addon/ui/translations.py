"""Translations of what the add-on shows. Blender looks up every label, name and tooltip by its English text.

A language is a file `languages/<name>.json`, English to translated; what it lacks stays English, as does what the
engine says. Texts with braces get their values after they have been translated (`messages.tr`).
"""

from __future__ import annotations

import json
from pathlib import Path

import bpy

from .. import messages

FOLDER = Path(__file__).resolve().parent / "languages"

OLD_NAMES = {"de": "de_DE"}
"""What Blender called a language up to 4.x, where that differs."""


def languages() -> dict[str, dict[str, str]]:
    """The texts by language."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}


def table() -> dict[str, dict[tuple[str, str], str]]:
    """The texts as Blender takes them: by language, then by context and English text."""
    contexts = ("*", "Operator")  # names of operators have a context of their own
    found = {}
    for name, texts in languages().items():
        entries = {(context, english): other for english, other in texts.items() for context in contexts}
        found |= dict.fromkeys({name, OLD_NAMES.get(name, name)}, entries)
    return found


def register() -> None:
    """Register our texts with Blender, which looks them up."""
    bpy.app.translations.register(__package__, table())
    messages.translate_with(bpy.app.translations.pgettext_iface)


def unregister() -> None:
    """Undo `register`."""
    messages.translate_with(str)
    bpy.app.translations.unregister(__package__)
