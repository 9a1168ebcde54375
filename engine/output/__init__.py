"""What a run leaves: folders, the motion file, the report, the preview, and Blender's exports.

May import: every room but `training` and `evaluation`.
"""
