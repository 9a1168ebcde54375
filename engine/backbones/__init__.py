"""Pose backbones: from one person's track to SMPL in the camera frame.

May import: `world`, `camera`, `keypoints`, `body` and what lies before them.
"""
