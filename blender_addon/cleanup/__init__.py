"""Edits of keyed motion: smoothing, feet, root motion, loops, fewer keys.

May import: `retarget`, `character`, `blender`.
"""
