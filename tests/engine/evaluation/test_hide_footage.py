"""What is hidden of footage: rectangles, the video written with them, and the joints behind them."""

from fractions import Fraction

import av
import numpy as np
import pytest
from hidden_walks import HEIGHT, WIDTH, motion_of, walk

from engine.errors import FootageError, OutputError, UsageError
from engine.evaluation.hide_footage import KINDS, Cover, Hiding, cover_of, full_view, hides, project, write_hidden
from engine.footage.decoding import Frame, frames, probe

END_S = 99 / 25
RATE = Fraction(24)


@pytest.fixture(scope="module")
def motion():
    return motion_of(walk())


def painted(cover, time_s):
    """Where a grey picture is changed; its shape may differ."""
    grey = np.full((HEIGHT, WIDTH, 3), 200, np.uint8)
    picture = cover.put_on(Frame(0, time_s, grey))
    assert (grey == 200).all()
    return (picture != 200).any(-1)


def test_a_desk_covers_what_lies_below_it(motion):
    mask = painted(cover_of(Hiding("desk", 0.6), motion, END_S), 1.0)
    assert mask.shape == (HEIGHT, WIDTH)
    line = round(HEIGHT * 0.6)
    assert not mask[:line].any()
    assert mask[line:].all()


def test_a_cut_makes_the_picture_smaller(motion):
    mask = painted(cover_of(Hiding("cut", 0.6), motion, END_S), 1.0)
    assert mask.shape == (146, WIDTH)
    assert not mask.any()


def test_a_pillar_comes_from_the_left_and_goes_on_the_right(motion):
    cover = cover_of(Hiding("pillar"), motion, END_S)
    assert not painted(cover, 0.0).any()
    assert not painted(cover, END_S).any()
    middle = painted(cover, END_S / 2)
    columns = np.flatnonzero(middle.any(0))
    assert middle[:, columns].all()
    assert abs(columns.mean() - WIDTH / 2) < 1.5
    assert abs(len(columns) - WIDTH / 4) < 1.5
    assert painted(cover, 0.3 * END_S).any(0).argmax() < painted(cover, 0.6 * END_S).any(0).argmax()


def test_a_side_is_the_left_half(motion):
    mask = painted(cover_of(Hiding("side"), motion, END_S), 1.0)
    assert mask[:, : WIDTH // 2].all()
    assert not mask[:, WIDTH // 2 + 1 :].any()


@pytest.mark.parametrize(
    ("limb", "joints"), [("left_leg", (4, 7, 10)), ("right_leg", (5, 8, 11)), ("left_arm", (18, 20, 22))]
)
def test_a_box_follows_the_limb(motion, limb, joints):
    cover = cover_of(Hiding("limb", limb=limb), motion, END_S)
    boxes = cover.at(motion.timestamps)
    pixels = project(motion)[:, joints]
    assert (pixels >= boxes[:, None, :2]).all()
    assert (pixels < boxes[:, None, 2:]).all()
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    assert area.max() < 0.2 * WIDTH * HEIGHT
    view = full_view(motion, cover, Hiding("limb", limb=limb))
    assert view.scored.any((0, 2)).sum() == 1
    assert hides(view)


def test_the_box_also_holds_keypoints_that_lie_beside_the_body(motion):
    keypoints = motion.keypoints2d.copy()
    keypoints[:, 2, 0] += 60  # the detector's left ankle
    moved = type(motion)(**{**vars(motion), "keypoints2d": keypoints})
    boxes = cover_of(Hiding("limb", limb="left_leg"), moved, END_S).at(motion.timestamps)
    assert (keypoints[:, 2, 0] < boxes[:, 2]).all()
    unseen = type(motion)(**{**vars(moved), "keypoints2d_origin": np.zeros_like(motion.keypoints2d_origin)})
    boxes = cover_of(Hiding("limb", limb="left_leg"), unseen, END_S).at(motion.timestamps)
    assert (keypoints[:, 2, 0] > boxes[:, 2]).all()


def test_joints_behind_it_are_hidden_and_those_in_the_picture_beside_it_are_seen(motion):
    hiding = Hiding("desk", 0.55)
    view = full_view(motion, cover_of(hiding, motion, END_S), hiding)
    assert view.hidden[:, [4, 5, 7, 8]].all()
    assert view.seen[:, [12, 16, 17]].all()
    assert not (view.hidden & view.seen).any()
    assert view.scored[:, 2:].all()
    assert not view.scored[:, :2].any()
    low = motion_of(walk() + np.array([0, 1.2, 0]))  # feet out of the picture: neither
    view = full_view(low, cover_of(hiding, low, END_S), hiding)
    assert not (view.hidden | view.seen)[:, [7, 8]].all(1).any()


def test_a_pillar_counts_where_it_stands_before_a_joint(motion):
    hiding = Hiding("pillar")
    view = full_view(motion, cover_of(hiding, motion, END_S), hiding)
    assert not view.scored[:10].any()
    assert not view.scored[-10:].any()
    assert view.scored[50].any()
    assert np.array_equal(view.scored[:, 2, 1], view.hidden[:, 7])


def test_what_hides_nothing_is_known(motion):
    hiding = Hiding("desk", 0.95)
    assert not hides(full_view(motion, cover_of(hiding, motion, END_S), hiding))
    assert all(hides(full_view(motion, cover_of(Hiding(kind), motion, END_S), Hiding(kind))) for kind in KINDS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "wall"}, "--hide-kinds does not know 'wall'."),
        ({"kind": "desk", "at": 1.5}, r"--hide-at is 1\.5"),
        ({"kind": "cut", "at": float("nan")}, "--hide-at is nan"),
        ({"kind": "limb", "limb": "tail"}, "--hide-limb does not know 'tail'."),
    ],
)
def test_what_makes_no_sense_is_refused(options, message):
    with pytest.raises(UsageError, match=message):
        Hiding(**options)


