"""A run as a process: cancelling, progress, events, the cache, memory, crash logs, the doctor.

May import: `files`, `errors`, `protocol`.
"""
