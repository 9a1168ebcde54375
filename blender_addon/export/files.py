"""Character files for other programs: FBX, BVH, GLB and USD at the clip's own frame rate, and whole `.blend` files.

Exporters bake at the frames of a scene. Whatever the user's scene runs at, each export is made from a scene of its own
that exists only meanwhile, with copies of the character whose keys lie at whole frames of the clip from frame 0 on.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import struct
import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, pi
from pathlib import Path
from typing import Any

import bpy
from mathutils import Matrix

from ..blender import compat, timing
from ..errors import UserError

ROOT_NODE = "Armature"
"""Name of the armature object in the files. Unreal takes an object of this name for no bone, so that the pelvis, which
carries the root motion, becomes the root bone."""

BODY_NODE = "Body"

REST_FRAME = -1
"""Where the character stands in its rest pose while the FBX exporter looks at it, which writes what it sees as the
skeleton's own pose."""


@dataclass
class Stage:
    """The scene that is exported: `armature` is the copy, `rate` and `frame_end` the clip's; frames count from 0.

    `meshes` are the copies that go along, `preset` is that of an FBX file, `hips` the bone that carries the hips, None
    if nothing shows it; `ours` says whether the armature is a character of ours.
    """

    scene: Any
    armature: Any
    meshes: list[Any]
    rate: Fraction
    frame_end: int
    preset: str = "UNITY"
    hips: str | None = "pelvis"
    ours: bool = True


