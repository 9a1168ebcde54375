"""Readers of files from strangers and writers that leave no half file.

May import: `errors`. The readers import the standard library, NumPy and each other alone: Blender uses them too.
"""
