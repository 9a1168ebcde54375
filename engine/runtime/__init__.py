"""A run as a process: cancelling, progress, events, the cache, memory, crash logs.

May import: `files`.
"""
