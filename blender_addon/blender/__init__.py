"""What Blender, its versions and its axes ask for, and arrays of bones: nothing here knows of the engine or of footage.

May import: `errors`, `messages`, `texts`, and this room.
"""
