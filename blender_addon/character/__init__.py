"""The character of a motion file and what stands around it: armature, body, keys, contacts, footage, cameras.

May import: `blender`, and the engine's readers of files.
"""
