"""Small data sets in the layouts of 3DPW, MPI-INF-3DHP and EgoBody: one person walks before a camera that moves."""

import csv
import json
import pickle
import shutil

import numpy as np
import scipy.io
import torch

from engine.body.landmarks import JOINT_NAMES
from engine.body.model import OPEN_BODY
from engine.body.rotations import axis_angle_to_matrix
from engine.evaluation.datasets.mpi_inf_3dhp import JOINTS
from engine.evaluation.datasets.shared import H36M_17
from engine.evaluation.joints import Pose, joints_of, marks_of
from engine.keypoints.joint_sets import BODY_25, COCO_18

FRAMES = 12
INTRINSICS = np.array([[1900.0, 0, 540], [0, 1900.0, 960], [0, 0, 1]])


def motion(frames=FRAMES):
    """SMPL parameters in a world with y up: poses (T, 72), betas (10,), trans (T, 3)."""
    rng = np.random.default_rng(0)
    poses = rng.normal(0, 0.1, (1, 24, 3)).repeat(frames, 0)
    poses[:, 16, 1] += np.sin(np.arange(frames) / 4)
    poses[:, 0] = [0.1, 0.4, 0]
    trans = np.stack([np.linspace(0, 0.5, frames), np.full(frames, 1.0), np.zeros(frames)], 1)
    return poses.reshape(frames, 72), rng.normal(0, 0.7, 10), trans


def cameras(frames=FRAMES):
    """(T, 4, 4) world to camera, which pans."""
    found = []
    for angle in np.linspace(0.0, 0.2, frames):
        turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
        matrix = np.eye(4)
        matrix[:3, :3] = turn @ np.diag([1.0, -1, -1])
        matrix[:3, 3] = [0, 1.0, 4.0]
        found.append(matrix)
    return np.stack(found)


def in_world(poses, betas, trans):
    """The pose as matrices."""
    return Pose(axis_angle_to_matrix(torch.as_tensor(poses).reshape(-1, 24, 3)).numpy(), betas, trans)


def moved(points, transforms):
    """Points (T, J, 3) by (T, 4, 4)."""
    return np.einsum("tij,tkj->tki", transforms[:, :3, :3], points) + transforms[:, None, :3, 3]


def pixels(points, intrinsics=INTRINSICS):
    """(T, J, 2) of points in the camera frame."""
    flat = points[..., :2] / points[..., 2:]
    return flat * intrinsics[[0, 1], [0, 1]] + intrinsics[:2, 2]


def write_bodies(folder):
    """The open body as if it were SMPL of either gender, and a regressor for its mesh; returns the regressor's file."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("MALE", "FEMALE", "NEUTRAL"):
        shutil.copyfile(OPEN_BODY, folder / f"SMPL_{name}.npz")
    with np.load(OPEN_BODY) as body:
        joints, template = body["J_regressor"], body["v_template"]
    matrix = np.zeros((17, len(template)))
    renamed = {"spine": "spine2", "nose": "head"}
    for row, name in enumerate(H36M_17):
        name = renamed.get(name, name)
        if name in JOINT_NAMES:
            matrix[row] = joints[JOINT_NAMES.index(name)]
    matrix[H36M_17.index("head_top"), template[:, 1].argmax()] = 1
    np.save(folder / "J_regressor_h36m.npy", matrix)
    return folder / "J_regressor_h36m.npy"


def write_3dpw(root, body):
    """One sequence with two people, the second without an aligned camera in its first frames."""
    poses, betas, trans = motion()
    pose = in_world(poses, betas, trans)
    world, transforms = joints_of(body, pose), cameras()
    marks = pixels(moved(marks_of(body, pose, COCO_18), transforms))
    keypoints = np.concatenate([marks, np.full((*marks.shape[:2], 1), 0.9)], -1)
    keypoints[:, COCO_18.index("left_ankle")] = 0
    valid = np.ones(FRAMES, int)
    late = valid.copy()
    late[:4] = 0
    content = {
        "sequence": "downtown_walk_00",
        "poses": [poses, poses],
        "trans": [trans, trans],
        "betas": [betas, betas],
        "genders": ["m", "f"],
        "jointPositions": [world.reshape(FRAMES, 72)] * 2,
        "poses2d": [keypoints.transpose(0, 2, 1)] * 2,
        "cam_poses": transforms,
        "cam_intrinsics": INTRINSICS,
        "campose_valid": [valid, late],
        "img_frame_ids": np.arange(FRAMES),
        "texture_maps": [np.zeros((2, 2, 3), np.uint8)] * 2,
    }
    folder = root / "sequenceFiles" / "test"
    folder.mkdir(parents=True)
    (folder / "downtown_walk_00.pkl").write_bytes(pickle.dumps(content, protocol=2))
    return pose, transforms


def true_3dhp(body):
    """(T, 17, 3) of the test set's joints in the camera frame, metres."""
    poses, betas, trans = motion()
    joints = moved(joints_of(body, in_world(poses, betas, trans)), cameras())
    extra = {"head_top": ("head", -0.2), "spine": ("spine2", 0.0), "nose": ("head", 0.0)}
    found = []
    for name in JOINTS:
        base, up = extra.get(name, (name, 0.0))
        found.append(joints[:, JOINT_NAMES.index(base)] + [0, up, 0])
    return np.stack(found, 1)


