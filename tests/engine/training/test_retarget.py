from pathlib import Path

import numpy as np
import pytest
from bvh_files import JOINT_MAP, NAMES, hanging, still, write_bvh
from scipy.ndimage import gaussian_filter1d

from engine.errors import UsageError
from engine.training.bvh import BvhError, read_bvh
from engine.training.figure import INDEX, MIRROR, plain_figure
from engine.training.retarget import retarget, retarget_folder
from engine.training.source_pose import JointMap, read_joint_maps

MOTIONS = Path(__file__).parents[4] / "shared" / "data" / "motions"
needs_motions = pytest.mark.skipif(not MOTIONS.is_dir(), reason="the motion capture folder is not here")
FIGURE = plain_figure()


def wriggle(frames=60, size=18.0, seed=0):
    """Everything moves smoothly, feet stay near the floor."""
    angles, root = hanging(frames)
    noise = gaussian_filter1d(np.random.default_rng(seed).standard_normal(angles.shape), 8, axis=0, mode="wrap")
    angles += noise / noise.std() * size
    return angles, root


def put(tmp_path, angles, root, joints=JOINT_MAP, **how):
    return retarget(read_bvh(write_bvh(tmp_path / "clip.bvh", angles, root, **how)), joints, FIGURE)


def test_joints_come_where_the_scaled_sources_are(tmp_path):
    _, report = put(tmp_path, *wriggle())
    assert report.joint_error_m < 0.03
    assert max(report.joint_errors_m.values()) < 0.06


def test_t_pose_gives_straight_level_limbs(tmp_path):
    clip, _ = put(tmp_path, *still(10))
    joints, _ = FIGURE.pose(clip.rotations, clip.pelvis)
    arm = joints[0, INDEX["left_wrist"]] - joints[0, INDEX["left_shoulder"]]
    leg = joints[0, INDEX["right_ankle"]] - joints[0, INDEX["right_hip"]]
    np.testing.assert_allclose(arm / np.linalg.norm(arm), (1, 0, 0), atol=1e-5)
    np.testing.assert_allclose(leg / np.linalg.norm(leg), (0, -1, 0), atol=1e-5)


def test_left_is_left(tmp_path):
    angles, root = hanging(20)
    angles[:, INDEX["left_shoulder"]] = 0  # the left arm stays out to the side
    angles[:, INDEX["left_knee"], 2] = 60
    clip, _ = put(tmp_path, angles, root)
    joints, _ = FIGURE.pose(clip.rotations, clip.pelvis)
    assert joints[0, INDEX["left_wrist"], 0] > 0.5
    assert joints[0, INDEX["right_wrist"], 1] < joints[0, INDEX["left_wrist"], 1] - 0.3
    assert joints[0, INDEX["left_ankle"], 2] < joints[0, INDEX["right_ankle"], 2] - 0.2


def test_mirrored_copy_is_the_mirror_image_and_twice_is_the_same(tmp_path):
    clip, _ = put(tmp_path, *wriggle())
    image = clip.mirrored()
    joints, _ = FIGURE.pose(clip.rotations, clip.pelvis)
    mirrored, _ = FIGURE.pose(image.rotations, image.pelvis)
    np.testing.assert_allclose(mirrored, joints[:, MIRROR] * (-1, 1, 1), atol=1e-9)
    np.testing.assert_array_equal(image.contacts, clip.contacts[:, [2, 3, 0, 1]])
    np.testing.assert_allclose(image.mirrored().rotations, clip.rotations, atol=1e-12)


def test_root_path_is_scaled_by_the_length_of_the_legs(tmp_path):
    angles, root = hanging(31)
    root[:, 2] = np.linspace(0, 87, 31)  # as far as the source's legs are long
    clip, _ = put(tmp_path, angles, root)
    legs = FIGURE.length("left_hip", "left_knee", "left_ankle")
    assert clip.pelvis[-1, 2] - clip.pelvis[0, 2] == pytest.approx(legs, rel=1e-3)


def test_standing_feet_lie_flat_on_the_floor_and_touch_it(tmp_path):
    angles, root = hanging(40)
    root[:, 1] += 7  # the source's floor is elsewhere
    clip, report = put(tmp_path, angles, root)
    soles = FIGURE.skin_points(*FIGURE.pose(clip.rotations, clip.pelvis))[:, FIGURE.soles]
    np.testing.assert_allclose(soles[..., 1], 0, atol=0.005)
    assert (clip.contacts == 1).all()
    assert report.contact_slide < 1e-6


def test_flying_feet_do_not_touch(tmp_path):
    angles, root = hanging(60)
    root[20:40, 1] += 30 * np.sin(np.linspace(0, np.pi, 20))
    clip, _ = put(tmp_path, angles, root)
    assert (clip.contacts[:15] == 1).all()
    assert (clip.contacts[25:35] == 0).all()


