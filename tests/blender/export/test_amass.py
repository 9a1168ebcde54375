from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import synthetic
from adapt_motion.blender_addon.blender import timing
from adapt_motion.blender_addon.character import keying, motion_io, scene
from adapt_motion.blender_addon.cleanup import edits, root_motion
from adapt_motion.blender_addon.errors import UserError
from adapt_motion.blender_addon.export import amass

NTSC_30 = Fraction(30000, 1001)


def brought(target, folder, rate=NTSC_30, scene_rate=None, **options):
    timing.set_scene_rate(target, scene_rate or rate)
    return scene.import_people([synthetic.write_person(folder, rate=rate, **options)], target).people[0]


def joints_of(path, rest=synthetic.REST_JOINTS) -> np.ndarray:
    """(T, 24, 3) joints that an SMPL tool makes of the file, hands left out of account."""
    with np.load(path, allow_pickle=False) as file:
        poses = np.concatenate([file["poses"][:, :66], np.zeros((len(file["poses"]), 6))], axis=1)
        return synthetic.forward(poses, file["trans"] + rest[0], rest)


@pytest.mark.parametrize("scene_rate", [None, Fraction(24)])
def test_round_trip_keeps_every_joint_at_every_frame(blank, tmp_path, scene_rate):
    person = brought(blank, tmp_path / "clip", scene_rate=scene_rate)
    path = amass.write(person.armature, tmp_path / "new" / "out.npz", timing.scene_rate(blank))
    assert joints_of(path)[:, :22] == pytest.approx(person.motion.joints3d_world[:, :22], abs=5e-4)
    with np.load(path, allow_pickle=False) as file:
        assert file["poses"].shape == (40, 156)
        assert file["betas"].shape == (16,)
        assert float(file["mocap_framerate"]) == pytest.approx(30000 / 1001)
        assert str(file["gender"]) == "neutral"


def test_edits_and_travel_of_the_object_are_in_the_file(blank, tmp_path):
    person = brought(blank, tmp_path / "clip", rate=Fraction(30), frames=60)
    root_motion.set_travel(person.armature, "OBJECT", blank)
    edits.set_rotation_mode(person.armature, "XYZ")
    path = amass.write(person.armature, tmp_path / "out.npz", Fraction(30))
    assert joints_of(path)[:, :22] == pytest.approx(person.motion.joints3d_world[:, :22], abs=5e-4)


def test_retimed_and_reduced_actions_come_out_at_the_clips_rate(blank, tmp_path):
    person = brought(blank, tmp_path / "clip", rate=Fraction(30), frames=60)
    keying.retime(person.armature, Fraction(60))
    path = amass.write(person.armature, tmp_path / "out.npz", Fraction(30))
    assert len(joints_of(path)) == 60
    assert joints_of(path)[:, :22] == pytest.approx(person.motion.joints3d_world[:, :22], abs=5e-4)


def test_pelvis_of_the_open_body_is_the_presets():
    assert (
        motion_io.ROOT.joinpath("presets/armature.json")
        .read_text(encoding="utf-8")
        .count(str(list(amass._PELVIS)).replace("[", "").replace("]", ""))
        == 1
    )


def test_trouble_is_reported(blank, tmp_path):
    person = brought(blank, tmp_path / "clip")
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="could not be written"):
        amass.write(person.armature, tmp_path / "file" / "out.npz", NTSC_30)
    person.armature.animation_data.action = None
    with pytest.raises(UserError, match="no motion"):
        amass.write(person.armature, tmp_path / "out.npz", NTSC_30)
    with pytest.raises(UserError, match="Only an adapted character"):
        amass.write(None, tmp_path / "out.npz", NTSC_30)
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".npz"] == []
