"""`corrections.json`: what a user knows better than the result, as evidence. `docs/motion-file.md` describes it.

Read with `read_corrections`, which trusts nothing in it. Times are seconds into the footage.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from engine.body.landmarks import JOINT_NAMES, LANDMARKS
from engine.errors import UsageError
from engine.files.json_file import JsonFileError, read_json
from engine.files.plain_zip import shown

FORMAT = 1
MOST_CORRECTIONS = 10_000
_SAME_S = 1e-3
_SAME_TURN, _SAME_M, _SAME_PX = 0.01, 0.001, 0.5
_HINT = "Pin again in Blender, which writes the file, or see docs/motion-file.md for what it may hold."

LIMBS: dict[str, tuple[str, ...]] = {
    "left_arm": ("left_shoulder", "left_elbow", "left_wrist", "left_hand"),
    "right_arm": ("right_shoulder", "right_elbow", "right_wrist", "right_hand"),
    "left_leg": ("left_hip", "left_knee", "left_ankle", "left_foot"),
    "right_leg": ("right_hip", "right_knee", "right_ankle", "right_foot"),
    "head": ("neck", "head"),
}
"""Limbs, and the joints whose rotations are theirs."""

PARTS: dict[str, str] = {
    "left_foot": "left_ankle",
    "right_foot": "right_ankle",
    "left_hand": "left_wrist",
    "right_hand": "right_wrist",
    "seat": "pelvis",
}
"""What may stand or rest, and the joint that shows it."""

_Number = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=-1e6, le=1e6)]
_Seconds = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, le=1e6)]
_Turn = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=-10, le=10)]


def _joint(name: str) -> str:
    if name not in JOINT_NAMES:
        raise ValueError(f"there is no joint '{shown(name)}'")
    return name


def _keypoint(name: str) -> str:
    if name not in LANDMARKS:
        raise ValueError(f"there is no keypoint '{shown(name)}'")
    return name


_Joint = Annotated[str, AfterValidator(_joint)]
_Keypoint = Annotated[str, AfterValidator(_keypoint)]
_Place = tuple[_Number, _Number, _Number]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Correction(_Part):
    person: int = Field(default=1, strict=True, ge=1, description="Number of the person, as in the file's name.")


class _AtOnce(_Correction):
    time_s: _Seconds = Field(description="When, seconds into the footage.")


class _Range(_Correction):
    start_s: _Seconds = Field(description="From when on.")
    end_s: _Seconds = Field(description="Until when.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.end_s <= self.start_s:
            raise ValueError("it ends before it starts")
        return self


class PosePin(_AtOnce):
    """Rotations and places of joints at one time."""

    kind: Literal["pose"]
    space: Literal["world", "camera"] = Field(
        default="world", description="What the pelvis's rotation and all positions are in."
    )
    rotations: dict[_Joint, tuple[_Turn, _Turn, _Turn]] = Field(
        default={}, description="Axis-angle in radians relative to the parent joint."
    )
    positions: dict[_Joint, _Place] = Field(default={}, description="Metres.")

    @model_validator(mode="after")
    def _pins_something(self) -> Self:
        if not self.rotations and not self.positions:
            raise ValueError("it pins no joint")
        return self


class KeypointPin(_AtOnce):
    """Keypoints dragged to where they are in the picture. One that was not seen is seen then."""

    kind: Literal["keypoints"]
    points: dict[_Keypoint, tuple[_Number, _Number]] = Field(
        min_length=1, description="Pixels of the camera that the motion file's intrinsics describe."
    )


class Unseen(_Range):
    """Keypoints that the detector reports although they cannot be seen."""

    kind: Literal["unseen"]
    points: tuple[_Keypoint, ...] = Field(min_length=1, max_length=len(LANDMARKS))


class Swap(_Range):
    """Left and right that the detector has exchanged."""

    kind: Literal["swap"]
    limbs: Literal["arms", "legs", "body"] = "body"


class Contact(_Range):
    """A part of the body that stands or rests."""

    kind: Literal["contact"]
    part: Literal["left_foot", "right_foot", "left_hand", "right_hand", "seat"]
    at: _Place | None = Field(
        default=None, description="Where in the world its joint is, metres; null: where it is on the mean."
    )


class Ignore(_Range):
    """A limb of which what the detector reports is wrong."""

    kind: Literal["ignore"]
    limb: Literal["left_arm", "right_arm", "left_leg", "right_leg", "head"]


Correction = PosePin | KeypointPin | Unseen | Swap | Contact | Ignore
PINS = (PosePin, KeypointPin, Contact)
"""Those that bind the motion; the others change what counts as seen."""


class Corrections(_Part):
    """The file."""

    format: Literal[1] = Field(description="Of this file.")
    engine: str = Field(default="", max_length=40, description="Version that made the motion which is corrected.")
    footage: str = Field(default="", max_length=64, description="SHA-256 of the footage, as in `report.json`.")
    corrections: tuple[Annotated[Correction, Field(discriminator="kind")], ...] = Field(max_length=MOST_CORRECTIONS)

    def of(self, person: int, first_s: float, last_s: float) -> tuple[Correction, ...]:
        """Those of a person that touch a stretch of time."""
        mine = [one for one in self.corrections if one.person == person]
        return tuple(one for one in mine if span(one)[0] <= last_s + _SAME_S and span(one)[1] >= first_s - _SAME_S)


def span(one: Correction) -> tuple[float, float]:
    """First and last second of a correction."""
    return (one.start_s, one.end_s) if isinstance(one, _Range) else (one.time_s, one.time_s)


def read_corrections(path: Path) -> Corrections:
    """The corrections of a file. Raises UsageError that names the entry that is wrong."""
    try:
        values = read_json(path)
    except OSError as error:
        raise UsageError(f"The corrections file {path} cannot be read: {error.strerror or error}.", _HINT) from error
    except JsonFileError as error:
        raise UsageError(f"The corrections file {path} is not JSON: {error}.", _HINT) from error
    version = values.get("format") if isinstance(values, dict) else None
    if isinstance(version, int) and version > FORMAT:
        raise UsageError(
            f"The corrections file {path} has format {version}, which a newer version has written.",
            "Install that version of the engine.",
        )
    try:
        corrections = Corrections.model_validate(values)
    except ValidationError as error:
        raise UsageError(f"The corrections file {path} is not valid: {_explain(error)}.", _HINT) from error
    contradiction = _contradiction(corrections.corrections)
    if contradiction:
        raise UsageError(f"Pins of the corrections file {path} contradict each other: {contradiction}.", _HINT)
    return corrections


def _explain(error: ValidationError) -> str:
    """The first thing that is wrong, as part of a sentence."""
    first = error.errors()[0]
    where = [str(part) for part in first["loc"]]
    if where[:1] == ["corrections"] and len(where) > 1 and where[1].isdigit():
        where = [f"entry {int(where[1]) + 1}", *where[2:]]
    message = first["msg"].removeprefix("Value error, ").rstrip(".")
    return f"{shown(': '.join(where))}: {message}" if where else message


def _contradiction(all_of_them: Sequence[Correction]) -> str:
    """Where two pins want one thing to be in two ways, as part of a sentence; '' if none do."""
    known: dict[tuple[int, int, str, str], tuple[float, ...]] = {}
    for one in all_of_them:
        for what, name, value, apart in _values(one):
            place = (one.person, round(span(one)[0] / _SAME_S), what, name)
            before = known.setdefault(place, value)
            if max(abs(a - b) for a, b in zip(before, value, strict=True)) > apart:
                return f"{name} of person {one.person} at {span(one)[0]:.2f} s has two {what}s"
    return ""


def _values(one: Correction) -> list[tuple[str, str, tuple[float, ...], float]]:
    """What a pin binds: kind, name, value, and by how much values may differ."""
    if isinstance(one, PosePin):
        turns = [("rotation", name, tuple(value), _SAME_TURN) for name, value in one.rotations.items()]
        return turns + [("position", name, tuple(value), _SAME_M) for name, value in one.positions.items()]
    if isinstance(one, KeypointPin):
        return [("place", name, tuple(value), _SAME_PX) for name, value in one.points.items()]
    return []
