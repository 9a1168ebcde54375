"""What a user does in Blender's window with mouse and keyboard, and what is looked at after each step."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from window.test_window import REGION, Window, find_button, open_our_tab, wait_for
from window.test_window_tour import ended, press

OUR_TAB = """
import bpy, adapt_motion.blender_addon as addon
from adapt_motion.blender_addon.character import chosen
from adapt_motion.blender_addon.run import running
for panel in bpy.types.Panel.__subclasses__():  # else our tab lies below many
    place = (getattr(panel, "bl_space_type", ""), getattr(panel, "bl_region_type", ""))
    if place == ("VIEW_3D", "UI") and getattr(panel, "bl_category", "") != "Adapt Motion" and panel.is_registered:
        bpy.utils.unregister_class(panel)
area = next(area for area in bpy.context.window_manager.windows[0].screen.areas if area.type == "VIEW_3D")
area.spaces.active.show_region_ui = True
"""

SEEN = """
scene = bpy.context.scene
ours = scene.adapt_motion
answer = {
    "rate": scene.render.fps / scene.render.fps_base,
    "range": [scene.frame_start, scene.frame_end],
    "size": [scene.render.resolution_x, scene.render.resolution_y],
    "view": area.spaces.active.region_3d.view_perspective,
    "hidden": sorted(item.name for item in scene.objects if item.hide_get()),
    "footage": Path(ours.footage).stem,
    "clip": ours.movie_clip and Path(ours.movie_clip.filepath).stem,
    "character": ours.character and ours.character.name,
    "labels": [[item.label, item.frame_start, item.frame_end] for item in ours.labels],
    "markers": [[item.name, item.frame] for item in scene.timeline_markers if item.camera is None],
    "queue": [[item.name, item.status] for item in ours.queue],
    "output": ours.output_folder,
}
"""

IN_PLACE = """
import numpy as np
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector
from adapt_motion.blender_addon.character import clip_times, cut_markers, motion_io
scene, answer = bpy.context.scene, []
now, frame_now = scene.render, scene.frame_current
for item in [one for one in scene.objects if one.type == "ARMATURE" and one.get("adapt_motion_person")]:
    motion = motion_io.read_motion(bpy.path.abspath(item["adapt_motion_person"]))
    action = item.animation_data.action
    rate, start = clip_times.laid_at(scene, item[clip_times.FOOTAGE])
    cameras = [one for one in scene.objects if one.type == "CAMERA" and clip_times.of_one_clip(one, item)]
    wanted = [float(start + motion.timestamps[row] * rate) for row in (0, -1)]
    size, frame = np.array(motion.image_size), np.array([now.resolution_x, now.resolution_y])
    worst = 0.0
    for row in (0, len(motion.timestamps) // 2, len(motion.timestamps) - 1):
        at = start + float(motion.timestamps[row] * rate)
        scene.frame_set(int(at + 1e-6), subframe=min(0.999, max(0.0, at - int(at + 1e-6))))
        view = cut_markers.camera_at(cameras, at)
        places = motion.joints3d_cam[row] @ motion.intrinsics.T
        places = (places[:, :2] / places[:, 2:] - size / 2) * min(frame / size) + frame / 2
        joints = [item.matrix_world @ Vector(joint) for joint in motion.joints3d_world[row].tolist()]
        got = [world_to_camera_view(scene, view, joint) for joint in joints]
        got = np.array([(one.x, 1 - one.y) for one in got]) * frame
        worst = max(worst, float(np.abs(got - places).max() / min(frame / size)))
    answer.append([item.name, list(action.frame_range), wanted, worst])
scene.frame_set(frame_now)
"""
"""Of each character: the range of its keys, where they should be, and how far off the overlay is, in footage pixels."""

IN_BROWSER = """
for window in bpy.context.window_manager.windows:
    for one in window.screen.areas:
        if one.type == "FILE_BROWSER":
            one.spaces.active.params.directory = {folder!r}.encode()
            one.spaces.active.params.filename = {name!r}
"""

BROWSER_OPEN = """
answer = any(one.type == "FILE_BROWSER" for w in bpy.context.window_manager.windows for one in w.screen.areas)
"""

WATCHERS = """
names = [name for name in dir(bpy.app.handlers) if isinstance(getattr(bpy.app.handlers, name), list)]
answer = [{name: len(getattr(bpy.app.handlers, name)) for name in names}, bpy.app.timers.is_registered(running._tick)]
"""

MOVE_MARKER = """
timeline = next(one for one in bpy.context.window_manager.windows[0].screen.areas if one.type == "DOPESHEET_EDITOR")
region = next(one for one in timeline.regions if one.type == "WINDOW")
with bpy.context.temp_override(window=bpy.context.window_manager.windows[0], area=timeline, region=region):
    for marker in bpy.context.scene.timeline_markers:
        marker.select = marker.name == {name!r}
    bpy.ops.ed.undo_push(message="Select")
    bpy.ops.marker.move("EXEC_DEFAULT", frames={frames})
    bpy.ops.ed.undo_push(message="Move Marker")
"""


class Hands(Window):
    """A Blender in a window, its user, and the pictures that are taken after each step."""

    pictures: Path
    step = 0

    def begin(self) -> None:
        """Open the sidebar at our tab, which Blender takes a while to be ready for."""
        self.ask("answer = 1", 120)
        self.ask(OUR_TAB)
        time.sleep(1)
        open_our_tab(self)
        time.sleep(0.5)

    def look(self, name: str):
        """A picture of the window, kept; there must be no error on Blender's output."""
        self.step += 1
        image = self.screenshot(self.pictures / f"day_{self.step:02}_{name}.png")
        output = Path(self.log.name).read_text(encoding="utf-8", errors="replace")
        assert "Traceback" not in output, output[-3000:]
        return image

    def seen(self) -> dict:
        """Scene, footage, labels, markers, queue."""
        return self.ask(SEEN)

    def type_footage(self, path: Path) -> None:
        """Type a path into the field *Footage*, the first row of the panel."""
        x, top, width, _ = self.ask(REGION)
        self.click(x + width * 0.5, top + 45)
        self.xdotool("click", "--repeat", "2", "1")
        time.sleep(0.5)
        self.xdotool("key", "ctrl+a")
        self.xdotool("type", "--delay", "30", str(path))
        self.xdotool("key", "Return")
        wait_for(lambda: self.seen()["footage"] == path.stem, 60, "the footage")

    def press(self, name: str) -> None:
        """Find an operator by its name in Blender's search and run it."""
        press(self, name)

    def key(self, keys: str, wait: float = 1.2) -> None:
        """Press keys with the mouse over the 3D View."""
        x, top, _, height = self.ask(REGION)
        self.xdotool("mousemove", str(x // 2), str(top + height // 2))
        time.sleep(0.3)
        self.xdotool("key", keys)
        time.sleep(wait)

    def begin_run(self, name: str) -> bool:
        """Click *Adapt Motion* (or *Resume*) where the picture shows it, again if a busy Blender has missed it."""
        place = find_button(self.look(name), self.ask(REGION))
        for _ in range(4):
            self.click(*place)
            with contextlib.suppress(AssertionError):
                return wait_for(lambda: self.ask("answer = running.busy()"), 10, "the run")
        raise AssertionError("no click began the run")

    def adapt(self, name: str) -> dict:
        """Click *Adapt Motion* and wait for the end."""
        self.begin_run(f"{name}_ready")
        state = ended(self)
        self.look(f"{name}_done")
        return state

    def in_place(self) -> None:
        """Keys lie where the footage does, and bodies over it: every character through its own camera."""
        for name, keys, wanted, off in self.ask(IN_PLACE):
            assert abs(keys[0] - wanted[0]) < 0.01, (name, keys, wanted)
            assert abs(keys[1] - wanted[1]) < 0.01, (name, keys, wanted)
            assert off < 0.1, (name, off)

    def to_file(self, path: Path) -> None:
        """Write to `path` in the file browser that is open or opens now, with the keyboard."""
        wait_for(lambda: self.ask(BROWSER_OPEN), 60, "the file browser")
        self.ask(IN_BROWSER.format(folder=str(path.parent), name=path.name))
        time.sleep(1)
        self.xdotool("key", "Return")
        wait_for(path.exists, 60, path.name)
        wait_for(lambda: not self.ask(BROWSER_OPEN), 60, "the file browser's end")
