"""An arm is posed and pinned in a real window, the clip adapted around it, undone, saved and loaded."""

from __future__ import annotations

import time

import pytest
from window.test_window import (  # noqa: F401  fixtures among them
    DEMO,
    MISSING,
    OPEN_TAB,
    display,
    installed,
    open_our_tab,
    pictures,
    press_adapt_motion,
    short_clip,
    wait_for,
    window,
)
from window.test_window_tour import ended
from window_hands import Hands

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")

OPEN_PINS = """
from adapt_motion.blender_addon.ui import pin_panel, panels
hidden = (panels.ADAPT_MOTION_PT_adapt, panels.ADAPT_MOTION_PT_people, panels.ADAPT_MOTION_PT_labels)
for cls in (*hidden, pin_panel.ADAPT_MOTION_PT_pins, pin_panel.ADAPT_MOTION_PT_review):
    bpy.utils.unregister_class(cls)
for cls in (pin_panel.ADAPT_MOTION_PT_pins, pin_panel.ADAPT_MOTION_PT_review):
    cls.bl_options = set()
    bpy.utils.register_class(cls)
"""

POSE = """
from mathutils import Quaternion
armature = bpy.context.scene.adapt_motion.character
bpy.context.view_layer.objects.active = armature
bpy.context.scene.frame_set(12)
bone = armature.pose.bones["left_shoulder"]
bone.rotation_quaternion = bone.rotation_quaternion @ Quaternion((1, 0, 0), -0.6)
bpy.context.view_layer.update()
"""

TURN = """
import math
armature = bpy.context.scene.adapt_motion.character
answer = []
for frame in (6, 12, 18):
    bpy.context.scene.frame_set(frame)
    answer.append(list(armature.pose.bones["left_wrist"].head))
"""


def far(one, other):
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) ** 0.5


@pytest.mark.parametrize("window", ["short_clip"], indirect=True)
def test_a_posed_arm_is_pinned_and_the_clip_follows(window, pictures, tmp_path):  # noqa: F811
    press_adapt_motion(window, pictures / "pins_before_run.png")
    state = wait_for(lambda: (now := window.state())["finished"] and now, 300, "the end of the run")
    assert not state["failed"], (state["message"], state["hint"])
    wait_for(lambda: window.ask("answer = bpy.context.scene.adapt_motion.character is not None"), 60, "the character")
    before = window.ask(TURN)
    window.ask(OPEN_PINS + POSE)
    open_our_tab(window)
    window.ask("with bpy.context.temp_override(window=bpy.context.window_manager.windows[0], area=area):\n"
               "    bpy.ops.adapt_motion.pin_limb(limb='left_arm')")  # fmt: skip
    window.screenshot(pictures / "pins_pinned.png")
    posed = window.ask(TURN)
    assert far(posed[1], before[1]) > 0.05
    window.ask("with bpy.context.temp_override(window=bpy.context.window_manager.windows[0], area=area):\n"
               "    bpy.ops.adapt_motion.adapt_around_pins()")  # fmt: skip
    state = wait_for(
        lambda: (now := window.state())["finished"] and "follow" in now["message"] and now, 120, "the pins"
    )
    assert state["seconds"] < 60
    after = window.ask(TURN)
    assert far(after[1], posed[1]) < 0.03, "the pinned arm is where it was posed"
    assert far(after[0], before[0]) > 0.02, "a tenth of a second before, it follows"
    assert far(after[2], before[2]) > 0.02
    window.screenshot(pictures / "pins_followed.png")
    kept = tmp_path / "kept.blend"
    window.ask(f"bpy.ops.wm.save_as_mainfile(filepath={str(kept)!r})")
    window.ask("bpy.ops.ed.undo()")
    undone = window.ask(TURN)
    assert far(undone[0], before[0]) < 0.01, "one step of undo takes the run back"
    window.ask(f"bpy.ops.wm.open_mainfile(filepath={str(kept)!r})")
    assert window.ask("answer = len(bpy.context.scene.adapt_motion.character.adapt_motion_pins)") == 1
    assert far(window.ask(TURN)[0], after[0]) < 1e-3


