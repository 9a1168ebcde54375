"""Keypoints over the footage that are moved with the mouse: drawn as handles while *Drag Keypoints* is on."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import EnumProperty, FloatProperty, StringProperty

from .. import messages, texts
from ..blender import compat, drawing
from ..character import chosen, keypoint_pins, keypoints, matching
from ..errors import UserError
from ..operators.pins import OfCharacter

COLOURS = {
    keypoint_pins.SEEN: (1.0, 1.0, 1.0, 0.9),
    keypoint_pins.FILLED: (1.0, 0.45, 0.05, 0.95),
    keypoint_pins.DRAGGED: (0.25, 0.9, 0.35, 1.0),
    keypoint_pins.HIDDEN: (0.95, 0.2, 0.2, 0.9),
    keypoint_pins.NONE: (0.6, 0.6, 0.6, 0.8),
}
SIZE_PX, REACH_PX, CLICK_PX, NAME_PX = 6.0, 16.0, 3.0, 14
_JOINTS, _FIRST = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle"), 0.4
"""Keypoints of joints are chosen before fingers and toes that lie about them: so much of their distance counts."""
END = ("ESC", "RET", "NUMPAD_ENTER")

_handle: Any = None
_active: dict[str, Any] = {"on": False, "name": "", "at": None}
"""Whether handles are drawn, which keypoint is under the mouse, and the pixel that it is being dragged to."""


def pixel_of(region, region_data, camera, motion, x: float, y: float) -> tuple[float, float] | None:
    """Where a pixel of the motion's camera is in a 3D View that looks through it; None behind the view."""
    from bpy_extras.view3d_utils import location_3d_to_region_2d

    width, height = motion.image_size
    place = camera.matrix_world @ keypoints.direction(motion, x / width, y / height)
    found = location_3d_to_region_2d(region, region_data, place)
    return None if found is None else (found.x, found.y)


def place_of(region, region_data, camera, motion, pixel: tuple[float, float]) -> tuple[float, float]:
    """The pixel of the motion's camera at a pixel of the region: the way back."""
    from bpy_extras.view3d_utils import region_2d_to_vector_3d

    ray = camera.matrix_world.to_3x3().inverted() @ region_2d_to_vector_3d(region, region_data, pixel)
    lens = motion.intrinsics
    return (
        float(lens[0, 2] + lens[0, 0] * ray.x / -ray.z),
        float(lens[1, 2] + lens[1, 1] * ray.y / ray.z),
    )


def _view(context, area=None) -> tuple[Any, ...] | None:
    """Region, its data, camera, armature and motion, where a view looks through the character's own camera."""
    space = area.spaces.active if area else context.space_data
    region = next((one for one in area.regions if one.type == "WINDOW"), None) if area else context.region
    armature = chosen.character_of(context)
    if armature is None or region is None or space.type != "VIEW_3D":
        return None
    camera = drawing.camera_of_view(context.scene, space, space.region_3d)
    motion = keypoints.known(armature)
    if camera is None or motion is None or armature not in keypoints.seen_by(context.scene, camera):
        return None
    return region, space.region_3d, camera, armature, motion


def _nearest(context, view, mouse: tuple[float, float]) -> tuple[keypoint_pins.Handle, float] | None:
    """The keypoint that is nearest to a pixel, and how far it is, if it is within reach."""
    region, region_data, camera, armature, motion = view
    found = []
    for one in keypoint_pins.handles(context.scene, armature, context.scene.frame_current_final):
        at = pixel_of(region, region_data, camera, motion, one.x, one.y)
        if at is not None:
            found.append((one, ((at[0] - mouse[0]) ** 2 + (at[1] - mouse[1]) ** 2) ** 0.5))
    nearest = min(found, key=lambda pair: pair[1] * (_FIRST if pair[0].name.endswith(_JOINTS) else 1), default=None)
    reach = REACH_PX * context.preferences.system.ui_scale
    return nearest if nearest is not None and nearest[1] <= reach else None


