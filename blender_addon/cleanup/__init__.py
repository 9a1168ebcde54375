"""Edits of a motion that is keyed: smoothing, feet, root motion, loops, fewer keys.

May import: `retarget`, `character`, `blender`.
"""
