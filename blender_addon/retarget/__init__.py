"""The character's motion on another rig: bone maps, the transfer, and its bake into an action.

May import: `character`, `blender`, and the engine's readers of files.
"""