def test_nothing_sinks_into_the_floor(tmp_path):
    angles, root = wriggle(frames=100, size=8)
    root[-6:, 1] -= np.linspace(5, 30, 6)  # drops through the floor at the end
    clip, report = put(tmp_path, angles, root)
    skin = FIGURE.skin_points(*FIGURE.pose(clip.rotations, clip.pelvis))
    assert skin[..., 1].min() > -0.002
    assert report.sunk_m < 0.002
    assert report.lifted_m > 0.1


def test_uneven_ground_leaves_contact_open(tmp_path):
    source = read_bvh(write_bvh(tmp_path / "clip.bvh", *wriggle()))
    clip, _ = retarget(source, JOINT_MAP, FIGURE, level_floor=False)
    assert np.isnan(clip.contacts).all()


@pytest.mark.parametrize(("unit", "scale"), [("metres", 0.01), ("inches", 1 / 2.54), ("millimetres", 10)])
def test_other_units_are_known_by_the_size_of_the_body(tmp_path, unit, scale):
    angles, root = wriggle()
    plain, _ = put(tmp_path, angles, root)
    clip, report = put(tmp_path, angles, root, scale=scale)
    np.testing.assert_allclose(clip.pelvis, plain.pelvis, atol=1e-4)
    assert unit in report.warnings[0]


@pytest.mark.parametrize("scale", [0.001, 0.1, 100])
def test_a_body_of_no_known_size_is_refused(tmp_path, scale):
    with pytest.raises(BvhError, match=r"clip\.bvh, line \d+: a leg of .* in no unit of length known here"):
        put(tmp_path, *hanging(3), scale=scale)


def test_missing_joint_is_named(tmp_path):
    with pytest.raises(BvhError, match=r"clip\.bvh, line 2: the skeleton has no joint 's_left_hand'.*left_hand"):
        put(tmp_path, *hanging(3), leave_out=("left_hand",))


def test_a_skeleton_without_chest_collars_and_hands_goes_by_its_own_map(tmp_path):
    absent = {name: None for name in ("spine1", "spine3", "left_collar", "right_collar", "left_hand", "right_hand")}
    _, report = put(tmp_path, *wriggle(size=12), joints=JointMap({**NAMES, **absent}))
    assert report.joint_error_m < 0.03
    assert "left_hand" not in report.joint_errors_m


def test_joint_map_must_name_limbs_and_only_smpl_joints():
    with pytest.raises(UsageError, match="no source joint for left_knee"):
        JointMap({**NAMES, "left_knee": None})
    with pytest.raises(UsageError, match="'tail'"):
        JointMap({**NAMES, "tail": "x"})


def test_bad_clips_do_not_stop_the_others(tmp_path):
    write_bvh(tmp_path / "mine" / "a_good.bvh", *wriggle())
    (tmp_path / "mine" / "b_empty.bvh").write_text("")
    write_bvh(tmp_path / "mine" / "c_good.bvh", *wriggle(seed=1))
    write_bvh(tmp_path / "other" / "d_unknown.bvh", *wriggle())
    results = dict(retarget_folder(tmp_path, {"mine": JOINT_MAP}, FIGURE))
    errors = {path.stem: error.message for path, error in results.items() if isinstance(error, UsageError)}
    assert sorted(errors) == ["b_empty", "d_unknown"]
    assert "b_empty.bvh, line 1" in errors["b_empty"]
    assert "'other'" in errors["d_unknown"]


def test_damaged_table_of_joint_maps_is_refused(tmp_path):
    path = tmp_path / "skeletons.json"
    path.write_text("{}")
    with pytest.raises(UsageError, match=r"skeletons\.json"):
        read_joint_maps(path)


@needs_motions
@pytest.mark.parametrize(
    "name",
    [
        "cmu_asfamc/cmu_02_01",
        "cmu_cgspeed/cmu_131_01",
        "cmu_daz/cmu_14_19",
        "cmu_expmap/cmux_walking_29",
        "cmu_iclone/cmu_07_06",
        "deepmimic/dm_walk",
        "hdm05/hdm_tr_sneak2StepsLStart_014",
    ],
)
def test_real_clips_of_every_source(name):
    maps = read_joint_maps(MOTIONS / "skeletons.json")
    path = MOTIONS / "bvh" / f"{name}.bvh"
    clip, report = retarget(read_bvh(path), maps[path.parent.name], FIGURE)
    assert report.joint_error_m < 0.03
    assert report.sunk_m < 0.002
    assert report.contact_slide < 0.2
    joints, _ = FIGURE.pose(clip.rotations, clip.pelvis)
    path_m = np.diff(clip.pelvis[:, [0, 2]], axis=0)
    if "walk" in name:  # walks forward with the left hip on the left
        across = (joints[1:, INDEX["left_hip"]] - joints[1:, INDEX["right_hip"]])[:, [0, 2]]
        turn = path_m[:, 1] * across[:, 0] - path_m[:, 0] * across[:, 1]
        assert (turn > 0).mean() > 0.97
        assert 0.2 < np.nanmean(clip.contacts) < 0.9
