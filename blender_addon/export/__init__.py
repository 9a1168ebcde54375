"""Files for other programs, and assets: FBX, BVH, GLB, USD, `.blend`, AMASS.

May import: `cleanup`, `retarget`, `character`, `blender`.
"""
