"""Skeletons and motions of our own making: a motion in any frames of bones comes back as the same places of joints."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.errors import UsageError
from engine.training.acclaim import AcclaimError, read_amc, read_asf, skeleton_of
from engine.training.bvh import read_bvh

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data" / "motions_more"
INCH_CM = 2.54
# name, parent, direction at rest (CMU's legs slant by 20 degrees), length in the file's units, channels
BONES = (
    ("lhipjoint", "root", (0.6, -0.75, 0.2), 2.4, ()),
    ("lfemur", "lhipjoint", (0.342, -0.94, 0.0), 7.1, ("rx", "ry", "rz")),
    ("ltibia", "lfemur", (0.342, -0.94, 0.0), 7.2, ("rx",)),
    ("lfoot", "ltibia", (0.07, -0.2, 0.97), 2.0, ("rx", "rz")),
    ("lhumerus", "root", (1.0, 0.0, 0.0), 5.0, ("rx", "ry", "rz")),
    ("lradius", "lhumerus", (1.0, 0.0, 0.0), 3.0, ("rx",)),
)
AXES = {"ltibia": (0, 0, 20), "lfemur": (0, 0, 20), "lradius": (0, 75, -90), "lhumerus": (30, -12, 50)}


def asf_text(bones=BONES, axes=AXES, scale=0.45, angle="deg"):
    lines = [
        "# skeleton",
        ":version 1.10",
        ":name test",
        ":units",
        "  mass 1.0",
        f"  length {scale}",
        f"  angle {angle}",
    ]
    lines += [":documentation", "  made for a test", ":root", "  order TX TY TZ RX RY RZ", "  axis XYZ"]
    lines += ["  position 0 0 0", "  orientation 0 0 0", ":bonedata"]
    for i, (name, _, direction, length, dof) in enumerate(bones, 1):
        lines += ["  begin", f"    id {i}", f"    name {name}", f"    direction {' '.join(map(str, direction))}"]
        lines += [f"    length {length}", f"    axis {' '.join(map(str, axes.get(name, (0, 0, 0))))} XYZ"]
        if dof:
            lines += [f"    dof {' '.join(dof)}", *("    limits (-160 20)" for _ in dof)]
        lines.append("  end")
    lines += [":hierarchy", "  begin"]
    for parent in dict.fromkeys(parent for _, parent, *_ in bones):
        lines.append(f"    {parent} {' '.join(name for name, p, *_ in bones if p == parent)}")
    return "\n".join([*lines, "  end", ""])


def amc_text(frames):
    lines = ["# motion", ":FULLY-SPECIFIED", ":DEGREES"]
    for number, frame in enumerate(frames, 1):
        lines.append(str(number))
        lines += [f"{name} {' '.join(f'{v:.6f}' for v in values)}" for name, values in frame.items()]
    return "\n".join(lines) + "\n"


def random_frames(count, seed=0):
    rng = np.random.default_rng(seed)
    frames = []
    for _ in range(count):
        frame = {"root": (*rng.uniform(-5, 5, 3), *rng.uniform(-60, 60, 3))}
        frame |= {name: tuple(rng.uniform(-40, 40, len(dof))) for name, _, _, _, dof in BONES if dof}
        frames.append(frame)
    return frames


def written(tmp_path, asf=None, amc=None, frames=None):
    (tmp_path / "09.asf").write_text(asf if asf is not None else asf_text())
    path = tmp_path / "09_01.amc"
    path.write_text(amc if amc is not None else amc_text(frames or random_frames(4)))
    return path


def read(path, **kwargs):
    return read_amc(path, read_asf(skeleton_of(path)), **kwargs)


def starts_of(frames, scale=0.45):
    """Where each bone starts, by the book: turns about the frame of each bone, one after the other."""
    unit, places = INCH_CM / scale, []
    for frame in frames:
        turn = {"root": Rotation.from_euler("xyz", frame["root"][3:], degrees=True).as_matrix()}
        end = {"root": np.array(frame["root"][:3]) * unit}
        start = {"root": end["root"]}
        for name, parent, direction, length, dof in BONES:
            angles = dict(zip(dof, frame.get(name, ()), strict=True))
            own = Rotation.from_euler("xyz", [angles.get(a, 0) for a in ("rx", "ry", "rz")], degrees=True).as_matrix()
            axis = Rotation.from_euler("xyz", AXES.get(name, (0, 0, 0)), degrees=True).as_matrix()
            turn[name] = turn[parent] @ axis @ own @ axis.T
            start[name] = end[parent]
            end[name] = start[name] + turn[name] @ (np.array(direction) / np.linalg.norm(direction)) * length * unit
        places.append([start[name] for name in ("root", *(bone[0] for bone in BONES))])
    return np.array(places)


def test_joints_are_where_the_format_puts_them(tmp_path):
    frames = random_frames(6)
    clip = read(written(tmp_path, frames=frames), fps=None)
    assert clip.fps == 120
    order = [clip.names.index(name) for name in ("root", *(bone[0] for bone in BONES))]
    np.testing.assert_allclose(clip.forward()[0][:, order], starts_of(frames), atol=1e-4)


def test_limbs_are_brought_to_the_t_pose(tmp_path):
    still = [{"root": (0,) * 6, **{name: (0,) * len(dof) for name, _, _, _, dof in BONES if dof}}] * 3
    clip = read(written(tmp_path, frames=still), fps=None)
    offset = dict(zip(clip.names, clip.offsets, strict=True))
    unit = INCH_CM / 0.45
    np.testing.assert_allclose(offset["ltibia"], (0, -7.1 * unit, 0), atol=0.01)
    np.testing.assert_allclose(offset["lradius"], (5.0 * unit, 0, 0), atol=0.01)


@pytest.mark.parametrize(("bone", "axis"), [("ltibia", (1, 0, 0)), ("lradius", (0, -1, 0))])
def test_knees_and_elbows_bend_about_the_axes_of_the_other_clips(tmp_path, bone, axis):
    frames = [{"root": (0,) * 6, bone: (angle,)} for angle in (0.0, 40.0)]
    clip = read(written(tmp_path, frames=frames), fps=None)
    bent = clip.rotations[:, clip.names.index(bone)]
    turn = Rotation.from_matrix(bent[0].T @ bent[1]).as_rotvec(degrees=True)
    np.testing.assert_allclose(turn, np.array(axis) * 40, atol=0.5)


def test_bones_without_a_line_or_without_freedom_stay_at_rest_and_order_counts(tmp_path):
    bones = tuple((n, p, d, length, ("rz", "rx") if n == "lfoot" else dof) for n, p, d, length, dof in BONES)
    frames = [{"root": (0, 0, 0, 10, 20, 30), "lfoot": (25.0, 10.0)}] * 2
    path = written(tmp_path, asf=asf_text(bones, axes={}), frames=frames)
    skeleton = read_asf(skeleton_of(path))
    clip = read_amc(path, skeleton, fps=None)
    j = clip.names.index("lfoot")
    fix = clip.rotations[0, clip.names.index("lfemur")]  # at rest: only the turn to the slanted leg is left
    own = fix @ clip.rotations[0, j] @ fix.T
    np.testing.assert_allclose(own, Rotation.from_euler("zx", (25, 10), degrees=True).as_matrix(), atol=1e-6)
    assert np.allclose(clip.rotations[:, clip.names.index("lhumerus")], np.eye(3))


def test_radians_and_other_units(tmp_path):
    path = written(
        tmp_path, asf=asf_text(scale=1.0, angle="rad").replace("0 75 -90", "0 0 0"), amc="1\nroot 1 2 3 0 0 0\n"
    )
    clip = read(path, fps=None)
    np.testing.assert_allclose(clip.root_positions[0], np.array([1, 2, 3]) * INCH_CM)


def test_every_fourth_frame_of_cmu_is_kept(tmp_path):
    clip = read(written(tmp_path, frames=random_frames(9)))
    assert (clip.fps, clip.frame_count) == (30, 3)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda t: t.replace(":bonedata", ":bones"), "without a section ':bonedata'"),
        (lambda t: t.replace("length 0.45", "length nan"), r"line 6: 1 finite numbers"),
        (lambda t: t.replace("direction 1.0 0.0 0.0", "direction 1.0 0.0", 1), r"line \d+: 3 finite numbers"),
        (lambda t: t.replace("dof rx rz", "dof rx qq"), r"line \d+: the degrees of freedom of 'lfoot' are wrong"),
        (lambda t: t.replace("order TX TY TZ", "order TX TY"), r"line \d+: the root's order"),
        (lambda t: t.replace("    lfemur ltibia", "    lfemur"), r"line \d+: '?(the bone )?'?ltibia"),
        (lambda t: t.replace("lfemur ltibia", "lfemur ghost"), r"line \d+: there is no bone 'ghost'"),
        (lambda t: t.replace("name lradius", "name lhumerus"), r"line \d+: the bone 'lhumerus' is there twice"),
        (lambda t: t.replace("20 XYZ", "20 XYY", 1), r"line \d+: an axis is three angles"),
        (lambda t: "", "without a section"),
    ],
)
def test_damaged_skeletons_are_named_with_their_line(tmp_path, spoil, message):
    path = written(tmp_path, asf=spoil(asf_text()))
    with pytest.raises(AcclaimError, match=message) as caught:
        read(path)
    assert str(caught.value).startswith("09.asf, line ")


@pytest.mark.parametrize(
    ("amc", "message"),
    [
        ("", "line 1: the file has no frames"),
        ("root 0 0 0 0 0 0\n", "line 1: a frame number should stand here"),
        ("1\nroot 0 0 0 0 0\n", "line 2: 6 finite numbers"),
        ("1\nroot 0 0 0 0 0 x\n", "line 2: 6 finite numbers"),
        ("1\nroot 0 0 0 0 0 0\nltail 3\n", "line 3: the skeleton 09.asf has no bone 'ltail'"),
        ("1\nroot 0 0 0 0 0 0\nltibia 3\nltibia 4\n", "line 4: the bone 'ltibia' is there twice"),
        ("1\nroot 0 0 0 0 0 0\nltibia 3\n2\nroot 0 0 0 0 0 0\n", "line 4: the frame has no line for the bone 'ltibia'"),
    ],
)
def test_damaged_motions_are_named_with_their_line(tmp_path, amc, message):
    with pytest.raises(AcclaimError, match=message) as caught:
        read(written(tmp_path, amc=amc))
    assert str(caught.value).startswith("09_01.amc, ")


def test_a_motion_without_a_skeleton_is_refused(tmp_path):
    (tmp_path / "09_01.amc").write_text("1\n")
    with pytest.raises(UsageError, match=r"09_01\.amc: there is no skeleton 09\.asf"):
        skeleton_of(tmp_path / "09_01.amc")


@pytest.mark.skipif(not SHARED.is_dir(), reason="the motion capture folder is not here")
def test_a_real_take_goes_round(tmp_path):
    """A take of CMU as BVH, written as ASF and AMC with bones in frames of any kind, comes back the same."""
    bvh = read_bvh(SHARED / "bvh" / "cmu_amc" / "cmu_09_01.bvh", None)
    rng, unit = np.random.default_rng(0), INCH_CM / 0.45
    bones, axes, turns = [], {}, {}
    for j, name in enumerate(bvh.names[1:], 1):
        parent = bvh.names[bvh.parents[j]]
        carrier = f"to_{name}"  # a rigid bone for each way from joint to joint: children may start anywhere
        length = max(float(np.linalg.norm(bvh.offsets[j])), 1e-6)
        bones.append((carrier, parent, tuple(bvh.offsets[j] / length), length / unit, ()))
        bones.append((name, carrier, (0, 0, 0), 0.0, ("rx", "ry", "rz")))
        axes[name] = tuple(rng.uniform(-90, 90, 3))
        axis = Rotation.from_euler("xyz", axes[name], degrees=True).as_matrix()
        turns[name] = Rotation.from_matrix(axis.T @ bvh.rotations[:, j] @ axis).as_euler("xyz", degrees=True)
    root = Rotation.from_matrix(bvh.rotations[:, 0]).as_euler("xyz", degrees=True)
    frames = [
        {"root": (*(bvh.root_positions[t] / unit), *root[t]), **{name: turns[name][t] for name in turns}}
        for t in range(bvh.frame_count)
    ]
    axes = {name: tuple(round(v, 9) for v in angles) for name, angles in axes.items()}
    clip = read(written(tmp_path, asf=asf_text(bones, axes), frames=frames), source_fps=30.0)
    ours, _ = clip.forward()
    theirs, turned = bvh.forward()
    order = [clip.names.index(name) for name in bvh.names]
    np.testing.assert_allclose(ours[:, order], theirs, atol=2e-3)
    assert np.isfinite(turned).all()
