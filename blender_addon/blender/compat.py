"""What differs between Blender 3.4 and 5.x. Features are tested, not version numbers, and every branch is in here."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import bpy

NewCurve = Callable[[str, int, str], Any]

RELATIVE_PATH = (
    {"PATH_SUPPORTS_BLEND_RELATIVE"}
    if "is_path_supports_blend_relative" in bpy.types.Property.bl_rna.properties
    else set()
)
"""Options of a path property that may start with `//`; from 4.5 on it has to say so."""


def new_action(datablock, name: str) -> tuple[Any, NewCurve]:
    """Give `datablock` a new, empty action.

    Returns:
        The action, and a function (data path, index, group) that adds an F-curve to it.
    """
    action = bpy.data.actions.new(name)
    datablock.animation_data_create().action = action
    if not hasattr(action, "slots"):  # before 4.4
        return action, lambda path, index, group: action.fcurves.new(path, index=index, action_group=group)
    slot = action.slots.new(datablock.id_type, datablock.name)
    datablock.animation_data.action_slot = slot
    strip = action.layers.new("Motion").strips.new(type="KEYFRAME")
    bag = strip.channelbag(slot, ensure=True)

    def new_curve(path: str, index: int, group: str):
        curve = bag.fcurves.new(path, index=index)
        curve.group = bag.groups.get(group) or bag.groups.new(group)
        return curve

    return action, new_curve


def curves_of(datablock) -> Iterable[Any]:
    """F-curves of the action that `datablock` uses now."""
    animation = datablock.animation_data
    action = animation.action if animation else None
    if action is None:
        return ()
    if not hasattr(action, "slots"):
        return action.fcurves
    slot = animation.action_slot
    bags = [strip.channelbag(slot) for layer in action.layers for strip in layer.strips] if slot else []
    return [curve for bag in bags if bag for curve in bag.fcurves]


def own_action(datablock) -> tuple[Any, Any]:
    """The action that a data-block uses, and its slot there, for `give_action`."""
    animation = datablock.animation_data
    return animation.action, getattr(animation, "action_slot", None)


def give_action(datablock, own: tuple[Any, Any]) -> None:
    """Have a data-block use an action again."""
    animation = datablock.animation_data
    animation.action = own[0]
    if own[1] is not None:
        animation.action_slot = own[1]


def all_curves(action) -> list[Any]:
    """F-curves of an action, whichever data-block they are for."""
    if not hasattr(action, "slots"):
        return list(action.fcurves)
    bags = [bag for layer in action.layers for strip in layer.strips for bag in strip.channelbags]
    return [curve for bag in bags for curve in bag.fcurves]


def copy_action(datablock) -> Any:
    """Make the action of `datablock` a copy of its own, which alone counts; gives back the copy."""
    animation = datablock.animation_data
    for track in list(animation.nla_tracks):
        animation.nla_tracks.remove(track)
    animation.action_influence, animation.action_blend_type = 1.0, "REPLACE"
    slot = getattr(animation, "action_slot", None)
    animation.action = animation.action.copy()
    if slot is not None:
        animation.action_slot = animation.action.slots[slot.identifier]
    for curve in curves_of(datablock):
        curve.mute = False  # as those are whose place tracks have taken
    return animation.action


def local_action(datablock) -> Any:
    """The action of `datablock`; a copy of it that is used from now on if it is linked and thus cannot be changed."""
    animation = datablock.animation_data
    if animation.action.library is None:
        return animation.action
    slot = getattr(animation, "action_slot", None)
    animation.action = animation.action.copy()
    if slot is not None:
        animation.action_slot = animation.action.slots[slot.identifier]
    return animation.action


def plain_copy(thing: Any) -> Any:
    """A copy of an object or its data of which everything can be changed, also where that is linked or overridden."""
    copied = thing.copy()
    if copied.override_library is None:
        return copied
    if "clear_liboverride" in bpy.types.ID.bl_rna.functions["make_local"].parameters:
        copied.make_local(clear_liboverride=True)
        return copied
    bpy.data.batch_remove(ids=[copied])  # 3.4 copies only what is linked into something plain
    copied = thing.override_library.reference.copy()
    if getattr(thing, "animation_data", None) and thing.animation_data.action:
        copied.animation_data_create().action = thing.animation_data.action
    if isinstance(thing, bpy.types.Object):
        copied.parent, copied.matrix_parent_inverse = thing.parent, thing.matrix_parent_inverse
        copied.rotation_mode, copied.matrix_basis = thing.rotation_mode, thing.matrix_basis
        for bone, pose_bone in zip(copied.pose.bones, thing.pose.bones, strict=True) if thing.pose else ():
            bone.rotation_mode, bone.matrix_basis = pose_bone.rotation_mode, pose_bone.matrix_basis
    return copied


def supports_usd_armatures() -> bool:
    """Whether this Blender writes USD with skeletons (4.2 and later, where built with USD)."""
    return "export_armatures" in operator_options(bpy.ops.wm.usd_export)


def operator_options(operator) -> set[str]:
    """Names of the options of an operator; none if this Blender lacks it."""
    try:
        return set(operator.get_rna_type().properties.keys())
    except (KeyError, AttributeError):
        return set()


def call(operator, **options) -> None:
    """Run an operator with those of `options` that this Blender's operator has."""
    known = operator_options(operator)
    operator(**{name: value for name, value in options.items() if name in known})


