"""Labels over time, and what compares motion with text.

May import: `output` (motion files), `backbones` and what lies before them.
"""
