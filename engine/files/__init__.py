"""Readers of files from strangers, and writers that leave no half file. Blender uses the readers too.

May import: NumPy and the standard library; the readers nothing else, the writers `errors` as well.
"""
