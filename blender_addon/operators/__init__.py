"""Operators, one file a topic, and the property groups that they read. Each calls one function of another room.

May import: every room but `ui` and `scripts`.
"""
