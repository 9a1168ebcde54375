"""Operators, thin, one file a topic, with the property groups that they read: each calls a function of another room.

May import: every room but `ui` and `scripts`.
"""
