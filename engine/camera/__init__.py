"""The camera: pinhole projection, lens distortion and zoom, and the `--camera` file.

May import: `keypoints`, `footage`, `files`.
"""
