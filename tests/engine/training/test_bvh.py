import numpy as np
import pytest
from bvh_files import OFFSETS, bvh_text, hanging, matrices, still, write_bvh

from engine.training.bvh import BvhError, read_bvh
from engine.training.figure import INDEX


def line_of(text, start):
    return next(i for i, line in enumerate(text.splitlines(), 1) if line.strip().startswith(start))


def refused(tmp_path, text):
    path = tmp_path / "clip.bvh"
    path.write_text(text)
    with pytest.raises(BvhError) as caught:
        read_bvh(path)
    assert caught.value.message.startswith(f"clip.bvh, line {caught.value.line}: ")
    assert caught.value.hint
    return caught.value


def test_reads_names_offsets_and_rotations(tmp_path):
    angles, root = hanging(5)
    angles += np.random.default_rng(0).uniform(-30, 30, angles.shape)
    clip = read_bvh(write_bvh(tmp_path / "clip.bvh", angles, root))
    assert len(clip.names) == 24
    assert clip.frame_count == 5
    assert clip.fps == 30
    assert clip.warnings == ()
    for j, name in enumerate(clip.names):
        expected = matrices(angles[:, INDEX[name.removeprefix("s_")]])
        np.testing.assert_allclose(clip.rotations[:, j], expected, atol=1e-5)
    knee = clip.names.index("s_left_knee")
    np.testing.assert_allclose(clip.offsets[knee], OFFSETS["left_knee"], atol=1e-5)


def test_forward_kinematics_against_a_plain_walk_up_the_tree(tmp_path):
    angles, root = hanging(3)
    angles += np.random.default_rng(1).uniform(-60, 60, angles.shape)
    clip = read_bvh(write_bvh(tmp_path / "clip.bvh", angles, root))
    positions, _ = clip.forward()
    joint = clip.names.index("s_left_hand")
    for t in range(3):
        point, j = np.zeros(3), joint
        while clip.parents[j] >= 0:
            point = clip.rotations[t, clip.parents[j]] @ (point + clip.offsets[j])
            j = clip.parents[j]
        np.testing.assert_allclose(positions[t, joint], point + clip.root_positions[t], atol=1e-9)


def test_120_fps_takes_every_fourth_frame(tmp_path):
    angles, root = hanging(41)
    root[:, 2] = np.arange(41)
    clip = read_bvh(write_bvh(tmp_path / "clip.bvh", angles, root, frame_time=1 / 120))
    np.testing.assert_allclose(clip.root_positions[:, 2], np.arange(0, 41, 4), atol=1e-5)
    assert clip.fps == 30
    assert "120 frames per second" in clip.warnings[0]


def test_25_fps_is_interpolated_and_lasts_as_long(tmp_path):
    angles, root = hanging(26)
    angles[:, INDEX["left_knee"], 2] = np.linspace(0, 100, 26)
    clip = read_bvh(write_bvh(tmp_path / "clip.bvh", angles, root, frame_time=0.04))
    assert clip.frame_count == 31
    bend = np.degrees(np.arccos(clip.rotations[:, clip.names.index("s_left_knee"), 1, 1]))
    np.testing.assert_allclose(bend, np.linspace(0, 100, 31), atol=1e-4)


def test_t_pose_first_frame_is_dropped_with_a_warning(tmp_path):
    angles, root = hanging(6)
    angles[0] = 0
    clip = read_bvh(write_bvh(tmp_path / "clip.bvh", angles, root))
    assert clip.frame_count == 5
    assert clip.warnings == ("clip.bvh: the first frame is the rest pose and was dropped.",)


def test_clip_that_starts_from_the_rest_pose_smoothly_is_kept(tmp_path):
    angles, root = still(6)
    angles[:, INDEX["left_shoulder"], 0] = np.linspace(0, -50, 6)
    assert read_bvh(write_bvh(tmp_path / "clip.bvh", angles, root)).frame_count == 6


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_value_that_is_not_finite_is_refused_with_its_line(tmp_path, value):
    text = bvh_text(*hanging(4))
    lines = text.splitlines()
    lines[-2] = lines[-2].rsplit(" ", 1)[0] + f" {value}"
    error = refused(tmp_path, "\n".join(lines))
    assert error.line == len(lines) - 1
    assert "not a finite number" in error.message


def test_words_among_the_numbers_are_refused_and_never_run(tmp_path):
    lines = bvh_text(*hanging(4)).splitlines()
    lines[-3] = "__import__('os')" + lines[-3][lines[-3].index(" ") :]
    assert refused(tmp_path, "\n".join(lines)).line == len(lines) - 2


@pytest.mark.parametrize("count", ["0", "-1", "2.5", "many"])
def test_frame_count_that_cannot_be_is_refused(tmp_path, count):
    text = bvh_text(*hanging(4)).replace("Frames: 4", f"Frames: {count}")
    assert refused(tmp_path, text).line == line_of(text, "Frames:")


def test_more_or_fewer_frames_than_announced_are_refused(tmp_path):
    text = bvh_text(*hanging(4))
    assert "9 frames are announced but 4" in refused(tmp_path, text.replace("Frames: 4", "Frames: 9")).message
    assert "3 frames are announced but 4" in refused(tmp_path, text.replace("Frames: 4", "Frames: 3")).message


def test_frame_with_too_few_numbers_is_refused_with_its_line(tmp_path):
    lines = bvh_text(*hanging(4)).splitlines()
    lines[-1] = lines[-1].rsplit(" ", 2)[0]
    error = refused(tmp_path, "\n".join(lines))
    assert error.line == len(lines)
    assert "73 numbers" in error.message
    assert "75 channels" in error.message


@pytest.mark.parametrize("frame_time", ["0", "-0.03", "900", "soon"])
def test_frame_time_that_cannot_be_is_refused(tmp_path, frame_time):
    text = bvh_text(*hanging(4))
    line = line_of(text, "Frame Time:")
    lines = text.splitlines()
    lines[line - 1] = f"Frame Time: {frame_time}"
    assert refused(tmp_path, "\n".join(lines)).line == line


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("HIERARCHY", "MESH", "'HIERARCHY' should stand here"),
        ("MOTION", "", "'MOTION' should stand here"),
        ("JOINT s_left_knee", "JOINT s_left_hip", "used twice"),
        ("CHANNELS 3 Zrotation Yrotation Xrotation", "CHANNELS 2 Zrotation Yrotation", "2 rotation channels"),
        ("CHANNELS 3 Zrotation Yrotation Xrotation", "CHANNELS 3 Zrotation Yrotation Wrotation", "are wrong"),
        ("CHANNELS 6 Xposition Yposition Zposition ", "CHANNELS 3 ", "needs 3 position"),
        ("OFFSET 0.000000 -44.000000 0.000000", "OFFSET 0 -44", "3 finite numbers"),
        ("OFFSET 0.000000 -44.000000 0.000000", "", "has no OFFSET"),
    ],
)
def test_damaged_hierarchy_is_refused(tmp_path, old, new, says):
    text = bvh_text(*hanging(2))
    assert old in text
    assert says in refused(tmp_path, text.replace(old, new, 1)).message


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00\x01", b"HIERARCHY\nROOT a\n{\n"])
def test_file_that_is_no_bvh_is_refused(tmp_path, content):
    path = tmp_path / "clip.bvh"
    path.write_bytes(content)
    with pytest.raises(BvhError, match=r"clip\.bvh, line \d"):
        read_bvh(path)