SELECT = """
from bpy_extras.view3d_utils import location_3d_to_region_2d
from adapt_motion.blender_addon.character import handles, keypoint_pins, keypoints
from adapt_motion.blender_addon.ui import keypoint_drag
region = next(r for r in area.regions if r.type == "WINDOW")
above = bpy.context.window_manager.windows[0].height
def on_screen(place):
    at = location_3d_to_region_2d(region, area.spaces.active.region_3d, place)
    return [region.x + at.x, above - region.y - at.y]
armature = bpy.context.scene.adapt_motion.character
"""

HANDLE = SELECT + "answer = on_screen(handles.of(armature)['left_wrist'].matrix_world.translation)"

KEYPOINT = (
    SELECT
    + """
motion, camera = keypoints.read(armature), chosen.camera_of(bpy.context)
one = next(h for h in keypoint_pins.handles(bpy.context.scene, armature, bpy.context.scene.frame_current)
           if h.name == "right_wrist")
at = keypoint_drag.pixel_of(region, area.spaces.active.region_3d, camera, motion, one.x, one.y)
answer = [region.x + at[0], above - region.y - at[1], one.x, one.y]
"""
)

PINS = "import json\nanswer = [json.loads(p.entry) for p in bpy.context.scene.adapt_motion.character.adapt_motion_pins]"


@pytest.fixture(scope="module")
def partly_hidden(tmp_path_factory):
    """45 frames of the demo clip, scaled down; a box is painted over the legs for a second."""
    av = pytest.importorskip("av")
    path = tmp_path_factory.mktemp("footage") / "partly hidden.mp4"
    with av.open(str(DEMO)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream("libx264", rate=source.streams.video[0].average_rate)
        stream.width, stream.height, stream.pix_fmt = 544, 960, "yuv420p"
        for number, frame in enumerate(source.decode(video=0)):
            if number == 45:
                break
            picture = frame.reformat(544, 960, "rgb24").to_ndarray()
            if 10 <= number < 38:
                picture[500:] = (90, 80, 70)
            made = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="yuv420p")
            target.mux(stream.encode(made))
        target.mux(stream.encode())
    return path


@pytest.fixture
def hands(display, installed, tmp_path, partly_hidden, pictures):  # noqa: F811
    """A Blender with our tab open, and its user."""
    window = Hands(display, tmp_path, installed)  # noqa: F811
    window.pictures = pictures
    try:
        window.ask("answer = 1", 120)
        window.ask(OPEN_TAB.replace("FOOTAGE", repr(str(partly_hidden))).replace("OUT", repr(str(tmp_path / "out"))))
        yield window
    finally:
        window.close()


def drag(hands, start, by):
    """Press the left button, move in steps, let go."""
    hands.xdotool("mousemove", *(str(round(one)) for one in start))
    time.sleep(0.3)
    hands.xdotool("mousedown", "1")
    time.sleep(0.5)
    for part in (0.3, 0.6, 1.0):
        hands.xdotool("mousemove", *(str(round(a + part * b)) for a, b in zip(start, by, strict=True)))
        time.sleep(0.5)
    hands.xdotool("mouseup", "1")
    time.sleep(1)


