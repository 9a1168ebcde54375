"""How good and how fast: joint errors against the truth, time and memory of each stage, and their tables.

May import: every room, and the pipeline.
"""
