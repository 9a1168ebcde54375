from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest
import synthetic
from adapt_motion.blender_addon.character import motion_io
from adapt_motion.blender_addon.errors import UserError


def rewrite(path, **changes) -> None:
    with np.load(path) as archive:
        arrays = dict(archive)
    arrays |= changes
    np.savez(path, **{key: value for key, value in arrays.items() if value is not None})


def test_reads_what_the_engine_writes(tmp_path):
    path = synthetic.write_person(tmp_path / "my clip", rate=Fraction(24000, 1001))
    motion = motion_io.read_motion(path)
    assert (motion.frame_count, motion.rate, motion.image_size) == (40, Fraction(24000, 1001), (1280, 720))
    assert motion.name == "my clip person_1"
    body, warning = motion_io.read_body(motion)
    assert (body.vertices.shape, body.weights.shape, warning) == ((192, 3), (192, 24), "")


def test_skeleton_is_smpls():
    skeleton = motion_io.read_skeleton()
    assert skeleton.names == synthetic.NAMES
    assert skeleton.parents == synthetic.PARENTS


BAD = {
    "poses": (np.zeros((40, 71)), r"poses is \(40, 71\), not \(40, 72\)"),
    "joints3d_world": (None, "lacks joints3d_world"),
    "betas": (np.full(10, np.nan), "betas has values that are not finite"),
    "timestamps": (np.zeros(40), "timestamps do not increase"),
    "mocap_framerate": (np.array(0.0), "mocap_framerate is 0, not within"),
    "image_size": (np.array([0, 4]), "image_size has values from 0 to 4"),
    "format_version": (np.array(99), "newer version"),
    "labels": (np.zeros(40), "labels has type float64"),
}


@pytest.mark.parametrize("key", BAD)
def test_a_damaged_motion_file_is_reported_in_a_sentence(tmp_path, key):
    path = synthetic.write_person(tmp_path)
    value, sentence = BAD[key]
    rewrite(path, **{key: value})
    with pytest.raises(UserError, match=sentence):
        motion_io.read_motion(path)


def test_missing_text_and_truncated_files(tmp_path):
    with pytest.raises(UserError, match="is not there"):
        motion_io.read_motion(tmp_path / "person_1.npz")
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(UserError, match="cannot be read"):
        motion_io.read_motion(tmp_path / "text.npz")
    path = synthetic.write_person(tmp_path)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(UserError, match="cannot be read"):
        motion_io.read_motion(path)
    np.save(tmp_path / "one.npy", np.zeros(3))
    with pytest.raises(UserError, match="cannot be read"):
        motion_io.read_motion(tmp_path / "one.npy")


def test_pickles_are_refused(tmp_path):
    path = synthetic.write_person(tmp_path)
    rewrite(path, labels=np.array([object()] * 40))
    with pytest.raises(UserError, match="cannot be read"):
        motion_io.read_motion(path)


def test_a_damaged_body_is_reported(tmp_path):
    path = synthetic.write_person(tmp_path)
    rewrite(motion_io.body_path(path), faces=np.array([[0, 1, 500]]))
    with pytest.raises(UserError, match="a vertex that is not there"):
        motion_io.read_body(motion_io.read_motion(path))


def test_without_its_body_file_the_bundled_body_takes_the_shape(tmp_path):
    if not (motion_io.ROOT / "engine" / "assets" / "open_body.npz").is_file():
        pytest.skip("engine/assets/open_body.npz is not built")
    path = synthetic.write_person(tmp_path)
    motion_io.body_path(path).unlink()
    short, warning = motion_io.read_body(motion_io.read_motion(path))
    assert warning == ""
    assert short.weights.sum(1) == pytest.approx(np.ones(len(short.vertices)), abs=1e-4)
    rewrite(path, betas=np.array([2.0] + [0.0] * 9), surface_model_type=np.array("smpl"))
    tall, warning = motion_io.read_body(motion_io.read_motion(path))
    assert "bundled body stands in" in warning
    assert np.ptp(tall.vertices[:, 1]) != pytest.approx(np.ptp(short.vertices[:, 1]), abs=0.01)


def test_preset_holds_the_open_bodys_rest_pose():
    asset = motion_io.ROOT / "engine" / "assets" / "open_body.npz"
    if not asset.is_file():
        pytest.skip("engine/assets/open_body.npz is not built")
    with np.load(asset) as body:
        joints = body["J_regressor"] @ body["v_template"]
    preset = json.loads((motion_io.ROOT / "presets" / "armature.json").read_text(encoding="utf-8"))
    assert np.array([joint["rest"] for joint in preset["joints"]]) == pytest.approx(joints, abs=1e-3)
