"""The doctor: what is installed and which devices and model files there are, each looked at by loading it.

May import: every room but `evaluation` and `training`.
"""
