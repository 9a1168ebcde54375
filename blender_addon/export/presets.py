"""What FBX files can be made for. Apart from `export`, so that switching the add-on on loads less."""

from __future__ import annotations

FBX_PRESETS = (
    ("UNITY", "Unity", "The hips carry the root motion, which Unity's importer takes from there"),
    ("UNREAL", "Unreal", "A root bone on the ground carries the root motion; faces have their smoothing"),
    ("BLENDER", "Blender", "Armature and body keep their names, to be read back into Blender"),
)
"""What an FBX file is made for: identifier, name, what differs."""