def write_3dhp(root, body, sequence="TS1"):
    """A sequence of the test set, saved as MATLAB 5; every third frame counts."""
    matrix = np.array([[1500.0, 0, 1030], [0, 1502.0, 1046], [0, 0, 1]])
    joints = true_3dhp(body)
    folder = root / "mpi_inf_3dhp_test_set" / sequence
    folder.mkdir(parents=True)
    valid = np.zeros((FRAMES, 1))
    valid[2:9] = 1

    def as_matlab(values):
        return values.transpose(2, 1, 0)[:, :, None]

    content = {
        "annot2": as_matlab(pixels(joints, matrix)),
        "annot3": as_matlab(1000 * joints),
        "univ_annot3": as_matlab(1050 * joints),
        "valid_frame": valid,
    }
    scipy.io.savemat(folder / "annot_data.mat", content)
    return joints, matrix, content


RECORDING = "recording_20210907_S02_S01_01"


def write_egobody(root, body, gender="female"):
    """One test recording: the body in the Kinect's frame, the camera's pose from the HoloLens; two pictures without."""
    poses, betas, trans = motion()
    to_camera = cameras()
    # Kinect: x right, y down, z away; what `motion` calls the world becomes it by a half turn about x
    flip = np.diag([1.0, -1, -1, 1])
    holo_to_kinect = np.eye(4)
    holo_to_kinect[:3, 3] = [0.3, -0.2, 0.1]
    columns = ("recording_name", "body_idx_0", "body_idx_1", "body_idx_fpv", "start_frame", "end_frame", "scene_name")
    about = (RECORDING, "0 male", "1 female", f"1 {gender}", 100, 100 + FRAMES - 1, "cab")
    splits = (("train", "val", "test"), ("other", "", RECORDING))
    for name, rows in (("data_info_release", (columns, about)), ("data_splits", splits)):
        with (root / f"{name}.csv").open("w", newline="") as file:
            csv.writer(file).writerows(rows)
    calibration = root / "calibrations" / RECORDING / "cal_trans"
    calibration.mkdir(parents=True)
    (calibration / "holo_to_kinect12.json").write_text(json.dumps({"trans": holo_to_kinect.tolist()}))
    folder = root / "egocentric_color" / RECORDING / "2021-09-07-145313"
    folder.mkdir(parents=True)
    names, lines = [], ["540.0,960.0,1080,1920"]
    for row in range(FRAMES):
        ticks = 132754997786014666 + row * 333_333
        names.append(f"egocentric_color/{RECORDING}/2021/PV/{ticks}_frame_{100 + row:05d}.jpg")
        # picture from Kinect = flip @ inv(pv to holo) @ inv(holo to Kinect), which is to be `to_camera`
        pv_to_holo = np.linalg.inv(holo_to_kinect) @ np.linalg.inv(to_camera[row]) @ flip
        lines.append(",".join(map(str, (ticks, 1900.0, 1900.0, *pv_to_holo.ravel()))))
        result = root / "smpl_interactee_test" / RECORDING / "body_idx_1" / "results" / f"frame_{100 + row:05d}"
        result.mkdir(parents=True)
        parameters = {
            "global_orient": poses[row : row + 1, :3].astype(np.float32),
            "body_pose": poses[row : row + 1, 3:].astype(np.float32),
            "betas": betas[None].astype(np.float32),
            "transl": trans[row : row + 1].astype(np.float32),
            "gender": gender,
        }
        if row != 5:
            (result / "000.pkl").write_bytes(pickle.dumps(parameters))
    (folder / "2021-09-07-145313_pv.txt").write_text("\n".join(lines) + "\n")
    pose = in_world(poses, betas, trans)
    marks = pixels(moved(marks_of(body, pose, BODY_25), to_camera))
    keypoints = np.concatenate([marks, np.full((*marks.shape[:2], 1), 0.8)], -1)
    kept = [row for row in range(FRAMES) if row != 3]
    np.savez(folder / "valid_frame.npz", imgname=np.array(names), valid=np.array([row != 3 for row in range(FRAMES)]))
    np.savez(folder / "keypoints.npz", imgname=np.array(names)[kept], keypoints=keypoints[kept])
    return pose, to_camera


