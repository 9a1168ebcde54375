"""Generated scenes: held-out motion on the open body in rooms and streets, filmed by cameras that move; their scores.

May import: whatever `evaluation` may.
"""
