"""Anything at all through every reader: what comes out is a result or an error of our own, in bounded time.

A few dozen files each in an ordinary run; `nox -s fuzz` goes on for ten minutes (ADAPT_MOTION_FUZZ_S seconds).
"""

import contextlib
import json
import os
import pickle
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from effort import counted_calls
from hostile_files import archive, described, npy
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from engine.adaptation.corrections import read_corrections
from engine.body.smpl_file import read_body_file
from engine.camera.camera_file import read_camera
from engine.config import load_settings
from engine.errors import EngineError
from engine.files.array_file import ArrayFileError, read_all
from engine.footage.decoding import frames, probe
from engine.keypoints.openpose_json import OpenPoseJson
from engine.keypoints.tracking import chosen_numbers
from engine.output.motion_file import read_motion
from engine.protocol import Job, parse_event
from engine.semantics.segments import read_labels
from engine.training.corpus import read_corpus
from engine.weights.checkpoints import HMR, open_checkpoint
from engine.weights.pickle_reader import PickleReadError
from engine.weights.pickle_reader import read as read_pickle_here

SECONDS = float(os.environ.get("ADAPT_MOTION_FUZZ_S", "0"))
EXAMPLES = 100 if SECONDS else 25
ROOT = Path(__file__).resolve().parents[2]
MOST_CALLS, MOST_GROWTH_KIB = 10**6, 2**20

NUMBERS = st.one_of(st.integers(), st.floats(), st.sampled_from([10**400, 1e39, -1e300, 2**63, 0, -1]))
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=8))
NAMES = st.sampled_from(
    ["start", "end", "label", "intrinsics", "camera_to_world", "distortion", "model", "k", "p", "people", "x"]
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=25
)
MATRIX = [[300, 0, 135], [0, 300, 240], [0, 0, 1]]


def changed(whole):
    """`whole` with bytes changed, put in, taken out, or cut off."""
    place = st.integers(0, max(len(whole) - 1, 0))
    edits = st.lists(st.tuples(place, st.integers(0, 6), st.binary(max_size=6)), min_size=1, max_size=12)

    def apply(parts):
        made, end = bytearray(whole), parts[1]
        for at, length, new in parts[0]:
            made[at : at + length] = new
        return bytes(made[:end] if end is not None else made)

    return st.tuples(edits, st.none() | place).map(apply)


def member():
    """Something that may stand where an array should."""
    shape = st.lists(st.integers(-2, 2**70), max_size=4).map(lambda sizes: str(tuple(sizes)))
    kind = st.sampled_from(["<f8", "<f2", ">i4", "|b1", "<U3", "|O", "|V8", "<c16", "<m8", "f8", "<U0", "<U99999999"])
    made = st.builds(described, kind, shape, st.binary(max_size=64))
    arrays = st.sampled_from([np.array(1.0), np.array("x"), np.zeros((0, 3)), np.full(3, np.nan), np.arange(6)])
    return st.one_of(made, arrays.map(npy), st.binary(max_size=100))


def archives(arrays):
    """Archives of these arrays with damage, or with other members in place of some."""
    good = {f"{name}.npy": npy(array) for name, array in arrays.items()}
    others = st.dictionaries(st.sampled_from(sorted(good)), member(), min_size=1, max_size=3)
    return st.one_of(changed(archive(good)), others.map(lambda other: archive({**good, **other})))


def texts(good):
    """JSON with damage, or of other values."""
    values = VALUES.map(lambda value: json.dumps(value).encode())
    lists = st.lists(VALUES, max_size=3).map(lambda value: json.dumps(value).encode())
    tables = st.dictionaries(NAMES, VALUES, max_size=4).map(
        lambda value: json.dumps({"intrinsics": MATRIX, **value}).encode()
    )
    return st.one_of(changed(json.dumps(good).encode()), values, lists, tables)


def body_arrays():
    random = np.random.default_rng(0)
    return {
        "v_template": random.random((5, 3)),
        "shapedirs": random.random((5, 3, 10)),
        "posedirs": np.zeros((5, 3, 207), np.float16),
        "J_regressor": random.random((24, 5)),
        "weights": random.random((5, 24)),
        "kintree_table": np.array([[-1, *range(23)], range(24)]),
        "f": np.array([[0, 1, 2]]),
        "gender": np.array("male"),
        "landmark_names": np.array(["nose"]),
        "landmark_vertices": np.array([[0]]),
    }


def motion_arrays():
    rows, points = 3, 2
    found = {name: np.zeros((rows, 72)) for name in ("poses", "initial_poses")}
    found |= {name: np.zeros((rows, 3)) for name in ("trans", "initial_trans", "cam_global_orient", "cam_transl")}
    found |= {name: np.zeros((rows, 24, 3)) for name in ("joints3d_cam", "joints3d_world")}
    return found | {
        "betas": np.zeros(10), "gender": np.array("neutral"), "surface_model_type": np.array("open-body"),
        "mocap_framerate": np.array(30.0), "timestamps": np.arange(rows) / 30, "intrinsics": np.eye(3),
        "camera_to_world": np.eye(4), "image_size": np.array([640, 480]), "keypoints2d": np.zeros((rows, points, 3)),
        "keypoints2d_origin": np.zeros((rows, points), np.uint8), "keypoint_names": np.array(["nose", "neck"]),
        "labels": np.array(["walk"] * rows), "label_similarity": np.zeros(rows), "contacts": np.zeros((rows, 4)),
        "format_version": np.array(1),
    }  # fmt: skip


