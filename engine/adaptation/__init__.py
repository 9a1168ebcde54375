"""Test-time adaptation: the pose network is fine-tuned on the very clip. Begin to read at `loop`.

May import: every room but `doctor`, `evaluation` and `training`.
"""
