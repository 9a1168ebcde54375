"""The body: SMPL's layer, the bundled open body, safe loading of a licensed SMPL file, and rotations.

May import: `weights`, `runtime`, `files`.
"""
