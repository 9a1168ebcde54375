"""How a camera frames the footage it has filmed, at whatever resolution the scene has. Needs no NumPy."""

from __future__ import annotations

from math import radians

import bpy

from ..blender import compat

SENSOR_MM = 36.0
_LENS = "adapt_motion_lens"
"""Custom property of camera data of ours: focal lengths and centre in pixels, width and height of the footage."""


def set_lens(data, intrinsics: list[list[float]], image_size: tuple[int, int], scene) -> None:
    """Lens and shift of a camera with `intrinsics`, 3 x 3 pixels; the keys of a lens that zoomed go."""
    if data.animation_data and data.animation_data.action:
        bpy.data.actions.remove(data.animation_data.action)
    data.sensor_width = data.sensor_height = SENSOR_MM
    data.sensor_fit = _fit(image_size, scene)
    data.lens, data.shift_x, data.shift_y = lens_of(intrinsics, image_size, scene)
    (focal_x, _, centre_x), (_, focal_y, centre_y), _ = intrinsics
    data[_LENS] = [float(one) for one in (focal_x, focal_y, centre_x, centre_y, *image_size)]


def fits(camera, scene) -> bool:
    """Whether a camera of ours frames the footage at the scene's resolution as the footage lies behind it."""
    known = camera.data.get(_LENS)
    return known is None or camera.data.sensor_fit == _fit(known[4:], scene)


def footage_size(camera) -> tuple[int, int] | None:
    """Width and height of the upright footage of a camera of ours; None if it is not ours."""
    known = camera.data.get(_LENS)
    return None if known is None else (round(known[4]), round(known[5]))


def refit(camera, scene) -> None:
    """Have a camera of ours frame the footage as before, now that the scene's resolution has another shape."""
    data = camera.data
    for background in data.background_images if _LENS in data and camera.library is None else ():
        quarters = round(background.rotation / radians(90)) % 4
        if quarters:
            background.scale = turned_scale(footage_size(camera), quarters, scene)
    if fits(camera, scene) or camera.library is not None or data.library is not None:
        return
    focal_x, focal_y, centre_x, centre_y, *size = data[_LENS]
    before = data.sensor_fit
    data.sensor_fit = _fit(size, scene)
    lens = [[focal_x, 0.0, centre_x], [0.0, focal_y, centre_y], [0.0, 0.0, 1.0]]
    data.lens, data.shift_x, data.shift_y = lens_of(lens, size, scene)
    times = size[1] / size[0] if before == "VERTICAL" else size[0] / size[1]
    for curve in compat.curves_of(data):  # a lens that zooms
        if curve.data_path in ("lens", "shift_x", "shift_y"):
            for point in curve.keyframe_points:
                for part in ("co", "handle_left", "handle_right"):
                    place = getattr(point, part)
                    setattr(point, part, (place[0], place[1] * times))
            curve.update()


def _fit(image_size: tuple[int, int], scene) -> str:
    return "VERTICAL" if _fits_upright(image_size, scene) else "HORIZONTAL"


def _fits_upright(image_size: tuple[int, int], scene) -> bool:
    """Whether the rendered picture is wider in shape than the footage.

    The longer fit of the sensor is chosen so that the whole frame of the footage is seen whatever the resolution of
    the scene is, as the background (method `FIT`) is.
    """
    width, height = image_size
    render = scene.render
    return render.resolution_x * render.pixel_aspect_x * height >= render.resolution_y * render.pixel_aspect_y * width


def lens_of(intrinsics: list[list[float]], image_size: tuple[int, int], scene) -> tuple[float, float, float]:
    """Focal length in millimetres and both shifts of a camera with `intrinsics`, 3 x 3 pixels."""
    width, height = image_size
    fitted, side = (height, 1) if _fits_upright(image_size, scene) else (width, 0)
    focal, centre_x, centre_y = intrinsics[side][side], intrinsics[0][2], intrinsics[1][2]
    return SENSOR_MM * focal / fitted, (width / 2 - centre_x) / fitted, (centre_y - height / 2) / fitted


def turned_scale(image_size: tuple[int, int], quarters: int, scene) -> float:
    """How much larger a picture is shown that is fitted lying into the frame and then turned upright."""
    stored = image_size[::-1] if quarters % 2 else image_size
    render = scene.render
    frame = (render.resolution_x * render.pixel_aspect_x, render.resolution_y * render.pixel_aspect_y)
    wanted, without = (min(frame[0] / size[0], frame[1] / size[1]) for size in (image_size, stored))
    return wanted / without
