"""An arm is posed and pinned in a real window, the clip adapted around it, undone, saved and loaded."""

from __future__ import annotations

import pytest
from window.test_window import (  # noqa: F401  fixtures among them
    MISSING,
    display,
    installed,
    open_our_tab,
    pictures,
    press_adapt_motion,
    short_clip,
    wait_for,
    window,
)

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
