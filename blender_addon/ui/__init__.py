"""What is drawn: panels, preferences, the overlay, translations.

May import: every room but `scripts`.
"""