def write_openpose(folder, points):
    """A person at `points` (T, K, 2), and another far from them, who comes first."""
    folder.mkdir(parents=True)
    for row, frame in enumerate(points):
        people = []
        for shift in (700.0, 0.0):
            values = np.concatenate([frame + shift, np.full((len(frame), 1), 0.7)], -1)
            people.append({"pose_keypoints_2d": values.ravel().tolist()})
        (folder / f"img_{row:06d}_keypoints.json").write_text(json.dumps({"people": people}))


def write_emdb(root, body, part="emdb2"):
    """One sequence of a part of EMDB; the person is out of sight in two frames."""
    poses, betas, trans = motion()
    to_camera = cameras()
    good = np.ones(FRAMES, bool)
    good[3:5] = False
    content = {
        "gender": "female",
        "name": "P0_09_walk",
        "emdb1": part == "emdb1",
        "emdb2": part == "emdb2",
        "n_frames": FRAMES,
        "good_frames_mask": good,
        "camera": {"intrinsics": INTRINSICS, "extrinsics": to_camera, "width": 1080, "height": 1920},
        "smpl": {"poses_root": poses[:, :3], "poses_body": poses[:, 3:], "trans": trans, "betas": betas},
        "kp2d": np.zeros((FRAMES, 24, 2)),
        "bboxes": {"bboxes": np.zeros((FRAMES, 4)), "invalid_idxs": np.array([3, 4])},
    }
    folder = root / "P0" / "09_walk"
    folder.mkdir(parents=True)
    (folder / "P0_09_walk_data.pkl").write_bytes(pickle.dumps(content))
    return in_world(poses, betas, trans), to_camera


def write_rich(root, body):
    """One sequence of RICH with one person, seen by a camera that stands still."""
    poses, betas, trans = motion()
    to_camera = cameras()[0]
    sequence = root / "bodies" / "test" / "ParkingLot2_009_walk"
    for row in range(FRAMES):
        folder = sequence / f"{10 + row:05d}"
        folder.mkdir(parents=True)
        parameters = {
            "transl": trans[row : row + 1],
            "global_orient": poses[row : row + 1, :3],
            "body_pose": poses[row : row + 1, 3:66],
            "betas": betas[None],
            "left_hand_pose": np.zeros((1, 12)),
        }
        (folder / "009.pkl").write_bytes(
            pickle.dumps({name: value.astype(np.float32) for name, value in parameters.items()})
        )
    calibration = root / "scan_calibration" / "ParkingLot2" / "calibration"
    calibration.mkdir(parents=True)

    def entry(name, matrix):
        numbers = " ".join(map(str, np.ravel(matrix)))
        rows, columns = np.shape(matrix)
        kind = f"<rows>{rows}</rows><cols>{columns}</cols><dt>d</dt><data>{numbers}</data>"
        return f'<{name} type_id="opencv-matrix">{kind}</{name}>'

    parts = (
        entry("CameraMatrix", to_camera[:3]) + entry("Intrinsics", INTRINSICS) + entry("Distortion", np.zeros((1, 5)))
    )
    (calibration / "000.xml").write_text(f'<?xml version="1.0"?><opencv_storage>{parts}</opencv_storage>')
    pose = in_world(np.hstack((poses[:, :66], np.zeros((FRAMES, 6)))), betas, trans)
    return pose, to_camera
