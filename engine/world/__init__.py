"""From the camera's frame to the world: gravity, floor, standing feet, still and moving cameras.

May import: `camera`, `keypoints`, `body`.
"""
