"""Pictures that are not plain: high dynamic range, fields, transparency, mirrored; edit lists and start timecodes."""

from fractions import Fraction

import av
import numpy as np
import pytest
from made_footage import DEMO, NUMBERED, number_of, numbered, numbered_film, pictures, with_edit_list

from engine.footage.decoding import frames, probe
from engine.footage.pictures import GREY

SHARP = {"crf": "8"}
PQ, HLG, BT2020 = 16, 18, 9
WHITE_NITS = 203
"""Of a standard picture's white in one of high dynamic range (ITU-R BT.2408)."""

TO_2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])


def pq_code(nits):
    """SMPTE ST 2084."""
    power = (nits / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def hlg_code(nits):
    """ITU-R BT.2100, for a display of 1000 nits."""
    light = (nits / 1000) ** (1 / 1.2)
    return np.where(light <= 1 / 12, np.sqrt(3 * light), 0.17883277 * np.log(np.maximum(12 * light - 0.28466892, 1e-9))
                    + 0.55991073)  # fmt: skip


CODES = {PQ: pq_code, HLG: hlg_code}


def write(path, rgb, codec="libx264", pixels="yuv420p10le", options=SHARP, rate=25, **colours):
    """Pictures (H, W, 3) as uint8, or as uint16 with `colours` of their own."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(rate), options=options or {})
        stream.height, stream.width = rgb[0].shape[:2]
        stream.pix_fmt = pixels
        for name, value in colours.items():
            setattr(stream.codec_context, name, value)
        for one in rgb:
            frame = av.VideoFrame.from_ndarray(one, format="rgb48le" if one.dtype == np.uint16 else "rgb24")
            container.mux(stream.encode(frame.reformat(format=pixels, dst_colorspace=colours.get("colorspace", 5))))
        container.mux(stream.encode())
    return path


def in_high_range(rgb, transfer, brighter=1.0):
    """A standard picture as one of high dynamic range shows the same scene."""
    light = np.clip((rgb / 255.0) ** 2.2 @ TO_2020.T, 0, None)
    return (CODES[transfer](light * WHITE_NITS * brighter).clip(0, 1) * 65535).astype(np.uint16)


@pytest.mark.parametrize("transfer", [PQ, HLG])
@pytest.mark.parametrize("kind", ["hdr.mp4", "hdr.mov"])
def test_high_dynamic_range_looks_as_the_standard_picture(tmp_path, transfer, kind):
    rgb = pictures(DEMO)[0][[0, 50]]
    coded = [in_high_range(one, transfer) for one in rgb]
    colours = {"color_primaries": BT2020, "color_trc": transfer, "colorspace": BT2020, "color_range": 1}
    found = list(frames(write(tmp_path / kind, coded, **colours)))
    assert len(found) == 2
    for got, wanted in zip(found, rgb, strict=True):
        off = got.rgb.astype(float) - wanted
        assert abs(off.mean()) < 4, "as bright"
        assert np.abs(off).mean() < 12, "and of the same colours, as far as the codec keeps them"
    without = np.abs((coded[0] >> 8).astype(float) - rgb[0]).mean()
    assert np.abs(found[0].rgb.astype(float) - rgb[0]).mean() < without / 2, "taken as it is it is far off"


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_what_is_brighter_than_white_is_white(tmp_path, transfer):
    coded = [in_high_range(np.full((64, 96, 3), 250, np.uint8), transfer, brighter=4.0)] * 2
    colours = {"color_primaries": BT2020, "color_trc": transfer, "colorspace": BT2020, "color_range": 1}
    assert next(frames(write(tmp_path / "sun.mkv", coded, **colours))).rgb.min() >= 250


def test_ten_bits_of_standard_range_are_left_as_they_are(tmp_path):
    rgb = pictures(DEMO)[0][:2]
    ten = next(frames(write(tmp_path / "ten.mp4", rgb))).rgb
    eight = next(frames(write(tmp_path / "eight.mp4", rgb, "libx264", "yuv420p", {"crf": "12"}))).rgb
    assert np.abs(ten.astype(float) - eight).mean() < 4


def moving(fields, size=(64, 96)):
    """A white bar that moves 3 pixels from field to field."""
    found = []
    for number in range(fields):
        one = np.zeros((*size, 3), np.uint8)
        one[:, 5 + 3 * number : 15 + 3 * number] = 255
        found.append(one)
    return found


def combing(rgb):
    """How much even rows differ from odd ones."""
    return float(np.abs(rgb[2:-2:2].astype(float) - rgb[3:-2:2]).mean())


FIELDS = {
    "mpeg2.ts": ("mpeg2video", {"flags": "+ildct+ilme", "qscale": "2"}),
    "h264.mkv": ("libx264", {"x264-params": "tff=1:crf=8"}),
}


@pytest.mark.parametrize("kind", FIELDS)
def test_fields_become_whole_pictures_with_the_same_times(tmp_path, kind):
    codec, options = FIELDS[kind]
    field = moving(24)
    woven = []
    for even, odd in zip(field[::2], field[1::2], strict=True):
        one = even.copy()
        one[1::2] = odd[1::2]
        woven.append(one)
    assert combing(woven[0]) > 10
    path = write(tmp_path / kind, woven, codec, "yuv420p", options)
    found = list(frames(path))
    assert len(found) == len(woven) == probe(path).frame_count
    np.testing.assert_allclose([one.time_s for one in found], np.arange(12) / 25, atol=1e-3)
    for number, one in enumerate(found[1:-1], 1):
        assert combing(one.rgb) < 3
        middle = (one.rgb[..., 0] > 128).any(0).nonzero()[0].mean()
        assert 9 <= middle - 6 * number <= 13, "none comes too early or too late: it is at one of its two fields"


def test_a_range_of_interlaced_footage_has_the_same_pictures(tmp_path):
    codec, options = FIELDS["h264.mkv"]
    path = write(tmp_path / "fields.mkv", moving(12), codec, "yuv420p", options)
    every, some = list(frames(path)), list(frames(path, 0.2, 0.36))
    assert [one.index for one in some] == [5, 6, 7, 8]
    for one in some:
        np.testing.assert_array_equal(one.rgb, every[one.index].rgb)


def test_whole_pictures_are_left_as_they_are(tmp_path):
    path = write(tmp_path / "whole.mkv", moving(6), "libx264", "yuv420p", {"crf": "8"})
    with av.open(str(path)) as container:
        plain = [one.to_ndarray(format="rgb24") for one in container.decode(video=0)]
    for got, wanted in zip(frames(path), plain, strict=True):
        np.testing.assert_array_equal(got.rgb, wanted)


def test_tall_transparent_pictures_lie_on_grey_in_all_their_rows(tmp_path):
    rgba = np.random.default_rng(0).integers(0, 256, (600, 32, 4), np.uint8)
    rgba[..., 3] = np.where(np.arange(600) % 3, 255, 0)[:, None]
    with av.open(str(tmp_path / "a.png"), "w", format="image2") as container:
        stream = container.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = 32, 600, "rgba"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(rgba, format="rgba")))
    (frame,) = frames(tmp_path / "a.png")
    np.testing.assert_array_equal(frame.rgb, np.where(rgba[..., 3:] == 255, rgba[..., :3], GREY))


def test_transparent_film_lies_on_grey(tmp_path):
    rgba = np.zeros((64, 96, 4), np.uint8)
    rgba[16:48, 32:64] = (200, 40, 40, 255)
    with av.open(str(tmp_path / "cut out.mov"), "w") as container:
        stream = container.add_stream("prores_ks", rate=25, options={"profile": "4444"})
        stream.height, stream.width, stream.pix_fmt = 64, 96, "yuva444p10le"
        for _ in range(2):
            frame = av.VideoFrame.from_ndarray(rgba, format="rgba").reformat(format="yuva444p10le")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    rgb = next(frames(tmp_path / "cut out.mov")).rgb
    np.testing.assert_allclose(rgb[:8], GREY, atol=3)
    np.testing.assert_allclose(rgb[32, 48], (200, 40, 40), atol=8)


def test_mirrored_footage_is_flipped_back_upright(tmp_path):
    with av.open(str(tmp_path / "selfie.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 64, 96, "yuv420p"
        stream.set_display_rotation(-90)
        one = np.zeros((64, 96, 3), np.uint8)
        one[:, :20] = 255
        container.mux(stream.encode(av.VideoFrame.from_ndarray(one, format="rgb24")))
        container.mux(stream.encode())
    plain, flipped = (next(frames(tmp_path / "selfie.mp4", mirrored=on)).rgb for on in (False, True))
    assert plain.shape == (96, 64, 3), "turned upright"
    np.testing.assert_array_equal(flipped, plain[:, ::-1])


def test_an_edit_list_is_followed(tmp_path):
    path = with_edit_list(tmp_path / "trimmed.mp4", numbered_film(tmp_path / "whole.mp4"), 15)
    assert b"elst" in path.read_bytes()
    info, found = probe(path), list(frames(path))
    assert [number_of(one.rgb) for one in found] == list(range(15, 60))
    assert info.frame_count == 45
    assert info.duration_s == pytest.approx(45 / 25)
    np.testing.assert_allclose([one.time_s for one in found], np.arange(45) / 25, atol=1e-3)


def test_a_start_timecode_changes_nothing(tmp_path):
    path = tmp_path / "timecode.mov"
    with av.open(str(path), "w", metadata_errors="replace") as container:
        container.metadata["timecode"] = "01:00:10:00"
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = *NUMBERED, "yuv420p"
        for number in range(12):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(numbered(number), format="rgb24")))
        container.mux(stream.encode())
    assert b"tmcd" in path.read_bytes()
    found = list(frames(path))
    assert [number_of(one.rgb) for one in found] == list(range(12))
    assert found[0].time_s == 0
    assert probe(path).frame_count == 12


def test_a_clock_that_starts_late_changes_nothing(tmp_path):
    path = with_edit_list(tmp_path / "late.ts", numbered_film(tmp_path / "whole.mp4"), -250)
    found = list(frames(path))
    assert [number_of(one.rgb) for one in found] == list(range(60))
    np.testing.assert_allclose([one.time_s for one in found], np.arange(60) / 25, atol=1e-3)
