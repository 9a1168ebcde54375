"""The Adapt Motion engine: footage of a person in, SMPL motion out.

Importing this package does nothing: no torch, no files, no logging. Blender imports `engine.protocol` from it.
"""

__version__ = "0.1.0"
