"""The preview, drawn over made-up footage and read back from the files."""

from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
import torch

from engine.body.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from engine.errors import CancelledError, OutputError
from engine.footage.decoding import Frame
from engine.output.motion_file import Motion
from engine.output.preview import write_preview
from engine.runtime.progress import Silent

WIDTH, HEIGHT, FRAMES = 321, 243, 8
RATE = Fraction(30000, 1001)
TO_WORLD = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])


@pytest.fixture(scope="module")
def motion(body):
    """Someone who faces the camera 3 m away and walks sideways to the right of the image."""
    across = np.linspace(0, 0.4, FRAMES)
    transl = np.stack((across, np.full(FRAMES, 0.35), np.full(FRAMES, 3.0)), -1).astype(np.float32)
    rotations = torch.eye(3).repeat(FRAMES, 24, 1, 1)
    rotations[:, 0] = torch.diag(torch.tensor([1.0, -1, -1]))
    rotations[:, 16] = axis_angle_to_matrix(torch.tensor([0.0, 0, -1.2]))  # the left arm hangs, the right one is level
    joints = body.joints(rotations, torch.zeros(10), torch.tensor(transl)).numpy()
    poses = matrix_to_axis_angle(rotations).numpy().reshape(FRAMES, 72)
    world_poses = poses.copy()
    world_poses[:, :3] = matrix_to_axis_angle(torch.tensor(TO_WORLD, dtype=torch.float32) @ rotations[:, 0]).numpy()
    shift = np.array([0, 0, 0.95]) - TO_WORLD @ joints[0, 0]
    to_world = np.eye(4)
    to_world[:3, :3], to_world[:3, 3] = TO_WORLD, shift
    nothing = np.zeros(FRAMES, dtype=np.float32)
    return Motion(
        poses=world_poses, trans=np.zeros((FRAMES, 3), dtype=np.float32), betas=np.zeros(10, dtype=np.float32),
        gender="neutral", surface_model_type="open-body", mocap_framerate=float(RATE),
        timestamps=(np.arange(FRAMES) + 2) / float(RATE), cam_global_orient=poses[:, :3], cam_transl=transl,
        joints3d_cam=joints, joints3d_world=(joints @ TO_WORLD.T + shift).astype(np.float32),
        intrinsics=np.array([[300.0, 0, WIDTH / 2], [0, 300, HEIGHT / 2], [0, 0, 1]]), camera_to_world=to_world,
        image_size=np.array([WIDTH, HEIGHT]), keypoints2d=np.full((FRAMES, 2, 3), 15, dtype=np.float32),
        keypoints2d_origin=np.tile(np.array([1, 0], dtype=np.uint8), (FRAMES, 1)),
        keypoint_names=np.array(["nose", "neck"]), labels=np.array([""] * FRAMES), label_similarity=nothing,
        contacts=np.zeros((FRAMES, 4), dtype=np.float32), initial_poses=world_poses,
        initial_trans=np.zeros((FRAMES, 3), dtype=np.float32),
    )  # fmt: skip


def footage(count=FRAMES + 4):
    """Grey frames, two of them before the motion starts and two after it ends."""
    for index in range(count):
        yield Frame(index, index / float(RATE), np.full((HEIGHT, WIDTH, 3), 90, dtype=np.uint8))


def pictures(path):
    with av.open(str(path)) as container:
        return [(frame.time, frame.to_ndarray(format="rgb24").astype(int)) for frame in container.decode(video=0)]


def body_mask(picture):
    """Where the picture is the body's blue."""
    return picture[..., 2] > picture[..., 0] + 25


def test_the_video_is_plain_h264_with_the_footage_s_times(motion, body, tmp_path):
    video, sheet = write_preview(motion, body, footage(), tmp_path / "new folder", Silent())
    assert (video.name, sheet.name) == ("preview.mp4", "preview.png")
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert stream.width % 2 == stream.height % 2 == 0
        assert stream.average_rate == RATE
    times = [time for time, _ in pictures(video)]
    assert np.allclose(times, np.arange(FRAMES) / float(RATE), atol=1e-4)
    assert sorted(path.name for path in video.parent.iterdir()) == ["preview.mp4", "preview.png"]


def test_the_body_lies_where_the_motion_projects(motion, body, tmp_path):
    video, _ = write_preview(motion, body, footage(), tmp_path, Silent())
    all_pictures = pictures(video)
    for row, (_, picture) in enumerate(all_pictures):
        joints = motion.joints3d_cam[row]
        seen = joints[:, :2] / joints[:, 2:] * 300 + [WIDTH / 2, HEIGHT / 2]
        mask = body_mask(picture[:, :WIDTH])
        for joint in (0, 12, 15, 19):  # pelvis, neck, head, right elbow
            x, y = seen[joint].round().astype(int)
            assert mask[y, x], (row, joint)
        hands = seen[20], seen[21]  # the left hangs, the right is level: a mirror would show
        assert hands[0][1] - hands[1][1] > 30
        assert not mask[int(hands[1][1]), round(2 * seen[0][0] - hands[1][0])]
        assert tuple(picture[15, 15].round(-1)) != (90, 90, 90)  # the dot of the detected keypoint


def test_from_the_side_the_body_stands_on_the_grid(motion, body, tmp_path):
    video, _ = write_preview(motion, body, footage(), tmp_path, Silent())
    picture = pictures(video)[0][1]
    mask = body_mask(picture[:, WIDTH + 1 :])
    rows, columns = np.nonzero(mask)
    assert 0.55 < (rows.max() - rows.min()) / picture.shape[0] < 0.85
    assert (rows.max() - rows.min()) > 3 * (columns.max() - columns.min())  # from the side a T-pose is narrow
    nose_side = columns[rows < rows.min() + 12].mean()
    toes = columns[rows > rows.max() - 4]
    assert toes.min() < nose_side - 3  # faces the footage's camera, which stands to the left


def test_the_contact_sheet_shows_six_frames(motion, body, tmp_path):
    video, sheet = write_preview(motion, body, footage(), tmp_path, Silent())
    height, width = pictures(video)[0][1].shape[:2]
    assert cv2.imread(str(sheet)).shape == (3 * height, 2 * width, 3)


def test_progress_counts_the_motion_s_frames_and_frames_are_streamed(motion, body, tmp_path):
    calls, alive = [], []

    class Counting(Silent):
        def __call__(self, done, total):
            calls.append((done, total))

    def counted():
        for frame in footage(1000):
            alive.append(frame.index)
            yield frame

    write_preview(motion, body, counted(), tmp_path, Counting())
    assert calls == [(done, FRAMES) for done in range(1, FRAMES + 1)]
    assert alive[-1] == FRAMES + 1  # stops reading after the motion's last frame


def test_cancelling_leaves_nothing_behind(motion, body, tmp_path):
    class Cancelling(Silent):
        def __call__(self, done, total):
            if done == 3:
                raise CancelledError("The run was cancelled.")

    with pytest.raises(CancelledError):
        write_preview(motion, body, footage(), tmp_path, Cancelling())
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_reported(motion, body, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="could not be written"):
        write_preview(motion, body, footage(), tmp_path / "file" / "folder", Silent())


def test_footage_of_another_time_is_reported(motion, body, tmp_path):
    with pytest.raises(OutputError, match="No frame of the footage belongs to the motion"):
        write_preview(motion, body, footage(2), tmp_path, Silent())
    assert list(tmp_path.iterdir()) == []
