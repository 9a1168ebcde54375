"""The engine as a process beside Blender: its home and installation, jobs, the queue, people, labels, results.

May import: `character`, `blender`, and the engine's protocol and readers. Half of it works without `bpy`.
"""