def enable_exporter(module: str) -> None:
    """Switch on a bundled add-on for this session without writing preferences."""
    import addon_utils

    if not addon_utils.check(module)[1]:
        addon_utils.enable(module, default_set=False)


def register_command(name: str, function: Callable[[list[str]], int]) -> Any:
    """Offer `blender -c name …` (4.2 and later); gives back a handle for `unregister_command`, None before 4.2."""
    if not hasattr(bpy.utils, "register_cli_command"):
        return None
    return bpy.utils.register_cli_command(name, function)


def unregister_command(handle: Any) -> None:
    """Undo `register_command`."""
    if handle is not None:
        bpy.utils.unregister_cli_command(handle)


def turns_movies_upright() -> bool:
    """Whether movie clips follow the rotation flag of their file: 4.2 does not, 4.5 does; only the version shows it."""
    return bpy.app.version >= (4, 5, 0)


def empty_file() -> None:
    """Replace the open file by an empty one, keeping the preferences and the add-ons that are on."""
    options: dict[str, Any] = {"use_empty": True, "use_factory_startup": True}
    call(bpy.ops.wm.read_homefile, **options)


def scene_override(scene, active):
    """Context in which operators see `scene` and the object `active`, selected, in its first view layer."""
    layer = scene.view_layers[0]
    selected = [item for item in scene.objects if item.select_get(view_layer=layer)]
    return bpy.context.temp_override(
        scene=scene,
        view_layer=layer,
        collection=scene.collection,
        object=active,
        active_object=active,
        selected_objects=selected,
        selected_editable_objects=selected,
    )


def leave(code: int) -> None:
    """End this program with an exit code; for scripts.

    The `bpy` module of 4.2 can crash while Python shuts down after a glTF export, so there Python does not get to it.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    if bpy.app.binary_path:
        sys.exit(code)
    os._exit(code)


def user_folder(package: str) -> Path:
    """Folder for the add-on's own files that outlives updates; extensions (4.2 and later) have one each."""
    if package.startswith("bl_ext.") and hasattr(bpy.utils, "extension_path_user"):
        return Path(bpy.utils.extension_path_user(package))
    return Path(bpy.utils.user_resource("DATAFILES", path="adapt_motion"))


def online() -> bool:
    """Whether the user lets Blender use the internet (a preference from 4.2 on)."""
    return getattr(bpy.app, "online_access", True)


def principal_point(tracking_camera, width: int, height: int) -> tuple[float, float]:
    """Pixels from the bottom left of a Movie Clip's optical centre (before 3.5 it had another name)."""
    if hasattr(tracking_camera, "principal_point_pixels"):
        return tuple(tracking_camera.principal_point_pixels)
    return tuple(tracking_camera.principal)


