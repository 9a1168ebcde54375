"""Builds of data in `engine/assets/` that is not trained. Each needs packages of its own, which its docstring names."""
