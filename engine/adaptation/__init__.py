"""Test-time adaptation: the pose network is fine-tuned on the very clip. `loop` is where to begin to read."""
