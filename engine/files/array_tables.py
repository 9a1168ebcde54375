"""What the kinds of array files have to hold: types, shapes and limits, in one table for each kind.

`engine/files/array_file.py` reads by them. Blender imports this file. Letters of shapes: T frames, K keypoints, V
vertices, F faces, J joints, S shape numbers, N entries, R rows, D draws, H, W and Q sizes of networks.
"""

from __future__ import annotations

from .array_file import Item, Table

FORMAT_VERSION = 1
"""Of the motion file."""

MOST_MOTION_BYTES = 3 * 2**28
"""Two hours of one person at 30 frames a second."""

_JOINTS = 24
_METRES, _RADIANS, _PIXELS, _SECONDS, _SHAPE = 1e6, 1e4, 1e12, 1e8, 1e4


def _numbers(*shape: int | str | None, most: float, needed: bool = True) -> Item:
    return Item("fiu", shape, -most, most, needed)


def _share(*shape: int | str | None, needed: bool = True) -> Item:
    return Item("fiu", shape, -100, 100, needed)


MOTION: Table = {
    "format_version": Item("iu", (), 0, 10**6, needed=False),
    "poses": _numbers("T", 72, most=_RADIANS),
    "trans": _numbers("T", 3, most=_METRES),
    "timestamps": Item("fiu", ("T",), 0, _SECONDS),
    "joints3d_cam": _numbers("T", _JOINTS, 3, most=_METRES),
    "joints3d_world": _numbers("T", _JOINTS, 3, most=_METRES),
    "labels": Item("U", ("T",)),
    "label_similarity": _share("T"),
    "betas": _numbers(10, most=_SHAPE),
    "intrinsics": _numbers(3, 3, most=_PIXELS),
    "image_size": Item("fiu", (2,), 1, 1e6),
    "camera_to_world": _numbers(4, 4, most=_METRES),
    "mocap_framerate": Item("fiu", (), 1e-6, 1e4),
    "gender": Item("U", (), needed=False, hint=True),
    "surface_model_type": Item("U", (), needed=False, hint=True),
    "cam_global_orient": _numbers("T", 3, most=_RADIANS, needed=False),
    "cam_transl": _numbers("T", 3, most=_METRES, needed=False),
    "keypoint_names": Item("U", ("K",), needed=False),
    "keypoints2d": _numbers("T", "K", 3, most=_PIXELS, needed=False),
    "keypoints2d_origin": Item("fiu", ("T", "K"), 0, 2, needed=False),
    "contacts": _share("T", 4, needed=False),
    "initial_poses": _numbers("T", 72, most=_RADIANS, needed=False),
    "initial_trans": _numbers("T", 3, most=_METRES, needed=False),
    "camera_path": _numbers("T", 4, 4, most=_METRES, needed=False),
    "keypoints2d_footage": _numbers("T", "K", 3, most=_PIXELS, needed=False),
    "camera_intrinsics": _numbers("T", 3, 3, most=_PIXELS, needed=False),
    "shots": Item("iu", ("S", 2), 0, 10**9, needed=False),
    "cuts_s": Item("fiu", ("C",), 0, _SECONDS, needed=False),
    "mirrored": Item("iu", (), 0, 1, needed=False),
}
"""`person_<N>.npz` as far as Blender needs it; the engine's own reader wants all of it."""

TAKES: Table = {
    "rows": Item("iu", ("R",), 0, 10**9),
    "poses": _numbers("D", "R", 72, most=_RADIANS),
    "stretches": Item("fiu", ("N", 2), 0, _SECONDS),
    "kinds": Item("U", ("N", "D")),
    "labels": Item("U", ("N", "D")),
    "similarity": _share("N", "D"),
    "slide_mm": _numbers("N", "D", most=1e9),
    "reprojection_px": _numbers("N", "D", most=1e9),
}
"""`person_<N>_takes.npz`."""

