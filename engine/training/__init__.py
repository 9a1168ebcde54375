"""Making the shipped networks: motion capture and authored motions to a corpus, and the training runs.

May import: every room.
"""
