"""What is drawn: panels, lists, preferences, the overlay, translations. Nothing is decided here.

May import: every room but `scripts`.
"""
