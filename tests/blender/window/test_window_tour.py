"""From an empty file to an exported FBX with mouse and keyboard, in a real window.

Every state of the panel is kept as a picture in the folder that ADAPT_MOTION_SCREENSHOTS names, if it is set.

Buttons are pressed with the mouse where the picture shows them, else found by their names: Blender's search
for operators is opened over the 3D View and typed into.
"""

from __future__ import annotations

import time

import pytest
from window.test_window import (  # noqa: F401  fixtures among them
    MISSING,
    REGION,
    display,
    find_button,
    installed,
    open_our_tab,
    pictures,
    short_clip,
    wait_for,
    window,
)

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")

BLOCKS = """
kinds = ("objects", "meshes", "armatures", "actions", "collections", "cameras", "movieclips", "texts", "images")
handlers = [name for name in dir(bpy.app.handlers) if isinstance(getattr(bpy.app.handlers, name), list)]
answer = [{kind: len(getattr(bpy.data, kind)) for kind in kinds},
          {name: len(getattr(bpy.app.handlers, name)) for name in handlers},
          bpy.app.timers.is_registered(running._tick)]
"""


def press(window, name: str) -> None:  # noqa: F811
    """Find an operator by its name in Blender's search, typed on the keyboard over the 3D View."""
    x, top, _, height = window.ask(REGION)
    window.xdotool("mousemove", str(x // 2), str(top + height // 2))
    time.sleep(0.3)
    window.ask(
        "with bpy.context.temp_override(window=bpy.context.window_manager.windows[0], area=area,"
        " region=next(r for r in area.regions if r.type == 'WINDOW')):\n"
        "    bpy.ops.wm.search_operator('INVOKE_DEFAULT')"
    )
    time.sleep(0.7)
    window.xdotool("type", "--delay", "40", name)
    time.sleep(0.7)
    window.xdotool("key", "Return")
    time.sleep(0.7)


def ended(window, seconds: float = 400) -> dict:  # noqa: F811
    """The run's state once it has ended and its result is there."""
    wait_for(lambda: not window.ask("answer = running.busy()"), seconds, "the end of the run")
    state = window.state()
    assert not state["failed"], (state["message"], state["hint"])
    return state


@pytest.mark.parametrize("window", ["short_clip"], indirect=True)
def test_from_an_empty_file_to_an_fbx(window, pictures, tmp_path):  # noqa: F811
    footage = window.ask("answer = settings.footage\nsettings.footage = ''")
    window.screenshot(pictures / "tour_1_empty.png")

    x, top, width, _ = window.ask(REGION)
    field = (x + width * 0.6, top + 45)  # the first row
    window.click(*field)
    window.xdotool("click", "--repeat", "2", "1")
    time.sleep(0.5)
    window.xdotool("key", "ctrl+a")
    window.xdotool("type", "--delay", "30", footage)
    window.xdotool("key", "Return")
    wait_for(lambda: window.ask("answer = settings.footage") == footage, 60, "the footage")
    press(window, "Show Footage")
    wait_for(lambda: window.ask("answer = settings.movie_clip is not None"), 60, "the Movie Clip")
    press(window, "Match Footage")
    assert window.ask("answer = bpy.context.scene.render.fps") == 60
    window.screenshot(pictures / "tour_2_footage.png")

    press(window, "Find People")
    wait_for(lambda: window.state(), 60, "the run")
    wait_for(lambda: window.state()["total"] > 0, 120, "progress")
    window.screenshot(pictures / "tour_3_finding.png")
    ended(window)
    assert window.ask("answer = [person.number for person in settings.people]")[0] == 1
    window.screenshot(pictures / "tour_4_people.png")

    press(window, "Add Label")
    window.ask("settings.labels[0].label = 'walk'")
    press(window, "Labels to Markers")
    assert window.ask("answer = [m.name for m in bpy.context.scene.timeline_markers]") == ["walk", "(end)"]
    press(window, "Add to Queue")
    assert window.ask("answer = [item.status for item in settings.queue]") == ["waiting"]
    window.screenshot(pictures / "tour_5_labels.png")

    image = window.screenshot(pictures / "tour_6_ready.png")
    window.click(*find_button(image, window.ask(REGION)))
    wait_for(lambda: window.ask("answer = running.busy()"), 60, "the run")
    wait_for(lambda: window.state()["total"] > 0, 120, "progress")
    window.screenshot(pictures / "tour_7_running.png")
    state = ended(window)
    assert "frames of 1 person" in state["message"]
    reused = "answer = Path(settings.motion_path).with_name('report.json').read_text()"
    assert '"detect"' in window.ask(reused).split('"reused"')[1].split("]")[0], "only what the label changes ran again"
    open_our_tab(window)
    press(window, "View Over Footage")
    press(window, "Show Keypoints")
    window.ask("bpy.context.scene.frame_set(10)")
    image = window.screenshot(pictures / "tour_8_character.png")
    with_points = image.copy()
    press(window, "Show Keypoints")
    without = window.screenshot(pictures / "tour_9_without_keypoints.png")
    assert (abs(with_points.astype(int) - without) > 60).any(axis=2).sum() > 100, "no keypoints were drawn"

    blocks = window.ask(BLOCKS)
    for _ in range(25):
        window.ask("bpy.ops.ed.undo()")
        window.ask("bpy.ops.ed.redo()")
    assert window.ask(BLOCKS)[1:] == blocks[1:], "undo and redo leave no handlers and timers"
    assert window.ask(BLOCKS)[0] == blocks[0], "undo and redo leave no data-blocks"

    window.ask("bpy.context.view_layer.objects.active = bpy.context.scene.adapt_motion.character")
    target = tmp_path / "walk.fbx"
    window.ask(f"settings = bpy.context.scene.adapt_motion; operators_export = {str(target)!r}")
    press(window, "Export FBX")
    wait_for(
        lambda: window.ask(
            "answer = any(a.type == 'FILE_BROWSER' for w in bpy.context.window_manager.windows for a in w.screen.areas)"
        ),
        60,
        "the file browser",
    )
    window.ask(
        "for w in bpy.context.window_manager.windows:\n"
        "    for a in w.screen.areas:\n"
        "        if a.type == 'FILE_BROWSER':\n"
        f"            a.spaces.active.params.directory = {str(tmp_path).encode()!r}\n"
        "            a.spaces.active.params.filename = 'walk.fbx'"
    )
    time.sleep(1)
    window.screenshot(pictures / "tour_10_export.png")
    window.xdotool("key", "Return")
    wait_for(target.exists, 60, "the FBX")
    assert target.stat().st_size > 10_000
    window.ask(
        "with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):\n"
        "    bpy.ops.adapt_motion.open_preferences()"
    )
