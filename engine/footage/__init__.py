"""Footage in: which files are footage, decoding, shots and frame rates.

May import: `runtime`, `files`.
"""
