"""What a run leaves: folders, the motion file, the report, the preview, and Blender's exports.

May import: the rooms that estimate motion (`backbones`, `world` and what lies before them).
"""
