"""Readers of data sets, on small files in their layouts."""

import io
import pickle
from dataclasses import replace

import dataset_files as made
import numpy as np
import pytest
import scipy.io
from bench_cases import prediction_of

from engine.errors import UsageError
from engine.evaluation import datasets, tables
from engine.evaluation.benchmark import run_stream
from engine.evaluation.datasets import mpi_inf_3dhp, shared
from engine.evaluation.datasets.shared import LSP_14, Licensed
from engine.evaluation.joints import SMPL_SET, joints_of
from engine.evaluation.methods import DETECTOR, FIT
from engine.evaluation.results import ResultStore
from engine.evaluation.runner import Runner, Tools
from engine.evaluation.scores import Outcome, figures_of
from engine.keypoints.joint_sets import BODY_25, COCO_18


@pytest.fixture(scope="module")
def files(tmp_path_factory, body):
    root = tmp_path_factory.mktemp("sets")
    regressor = made.write_bodies(root / "bodies")
    for name in ("3dpw", "3dhp", "egobody", "emdb2", "rich"):
        (root / name).mkdir()
    return {
        "root": root,
        "regressor": regressor,
        "bodies": root / "bodies",
        "3dpw": made.write_3dpw(root / "3dpw", body),
        "3dhp": made.write_3dhp(root / "3dhp", body),
        "egobody": made.write_egobody(root / "egobody", body),
        "emdb2": made.write_emdb(root / "emdb2", body),
        "rich": made.write_rich(root / "rich", body),
    }


def cases(files, body, name, **licensed):
    return list(datasets.read(name, files["root"] / name, Licensed(body, **licensed)))


def test_moving_a_pose_moves_its_joints(body):
    pose, transforms = made.in_world(*made.motion()), made.cameras()
    seen = shared.seen_from(pose, shared.rest_pelvis(body, pose.betas), transforms)
    assert joints_of(body, seen) == pytest.approx(made.moved(joints_of(body, pose), transforms), abs=1e-5)


def test_3dpw_with_what_is_free(files, body):
    pose, transforms = files["3dpw"]
    people = cases(files, body, "3dpw")
    assert [case.name for case in people] == ["downtown_walk_00_0", "downtown_walk_00_1"]
    first = people[0]
    assert first.track.keypoint_names == COCO_18
    assert first.track.image_size == (1080, 1920)
    assert first.track.keypoints[0, COCO_18.index("left_ankle"), 2] == 0
    assert first.truth.joint_set is SMPL_SET
    assert first.truth.joints == pytest.approx(made.moved(joints_of(body, pose), transforms), abs=1e-6)
    assert "no --regressor was given" in first.truth.note
    assert np.isnan(people[1].truth.joints[:4]).all()
    assert np.isfinite(people[1].truth.joints[4:]).all()


def test_3dpw_with_bodies_and_regressor_follows_the_protocol(files, body):
    case = cases(files, body, "3dpw", bodies=files["bodies"], regressor=files["regressor"])[0]
    assert case.truth.joint_set.names == LSP_14
    assert case.truth.joints.shape == (made.FRAMES, 14, 3)
    assert case.truth.note == ""
    figures = figures_of(case, Outcome(prediction_of(case.truth.pose)), body)
    for name in ("mpjpe", "pa", "mpvpe"):
        assert figures[name] == pytest.approx(0, abs=0.01)
    # the keypoints lie where the camera sees the body
    seen = case.track.keypoints[:, COCO_18.index("right_knee"), :2]
    knee = case.truth.joints[:, LSP_14.index("right_knee")]
    assert made.pixels(knee[:, None])[:, 0] == pytest.approx(seen, abs=1)


def test_a_regressor_with_exchanged_legs_is_repaired(files, body, tmp_path):
    matrix = np.load(files["regressor"])
    legs = [shared.H36M_17.index(f"{side}_{part}") for side in ("left", "right") for part in ("hip", "knee", "ankle")]
    exchanged = matrix.copy()
    exchanged[legs] = matrix[legs[3:] + legs[:3]]
    np.save(tmp_path / "swapped.npy", exchanged)
    assert np.array_equal(Licensed(body, regressor=tmp_path / "swapped.npy").h36m(), matrix)
    assert np.array_equal(Licensed(body, regressor=files["regressor"]).h36m(), matrix)


