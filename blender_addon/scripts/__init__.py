"""Started with `blender -P`: batch mode, exports for the engine, timings.

May import: every room. No room imports these.
"""