def _draw_in_view() -> None:
    context = bpy.context
    view = _view(context) if _active["on"] else None
    if view is None:
        return
    region, region_data, camera, armature, motion = view
    for one in keypoint_pins.handles(context.scene, armature, context.scene.frame_current_final):
        chosen_one = one.name == _active["name"]
        at = _active["at"] if chosen_one and _active["at"] else None
        at = at or pixel_of(region, region_data, camera, motion, one.x, one.y)
        if at is not None:
            _draw_handle(at, keypoint_pins.DRAGGED if chosen_one and _active["at"] else one.state, chosen_one, one.name)


def _draw_handle(at: tuple[float, float], state: str, is_chosen: bool, name: str) -> None:
    """A square frame, a cross for what is not seen; what is under the mouse has its name beside it."""
    import blf
    import gpu
    from gpu_extras.batch import batch_for_shader

    x, y = at
    size = SIZE_PX * (1.5 if is_chosen else 1.0) * bpy.context.preferences.system.ui_scale
    corners = [(x - size, y - size), (x + size, y - size), (x + size, y + size), (x - size, y + size)]
    lines = [corners[number % 4] for side in range(4) for number in (side, side + 1)]
    if state == keypoint_pins.HIDDEN:
        lines = [corners[0], corners[2], corners[1], corners[3]]
    shader = compat.shader_2d()
    gpu.state.blend_set("ALPHA")
    gpu.state.line_width_set(2.0)
    shader.bind()
    shader.uniform_float("color", COLOURS[state])
    batch_for_shader(shader, "LINES", {"pos": lines}).draw(shader)
    gpu.state.line_width_set(1.0)
    gpu.state.blend_set("NONE")
    if is_chosen:
        compat.set_font_size(0, NAME_PX)
        blf.color(0, *COLOURS[state])
        blf.position(0, x + 2 * size, y, 0)
        blf.draw(0, name.replace("_", " "))