def test_3dhp_joints_camera_and_frames(files, body):
    joints, matrix, _ = files["3dhp"]
    case = cases(files, body, "3dhp")[0]
    assert case.camera.intrinsics == pytest.approx(matrix, abs=1e-3)
    assert "true 2D keypoints" in case.truth.note
    assert len(case.truth.joint_set.names) == 14
    valid = np.isfinite(case.truth.joints).all((1, 2))
    assert valid.tolist() == [2 <= row < 9 for row in range(made.FRAMES)]
    columns = [mpi_inf_3dhp.JOINTS.index(name) for name in case.truth.joint_set.names]
    assert case.truth.joints[valid] == pytest.approx(1.05 * joints[valid][:, columns], abs=1e-6)
    assert case.track.image_size == (2048, 2048)
    with_regressor = cases(files, body, "3dhp", regressor=files["regressor"])[0]
    assert with_regressor.truth.joint_set.names == mpi_inf_3dhp.JOINTS
    pose = made.in_world(*made.motion())
    seen = shared.seen_from(pose, shared.rest_pelvis(body, pose.betas), made.cameras())
    assert figures_of(with_regressor, Outcome(prediction_of(seen)), body)["pa"] < 35  # head and spine differ


def test_3dhp_takes_openposes_keypoints_of_the_right_person(files, body, tmp_path):
    points = np.tile(np.array([[1000.0, 900.0]]), (made.FRAMES, 25, 1)) + np.arange(25)[None, :, None]
    made.write_openpose(tmp_path / "TS1", points)
    case = cases(files, body, "3dhp", keypoints=tmp_path)[0]
    assert case.track.keypoint_names == BODY_25
    assert case.track.keypoints[..., :2] == pytest.approx(points)
    assert "true 2D" not in case.truth.note


def test_3dhp_version_73_needs_h5py(files, body, tmp_path):
    folder = tmp_path / "TS2"
    folder.mkdir()
    path = folder / "annot_data.mat"
    try:
        import h5py
    except ImportError:
        path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(600))
        with pytest.raises(UsageError, match=r"version 7\.3, which needs the package h5py"):
            list(datasets.read("3dhp", tmp_path, Licensed(body)))
        return
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in files["3dhp"][2].items():
            file[name] = value.T
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(128))
    case = next(datasets.read("3dhp", tmp_path, Licensed(body)))
    assert np.array_equal(case.truth.joints, cases(files, body, "3dhp")[0].truth.joints, equal_nan=True)


def test_egobody_comes_into_the_pictures_camera(files, body):
    pose, transforms = files["egobody"]
    case = cases(files, body, "egobody", bodies=files["bodies"])[0]
    assert case.name == made.RECORDING
    assert case.track.keypoint_names == BODY_25
    assert case.track.image_size == (1080, 1920)
    expected = made.moved(joints_of(body, pose), transforms)
    known = np.arange(made.FRAMES) != 5
    assert case.truth.joints[known] == pytest.approx(expected[known], abs=1e-4)
    assert np.isnan(case.truth.joints[5]).all()
    assert case.track.detected.tolist() == [row != 3 for row in range(made.FRAMES)]
    assert np.diff(case.track.timestamps) == pytest.approx(np.full(made.FRAMES - 1, 0.0333333))
    assert case.camera.intrinsics == pytest.approx(made.INTRINSICS)
    knees = case.truth.joints[:, [5]]
    seen = case.track.keypoints[:, BODY_25.index("right_knee"), :2]
    assert made.pixels(knees)[0, 0] == pytest.approx(seen[0], abs=1)
    assert case.truth.note == ""
    assert "was not given" in cases(files, body, "egobody")[0].truth.note


