"""What Blender knows of the camera that took the footage: the Movie Clip's lens, and its solved camera track."""

from __future__ import annotations

from typing import Any

from .. import messages
from ..blender import compat, timing
from ..errors import UserError


def describe(scene) -> dict[str, Any] | None:
    """The scene's choice of camera as the engine's `--camera` file takes it; None to let the engine guess.

    `intrinsics` are 3 x 3 pixels of the full upright frame, `distortion` is there where the lens has one; of a solved
    track there is also `camera_to_world`, 4 x 4 for each frame of the footage, camera axes x right, y down, z away.
    Where the focal length of the scene's camera is keyed, there are `intrinsics` for each frame.

    Raises:
        UserError: the footage is not loaded, its camera is not solved, or the scene runs at another rate.
    """
    settings = scene.adapt_motion
    if settings.camera_source in ("guess", "still"):
        return None
    clip = settings.movie_clip
    if clip is None or not all(clip.size):
        raise UserError("The footage is not loaded, so its camera is not known.", "Press Show Footage first.")
    found: dict[str, Any] = {"intrinsics": intrinsics(clip)}
    if (bent := distortion(clip)) is not None:
        found["distortion"] = bent
    if settings.camera_source == "solved":
        rate = timing.exact_rate(clip.fps) if clip.source == "MOVIE" and clip.fps else timing.scene_rate(scene)
        if rate != timing.scene_rate(scene):
            raise UserError(
                "A solved camera moves with the scene's frames, and the scene runs at another rate than the footage.",
                "Give the scene the footage's frame rate.",
            )
        found["camera_to_world"] = path(scene, clip)
        found["intrinsics"] = zoomed(scene, clip, found["intrinsics"])
    return found


def intrinsics(clip) -> list[list[float]]:
    """(3, 3) pixels, y down, of the Movie Clip's camera. Pixels that are wider than high have the larger focal length
    down the picture."""
    camera = clip.tracking.camera
    width, height = clip.size
    x, y = compat.principal_point(camera, width, height)
    focal = camera.focal_length_pixels
    return [[focal, 0.0, x], [0.0, focal * (camera.pixel_aspect or 1.0), height - y], [0.0, 0.0, 1.0]]


def distortion(clip) -> dict[str, Any] | None:
    """The lens distortion of the Movie Clip's camera as the engine's `--camera` file has it; None if it has none.

    Nuke's model is the engine's `division`, counted in halves of the picture's longer side in place of focal lengths;
    Blender's division goes the other way, from where a point is to where it is seen. Blender counts y upwards, so that
    the second tangential coefficient changes its sign.
    """
    camera = clip.tracking.camera
    model, p = camera.distortion_model, (0.0, 0.0)
    names = {"POLYNOMIAL": "polynomial", "BROWN": "polynomial", "DIVISION": "reciprocal", "NUKE": "division"}
    if model == "POLYNOMIAL":
        k = (camera.k1, camera.k2, camera.k3)
    elif model == "BROWN":
        k = (camera.brown_k1, camera.brown_k2, camera.brown_k3, camera.brown_k4)
        p = (camera.brown_p1, -camera.brown_p2)
    elif model == "DIVISION":
        k = (camera.division_k1, camera.division_k2)
    else:
        width, height = clip.size
        share = camera.focal_length_pixels / (max(width, height / (camera.pixel_aspect or 1.0)) / 2)
        k = (camera.nuke_k1 * share**2, camera.nuke_k2 * share**4)
    if not any((*k, *p)):
        return None
    return {"model": names[model], "k": list(k), "p": list(p)}


def zoomed(scene, clip, lens: list[list[float]]) -> list[Any]:
    """`lens` (3, 3), or one for each frame of the clip if the camera that follows the solve has its focal length keyed.

    Blender solves for one focal length; who knows how the lens zoomed keys it on that camera.
    """
    camera = camera_object(scene)
    keyed = [curve for curve in compat.curves_of(camera.data) if curve.data_path == "lens"] if camera else []
    if not keyed:
        return lens
    length = clip.tracking.camera.focal_length
    found = []
    for frame in range(clip.frame_duration):
        times = keyed[0].evaluate(scene.adapt_motion.footage_start + frame) / length
        found.append([[lens[0][0] * times, 0.0, lens[0][2]], [0.0, lens[1][1] * times, lens[1][2]], lens[2]])
    return found


def reconstruction(clip):
    """The solved camera track of a Movie Clip; None if it is not solved."""
    if clip is None:
        return None
    found = next((item.reconstruction for item in clip.tracking.objects if item.is_camera), None)
    return found if found is not None and found.is_valid and len(found.cameras) else None


def camera_object(scene):
    """The camera that follows the solve of the scene's footage; None if there is none, or in a Blender that only
    exports, where the add-on is not on."""
    settings = getattr(scene, "adapt_motion", None)
    clip = settings.movie_clip if settings else None
    for item in scene.objects:
        for constraint in item.constraints if item.type == "CAMERA" else ():
            if constraint.type == "CAMERA_SOLVER" and not constraint.mute:
                followed = scene.active_clip if constraint.use_active_clip else constraint.clip
                if followed == clip and clip is not None:
                    return item
    return None


def path(scene, clip) -> list[list[list[float]]]:
    """(F, 4, 4) camera to world for each frame of the clip, camera axes x right, y down, z away.

    Where the camera object has been turned, moved or scaled to put the solve into the scene (*Set Floor*, *Set Scale*),
    that counts. Raises UserError if the camera is not solved.
    """
    from mathutils import Matrix

    from ..blender import axes

    solved = reconstruction(clip)
    if solved is None:
        raise UserError(messages.NOT_SOLVED, "Solve it in the Movie Clip Editor, or choose another source.")
    camera = camera_object(scene)
    base = Matrix() if camera is None else _unconstrained(camera)
    frames = []
    for frame in range(1, clip.frame_duration + 1):
        matrix = base @ solved.cameras.matrix_from_frame(frame=frame)
        place, turn, _ = matrix.decompose()
        frames.append(axes.camera_to_world(Matrix.LocRotScale(place, turn, None)).tolist())
    return frames


def _unconstrained(item):
    """World matrix of an object without its constraints."""
    if item.parent is None:
        return item.matrix_basis.copy()
    return item.parent.matrix_world @ item.matrix_parent_inverse @ item.matrix_basis


def summary(found: dict[str, Any]) -> str:
    """What `describe` gave, in a line."""
    lenses = found["intrinsics"]
    focal = [one[0][0] for one in lenses] if isinstance(lenses[0][0], list) else [lenses[0][0]]
    parts = [f"{min(focal):.0f} to {max(focal):.0f} pixels" if max(focal) > min(focal) else f"{focal[0]:.0f} pixels"]
    parts += ["distortion taken out"] if "distortion" in found else []
    parts += [f"solved over {len(found['camera_to_world'])} frames"] if "camera_to_world" in found else []
    return f"Focal length {', '.join(parts)}"