def corpus_arrays():
    about = {
        "name": "a",
        "source": "s",
        "performer": "p",
        "synthetic": False,
        "held_out": False,
        "frames": 2,
        "fps": 30,
    }
    return {
        "format_version": np.array(1), "clips": np.array(json.dumps([{**about, "labels": [[0, 2, "walk", "c"]]}])),
        "poses": np.zeros((2, 72), np.float32), "pelvis": np.zeros((2, 3), np.float32),
        "contacts": np.zeros((2, 4), np.float32), "betas": np.zeros((1, 10), np.float32),
    }  # fmt: skip


def clip():
    """A tiny video, as bytes."""
    import io

    import av

    file = io.BytesIO()
    with av.open(file, "w", format="avi") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for number in range(4):
            picture = np.full((32, 32, 3), 60 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return file.getvalue()


def png():
    import zlib

    def chunk(kind, data):
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    size = (32).to_bytes(4, "big") * 2 + bytes((8, 2, 0, 0, 0))
    pixels = zlib.compress(bytes(32 * (1 + 32 * 3)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def footage(path):
    probe(path)
    for _ in frames(path):
        pass


def openpose(path):
    path.with_name("c_0_keypoints.json").write_bytes(path.read_bytes())
    reader = OpenPoseJson(path.parent)
    picture = np.zeros((4, 4, 3), np.uint8)
    from engine.footage.decoding import Frame

    list(reader.detect([Frame(0, 0.0, picture)]))


def weights(path):
    with open_checkpoint(path, HMR) as opened:
        list(opened.tensors)


def one_job(path):
    try:
        Job.read(path)
    except ValueError as error:
        if "job file" not in str(error):
            raise


OWN = (EngineError, ArrayFileError, PickleReadError)
FILES = {
    "body": ("a.npz", archives(body_arrays()), read_body_file),
    "motion": ("a.npz", archives(motion_arrays()), read_motion),
    "corpus": ("a.npz", archives(corpus_arrays()), read_corpus),
    "cache": ("a.npz", archives({"a": np.arange(3), "b": np.array(["x"])}), read_all),
    "pickle": (
        "a.pkl",
        changed(pickle.dumps({"a": np.arange(3.0), "b": [1, {"c": "d"}]}, 2)) | st.binary(max_size=200),
        lambda path: read_pickle_here(path.read_bytes()),
    ),
    "labels": ("a.json", texts([{"start": 0, "end": 1, "label": "walk"}]), read_labels),
    "corrections": (
        "a.json",
        texts({"format": 1, "corrections": [{"kind": "pose", "time_s": 1, "rotations": {"head": [0, 0, 0]}}]}),
        read_corrections,
    ),
    "camera": ("a.json", texts({"intrinsics": MATRIX, "distortion": {"model": "division", "k": [-0.1]}}), read_camera),
    "openpose": ("a.json", texts({"people": [{"pose_keypoints_2d": [1.0] * 75}]}), openpose),
    "job": ("a.json", texts({"protocol": 1, "footage": ["a"], "out": "b"}), one_job),
    "checkpoint": ("a.pt", st.deferred(lambda: changed(checkpoint())), weights),
    "video": ("a.avi", st.deferred(lambda: changed(clip())), footage),
    "image": ("a.png", st.deferred(lambda: changed(png())), footage),
}
WORDS = {
    "setting": (st.text(max_size=30), lambda text: load_settings(overrides=[f"detection.max_people={text}"])),
    "any setting": (st.text(max_size=40), lambda text: load_settings(overrides=[text])),
    "rate": (NUMBERS.map(str), lambda text: load_settings(overrides=[f"footage.image_rate={text}"])),
    "person": (st.text("0123456789, ", max_size=30), chosen_numbers),
    "event": (st.text() | VALUES.map(json.dumps), parse_event),
}


def checkpoint():
    import io

    import torch

    file = io.BytesIO()
    torch.save({"model": {"layer1.0.bn1.weight": torch.zeros(3), "fc1.weight": torch.zeros(2, 2)}}, file)
    return file.getvalue()


def peak_kib():
    if sys.platform != "linux":
        return 0
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def fuzz(strategy, read):
    """Read values of `strategy` until the time is over."""
    before, number = peak_kib(), 0
    until = time.monotonic() + SECONDS / (len(FILES) + len(WORDS))
    while number == 0 or time.monotonic() < until:

        @seed(number if SECONDS == 0 else int(time.time_ns()) + number)
        @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(strategy)
        def one(value):
            with counted_calls() as calls, contextlib.suppress(*OWN):
                read(value)
            assert calls[0] < MOST_CALLS

        one()
        number += 1
    assert peak_kib() - before < MOST_GROWTH_KIB


@pytest.mark.parametrize("kind", FILES)
def test_any_file_ends_in_a_result_or_an_error_of_our_own(kind, tmp_path):
    name, strategy, read = FILES[kind]

    def through_a_file(content):
        path = tmp_path / name
        path.write_bytes(content)
        read(path)

    fuzz(strategy, through_a_file)


@pytest.mark.parametrize("kind", WORDS)
def test_any_words_end_in_a_result_or_an_error_of_our_own(kind):
    fuzz(*WORDS[kind])
