"""People in the picture: boxes with their numbers over the footage, and a click to tick the one meant.

Drawn into 3D Views that look through the footage's camera, and into Movie Clip Editors that show the footage.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy

from .. import messages, texts
from ..blender import compat, drawing
from ..blender.paths import absolute
from ..character import clip_times, framing, matching, solved_camera
from ..run import people, run_settings

TICKED, PLAIN = (0.25, 0.9, 0.35, 0.95), (1.0, 1.0, 1.0, 0.8)
NUMBER_PX = 26
LINE_PX = 2.0

Box = tuple[float, float, float, float]
_handles: list[tuple[Any, Any]] = []


def boxes_in_view(context, region, region_data, space) -> list[tuple[Any, Box]]:
    """People of the list at the current frame with left, bottom, right and top in pixels of a 3D View's region; empty
    if the view does not look through the footage's camera."""
    scene = context.scene
    camera = drawing.camera_of_view(scene, space, region_data)
    if camera is None or not _has_filmed(scene, camera):
        return []
    corners = _picture_corners(scene, camera, region, region_data)
    if corners is None:
        return []
    left, bottom, right, top = corners
    return _placed(scene, lambda x, y: (left + x * (right - left), top - y * (top - bottom)))


def _has_filmed(scene, camera) -> bool:
    path = absolute(scene.adapt_motion.footage)
    return camera.get(clip_times.FOOTAGE) == path or camera == solved_camera.camera_object(scene)


def _picture_corners(scene, camera, region, region_data) -> Box | None:
    """Left, bottom, right, top of the footage in the region: it is fitted into the camera's frame."""
    from bpy_extras.view3d_utils import location_3d_to_region_2d

    frame = [camera.matrix_world @ corner for corner in camera.data.view_frame(scene=scene)]
    pixels = [location_3d_to_region_2d(region, region_data, corner) for corner in frame]
    if any(pixel is None for pixel in pixels):
        return None
    xs, ys = [pixel.x for pixel in pixels], [pixel.y for pixel in pixels]
    width, height = max(xs) - min(xs), max(ys) - min(ys)
    clip = scene.adapt_motion.movie_clip
    size = framing.footage_size(camera) or (
        tuple(clip.size) if clip is not None and all(clip.size) else (width, height)
    )
    scale = min(width / size[0], height / size[1])
    middle = ((max(xs) + min(xs)) / 2, (max(ys) + min(ys)) / 2)
    half = (size[0] * scale / 2, size[1] * scale / 2)
    return (middle[0] - half[0], middle[1] - half[1], middle[0] + half[0], middle[1] + half[1])


def _placed(scene, place: Callable[[float, float], tuple[float, float]]) -> list[tuple[Any, Box]]:
    found = []
    for person, (left, top, right, bottom) in people.boxes_at(scene, scene.frame_current_final):
        found.append((person, (*place(left, bottom), *place(right, top))))
    return found


def person_at(boxes: list[tuple[Any, Box]], x: float, y: float) -> Any | None:
    """Who is at a pixel; of several the one in the smallest box. None if nobody is."""
    inside = [(person, box) for person, box in boxes if box[0] <= x <= box[2] and box[1] <= y <= box[3]]
    if not inside:
        return None
    return min(inside, key=lambda one: (one[1][2] - one[1][0]) * (one[1][3] - one[1][1]))[0]


def _draw_in_view() -> None:
    context = bpy.context
    if context.scene.adapt_motion.show_people:
        _draw(boxes_in_view(context, context.region, context.region_data, context.space_data))


def _draw_in_clip_editor() -> None:
    context = bpy.context
    settings, clip = context.scene.adapt_motion, context.space_data.clip
    if not settings.show_people or clip is None or clip != settings.movie_clip:
        return
    view = context.region.view2d
    found = _placed(context.scene, lambda x, y: view.view_to_region(_filmed(clip, x), 1 - y, clip=False))
    _draw([(one, (min(left, right), low, max(left, right), high)) for one, (left, low, right, high) in found])


