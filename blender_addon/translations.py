"""Translations of what the add-on shows. Blender looks up every label, name and tooltip by its English text.

A language is a table here; what it lacks stays English.
"""

from __future__ import annotations

import bpy

GERMAN = {
    "Adapt Motion": "Bewegung anpassen",
    "Add Label": "Beschriftung hinzufügen",
    "Add Sequencer Strip": "Als Strip in den Sequencer",
    "Add to Queue": "In die Warteschlange",
    "Attach Results": "Ergebnisse anhängen",
    "Cancel": "Abbrechen",
    "Character": "Figur",
    "Choose Footage": "Filmmaterial wählen",
    "Confidence": "Sicherheit",
    "Everybody": "Alle",
    "Export FBX": "FBX exportieren",
    "Find People": "Personen finden",
    "Footage": "Filmmaterial",
    "From Markers": "Von Markern",
    "Hide Keypoints": "Punkte verbergen",
    "Import Motion": "Bewegung importieren",
    "Install Engine": "Engine installieren",
    "Labels": "Beschriftungen",
    "Main Person": "Hauptperson",
    "Options": "Optionen",
    "Output": "Ausgabe",
    "People": "Personen",
    "Person": "Person",
    "Preset": "Voreinstellung",
    "Queue": "Warteschlange",
    "Resume": "Fortsetzen",
    "Run Queue": "Warteschlange abarbeiten",
    "Set Resolution": "Auflösung setzen",
    "Set Scene Range": "Szenenbereich setzen",
    "Show Footage": "Filmmaterial zeigen",
    "Show Keypoints": "Punkte zeigen",
    "Suggest Labels": "Beschriftungen vorschlagen",
    "To Markers": "Zu Markern",
    "View Over Footage": "Blick über dem Film",
}

LANGUAGES = {"de_DE": GERMAN, "de": GERMAN}
"""Blender's name of a language to its texts; it was `de_DE` up to 4.x and is `de` since."""


def table() -> dict[str, dict[tuple[str, str], str]]:
    """The texts as Blender takes them: by language, then by context and English text."""
    contexts = ("*", "Operator")  # names of operators have a context of their own
    return {
        language: {(context, english): other for english, other in texts.items() for context in contexts}
        for language, texts in LANGUAGES.items()
    }


def register() -> None:
    """Tell Blender."""
    bpy.app.translations.register(__package__, table())


def unregister() -> None:
    """Undo `register`."""
    bpy.app.translations.unregister(__package__)