def test_by_mouse_and_keyboard_from_a_handle_to_a_kept_take(hands, pictures, tmp_path):  # noqa: F811
    press_adapt_motion(hands, pictures / "hand_00_before_run.png")
    ended(hands)
    wait_for(lambda: hands.ask("answer = bpy.context.scene.adapt_motion.character is not None"), 60, "the character")
    hands.ask("bpy.context.scene.frame_set(8)\nbpy.context.view_layer.objects.active = "
              "bpy.context.scene.adapt_motion.character")  # fmt: skip
    hands.look("done")
    hands.press("View Over Footage")
    before = hands.ask(TURN.replace("(6, 12, 18)", "(4, 8, 12)"))
    hands.ask("bpy.context.scene.frame_set(8)")
    hands.press("Add Handles")
    hands.look("handles")
    hands.click(*hands.ask(HANDLE))
    time.sleep(0.5)
    assert hands.ask("answer = handles.joint_of(bpy.context.active_object)") == "left_wrist", "the mouse has chosen it"
    x, y = hands.ask(HANDLE)
    hands.xdotool("key", "g")
    for part in (0.3, 0.7, 1.0):
        hands.xdotool("mousemove", str(round(x + 40 * part)), str(round(y - 50 * part)))
        time.sleep(0.2)
    hands.xdotool("click", "1")
    time.sleep(0.7)
    hands.look("posed")
    hands.press("Pin Joint Here")
    (pin,) = hands.ask(PINS)
    assert list(pin["positions"]) == ["left_wrist"]
    posed = hands.ask(TURN.replace("(6, 12, 18)", "(4, 8, 12)"))
    hands.ask("bpy.context.scene.frame_set(8)")
    assert far(posed[1], before[1]) > 0.03
    hands.press("Adapt Around Pins")
    state = ended(hands)
    assert "follow the pins" in state["message"]
    assert not hands.ask("answer = list(handles.of(bpy.context.scene.adapt_motion.character))")
    after = hands.ask(TURN.replace("(6, 12, 18)", "(4, 8, 12)"))
    assert far(after[1], posed[1]) < 0.02
    assert far(after[0], before[0]) > 0.01
    hands.ask("bpy.context.scene.frame_set(8)")
    hands.look("followed")
    hands.key("ctrl+z", 2.5)
    undone = hands.ask(TURN.replace("(6, 12, 18)", "(4, 8, 12)"))
    assert far(undone[0], before[0]) < 0.005
    hands.key("ctrl+shift+z", 2.5)
    assert far(hands.ask(TURN.replace("(6, 12, 18)", "(4, 8, 12)"))[0], after[0]) < 0.005
    hands.ask("bpy.context.scene.frame_set(8)")
    hands.press("Drag Keypoints")
    wait_for(lambda: hands.ask(SELECT + "answer = keypoint_drag._active['on']"), 20, "the handles of keypoints")
    x, y, px, py = hands.ask(KEYPOINT)
    drag(hands, (x, y), (25, 15))
    hands.look("dragged")
    hands.xdotool("key", "Escape")
    entry = hands.ask(PINS)[-1]
    assert entry["kind"] == "keypoints"
    moved = entry["points"]["right_wrist"]
    assert moved[0] - px > 5
    assert moved[1] - py > 3
    kept = tmp_path / "kept.blend"
    hands.key("ctrl+s")
    hands.to_file(kept)
    hands.ask(f"bpy.ops.wm.open_mainfile(filepath={str(kept)!r})")
    hands.ask("area = next(a for a in bpy.context.window_manager.windows[0].screen.areas if a.type == 'VIEW_3D')")
    assert len(hands.ask(PINS)) == 2
    hands.ask("bpy.context.scene.frame_set(25)")
    hands.press("Propose Takes")
    ended_or_idle(hands)
    tracks = "answer = [t.name for t in bpy.context.scene.adapt_motion.character.animation_data.nla_tracks]"
    names = [name for name in hands.ask(tracks) if name.startswith("Take ")]
    assert len(names) >= 5, names
    hands.ask("bpy.context.scene.adapt_motion.character.adapt_motion_take = 2")
    hands.look("takes")
    hands.ask("with bpy.context.temp_override(window=bpy.context.window_manager.windows[0], area=area):\n"
              "    bpy.ops.adapt_motion.keep_take()")  # fmt: skip
    assert not [name for name in hands.ask(tracks) if name.startswith("Take ")]


def ended_or_idle(hands):
    """No run goes on."""
    wait_for(lambda: not hands.ask("answer = running.busy()"), 120, "the engine")