def export(armature, path: str | Path, kind: str, preset: str = "UNITY") -> Path:
    """Write the character and its motion to `path`, replacing it only when all went well.

    Args:
        armature: the armature object, with the action to export: a character of ours, or any rig. The meshes that it
            deforms go along. Rigs of others are written as a plain skeleton, as their constraints move it.
        path: file to write.
        kind: a key of `WRITERS`.
        preset: identifier in `export_presets.FBX_PRESETS`; of no matter to other formats.

    Raises:
        UserError: nothing to export, the format is not there in this Blender, or the file cannot be written.
    """
    path = Path(path).absolute()
    if armature is None or armature.type != "ARMATURE":
        raise UserError("There is no character to export.", "Select the armature of an adapted clip.")
    if not compat.curves_of(armature):
        raise UserError(f"{armature.name} has no motion to export.", "Adapt a clip, or choose an action for it.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="adapt-motion-", ignore_cleanup_errors=True) as folder:
            written = Path(folder) / path.name
            with _stage(armature, preset) as stage, compat.scene_override(stage.scene, stage.armature):
                WRITERS[kind](stage, written)
            _move(written, path)
    except (OSError, RuntimeError) as error:  # exporters report as RuntimeError what stops them
        reason = getattr(error, "strerror", None) or str(error).strip()
        raise UserError(f"{path} could not be written: {reason}.", "Check the folder and the free space.") from error
    return path


def save_blend(path: str | Path) -> Path:
    """Save a copy of the open file, which must be one of our own, to `path`. Raises UserError if that fails.

    Footage is named relative to `path`, so that folders can be moved together.
    """
    path = Path(path).absolute()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for clip in bpy.data.movieclips:
            with contextlib.suppress(ValueError):  # on another drive
                clip.filepath = bpy.path.relpath(bpy.path.abspath(clip.filepath), start=str(path.parent))
        options = {"copy": True, "relative_remap": False, "check_existing": False, "compress": True}
        bpy.ops.wm.save_as_mainfile(filepath=str(path), **options)
    except (OSError, RuntimeError) as error:
        raise UserError(f"{path} could not be written: {error}.", "Check the folder and the free space.") from error
    return path


def _move(written: Path, path: Path) -> None:
    """Put a finished file in its place, over whatever is there, in one step also from another disk."""
    temporary = path.with_name(f".{path.name}-{uuid.uuid4().hex[:8]}.tmp")
    try:
        shutil.copyfile(written, temporary)
        os.replace(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def _write_fbx(stage: Stage, path: Path) -> None:
    """Metres (Unreal: centimetres), y up, facing +z; one take, every frame a key, no leaf bones."""
    from ..character import keying

    compat.enable_exporter("io_scene_fbx")
    if stage.preset == "UNREAL":
        _for_unreal(stage)
    keying.add_rest_keys(stage.armature, REST_FRAME)
    stage.scene.frame_set(REST_FRAME)
    compat.call(
        bpy.ops.export_scene.fbx,
        filepath=str(path),
        check_existing=False,
        object_types={"ARMATURE", "MESH"},
        apply_scale_options="FBX_SCALE_ALL",  # one unit is the scene's, and no object is scaled
        axis_forward="-Z",
        axis_up="Y",
        bake_space_transform=False,  # breaks armatures
        add_leaf_bones=False,
        use_armature_deform_only=True,
        primary_bone_axis="Y",
        secondary_bone_axis="X",
        bake_anim=True,
        bake_anim_use_all_bones=True,
        bake_anim_use_nla_strips=False,
        bake_anim_use_all_actions=False,
        bake_anim_force_startend_keying=True,
        bake_anim_step=1.0,
        bake_anim_simplify_factor=0.0,
        mesh_smooth_type="FACE" if stage.preset == "UNREAL" else "OFF",
    )


def _for_unreal(stage: Stage) -> None:
    """A root bone carries the travel, and a unit is a centimetre, which Unreal takes it for whatever the file says."""
    from . import plain_rig, root_bone

    _travel_to_hips(stage)
    if stage.hips is not None:
        root_bone.add(stage.armature, stage.hips)
    plain_rig.resize(stage.armature, stage.meshes, 100.0)
    stage.scene.unit_settings.system, stage.scene.unit_settings.scale_length = "METRIC", 0.01


def _travel_to_hips(stage: Stage) -> None:
    """Give the travel to the hips if the object has it, in a character of ours."""
    from ..cleanup import root_motion

    moved = any(not curve.data_path.startswith(("pose.bones", "[")) for curve in compat.curves_of(stage.armature))
    if moved and stage.ours:
        root_motion.set_travel(stage.armature, "HIPS", stage.scene)


def _write_bvh(stage: Stage, path: Path) -> None:
    """Metres, y up, facing +z; the frame time with all its digits."""
    compat.enable_exporter("io_anim_bvh")
    _travel_to_hips(stage)  # BVH knows nothing of the object
    place, turn, _ = stage.armature.matrix_basis.decompose()
    stage.armature.matrix_basis = Matrix.Identity(4)
    # the exporter writes Blender's axes as they are
    stage.armature.data.transform(Matrix.Rotation(-pi / 2, 4, "X") @ Matrix.LocRotScale(place, turn, None))
    stage.armature.data.update_tag()
    stage.scene.frame_set(0)
    compat.call(
        bpy.ops.export_anim.bvh,
        filepath=str(path),
        check_existing=False,
        frame_start=0,
        frame_end=stage.frame_end,
        rotate_mode="ZXY",
        root_transform_only=stage.ours,  # hips of others may hang from a root
    )
    lines = path.read_text(encoding="utf-8").split("\n")
    frame_time = next(number for number, line in enumerate(lines) if line.startswith("Frame Time:"))
    lines[frame_time] = f"Frame Time: {float(1 / stage.rate):.12f}"
    path.write_text("\n".join(lines), encoding="utf-8")


def _write_glb(stage: Stage, path: Path) -> None:
    """glTF's own axes and metres; key times put right, since Blender's exporter misreads rates such as 29.97."""
    compat.enable_exporter("io_scene_gltf2")
    compat.call(
        bpy.ops.export_scene.gltf,
        filepath=str(path),
        check_existing=False,
        export_format="GLB",
        use_active_scene=True,
        export_yup=True,
        export_animations=True,
        export_frame_range=True,
        export_force_sampling=True,
        export_nla_strips=False,
        export_anim_single_armature=False,  # else it takes every action of the file along
        export_animation_mode="ACTIVE_ACTIONS",
        export_optimize_animation_size=False,
        export_anim_slide_to_zero=True,
        export_rest_position_armature=True,
        export_current_frame=False,
        export_all_influences=True,
        export_cameras=False,
        export_lights=False,
    )
    _set_glb_duration(path, float(stage.frame_end / stage.rate))


def _write_usd(stage: Stage, path: Path) -> None:
    """A skeleton with its animation and the skinned body; metres, z up."""
    if not compat.supports_usd_armatures():
        raise UserError("This Blender cannot write USD with a skeleton.", "Use Blender 4.2 or newer, or export FBX.")
    for modifier in (modifier for item in stage.scene.objects for modifier in item.modifiers):
        modifier.show_viewport = True  # USD has no skin from one that is switched off
    compat.call(
        bpy.ops.wm.usd_export,
        filepath=str(path),
        check_existing=False,
        selected_objects_only=False,
        export_animation=True,
        export_armatures=True,
        only_deform_bones=False,
        export_materials=False,
        export_cameras=False,
        export_lights=False,
        convert_world_material=False,
        root_prim_path="/root",
    )


WRITERS: dict[str, Callable[[Stage, Path], None]] = {
    "fbx": _write_fbx,
    "bvh": _write_bvh,
    "glb": _write_glb,
    "usd": _write_usd,
}
"""Formats of `export`."""


@contextlib.contextmanager
def _stage(armature, preset: str) -> Iterator[Stage]:
    """A scene at the clip's rate with copies of the armature and its meshes; all gone again afterwards."""
    from ..character import handles, keying
    from . import plain_rig

    shown = bpy.context.scene
    default = timing.scene_rate(shown)
    rate = keying.clip_rate(armature.animation_data.action, default)
    scene = bpy.data.scenes.new(armature.animation_data.action.name)
    timing.set_scene_rate(scene, rate)
    made: list[Any] = []
    action = None
    meshes, ours = plain_rig.meshes_of(armature), plain_rig.is_own(armature)
    keep = preset == "BLENDER"
    names = [item.name if keep or not ours else BODY_NODE for item in meshes]
    root_name = armature.name if keep else ROOT_NODE
    motion = armature.animation_data.action.name
    with (
        _free_names(bpy.data.actions, motion),
        _free_names(bpy.data.objects, root_name, *names),
        _free_names(bpy.data.armatures, root_name),
        _free_names(bpy.data.meshes, *names),
    ):
        try:
            copy = _copy(armature, root_name, scene, made)
            handles.drop(copy)
            action = compat.copy_action(copy)
            action.name = motion
            if keying.KEY_RATE not in action:
                action[keying.KEY_RATE] = str(default)
            bodies = [
                _copy_mesh(mesh, name, armature, copy, scene, made) for mesh, name in zip(meshes, names, strict=True)
            ]
            _, last = keying.retime(copy, rate, first_frame=0.0)
            stage = Stage(scene, copy, bodies, rate, max(0, ceil(last - 0.01)), preset)
            scene.frame_start, scene.frame_end = 0, stage.frame_end
            if not ours:
                stage.ours = False
                stage.hips = plain_rig.settle(copy, scene, stage.frame_end)
                plain_rig.resize(copy, bodies, 1.0)
            scene.frame_set(0)
            yield stage
        finally:
            if bpy.context.window and bpy.context.window.scene == scene:  # the glTF exporter shows what it exports
                bpy.context.window.scene = shown
            _remove(scene, made, action)


def _copy(thing, name: str, scene, made: list[Any]):
    copy = compat.plain_copy(thing)
    copy.name = name
    copy.data = compat.plain_copy(thing.data)
    copy.data.name = name  # USD names what has geometry after it
    made += [copy, copy.data]
    scene.collection.objects.link(copy)
    copy.hide_set(False, view_layer=scene.view_layers[0])
    copy.select_set(True, view_layer=scene.view_layers[0])
    return copy


def _copy_mesh(mesh, name: str, armature, copy, scene, made: list[Any]):
    body = _copy(mesh, name, scene, made)
    body.animation_data_clear()  # hidden or not at which frame
    body.hide_viewport = body.hide_render = False
    body.parent = copy
    if mesh.parent == armature:
        body.matrix_parent_inverse = mesh.matrix_parent_inverse.copy()
    else:
        body.matrix_parent_inverse = armature.matrix_world.inverted()
        body.matrix_basis = mesh.matrix_world
    for modifier in body.modifiers:
        if modifier.type == "ARMATURE" and modifier.object == armature:
            modifier.object = copy
            modifier.show_viewport = False  # exporters write the skin from it, and need no skinning at every frame
    return body


def _remove(scene, made: list[Any], action) -> None:
    objects = [item for item in made if isinstance(item, bpy.types.Object)]
    data = [item for item in made if not isinstance(item, bpy.types.Object)]
    bpy.data.scenes.remove(scene)
    bpy.data.batch_remove(ids=[*objects, *data, *([action] if action else [])])


@contextlib.contextmanager
def _free_names(blocks, *names: str) -> Iterator[None]:
    """Lend these names of data-blocks of a kind: whoever has them gets them back afterwards."""
    holders = [(name, blocks[name]) for name in dict.fromkeys(names) if name in blocks]
    holders = [(name, holder) for name, holder in holders if holder.library is None]  # a linked one keeps its own
    for name, holder in holders:
        holder.name = f"{name} {uuid.uuid4().hex[:8]}"
    try:
        yield
    finally:
        for name, holder in holders:
            holder.name = name


def _set_glb_duration(path: Path, seconds: float) -> None:
    """Scale all key times of a GLB file so that the last is at `seconds`."""
    import numpy as np

    data = bytearray(path.read_bytes())
    json_size = struct.unpack_from("<I", data, 12)[0]
    document = json.loads(data[20 : 20 + json_size])
    binary = 20 + json_size + 8
    samplers = [sampler for animation in document.get("animations", ()) for sampler in animation["samplers"]]
    accessors = {sampler["input"] for sampler in samplers}
    last = max((document["accessors"][index]["max"][0] for index in accessors), default=0.0)
    if last <= 0:
        return
    for index in accessors:
        accessor = document["accessors"][index]
        view = document["bufferViews"][accessor["bufferView"]]
        offset = binary + view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
        times = np.frombuffer(data, dtype="<f4", count=accessor["count"], offset=offset)
        times[:] = times.astype(np.float64) * (seconds / last)
        accessor["min"], accessor["max"] = [float(times.min())], [float(times.max())]
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    rest = bytes(data[20 + json_size :])
    header = struct.pack("<III", 0x46546C67, 2, 20 + len(text) + len(rest))
    path.write_bytes(header + struct.pack("<II", len(text), 0x4E4F534A) + text + rest)
