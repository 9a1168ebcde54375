"""Footage in: which files are footage, decoding, shots and frame rates.

May import: `files`, `runtime`, `errors`.
"""
