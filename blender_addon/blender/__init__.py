"""What Blender, its versions and its axes ask for, and bones as arrays. Nothing here knows of footage or the engine.

May import: `errors`, `messages` and `texts`, as every room may.
"""