def perfect(pose, transforms, body):
    """The true motion as a method would give it, camera frame."""
    return prediction_of(shared.seen_from(pose, shared.rest_pelvis(body, pose.betas), transforms))


IN_WORLD = ("wa_mpjpe", "w_mpjpe", "rte")


def test_emdb_in_the_camera_and_in_the_world(files, body):
    pose, transforms = files["emdb2"]
    (case,) = cases(files, body, "emdb2", bodies=files["bodies"])
    assert case.name == "P0_09_walk"
    assert case.track.image_size == (1080, 1920)
    good = np.isfinite(case.truth.joints).all((1, 2))
    assert good.tolist() == [row not in (3, 4) for row in range(made.FRAMES)]
    assert case.track.detected.tolist() == good.tolist()
    assert case.truth.joints[good] == pytest.approx(made.moved(joints_of(body, pose), transforms)[good], abs=1e-4)
    figures = figures_of(case, Outcome(perfect(pose, transforms, body)), body)
    for name in ("mpjpe", "pa", "mpvpe", *IN_WORLD):
        assert figures[name] == pytest.approx(0, abs=0.02), name
    assert "true 2D keypoints" in case.truth.note
    with pytest.raises(UsageError, match="no sequence of emdb1"):
        list(datasets.read("emdb1", files["root"] / "emdb2", Licensed(body)))


def test_a_path_that_is_wrong_in_the_world_shows_there_alone(files, body):
    """Half as far from the camera: nothing of the pose changes, and its path in the world is another."""
    pose, transforms = files["emdb2"]
    (case,) = cases(files, body, "emdb2", bodies=files["bodies"])
    right = perfect(pose, transforms, body)
    drift = np.linspace(0, 0.5, made.FRAMES)[:, None] * [0.0, 0, 1]
    wrong = Outcome(replace(right, transl=(right.transl + drift).astype(np.float32)))
    figures = figures_of(case, wrong, body)
    assert figures["mpjpe"] == pytest.approx(0, abs=0.01)
    assert figures["w_mpjpe"] > figures["wa_mpjpe"] > 20
    assert figures["rte"] > 5
    assert figures["jitter"] > 0


def test_rich_by_its_still_camera(files, body):
    pose, to_camera = files["rich"]
    (case,) = cases(files, body, "rich")
    assert case.name == "ParkingLot2_009_walk_009"
    assert case.truth.joint_set.names == SMPL_SET.names[:22]
    assert case.track.timestamps[0] == 0
    assert np.diff(case.track.timestamps) == pytest.approx(np.full(made.FRAMES - 1, 1 / 30))
    still = np.repeat(to_camera[None], made.FRAMES, 0)
    figures = figures_of(case, Outcome(perfect(pose, still, body)), body)
    for name in ("mpjpe", "pa", *IN_WORLD):
        assert figures[name] == pytest.approx(0, abs=0.02), name
    assert "SMPLX_NEUTRAL" in case.truth.note


def test_a_camera_of_rich_that_is_none_is_reported(body, tmp_path):
    made.write_rich(tmp_path, body)
    (tmp_path / "scan_calibration" / "ParkingLot2" / "calibration" / "000.xml").write_text("<a><!ENTITY b></a>")
    with pytest.raises(UsageError, match="cannot be read as a camera"):
        list(datasets.read("rich", tmp_path, Licensed(body)))


def test_a_dry_run_says_what_there_is_and_what_is_missing(files, body, tmp_path):
    found = datasets.check("3dpw", files["root"] / "3dpw", Licensed(body), None)
    assert found.people == {"downtown_walk_00_0": made.FRAMES, "downtown_walk_00_1": made.FRAMES}
    assert found.trouble is None
    assert any("--regressor" in sentence for sentence in found.missing)
    assert any("--labels" in sentence for sentence in found.missing)
    whole = Licensed(body, bodies=files["bodies"], regressor=files["regressor"])
    assert datasets.check("3dpw", files["root"] / "3dpw", whole, tmp_path).missing == tuple(
        f"{tmp_path} has no {name}.json, so {name} has no labels" for name in found.people
    )
    empty = datasets.check("emdb2", tmp_path, Licensed(body), None)
    assert not empty.people
    assert "has no sequences" in empty.trouble.message