class ADAPT_MOTION_OT_drag_keypoints(OfCharacter, bpy.types.Operator):
    """Move keypoints over the footage. A click shows one that was not seen, H hides one, X puts it back, Esc ends"""

    bl_idname, bl_label, bl_options = "adapt_motion.drag_keypoints", "Drag Keypoints", {"REGISTER", "UNDO"}

    name: StringProperty(name="Keypoint", description="Which one; empty: with the mouse", options={"SKIP_SAVE"})
    what: EnumProperty(
        name="What",
        description="What is done with it",
        items=(
            ("MOVE", "Move", "It is seen at this place of the picture"),
            ("HIDE", "Hide", "It is not seen in this frame, or in the preview range"),
            ("BACK", "Put Back", "It is as it was detected"),
        ),
        options={"SKIP_SAVE"},
    )
    x: FloatProperty(name="X", description="Pixels of the picture from its left", options={"SKIP_SAVE"})
    y: FloatProperty(name="Y", description="Pixels of the picture from its top", options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Change the keypoint of the name at the current frame."""
        scene, armature = context.scene, chosen.character_of(context)
        now = scene.frame_current_final
        try:
            if self.what == "MOVE":
                keypoint_pins.drag(scene, armature, now, self.name, self.x, self.y)
            elif self.what == "HIDE":
                ranged = scene.use_preview_range
                span = (scene.frame_preview_start, scene.frame_preview_end) if ranged else (now, now)
                keypoint_pins.hide(scene, armature, *span, self.name)
            else:
                keypoint_pins.put_back(scene, armature, now, self.name)
        except UserError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Look through the footage's camera, and wait for the mouse."""
        if self.name:
            return self.execute(context)
        armature, camera = chosen.character_of(context), chosen.camera_of(context)
        if context.area is None or context.area.type != "VIEW_3D" or camera is None:
            self.report({"ERROR"}, messages.tr(messages.NO_CAMERA))
            return {"CANCELLED"}
        try:
            keypoints.read(armature)
        except UserError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        matching.look_through(context, camera)
        self._area, self._from = context.area, None
        _active.update(on=True, name="", at=None)
        context.workspace.status_text_set(messages.tr(texts.DRAG_KEYPOINTS))
        context.window_manager.modal_handler_add(self)
        drawing.redraw()
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Follow the mouse; what is not meant for a keypoint goes on as usual."""
        view = _view(context, self._area)
        if event.type in END and event.value == "PRESS" and not _active["at"]:
            return self._end(context)
        if view is None:
            return {"PASS_THROUGH"}
        mouse = (event.mouse_x - view[0].x, event.mouse_y - view[0].y)
        if _active["at"]:
            return self._dragging(context, event, view, mouse)
        near = _nearest(context, view, mouse)
        if event.type == "MOUSEMOVE":
            self._point_at(near[0].name if near else "")
        if near is None or event.value != "PRESS" or event.type not in ("LEFTMOUSE", "H", "X"):
            return {"PASS_THROUGH"}
        self._point_at(near[0].name)
        if event.type == "LEFTMOUSE":
            at = pixel_of(*view[:3], view[4], near[0].x, near[0].y)
            self._from, self._grip = at, (at[0] - mouse[0], at[1] - mouse[1])
            _active["at"] = at
        else:
            hides = event.type == "H" and near[0].state != keypoint_pins.HIDDEN
            self._do(context, near[0].name, "HIDE" if hides else "BACK")
        return {"RUNNING_MODAL"}

    def _dragging(self, context, event, view, mouse) -> set[str]:
        if event.type in ("ESC", "RIGHTMOUSE") and event.value == "PRESS":
            _active["at"] = None
        elif event.type == "MOUSEMOVE":
            _active["at"] = (mouse[0] + self._grip[0], mouse[1] + self._grip[1])
        elif event.type == "LEFTMOUSE" and event.value == "RELEASE":
            at, name = _active["at"], _active["name"]
            _active["at"] = None
            moved = max(abs(at[0] - self._from[0]), abs(at[1] - self._from[1])) > CLICK_PX
            state = next((one.state for one in keypoint_pins.handles(
                context.scene, view[3], context.scene.frame_current_final) if one.name == name), "")  # fmt: skip
            if moved or state in (keypoint_pins.FILLED, keypoint_pins.HIDDEN, keypoint_pins.NONE):
                self._do(context, name, "MOVE", place_of(*view[:3], view[4], at))
        drawing.redraw()
        return {"RUNNING_MODAL"}

    def _do(self, context, name: str, what: str, at: tuple[float, float] = (0.0, 0.0)) -> None:
        self.name, self.what, (self.x, self.y) = name, what, at
        if self.execute(context) == {"FINISHED"}:
            bpy.ops.ed.undo_push(message="Drag Keypoints")
        self.name = ""
        drawing.redraw()

    @staticmethod
    def _point_at(name: str) -> None:
        if name != _active["name"]:
            _active["name"] = name
            drawing.redraw()

    @staticmethod
    def _end(context) -> set[str]:
        _active.update(on=False, name="", at=None)
        context.workspace.status_text_set(None)
        drawing.redraw()
        return {"FINISHED"}


_CLASSES = (ADAPT_MOTION_OT_drag_keypoints,)


@bpy.app.handlers.persistent
def _after_load(*_arguments) -> None:
    _active.update(on=False, name="", at=None)


def register() -> None:
    """Register the operator and begin to draw."""
    global _handle
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    bpy.app.handlers.load_post.append(_after_load)
    _handle = bpy.types.SpaceView3D.draw_handler_add(_draw_in_view, (), "WINDOW", "POST_PIXEL")


def unregister() -> None:
    """Undo `register`."""
    global _handle
    bpy.types.SpaceView3D.draw_handler_remove(_handle, "WINDOW")
    _handle = None
    bpy.app.handlers.load_post.remove(_after_load)
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
