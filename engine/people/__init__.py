"""Who is who over the whole clip: people who leave and come back, across cuts too.

May import: the rooms that see people (`keypoints` and what lies before it).
"""