def test_a_table_comes_out_with_what_has_to_be_noted(files, body):
    tools = Tools(body, backbone=None)
    tools.fit = tools.fit.model_copy(update={"iterations": 3})
    rows = (DETECTOR, FIT)
    people = datasets.read("3dpw", files["root"] / "3dpw", Licensed(body))
    records, notes = run_stream(people, rows, Runner(tools), ResultStore(None), "code", lambda *_: None)
    stream = io.StringIO()
    figures = tables.data_set("3dpw", rows, records, notes, stream)
    assert figures["table"]["fit"]["mpjpe"]["mean"] > 0
    assert "detector" not in figures["table"]  # OpenPose gives no 3D
    assert "no --regressor was given" in stream.getvalue()
    assert len(notes) == 1


@pytest.mark.parametrize("name", ["3dpw", "3dhp", "egobody", "emdb1", "emdb2", "rich"])
def test_an_empty_folder_is_reported(body, tmp_path, name):
    with pytest.raises(UsageError, match=r"has no|cannot be read"):
        list(datasets.read(name, tmp_path, Licensed(body)))


def test_unknown_sets_and_missing_folders_are_reported(body, tmp_path):
    with pytest.raises(UsageError, match="no data set 'h36m'"):
        datasets.read("h36m", tmp_path, Licensed(body))
    with pytest.raises(UsageError, match="There is no folder"):
        datasets.read("3dpw", tmp_path / "none", Licensed(body))


class _Harm:
    def __reduce__(self):
        return print, ("run",)


_WRONG_SHAPE = {name: [0] for name in ("trans", "betas", "jointPositions", "poses2d")}
_WRONG_SHAPE |= {"poses": [np.zeros(3)], "cam_poses": 0, "cam_intrinsics": 0}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pickle.dumps({"poses": _Harm()}), "was refused"),
        (b"rubbish", "was refused"),
        (pickle.dumps({"poses": []}), "lacks trans"),
        (pickle.dumps(_WRONG_SHAPE), r"poses is \(3,\), not"),
    ],
    ids=["harm", "rubbish", "missing", "shape"],
)
def test_bad_3dpw_files_are_reported_and_never_run(body, tmp_path, content, message, capsys):
    (tmp_path / "a.pkl").write_bytes(content)
    with pytest.raises(UsageError, match=message):
        list(datasets.read("3dpw", tmp_path, Licensed(body)))
    assert capsys.readouterr().out == ""


def test_bad_3dhp_files_are_reported(files, body, tmp_path):
    content = files["3dhp"][2]
    (tmp_path / "TS1").mkdir()
    path = tmp_path / "TS1" / "annot_data.mat"
    for changed, message in (
        ({**content, "annot2": np.zeros((2, 14, 1, 3))}, "annot2 is"),
        ({**content, "valid_frame": np.ones((3, 1))}, "valid_frame has 3 entries"),
        ({"annot2": content["annot2"]}, "lacks annot3"),
    ):
        scipy.io.savemat(path, changed)
        with pytest.raises(UsageError, match=message):
            list(datasets.read("3dhp", tmp_path, Licensed(body)))
    path.write_bytes(b"no matlab")
    with pytest.raises(UsageError, match="cannot be read as a MATLAB file"):
        list(datasets.read("3dhp", tmp_path, Licensed(body)))


def test_a_regressor_for_another_mesh_is_refused(body, tmp_path):
    np.save(tmp_path / "r.npy", np.zeros((17, 6890)))
    with pytest.raises(UsageError, match="does not fit the body"):
        Licensed(body, regressor=tmp_path / "r.npy").h36m()
    (tmp_path / "r.npy").write_bytes(b"x")
    with pytest.raises(UsageError, match="cannot be read"):
        Licensed(body, regressor=tmp_path / "r.npy").h36m()