REST_BODY: Table = {
    "vertices": _numbers("V", 3, most=_METRES),
    "joints": _numbers(_JOINTS, 3, most=_METRES),
    "weights": _share("V", _JOINTS),
    "faces": Item("iu", ("F", 3), 0, 10**8),
}
"""`person_<N>_body.npz`."""

BODY: Table = {
    "v_template": _numbers("V", 3, most=_METRES),
    "shapedirs": _numbers("V", 3, "S", most=_METRES),
    "posedirs": _numbers("V", 3, None, most=_METRES),
    "J_regressor": _numbers("J", "V", most=_METRES),
    "weights": _numbers("V", None, most=_METRES),
    "kintree_table": Item("iuf", (2, None), -(2**31), 2**32),
    "f": Item("iu", ("F", 3)),
    "landmark_names": Item("U", ("N",), needed=False),
    "landmark_vertices": Item("iu", ("N", None), needed=False),
    "surface_model_type": Item("U", (), needed=False),
    "gender": Item("U", (), needed=False, hint=True),
}
"""A body of SMPL's family, the open body among them."""

AMASS: Table = {
    "poses": Item("f", ("T", None), -_RADIANS, _RADIANS),
    "mocap_framerate": Item("fiu", (), 1e-3, 1e5, needed=False),
    "mocap_frame_rate": Item("fiu", (), 1e-3, 1e5, needed=False),
}
EXEMPLARS: Table = {"labels": Item("U", ("N",)), "rotations": _numbers("N", None, _JOINTS, 3, most=_RADIANS)}
"""A motion of each action of the dictionary."""

WORDS: Table = {
    "words": Item("U", ("N",)),
    "vectors": _numbers("N", "K", most=1e6),
    "scale": Item("f", ("K",), -1e6, 1e6),
}
SENTENCES: Table = {"texts": Item("U", ("N",)), "embeddings": _numbers("N", 384, most=1e6)}
DETECTOR: Table = {
    "first": _numbers("H", 199, most=1e6),
    "first_bias": _numbers("H", most=1e6),
    "second": _numbers("W", "H", most=1e6),
    "second_bias": _numbers("W", most=1e6),
    "last": _numbers(396, "W", most=1e6),
    "last_bias": _numbers(396, most=1e6),
    "directions": _numbers(198, 198, most=1e6),
    "memory": _numbers(198, 5, most=1e6),
    "strength": _numbers("Q", most=1e6),
    "burst": _numbers(1, most=1e6),
    "missed": _numbers(5, 2, most=1e6),
    "swapped": _numbers(2, 2, most=1e6),
}
"""The measured detector, as `engine/training/detector_model.py` says."""

CORPUS: Table = {
    "format_version": Item("iu", (), 0, 10**6),
    "clips": Item("U", ()),
    "poses": Item("f", ("T", 72), -_RADIANS, _RADIANS),
    "pelvis": Item("f", ("T", 3), -_METRES, _METRES),
    "contacts": Item("fiub", ("T", 4), -1.5, 1.5),
    "betas": Item("f", ("N", 10), -_SHAPE, _SHAPE),
}
MOST_CORPUS_BYTES = 2**33
SOURCE: Table = {
    "poses": _numbers("N", "S", 72, most=_RADIANS),
    "betas": _numbers("N", 10, most=_SHAPE),
    "transl": _numbers("N", "S", 3, most=_METRES),
    "intrinsics": _numbers("N", 3, 3, most=_PIXELS),
    "times_s": Item("fiu", ("N", "S"), 0, _SECONDS, needed=False),
    "keypoints": _numbers("N", "S", 33, 3, most=_PIXELS, needed=False),
    "landmarks3d": _numbers("N", "S", 33, 3, most=_METRES, needed=False),
    "pictures": Item("U", ("N",), needed=False),
    "boxes": _numbers("N", 4, most=_PIXELS, needed=False),
}
"""People with known truth, for `engine/adaptation/baselines/source.py`."""
SPIN_START: Table = {name: Item("f", (None,), -1e6, 1e6) for name in ("pose", "shape", "cam")}
"""`smpl_mean_params.npz`."""
