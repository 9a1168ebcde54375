"""The character of a motion file and what stands around it: armature, body, keys, contacts, footage and cameras.

May import: `blender`, and the engine's readers.
"""
