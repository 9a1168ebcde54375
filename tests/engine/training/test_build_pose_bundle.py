"""The shipped pose bundles are what the card says, and what the runtime wants."""

import hashlib
import io
import os
import re
import struct
import zipfile
from pathlib import Path

import pytest

from engine.keypoints.mediapipe_detector import MODELS
from engine.training.asset_builds.build_pose_bundle import SOURCE_SHA256, build, bundle, with_normalisation

CARD = (MODELS["heavy"].parent / "pose_landmarker.md").read_text(encoding="utf-8")
BUNDLES = pytest.mark.parametrize("path", MODELS.values(), ids=MODELS.keys())


def starts(data):
    """Where each file's contents begin in an uncompressed zip, with its name."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        for entry in archive.infolist():
            assert entry.compress_type == zipfile.ZIP_STORED
            name, extra = struct.unpack_from("<HH", data, entry.header_offset + 26)
            yield entry.filename, entry.header_offset + 30 + name + extra


def metadata_of(model):
    from mediapipe.tasks.metadata import metadata_schema_py_generated as metadata_schema
    from mediapipe.tasks.metadata import schema_py_generated as schema

    tree = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model, 0))
    (index,) = (one.buffer for one in tree.metadata if one.name == b"TFLITE_METADATA")
    data = bytes(tree.buffers[index].data)
    return tree, metadata_schema.ModelMetadataT.InitFromObj(
        metadata_schema.ModelMetadata.GetRootAsModelMetadata(data, 0)
    )


@BUNDLES
def test_the_card_tells_size_and_hash(path):
    data = path.read_bytes()
    (row,) = (line for line in CARD.splitlines() if f"`{path.name}`" in line and "|" in line)
    assert hashlib.sha256(data).hexdigest() in row
    assert f"{len(data):,}" in row


@BUNDLES
def test_contents_are_stored_aligned_and_undated(path):
    data = path.read_bytes()
    assert [name for name, _ in starts(data)] == ["pose_detector.tflite", "pose_landmarks_detector.tflite"]
    assert all(start % 16 == 0 for _, start in starts(data))
    with zipfile.ZipFile(path) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


@BUNDLES
@pytest.mark.parametrize(
    ("part", "mean", "std"), [("pose_detector", 127.5, 127.5), ("pose_landmarks_detector", 0, 255)]
)
def test_networks_tell_how_pixels_are_scaled(path, part, mean, std):
    with zipfile.ZipFile(path) as archive:
        _, metadata = metadata_of(archive.read(f"{part}.tflite"))
    (scaling,) = metadata.subgraphMetadata[0].inputTensorMetadata[0].processUnits
    assert scaling.options.mean.tolist() == [mean]
    assert scaling.options.std.tolist() == [std]


def test_the_detector_in_the_bundle_is_the_source_itself():
    with zipfile.ZipFile(MODELS["full"]) as archive:
        data = archive.read("pose_detector.tflite")
    assert hashlib.sha256(data).hexdigest() == SOURCE_SHA256["mediapipe/modules/pose_detection/pose_detection.tflite"]


def test_weights_stay_as_they_were_and_are_aligned():
    """Adding metadata to a network once more leaves its weights, each at a multiple of 16 bytes."""
    with zipfile.ZipFile(MODELS["full"]) as archive:
        model = archive.read("pose_landmarks_detector.tflite")
    tree, _ = metadata_of(model)
    tree.metadata = None
    again = with_normalisation(model, "again", 0.0, 255.0)
    from mediapipe.tasks.metadata import schema_py_generated as schema

    before, after = (schema.Model.GetRootAsModel(data, 0) for data in (model, again))
    assert after.BuffersLength() == before.BuffersLength() + 1
    held = 0
    for index in range(before.BuffersLength()):
        one, other = before.Buffers(index), after.Buffers(index)
        assert one.DataLength() == other.DataLength()
        if one.DataLength():
            held += 1
            assert one.DataAsNumpy().tobytes() == other.DataAsNumpy().tobytes()
            vector = other._tab.Vector(other._tab.Offset(4))
            assert vector % 16 == 0
    assert held > 200


def test_the_same_networks_make_the_same_bytes():
    models = {"a.tflite": b"12345", "longer name.tflite": b"678"}
    assert bundle(models) == bundle(dict(models))
    assert [start % 16 for _, start in starts(bundle(models))] == [0, 0]


def test_a_rebuild_gives_the_shipped_bytes():
    """With the two packages in the folder that POSE_PACKAGES names."""
    folder = Path(os.environ.get("POSE_PACKAGES", "nowhere"))
    wheels, archives = list(folder.glob("mediapipe-0.10.21-*.whl")), list(folder.glob("mediapipe-pose-*.tgz"))
    if not (wheels and archives):
        pytest.skip("POSE_PACKAGES names no folder with the two packages the bundles are built from")
    for name, data in build(wheels[0], archives[0]).items():
        assert data == (MODELS["heavy"].parent / name).read_bytes()


def test_the_card_names_its_sources_and_licence():
    assert re.search(r"Apache-2\.0", CARD)
    for source in ("mediapipe 0.10.21", "@mediapipe/pose 0.5.1675469404"):
        assert source in CARD