def _filmed(clip, x: float) -> float:
    """Where a part of the width is in the footage as it was filmed, which Movie Clip Editors show."""
    return 1 - x if clip.get(clip_times.MIRRORED) else x


def _draw(boxes: list[tuple[Any, Box]]) -> None:
    """A frame for each, green where ticked, and the number over it."""
    if not boxes:
        return
    import blf
    import gpu
    from gpu_extras.batch import batch_for_shader

    shader = compat.shader_2d()
    gpu.state.blend_set("ALPHA")
    gpu.state.line_width_set(LINE_PX)
    for person, (left, bottom, right, top) in boxes:
        colour = TICKED if person.use else PLAIN
        corners = [(left, bottom), (right, bottom), (right, top), (left, top)]
        shader.bind()
        shader.uniform_float("color", colour)
        lines = [corners[number % 4] for corner in range(4) for number in (corner, corner + 1)]
        batch_for_shader(shader, "LINES", {"pos": lines}).draw(shader)
        compat.set_font_size(0, NUMBER_PX)
        blf.color(0, *colour)
        blf.position(0, left + 3, top + 5, 0)
        blf.draw(0, str(person.number))
    gpu.state.line_width_set(1.0)
    gpu.state.blend_set("NONE")


class ADAPT_MOTION_OT_pick_people(bpy.types.Operator):
    """Show the people in the picture and click whom to adapt; Shift adds to those that are ticked. Esc or Enter ends"""

    bl_idname, bl_label, bl_options = "adapt_motion.pick_people", "Pick in Picture", {"REGISTER", "UNDO"}

    number: bpy.props.IntProperty(
        name="Number", description="Of the person to adapt; 0: click into the picture", default=0, options={"SKIP_SAVE"}
    )
    add: bpy.props.BoolProperty(
        name="Add", description="Keep those who are ticked already", default=False, options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a list."""
        if not run_settings.has_people(context.scene.adapt_motion):
            cls.poll_message_set(messages.tr(messages.NO_PEOPLE))
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Tick the person of the number."""
        settings = context.scene.adapt_motion
        for index, person in enumerate(settings.people):
            if person.number == self.number:
                person.use = not (self.add and person.use)
                settings.people_index = index
            elif not self.add:
                person.use = False
        return {"FINISHED"}

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Look through the footage's camera, and wait for clicks."""
        if self.number:
            return self.execute(context)
        _, view = matching.whose(context)
        if context.area is None or context.area.type != "VIEW_3D" or view is None:
            self.report({"ERROR"}, messages.tr(messages.NO_MOVIE_CLIP))
            return {"CANCELLED"}
        matching.look_through(context, view)
        context.scene.adapt_motion.show_people = True
        self._area = context.area
        context.workspace.status_text_set(messages.tr(texts.PICK_PEOPLE))
        context.window_manager.modal_handler_add(self)
        drawing.redraw()
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Tick on clicks at people; everything else goes on as usual."""
        if event.type in ("ESC", "RET", "NUMPAD_ENTER") and event.value == "PRESS":
            context.workspace.status_text_set(None)
            context.scene.adapt_motion.show_people = False
            drawing.redraw()
            return {"FINISHED"}
        if event.type != "LEFTMOUSE" or event.value != "PRESS":
            return {"PASS_THROUGH"}
        region = next(one for one in self._area.regions if one.type == "WINDOW")
        space = self._area.spaces.active
        boxes = boxes_in_view(context, region, space.region_3d, space)
        person = person_at(boxes, event.mouse_x - region.x, event.mouse_y - region.y)
        if person is None:
            return {"PASS_THROUGH"}
        self.number, self.add = person.number, event.shift
        self.execute(context)
        drawing.redraw()
        return {"RUNNING_MODAL"}


_CLASSES = (ADAPT_MOTION_OT_pick_people,)


def register() -> None:
    """Register the operator and begin to draw."""
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    _handles.extend(drawing.begin_over_footage(_draw_in_view, _draw_in_clip_editor))


def unregister() -> None:
    """Undo `register`."""
    drawing.end_over_footage(_handles)
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
