"""Pose backbones: from one person's track to SMPL in the camera frame."""
