"""Checkpoints and model files as data: readers, the published models, safe pickles.

May import: `runtime`, `files`.
"""
