"""Settings: defaults that one should run, presets that hold only what differs, and `--set section.name=value`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import tomllib
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.adaptation.settings import AdaptationSettings
from engine.backbones.crop_settings import CropSettings
from engine.backbones.fit_settings import FitSettings
from engine.errors import UsageError
from engine.files.json_file import depth_of
from engine.files.plain_zip import shown
from engine.semantics.vlm_settings import VlmSettings
from engine.weights.model_settings import ModelSettings

PRESETS = Path(__file__).resolve().parents[1] / "presets" / "adaptation"
DEFAULT_PRESET = "balanced"
_LONGEST_VALUE, _MOST_DEPTH = 5000, 16
_LONG_NUMBER = re.compile(r"[0-9a-fA-F_]{200}")


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FootageSettings(_Section):
    """How footage is read."""

    image_rate: Fraction = Field(
        default=Fraction(24), gt=0, le=1000, description="Frames a second of image sequences, such as 24 or 30000/1001."
    )


class DetectionSettings(_Section):
    """Where people and their keypoints are in each frame."""

    model: Literal["full", "heavy"] = Field(
        default="heavy",
        description="MediaPipe's pose network: `heavy` confuses front and back less, `full` is twice as fast.",
    )
    max_people: int = Field(default=4, ge=1, le=20, description="How many people are looked for in a frame.")


class TrackingSettings(_Section):
    """Who is who from frame to frame."""

    repair_swaps: bool = Field(default=True, description="Whether exchanges of left and right are repaired over time.")


class Settings(_Section):
    """Everything that changes the result, in sections named after the stages."""

    footage: FootageSettings = Field(default=FootageSettings(), description="Reading the footage.")
    detection: DetectionSettings = Field(default=DetectionSettings(), description="Finding people and their keypoints.")
    tracking: TrackingSettings = Field(default=TrackingSettings(), description="Following people from frame to frame.")
    fit: FitSettings = Field(default=FitSettings(), description="Fitting the body to the keypoints.")
    adaptation: AdaptationSettings = Field(
        default=AdaptationSettings(), description="Adapting the pose network to the clip."
    )
    hmr: CropSettings = Field(default=CropSettings(), description="The picture networks hmr and hmr2.")
    labeler: VlmSettings = Field(default=VlmSettings(), description="Labels by a vision-language model.")
    models: ModelSettings = Field(default=ModelSettings(), description="Where published models lie.")


def preset_names() -> list[str]:
    """Names of the presets that are there, in alphabetical order."""
    return sorted(path.stem for path in PRESETS.glob("*.toml"))


def load_settings(preset: str = DEFAULT_PRESET, overrides: Sequence[str] = ()) -> Settings:
    """Defaults, then the preset, then the overrides `section.name=value`.

    Raises:
        UsageError: an unknown preset or setting, a value out of limits, or a damaged preset file.
    """
    values = _preset(preset)
    for override in overrides:
        section, name, value = _parse_override(override)
        values.setdefault(section, {})[name] = value
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise UsageError(*_explain(error)) from error


def _preset(name: str) -> dict[str, Any]:
    choice = f"Choose from {', '.join(preset_names())}."
    if name not in preset_names():
        raise UsageError(f"There is no preset '{name}'.", choice)
    path = PRESETS / f"{name}.toml"
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"The preset file {path} cannot be read: {error}.", "Install the engine again.") from error


def _parse_override(text: str) -> tuple[str, str, Any]:
    key, equals, value = (part.strip() for part in text.partition("="))
    section, dot, name = key.partition(".")
    if not (section and dot and name and equals):
        raise UsageError(
            f"'{shown(text)}' is no setting.", "Write settings as section.name=value, such as detection.model=full."
        )
    if len(value) > _LONGEST_VALUE or _LONG_NUMBER.search(value):
        raise UsageError(f"The value of the setting {shown(key)} is too long: {shown(value)}.", "Choose another value.")
    if depth_of(value, _MOST_DEPTH) > _MOST_DEPTH:
        raise UsageError(f"The value of the setting {shown(key)} is nested too deeply.", "Choose another value.")
    try:
        return section, name, tomllib.loads(f"value = {value}")["value"]
    except ValueError:
        return section, name, value


def _explain(error: ValidationError) -> tuple[str, str]:
    """The first thing that is wrong, and what to do about it."""
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    if first["type"] != "extra_forbidden":
        return (
            f"The setting {'.'.join(path)} is {shown(repr(first['input']))}: {first['msg']}.",
            "Choose another value.",
        )
    model: Any = Settings
    for part in path[:-1]:
        model = model.model_fields[part].annotation
    known = ([*path[:-1], name] for name in model.model_fields)
    nearest = difflib.get_close_matches(".".join(path), [".".join(names) for names in known], n=1, cutoff=0.0)
    return f"There is no setting '{'.'.join(path)}'.", f"Did you mean {nearest[0]}?"
