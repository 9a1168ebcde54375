"""Footage of every kind that users have, made here with the encoders that come with PyAV."""

import contextlib
import itertools
import os
import random
import struct
import subprocess
import sys
import tracemalloc
import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from engine.errors import FootageError
from engine.footage.decoding import fingerprint, frames, probe

ROOT = Path(__file__).resolve().parents[3]
SIZE = (96, 64)
COLOURS = {
    "top_left": (200, 30, 30),
    "top_right": (30, 200, 30),
    "bottom_left": (30, 30, 200),
    "bottom_right": (90, 90, 90),
}


def picture(number, size=SIZE):
    """Four coloured quarters, so that turns and mirrors show, and a grey bar that tells the frame's number."""
    width, height = size
    rgb = np.empty((height, width, 3), np.uint8)
    rgb[: height // 2, : width // 2] = COLOURS["top_left"]
    rgb[: height // 2, width // 2 :] = COLOURS["top_right"]
    rgb[height // 2 :, : width // 2] = COLOURS["bottom_left"]
    rgb[height // 2 :, width // 2 :] = COLOURS["bottom_right"]
    rgb[height // 2 - 4 : height // 2 + 4] = 10 + 5 * (number % 45)
    return rgb


def number_of(rgb):
    middle = rgb.shape[0] // 2
    return round((float(rgb[middle - 2 : middle + 2, rgb.shape[1] // 4 : -rgb.shape[1] // 4].mean()) - 10) / 5)


def make_video(
    path,
    codec="libx264",
    pixels="yuv420p",
    rate=Fraction(25),
    times=None,
    count=12,
    size=SIZE,
    rotation=0,
    aspect=None,
    options=None,
    container_options=None,
    metadata=None,
):
    """A clip whose frames tell their number; with `times`, frame by frame in 1/600 s."""
    with av.open(str(path), "w", options=container_options or {}) as container:
        container.metadata.update(metadata or {})
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height = size
        stream.pix_fmt = pixels
        stream.codec_context.options = {"crf": "10", **(options or {})} if codec.startswith("lib") else (options or {})
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        if rotation:
            stream.set_display_rotation(rotation)
        if times:
            stream.time_base = stream.codec_context.time_base = Fraction(1, 600)
        for number in range(len(times) if times else count):
            frame = av.VideoFrame.from_ndarray(picture(number, size), format="rgb24").reformat(format=pixels)
            frame.pts, frame.time_base = (times[number], Fraction(1, 600)) if times else (number, 1 / Fraction(rate))
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_image(path, rgb, codec=None):
    codec = codec or {".png": "png", ".jpg": "mjpeg"}[path.suffix]
    pixels = {"png": "rgba" if rgb.shape[2] == 4 else "rgb24", "mjpeg": "yuvj444p"}[codec]
    encoder = av.CodecContext.create(codec, "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = (
        rgb.shape[1],
        rgb.shape[0],
        pixels,
        Fraction(1, 25),
    )
    frame = av.VideoFrame.from_ndarray(rgb, format="rgba" if rgb.shape[2] == 4 else "rgb24").reformat(format=pixels)
    path.write_bytes(b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)]))
    return path


def make_sequence(folder, count=12, name="shot_{:04d}.png", first=1):
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        write_image(folder / name.format(number + first), picture(number))
    return folder


def assert_quarters(rgb, order=("top_left", "top_right", "bottom_left", "bottom_right")):
    height, width = rgb.shape[:2]
    for name, (y, x) in zip(order, itertools.product((0.2, 0.8), (0.2, 0.8)), strict=True):
        np.testing.assert_allclose(rgb[int(y * height), int(x * width)], COLOURS[name], atol=25, err_msg=name)


KINDS = {
    "h264.mp4": {},
    "h264_10bit.mp4": {"pixels": "yuv420p10le"},
    "h264.mkv": {},
    "h264.ts": {},
    "hevc.mp4": {"codec": "libx265", "options": {"x265-params": "log-level=none:pools=none:frame-threads=1"}},
    "hevc_10bit.mov": {
        "codec": "libx265",
        "pixels": "yuv420p10le",
        "options": {"x265-params": "log-level=none:pools=none:frame-threads=1"},
    },
    "vp9.webm": {"codec": "libvpx-vp9"},
    "prores.mov": {"codec": "prores_ks", "pixels": "yuv422p10le"},
    "prores_4444.mov": {"codec": "prores_ks", "pixels": "yuva444p10le"},
    "mpeg4.avi": {"codec": "mpeg4", "options": {"qscale": "2", "flags": "qscale"}},
    "mpeg4_b.avi": {"codec": "mpeg4", "options": {"qscale": "2", "flags": "qscale", "bf": "2"}},
    "raw.avi": {"codec": "rawvideo", "pixels": "bgr24"},
    "odd.mp4": {"size": (97, 65), "pixels": "yuv444p"},
    "クリップ läuft 1.mp4": {},
}


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_video_gives_its_frames_in_order_with_their_times(tmp_path, name):
    path = make_video(tmp_path / name, **KINDS[name])
    info = probe(path)
    size = KINDS[name].get("size", SIZE)
    assert (info.width, info.height, info.rotation_degrees) == (*size, 0)
    assert info.frame_rate == 25
    assert not info.variable_rate
    found = list(frames(path))
    assert info.frame_count == len(found) == 12
    assert info.duration_s == pytest.approx(12 / 25, abs=0.002)
    assert [frame.index for frame in found] == list(range(12))
    assert [number_of(frame.rgb) for frame in found] == list(range(12))
    np.testing.assert_allclose([frame.time_s for frame in found], np.arange(12) / 25, atol=0.001)
    assert found[0].rgb.shape == (size[1], size[0], 3)
    assert found[0].rgb.dtype == np.uint8
    assert_quarters(found[0].rgb)


@pytest.mark.parametrize("rate", ["24000/1001", "24", "30000/1001", "30", "60000/1001", "50", "120000/1001", "18"])
@pytest.mark.parametrize("kind", ["mp4", "mkv"])
def test_the_rate_is_exact(tmp_path, rate, kind):
    # Matroska rounds times to milliseconds: the rate must come out exact all the same.
    info = probe(make_video(tmp_path / f"clip.{kind}", rate=Fraction(rate), count=40))
    assert info.frame_rate == Fraction(rate)
    assert not info.variable_rate


def test_a_raw_stream_has_no_clock_and_runs_at_the_rate_that_its_pictures_state(tmp_path):
    path = make_video(tmp_path / "a.h264", rate=Fraction(30))
    info = probe(path)
    assert (info.frame_rate, info.frame_count, info.variable_rate) == (30, 12, False)
    np.testing.assert_allclose([frame.time_s for frame in frames(path)], np.arange(12) / 30, atol=1e-6)


def test_variable_rate_keeps_the_true_times(tmp_path):
    times = [0, 20, 40, 80, 90, 120, 160, 180, 260, 280]
    path = make_video(tmp_path / "phone.mp4", times=times, rate=Fraction(30))
    info = probe(path)
    assert info.variable_rate
    assert float(info.frame_rate) == pytest.approx(9 / (280 / 600), rel=1e-3)
    np.testing.assert_allclose([frame.time_s for frame in frames(path)], np.array(times) / 600, atol=1e-6)


def test_time_starts_at_the_first_frame(tmp_path):
    path = make_video(tmp_path / "late.mkv", times=[1200, 1220, 1240, 1260])
    np.testing.assert_allclose([frame.time_s for frame in frames(path)], [0, 1 / 30, 2 / 30, 0.1], atol=0.0011)


def test_small_unevenness_of_phones_is_no_variable_rate(tmp_path):
    path = make_video(tmp_path / "phone.mov", times=[0, 20, 40, 60, 81, 101, 121, 141, 161, 181], rate=Fraction(30))
    assert not probe(path).variable_rate


# What PyAV turns counter-clockwise (as display matrices count), and how often we must turn clockwise to undo it.
@pytest.mark.parametrize(("rotation", "clockwise"), [(90, 270), (180, 180), (-90, 90)])
def test_rotation_flag_of_phones_is_undone(tmp_path, rotation, clockwise):
    path = make_video(tmp_path / "phone.mp4", rotation=rotation)
    info = probe(path)
    assert info.rotation_degrees == clockwise
    assert (info.width, info.height) == (SIZE if clockwise == 180 else SIZE[::-1])
    rgb = next(frames(path)).rgb
    assert rgb.shape == (info.height, info.width, 3)
    assert_quarters(np.rot90(rgb, clockwise // 90))


def test_pixels_that_are_not_square_are_made_so(tmp_path):
    path = make_video(tmp_path / "dv.mp4", aspect=Fraction(4, 3))
    assert (probe(path).width, probe(path).height) == (128, 64)
    rgb = next(frames(path)).rgb
    assert rgb.shape == (64, 128, 3)
    assert_quarters(rgb)


def test_a_range_of_time_keeps_indices_and_times_of_the_footage(tmp_path):
    path = make_video(tmp_path / "clip.mp4", count=25)
    found = list(frames(path, start_s=0.2, end_s=0.4))
    assert [frame.index for frame in found] == [5, 6, 7, 8, 9]
    assert [number_of(frame.rgb) for frame in found] == [5, 6, 7, 8, 9]
    assert found[0].time_s == pytest.approx(0.2)
    with pytest.raises(FootageError, match="no frames between 3 s and its end"):
        list(frames(path, start_s=3))


def test_focal_length_of_a_phone(tmp_path):
    tags = {"com.apple.quicktime.camera.focal_length.35mm_equivalent": "26"}
    path = make_video(tmp_path / "phone.mov", metadata=tags, container_options={"movflags": "use_metadata_tags"})
    assert probe(path).focal_px == pytest.approx(26 * np.hypot(*SIZE) / 43.267, rel=1e-3)
    assert probe(make_video(tmp_path / "plain.mp4")).focal_px is None


def exif(orientation, focal_35mm):
    """An APP1 segment with these two tags."""
    head = b"Exif\0\0" + b"II*\0" + struct.pack("<I", 8)
    first = struct.pack("<HHHII", 2, 0x0112, 3, 1, orientation) + struct.pack("<HHII", 0x8769, 4, 1, 38) + bytes(4)
    second = struct.pack("<HHHIII", 1, 0xA405, 3, 1, focal_35mm, 0)
    data = head + first + second
    return b"\xff\xe1" + struct.pack(">H", len(data) + 2) + data


def test_exif_of_images_gives_focal_length_and_turn(tmp_path):
    path = write_image(tmp_path / "photo.jpg", picture(0))
    plain = path.read_bytes()
    path.write_bytes(plain[:2] + exif(orientation=6, focal_35mm=28) + plain[2:])
    info = probe(path)
    assert info.rotation_degrees == 90
    assert (info.width, info.height) == SIZE[::-1]
    assert info.focal_px == pytest.approx(28 * np.hypot(*SIZE) / 43.267, rel=1e-3)
    assert_quarters(np.rot90(next(frames(path)).rgb))


@pytest.mark.parametrize("pattern", ["", "shot_%04d.png", "shot_####.png"])
def test_image_sequences_run_at_the_rate_that_is_requested(tmp_path, pattern):
    folder = make_sequence(tmp_path / "séquence 歩")
    path = folder / pattern if pattern else folder
    assert probe(path).frame_rate == 24
    info = probe(path, image_rate=Fraction(30000, 1001))
    assert (info.width, info.height, info.frame_count) == (*SIZE, 12)
    assert info.frame_rate == Fraction(30000, 1001)
    found = list(frames(path, image_rate=Fraction(30000, 1001)))
    assert [number_of(frame.rgb) for frame in found] == list(range(12))
    np.testing.assert_allclose([frame.time_s for frame in found], np.arange(12) * 1001 / 30000)


def test_images_are_in_the_order_of_their_numbers_whatever_else_is_there(tmp_path):
    folder = make_sequence(tmp_path / "shots", name="{}.png", first=8)
    (folder / "notes.txt").write_text("not an image")
    (folder / "._8.png").write_bytes(b"what some systems leave")
    write_image(folder / "thumbnail.jpg", picture(0))
    assert [number_of(frame.rgb) for frame in frames(folder)] == list(range(12))


def test_transparent_parts_lie_on_grey(tmp_path):
    rgba = np.dstack([picture(3), np.full(SIZE[::-1], 255, np.uint8)])
    rgba[: SIZE[1] // 2, :, 3] = 0
    rgba[SIZE[1] // 2 + 4 :, : SIZE[0] // 2, 3] = 128
    rgb = next(frames(write_image(tmp_path / "cut out.png", rgba))).rgb
    assert rgb[5, 5].tolist() == [128, 128, 128]
    np.testing.assert_allclose(rgb[-5, 5], (np.array(COLOURS["bottom_left"]) + 128) / 2, atol=2)
    np.testing.assert_allclose(rgb[-5, -5], COLOURS["bottom_right"], atol=2)


def test_a_palette_with_transparency_lies_on_grey(tmp_path):
    with av.open(str(tmp_path / "moving.gif"), "w") as container:
        stream = container.add_stream("gif", rate=10)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "rgb8"
        for number in range(3):
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(picture(number), format="rgb24").reformat(format="rgb8"))
            )
        container.mux(stream.encode())
    found = list(frames(tmp_path / "moving.gif"))
    assert len(found) == 3
    assert found[0].rgb[-3, -3].max() > 50


def refusal(path):
    with pytest.raises(FootageError) as caught:
        probe(path)
    with pytest.raises(FootageError):
        list(frames(path))
    assert str(path) in caught.value.message
    assert caught.value.hint
    return caught.value.message


def test_missing_footage(tmp_path):
    assert "There is no file" in refusal(tmp_path / "nowhere.mp4")
    assert "No image matches" in refusal(tmp_path / "shot_%04d.png")
    assert "No footage matches" in refusal(tmp_path / "*.mov")


def test_a_text_file_named_mp4(tmp_path):
    path = tmp_path / "notes.mp4"
    path.write_text("These are my notes.\n" * 100)
    assert "not a video that can be read" in refusal(path)


def test_an_empty_file(tmp_path):
    path = tmp_path / "empty.mov"
    path.write_bytes(b"")
    assert "is empty" in refusal(path)


def test_a_video_without_frames(tmp_path):
    path = make_video(tmp_path / "clip.mkv", count=2)
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"\x1f\x43\xb6\x75")])  # up to where Matroska's first pictures begin
    assert "has no frames" in refusal(path)


def test_sound_alone(tmp_path):
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 44100
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    assert "no picture" in refusal(path)


def test_a_folder_without_images(tmp_path):
    (tmp_path / "readme.txt").write_text("nothing here")
    assert "has no images" in refusal(tmp_path)


def test_something_that_is_no_ordinary_file(tmp_path):
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no named pipes")
    os.mkfifo(tmp_path / "pipe.mp4")
    assert "is not a file" in refusal(tmp_path / "pipe.mp4")


def test_an_image_of_something_else_is_named(tmp_path):
    folder = make_sequence(tmp_path / "shots", count=4)
    (folder / "shot_0003.png").write_bytes(b"broken")
    with pytest.raises(FootageError, match=r"shot_0003\.png is not an image"):
        list(frames(folder))


@pytest.mark.parametrize("kind", ["mp4", "mkv", "ts"])
def test_a_truncated_video_gives_what_decodes_and_a_warning(tmp_path, kind):
    path = make_video(
        tmp_path / f"clip.{kind}",
        count=40,
        size=(320, 240),
        container_options={"movflags": "faststart"},
        options={"g": "5"},
    )
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 6 // 10])
    warnings = []
    found = list(frames(path, warn=lambda code, message: warnings.append((code, message))))
    assert 10 < len(found) < 40
    assert [number_of(frame.rgb) for frame in found[:10]] == list(range(10))
    if kind == "mp4":  # the others do not say how long they should have been
        assert [code for code, _ in warnings] == ["footage_damaged"]
        assert path.name in warnings[0][1]


def test_a_video_cut_off_before_its_index_is_refused(tmp_path):
    path = make_video(tmp_path / "clip.mp4", count=40)
    path.write_bytes(path.read_bytes()[:1500])
    assert "not a video that can be read" in refusal(path)


def test_whole_footage_gives_no_warning(tmp_path):
    warnings = []
    for name, options in KINDS.items():
        list(frames(make_video(tmp_path / name, **options), warn=lambda *warning: warnings.append(warning)))
    assert not warnings


def test_absurd_sizes_are_refused_before_they_are_decoded(tmp_path):
    path = write_image(tmp_path / "bomb.png", picture(0))
    data = bytearray(path.read_bytes())
    data[16:24] = struct.pack(">II", 60000, 60000)
    path.write_bytes(data)
    assert "cannot be worked with" in refusal(path) or "not an image" in refusal(path)
    assert "8 x 8 pixels" in refusal(write_image(tmp_path / "tiny.png", picture(0, (8, 8))))


PLAYLISTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{clip}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile '{clip}'\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>{clip}</BaseURL></MPD>',
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
}


@pytest.mark.parametrize("suffix", [".mp4", ".m3u8", ".sdp", ".txt"])
@pytest.mark.parametrize("kind", PLAYLISTS)
def test_playlists_that_would_open_other_files_are_refused(tmp_path, kind, suffix):
    clip = make_video(tmp_path / "clip.ts", count=5)
    path = tmp_path / f"playlist{suffix}"
    path.write_text(PLAYLISTS[kind].format(clip=clip))
    assert "not a video that can be read" in refusal(path)


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:9/clip.mp4", "concat:a.ts|b.ts", "pipe:0", "subfile,,start,0,end,0,,:a"]
)
def test_addresses_are_not_opened(address):
    with pytest.raises(FootageError, match="There is no file"):
        probe(Path(address))


def test_a_file_named_like_an_address_is_an_ordinary_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_video(tmp_path / "clip.mp4").rename("concat:clip%04d.mp4")
    assert len(list(frames(Path("concat:clip%04d.mp4")))) == 12


def test_fingerprint_tells_content_not_names(tmp_path):
    first, second = make_video(tmp_path / "a.mp4"), make_video(tmp_path / "b.mp4", count=11)
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(first.read_bytes())
    assert fingerprint(first) == fingerprint(copy) != fingerprint(second)
    folder = make_sequence(tmp_path / "shots", count=3)
    before = fingerprint(folder)
    assert fingerprint(folder) == before == fingerprint(folder / "shot_####.png")
    (folder / "shot_0001.png").rename(folder / "shot_0009.png")
    assert fingerprint(folder) != before
    with pytest.raises(FootageError, match="There is no file"):
        fingerprint(tmp_path / "nowhere.mp4")


PEAK_MEMORY = """
import resource, sys
from pathlib import Path
from engine.footage.decoding import frames
count = sum(1 for _ in frames(Path(sys.argv[1])))
print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024))
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_length(tmp_path):
    pytest.importorskip("resource", reason="peak memory is not reported on this system")
    peaks = {}
    for count in (60, 600):
        path = make_video(tmp_path / f"{count}.mp4", count=count, size=(640, 360), options={"preset": "ultrafast"})
        done = subprocess.run(
            [sys.executable, "-c", PEAK_MEMORY, path], cwd=ROOT, capture_output=True, text=True, check=True
        )
        counted, peaks[count] = map(int, done.stdout.split())
        assert counted == count
    # 540 frames more are 373 MB of pixels.
    assert peaks[600] - peaks[60] < 30e6


@pytest.mark.parametrize("aspect", [(30000, 1), (1, 30000), (300, 1), (1, 100), (2**31 - 1, 1)])
def test_absurd_shapes_of_pixels_are_refused_by_the_size_that_they_make(tmp_path, aspect):
    path = make_video(tmp_path / "a.mp4", aspect=Fraction(4, 3), count=2)
    content = bytearray(path.read_bytes())
    place = content.index(b"pasp") + 4
    content[place : place + 8] = struct.pack(">2I", *aspect)
    path.write_bytes(content)
    for look in (probe, lambda path: list(frames(path))):
        with pytest.raises(FootageError, match="pixels, which cannot be worked with"):
            look(path)


def test_a_gap_of_weeks_is_refused(tmp_path):
    path = make_video(
        tmp_path / "a.mkv", times=[20 * n for n in range(5)] + [500 * 3600 * 600 + 20 * n for n in range(5)]
    )
    with pytest.raises(FootageError, match="span 500 hours, more than 48"):
        probe(path)


def test_a_gap_of_hours_keeps_its_times(tmp_path):
    path = make_video(tmp_path / "a.mkv", times=[0, 20, 40 * 3600 * 600])
    info = probe(path)
    assert info.variable_rate
    assert 0 < info.frame_rate < 1
    assert [round(frame.time_s) for frame in frames(path)] == [0, 0, 40 * 3600]


def test_pictures_that_no_decoder_is_known_for_are_reported(tmp_path):
    path = make_video(tmp_path / "a.avi", codec="mpeg4")
    path.write_bytes(path.read_bytes().replace(b"FMP4", b"QQQQ").replace(b"fmp4", b"QQQQ"))
    with pytest.raises(FootageError, match="not a video that can be read"):
        probe(path)


@pytest.mark.parametrize("frame", [0, 2])
def test_an_image_file_of_gigabytes_is_refused_before_anything_is_read(tmp_path, monkeypatch, frame):
    make_sequence(tmp_path, 3, "a_{}.png", 0)
    with (tmp_path / f"a_{frame}.png").open("r+b") as file:
        file.truncate(640 * 2**20 + 1)
    monkeypatch.setattr("engine.footage.containers.av", None)
    tracemalloc.start()
    try:
        with pytest.raises(FootageError, match=rf"a_{frame}\.png has more than 640 MiB"):
            probe(tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_pixels_that_a_png_only_claims_are_refused(tmp_path):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    claim = chunk(b"IHDR", struct.pack(">IIBBBBB", 100_000, 120_000, 8, 2, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(b"0" * 100)) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + claim + data)
    with pytest.raises(FootageError, match=r"cannot be worked with|not an image that can be read"):
        probe(tmp_path / "a.png")


def test_times_that_make_thousands_of_frames_a_second_are_refused(tmp_path):
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        packets = []
        for number in range(60):
            frame = av.VideoFrame.from_ndarray(picture(number, (32, 32)), format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            packets += stream.encode(frame)
        for number, packet in enumerate(packets):
            packet.pts = packet.dts = number // 25
            packet.time_base = Fraction(1, 1000)
            container.mux(packet)
    with pytest.raises(FootageError, match="frames a second, more than 10000"):
        probe(tmp_path / "a.mkv")


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.avi", "mpeg4"), ("a.mkv", "ffv1")])
def test_bytes_that_are_flipped_never_end_in_a_bug(tmp_path, name, codec):
    pixels = "bgr0" if codec == "ffv1" else "yuv420p"
    whole = make_video(tmp_path / name, codec=codec, pixels=pixels, count=4).read_bytes()
    chance = random.Random(7)
    for _ in range(30):
        content = bytearray(whole)
        for _ in range(chance.choice((1, 5, 50, 500))):
            content[chance.randrange(len(content))] = chance.randrange(256)
        (tmp_path / name).write_bytes(content)
        with contextlib.suppress(FootageError):
            probe(tmp_path / name)
            assert sum(1 for _ in frames(tmp_path / name)) < 100
