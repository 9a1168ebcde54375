"""The body: SMPL's layer, the bundled open body, safe loading of a licensed SMPL file, rotations and the camera."""
