"""A scene filmed by a moving camera: `blender -b -P render_scene.py -- SCENE.npz FOLDER`, or Python with `bpy`.

`adapt-motion bench --scenes` makes the scene file. Arrays, metres, Z up; T frames, V vertices, N flat walls:

    vertices (T, V, 3), faces (F, 3), colours (V, 3)       a person; colours 0..1
    corners (N, 4, 3), pictures (N, H, W, 3) uint8         corners of each wall from bottom left, counter-clockwise
    camera_to_world (T, 4, 4), focal_px (), size (2,)      x right, y down, z away

Each frame is written to FOLDER as `0000.jpg`. Cycles renders on the processor, so no graphics card is needed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

SAMPLES, AMBIENT = 2, 0.45
_FLIPPED = np.diag([1.0, -1.0, -1.0, 1.0])  # Blender's camera looks along -z with y up


def main(argv: list[str]) -> None:
    """Render the scene named in the last two arguments."""
    source, folder = argv[-2:]
    with np.load(source, allow_pickle=False) as archive:
        scene = {name: archive[name] for name in archive.files}
    render(scene, Path(folder))


def render(scene: dict[str, Any], folder: Path) -> None:
    """Write a picture of each frame to a folder."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    _settings(scene["size"].tolist())
    for number, (corners, picture) in enumerate(zip(scene["corners"], scene["pictures"], strict=True)):
        _add_wall(f"wall_{number}", corners, picture)
    person = _add_person(scene["vertices"][0], scene["faces"], scene["colours"])
    _add_light()
    camera = _add_camera(float(scene["focal_px"]), scene["size"].tolist())
    for frame, (vertices, pose) in enumerate(zip(scene["vertices"], scene["camera_to_world"], strict=True)):
        person.vertices.foreach_set("co", np.ascontiguousarray(vertices, np.float32).ravel())
        person.update()
        camera.matrix_world = Matrix((pose @ _FLIPPED).tolist())
        bpy.context.scene.render.filepath = str(folder / f"{frame:04d}.jpg")
        bpy.ops.render.render(write_still=True)


def _settings(size: list[int]) -> None:
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = SAMPLES, False
    scene.cycles.max_bounces = 0
    scene.render.use_persistent_data = True
    scene.render.resolution_x, scene.render.resolution_y = size
    scene.render.resolution_percentage = 100
    scene.render.image_settings.file_format, scene.render.image_settings.quality = "JPEG", 98
    scene.view_settings.view_transform = "Standard"
    world = bpy.data.worlds.new("world")
    world.use_nodes = True
    world.node_tree.nodes["Background"].inputs["Color"].default_value = (0.7, 0.75, 0.8, 1)
    scene.world = world


def _material(name: str, source: str, **settings: Any) -> Any:
    """A dull material whose colour a node of the kind `source` gives.

    It glows a little in its own colour in place of light from all around, which few samples would make grainy.
    """
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    node = tree.nodes.new(source)
    for setting, value in settings.items():
        setattr(node, setting, value)
    colour = node.outputs["Color"]
    diffuse, glow, both, output = (
        tree.nodes.new(f"ShaderNode{kind}") for kind in ("BsdfDiffuse", "Emission", "AddShader", "OutputMaterial")
    )
    glow.inputs["Strength"].default_value = AMBIENT
    tree.links.new(diffuse.outputs["BSDF"], both.inputs[0])
    tree.links.new(glow.outputs["Emission"], both.inputs[1])
    tree.links.new(both.outputs["Shader"], output.inputs["Surface"])
    tree.links.new(colour, diffuse.inputs["Color"])
    tree.links.new(colour, glow.inputs["Color"])
    return material


def _add_wall(name: str, corners: Any, picture: Any) -> None:
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata([tuple(corner) for corner in corners.tolist()], [], [(0, 1, 2, 3)])
    mesh.uv_layers.new()
    mesh.uv_layers[0].data.foreach_set("uv", [0, 0, 1, 0, 1, 1, 0, 1])
    height, width = picture.shape[:2]
    image = bpy.data.images.new(name, width, height)
    pixels = np.ones((height, width, 4), np.float32)
    pixels[..., :3] = picture[::-1] / 255
    image.pixels.foreach_set(pixels.ravel())
    image.pack()
    mesh.materials.append(_material(name, "ShaderNodeTexImage", image=image))
    bpy.context.scene.collection.objects.link(bpy.data.objects.new(name, mesh))


def _add_person(vertices: Any, faces: Any, colours: Any) -> Any:
    mesh = bpy.data.meshes.new("person")
    mesh.from_pydata(vertices.tolist(), [], faces.tolist())
    mesh.polygons.foreach_set("use_smooth", np.ones(len(faces), bool))
    layer = mesh.color_attributes.new("colour", "FLOAT_COLOR", "POINT")
    layer.data.foreach_set("color", np.concatenate([colours, np.ones((len(colours), 1))], 1).astype(np.float32).ravel())
    mesh.materials.append(_material("person", "ShaderNodeVertexColor", layer_name=layer.name))
    bpy.context.scene.collection.objects.link(bpy.data.objects.new("person", mesh))
    return mesh


def _add_light() -> None:
    sun = bpy.data.lights.new("sun", "SUN")
    sun.energy, sun.angle = 2.0, 0.0
    thing = bpy.data.objects.new("sun", sun)
    thing.rotation_euler = (0.6, 0.3, 0.5)
    bpy.context.scene.collection.objects.link(thing)


def _add_camera(focal_px: float, size: list[int]) -> Any:
    data = bpy.data.cameras.new("camera")
    data.sensor_fit, data.sensor_width = "HORIZONTAL", 36.0
    data.lens = focal_px * data.sensor_width / size[0]
    camera = bpy.data.objects.new("camera", data)
    bpy.context.scene.collection.objects.link(camera)
    bpy.context.scene.camera = camera
    return camera


if __name__ == "__main__":
    main(sys.argv)