@pytest.fixture
def uneven(tmp_path):
    """A grey clip with sound, an odd size and frames at uneven times."""
    path, times = tmp_path / "ungerade ü.mkv", [0.0, 0.04, 0.08, 0.2, 0.24, 0.5]
    with av.open(str(path), "w") as container:
        video = container.add_stream("ffv1", rate=25)
        video.width, video.height, video.pix_fmt = 65, 47, "bgr0"
        sound = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 4000), np.int16), format="s16", layout="mono")
        silence.sample_rate, silence.pts = 8000, 0
        container.mux(sound.encode(silence))
        for time_s in times:
            frame = av.VideoFrame.from_ndarray(np.full((47, 65, 3), 200, np.uint8), format="rgb24")
            frame.pts, frame.time_base = round(time_s * 1000), Fraction(1, 1000)
            video.codec_context.time_base = Fraction(1, 1000)
            container.mux(video.encode(frame))
        container.mux(video.encode())
        container.mux(sound.encode())
    return path, times


@pytest.mark.parametrize(("cut", "height"), [(False, 47), (True, 33)])
def test_the_video_keeps_times_and_odd_sizes_and_loses_the_sound(uneven, tmp_path, cut, height):
    path, times = uneven
    cover = Cover(np.zeros(1), np.array([[0.0, 33, 65, 47]]), (120, 90, 60), cut)
    target = tmp_path / "new" / "hidden.mp4"
    write_hidden(path, cover, target, RATE)
    found = list(frames(target))
    assert [frame.time_s for frame in found] == pytest.approx(times, abs=1e-3)
    assert {frame.rgb.shape for frame in found} == {(height, 65, 3)}
    assert abs(found[2].rgb[:30].astype(int) - 200).max() <= 4
    if not cut:
        assert abs(found[2].rgb[36:].astype(int) - [120, 90, 60]).max() <= 4
    with av.open(str(target)) as container:
        assert not container.streams.audio
    assert [file.name for file in target.parent.iterdir()] == ["hidden.mp4"]
    assert probe(target).variable_rate


def test_footage_and_folders_of_no_use_are_reported(uneven, tmp_path):
    cover = Cover(np.zeros(1), np.array([[0.0, 33, 65, 47]]))
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    with pytest.raises(FootageError):
        write_hidden(broken, cover, tmp_path / "out.mp4", RATE)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="could not be written"):
        write_hidden(uneven[0], cover, tmp_path / "file" / "out.mp4", RATE)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["broken.mp4", "file", uneven[0].name]
