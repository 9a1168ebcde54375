"""Every text of the face is in every language, and languages come and go with the add-on."""

from __future__ import annotations

import string

import bpy
import pytest
from adapt_motion import blender_addon
from adapt_motion.blender_addon import messages, texts
from adapt_motion.blender_addon.run import job, people, run_state, running
from adapt_motion.blender_addon.ui import lists, panels, translations
from recorder import draw

LANGUAGES = translations.languages()
INTERNAL = {"rna_type", "name", "filepath", "filter_glob", "check_existing", "directory", "files", "filter_image"}
INTERNAL |= {"filter_folder", "hide_props_region", "bl_idname"}


def shown() -> set[str]:
    """Names, tooltips and choices of all classes."""
    found = set()
    for module in blender_addon._MODULES:
        for cls in getattr(module, "_CLASSES", ()):
            found.add(getattr(cls, "bl_label", ""))
            if issubclass(cls, bpy.types.Operator):
                found.add(cls.__doc__)
                rna = getattr(bpy.ops.adapt_motion, cls.bl_idname.partition(".")[2]).get_rna_type()
            elif issubclass(cls, (bpy.types.PropertyGroup, bpy.types.AddonPreferences)):
                rna = cls.bl_rna
            else:
                continue
            for item in (one for one in rna.properties if one.identifier not in INTERNAL):
                found |= {item.name, item.description}
                if item.type == "ENUM":
                    found |= {text for one in item.enum_items for text in (one.name, one.description)}
    return found - {"", "Adapt Motion: Footage"}


def messages_shown() -> set[str]:
    """What messages and panels say, with braces where values go."""
    found = {value for module in (messages, texts) for name, value in vars(module).items()
             if name.isupper() and isinstance(value, str)}  # fmt: skip
    found |= set(messages.STAGE_TITLES.values())
    for code in (-9, 0):
        found |= set(messages.explain_exit(code))
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_missing(addon, language):
    missing = sorted((shown() | messages_shown()) - set(LANGUAGES[language]))
    assert not missing, f"add these to blender_addon/ui/languages/{language}.json: {missing}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_places_for_values_are_the_same(language):
    def places(text):
        return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name)

    for english, other in LANGUAGES[language].items():
        assert places(english) == places(other), english
        assert other.strip() == other, other
        assert not other.endswith(".") or english.endswith("."), f"Blender adds the full stop of a tooltip: {other}"


@pytest.fixture
def german(addon):
    """Our own texts in German, also in a Blender that was built without languages."""
    messages.translate_with(lambda text: LANGUAGES["de"].get(text, text))
    yield
    messages.translate_with(str)


@pytest.fixture
def blender_in_german(addon):
    """Skips where this Blender has no languages."""
    view = bpy.context.preferences.view
    before = view.language
    for language in ("de_DE", "de"):
        try:
            view.language = language
            break
        except TypeError:
            continue
    else:
        pytest.skip("this Blender has no languages")
    view.use_translate_interface = view.use_translate_tooltips = True
    yield
    view.language = before


def test_blender_shows_it(blender_in_german):
    shown_text = bpy.app.translations.pgettext_iface("Find People", "Operator")
    assert shown_text == "Personen finden"
    assert bpy.app.translations.pgettext_tip("The clip") == "Der Clip"
    assert messages.tr(texts.RANGE, first=3, last=9) == "Frames 3 bis 9"
    assert messages.people(3) == "3 Personen"


def test_panels_speak_it_with_values_in(german, tmp_path):
    state = run_state.RunState("adapt", job.EventSource(tmp_path / "log"))
    running._latest = state
    state.feed({"event": "stage", "clip": "a", "stage": "detect", "index": 2, "count": 8})
    state.feed({"event": "progress", "clip": "a", "stage": "detect", "done": 41, "total": 120, "eta_s": 12.2})
    layout = draw(panels.ADAPT_MOTION_PT_adapt, bpy.context)
    assert {"Personen finden (2 von 8)", "41 von 120, noch 0:12"} <= set(layout.texts)
    state.finished = True
    running._latest = None
    people.take(bpy.context.scene, "a", [
        {"person": 1, "first_s": 0.0, "last_s": 4.0, "seen_s": 3.5, "occluded": 0.2, "thumbnail": ""}
    ])  # fmt: skip
    item = draw(lists.ADAPT_MOTION_UL_people, bpy.context, bpy.context.scene.adapt_motion.people[0])
    assert item.texts == ["Person 1", "3.5 s", "0:00 bis 0:04", "20 % verdeckt"]


def test_it_is_gone_with_the_addon(blank):
    blender_addon.register()
    blender_addon.unregister()
    assert messages.tr("Find People") == "Find People"
    blender_addon.register()  # a table that was left behind would be refused
    blender_addon.unregister()
