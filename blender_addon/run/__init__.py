"""The engine as a process beside Blender: its home and installation, jobs, the queue, people, labels, results.

May import: `character`, `blender`, and the engine's protocol; where it says so, no `bpy`.
"""
