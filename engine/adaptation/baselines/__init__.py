"""The methods that the paper is compared with, over the same pose networks. Begin to read at `compared`.

Each is written from its publication; docstrings say which section, and what was decided where it is silent.
"""