def new_footage_strip(scene, clip, frame: int):
    """A strip of the footage in the sequencer of `scene`, in the first channel that is free; gives it back."""
    editor = scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    channel = max((strip.channel for strip in strips), default=0) + 1
    if clip.source == "MOVIE":
        return strips.new_movie(clip.name, bpy.path.abspath(clip.filepath), channel, frame)
    first = Path(bpy.path.abspath(clip.filepath))
    strip = strips.new_image(clip.name, str(first), channel, frame)
    for path in sorted(one for one in first.parent.iterdir() if one.suffix == first.suffix)[1:]:
        strip.elements.append(path.name)
    return strip


def shader_2d() -> Any:
    """The built-in shader that draws in one colour in pixels of the region."""
    import gpu

    try:
        return gpu.shader.from_builtin("UNIFORM_COLOR")
    except ValueError:  # before 3.4 ended in 4.0 it had two names
        return gpu.shader.from_builtin("2D_UNIFORM_COLOR")


def set_font_size(font: int, size: float) -> None:
    """The size of what `blf` draws; before 3.4 ended in 4.0 it wanted dots an inch."""
    import blf

    try:
        blf.size(font, size)
    except TypeError:
        blf.size(font, int(size), 72)


def draw_bar(layout, group, name: str) -> None:
    """A property between 0 and 1 as a bar that cannot be changed (a greyed slider before 4.0)."""
    value = getattr(group, name)
    if hasattr(layout, "progress"):
        layout.progress(factor=value, text=f"{value:.2f}" if value > 0 else "")
    else:
        row = layout.row()
        row.enabled = False
        row.prop(group, name, text="", slider=True)


def redraw_status_bar() -> None:
    """Have the status bar drawn again; it belongs to no screen, so only a new text in it makes Blender do so."""
    if bpy.app.background or not bpy.context.workspace:
        return
    if not any(getattr(window, "modal_operators", ()) for window in bpy.context.window_manager.windows):
        bpy.context.workspace.status_text_set_internal(None)


def draw_progress(layout, share: float, text: str) -> None:
    """A progress bar with `text` in it (4.0 and later), the text alone before. `share` is 0 to 1."""
    if hasattr(layout, "progress"):
        layout.progress(factor=share, text=text)
    elif text:
        layout.label(text=text)


def in_modal_operator(window) -> bool:
    """Whether the user is in the middle of moving, painting or shaping something (4.2 and later; False before).

    Only such operators count: some add-ons run one for as long as Blender is open.
    """
    kinds = ("TRANSFORM_OT_", "SCULPT_OT_", "PAINT_OT_", "MESH_OT_", "POSE_OT_")
    return any(item.bl_idname.startswith(kinds) for item in getattr(window, "modal_operators", ()))


def free_handles(points) -> None:
    """Let both handles of all keys stay where they are put. Blender 3.4 ignores the types when they are set at once."""
    for side in ("handle_left_type", "handle_right_type"):
        for point in points:
            setattr(point, side, "FREE")


class curve_maker:
    """Adds F-curves to the action that `datablock` uses now, in place of those with the same path and index.

    A linked action is copied first.
    """

    def __init__(self, datablock: Any) -> None:
        action = local_action(datablock)
        if hasattr(action, "slots"):
            strip = action.layers[0].strips[0]
            self._curves = strip.channelbag(datablock.animation_data.action_slot, ensure=True)
        else:
            self._curves = action
        self._known = {(curve.data_path, curve.array_index): curve for curve in self._curves.fcurves}

    def replace(self, path: str, index: int, group: str) -> Any:
        """A new, empty curve."""
        self.remove(path, index)
        curve = self._curves.fcurves.new(path, index=index)
        curve.group = self._curves.groups.get(group) or self._curves.groups.new(group)
        return curve

    def remove(self, path: str, index: int) -> None:
        """Take a curve out, if it is there."""
        old = self._known.pop((path, index), None)
        if old is not None:
            self._curves.fcurves.remove(old)
