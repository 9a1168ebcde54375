"""The options of `adapt-motion run`, checked before any work starts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.adaptation.corrections import Corrections, read_corrections
from engine.backbones.crop_settings import PICTURE_BACKBONES
from engine.config import Settings, load_settings
from engine.errors import EngineError, FootageError, UsageError
from engine.files.plain_zip import shown
from engine.keypoints.tracking import chosen_numbers
from engine.people.merging import Split, merges, splits
from engine.protocol import CAMERAS, LEAST_FOCAL_PX, LEAST_HEIGHT_M, MOST_FOCAL_PX, MOST_HEIGHT_M, Job
from engine.semantics.segments import LONGEST_LABEL, Segment, read_labels, whole_clip

if TYPE_CHECKING:
    from engine.camera.camera_file import GivenCamera
    from engine.camera.lens import Lens

EXPORTS = ("fbx", "bvh", "glb", "usd", "blend")
ONLY = ("people", "labels", "takes")
"""What `--only` takes: the run stops once that is known, and reports it; `takes` are of a motion that is there."""
SHOTS = ("split", "join")
_LONGEST_NAME = 60
_LABELERS = ("none", "retrieval", "openai")
_BACKBONES = ("fit", "landmark", *PICTURE_BACKBONES)
_DEVICES = ("auto", "cpu", "cuda", "mps")


@dataclass(frozen=True)
class RunOptions:
    """Options of a run that are known to make sense.

    Attributes:
        settings, preset: what the preset and the overrides make of the defaults.
        segments: labelled stretches of the footage.
        person: `main`, `all`, a number from 1, or numbers with commas.
        only: of `ONLY`, where the run stops once that is known; '' for a whole run.
        labeler: who labels what has no label: `none`, `retrieval` or `openai`.
        allow_upload: whether pictures of the person may be sent to that labeler's server without asking again.
        backbone: what gives the first estimate of the pose: `landmark`, `fit`, `hmr` or `hmr2`.
        device: `cpu`, `cuda` or `mps`.
        body: the user's SMPL file, None for the open body.
        focal_px: focal length in pixels, None if not given.
        height_m: how tall the people stand, None if not known.
        intrinsics: (3, 3) from the camera file, None without one.
        camera_path: (F, 4, 4) camera to world from the camera file, None without it.
        follow_camera: whether to look how the camera turns; else it stands still, or has `camera_path`.
        lens: what the camera file's camera differs from a pinhole in, None for nothing.
        start_s, end_s: the part of the footage to use, in seconds.
        keypoints: folder with OpenPose's JSON files to take in place of detection.
        exports: of `EXPORTS`.
        preview: whether the body is drawn over the footage.
        resume: whether results of earlier runs are used.
        seed: of everything random.
        mirrored: whether the footage is mirrored, and read flipped back.
        shots: `split` for a motion file per person and shot, `join` for one per person.
        split: people who are several.
        merge: numbers of people who are one.
        corrections: of the result, None for none.
        everybody: whether all people are followed closely, or whoever may be the main person.
        cores: how many may be used, 0 for all. Results do not depend on it.
        performer: name of the person whose weights and shape are where it begins; '' for none.
        at_s: seconds into the footage, in the hidden stretch that takes are proposed for; None for all of them.
    """

    settings: Settings
    preset: str
    segments: tuple[Segment, ...]
    person: str
    only: str
    labeler: str
    allow_upload: bool
    backbone: str
    device: str
    body: Path | None
    focal_px: float | None
    intrinsics: NDArray[np.float64] | None
    start_s: float | None
    end_s: float | None
    keypoints: Path | None
    exports: tuple[str, ...]
    preview: bool
    resume: bool
    seed: int
    camera_path: NDArray[np.float64] | None = None
    follow_camera: bool = False
    lens: Lens | None = None
    height_m: float | None = None
    mirrored: bool = False
    shots: str = "split"
    split: tuple[Split, ...] = ()
    merge: tuple[tuple[int, ...], ...] = ()
    corrections: Corrections | None = None
    everybody: bool = True
    cores: int = 0
    at_s: float | None = None
    performer: str = ""


def check_options(
    job: Job, keypoints: str = "", preview: bool = False, cores: int = 0, find_device: bool = True
) -> RunOptions:
    """Options of `job`, checked. Raises UsageError, or ModelFileError for a published network that is not there.

    Without `find_device` the device is as requested, perhaps `auto`: to look for it takes PyTorch, which loads slowly.
    """
    _check(job, keypoints)
    settings = load_settings(job.preset, job.overrides)
    camera = None if job.camera in CAMERAS else _camera(Path(job.camera))
    if job.backbone in PICTURE_BACKBONES:
        from engine.weights.model_files import require

        require(job.backbone, settings.models, f"--backbone {job.backbone}")  # now, not after minutes of detection
    return RunOptions(
        settings=settings,
        preset=job.preset,
        segments=read_labels(Path(job.labels)) if job.labels else whole_clip(job.label),
        person="all" if job.only == "people" else job.person,
        only=job.only,
        labeler=job.labeler,
        allow_upload=job.allow_upload,
        backbone=job.backbone,
        device=choose_device(job.device) if find_device else job.device,
        body=Path(job.body) if job.body else None,
        focal_px=job.focal_px,
        height_m=job.height_m,
        intrinsics=camera.intrinsics if camera else None,
        camera_path=camera.path if camera else None,
        follow_camera=job.camera == "auto" or (camera is not None and camera.path is None),
        lens=camera.lens if camera else None,
        start_s=job.start_s,
        end_s=job.end_s,
        keypoints=Path(keypoints) if keypoints else None,
        exports=tuple(dict.fromkeys(job.exports)),
        preview=preview,
        resume=job.resume,
        seed=job.seed,
        mirrored=job.mirror,
        shots=job.shots,
        split=splits(job.split),
        merge=merges(job.merge),
        corrections=read_corrections(Path(job.corrections)) if job.corrections else None,
        # The numbers of people, which splitting and merging name, are those among everybody.
        cores=cores,
        at_s=job.at_s,
        performer=job.performer,
        everybody=job.person != "main" or job.only == "people" or bool(job.split or job.merge or keypoints),
    )


def _check(job: Job, keypoints: str) -> None:
    """Raise UsageError for what makes no sense by itself."""
    _check_names(job, keypoints)
    _offered("--labeler", job.labeler, _LABELERS)
    if job.labeler == "openai":
        _check_upload(job)
    _offered("--backbone", job.backbone, _BACKBONES)
    _check_device(job.device)
    if job.label and job.labels:
        raise UsageError("--label and --labels exclude each other.", "Give one label for the whole clip, or a file.")
    chosen_numbers(job.person)
    _offered("--shots", job.shots, SHOTS)
    _offered("--only", job.only, ("", *ONLY))
    _check_focal(job)
    _check_mirror(job, keypoints)
    _check_height(job.height_m)
    _range(job.start_s, job.end_s)
    if job.at_s is not None and (job.only != "takes" or not (math.isfinite(job.at_s) and job.at_s >= 0)):
        raise UsageError("--at-s goes with --only takes, and is a time from 0 s on.", "Leave it out for all stretches.")
    _check_exports(job.exports)
    _check_seed(job.seed)
    _check_performer(job)


def _check_performer(job: Job) -> None:
    """Raise UsageError where it is not one person whose network is adapted."""
    if not job.performer:
        return
    from engine.output.folders import safe_name

    name = job.performer
    if name != name.strip() or not name.isprintable() or len(name) > _LONGEST_NAME or safe_name(name) != name:
        raise UsageError(
            "The name after --performer cannot be that of a file.",
            f"Use letters, digits, spaces and dashes, at most {_LONGEST_NAME}.",
        )
    if job.person == "all" or "," in job.person:
        raise UsageError("--performer names one person, and several are wanted.", "Choose one with --person.")
    if job.backbone == "fit":
        raise UsageError("--performer needs a network that is adapted, and fit has none.", "Use --backbone landmark.")


def _check_names(job: Job, keypoints: str) -> None:
    """Raise UsageError for names and labels that are none, and a folder that is not there."""
    if not all(job.footage):
        raise UsageError("An argument for footage is empty.", "Give a video file, a folder of images or a pattern.")
    if not job.out:
        raise UsageError("The output folder has no name.", "Give a folder after -o.")
    named = {"--out": job.out, "--labels": job.labels, "--body": job.body, "--camera": job.camera}
    named |= {"--corrections": job.corrections}
    named |= {"--keypoints": keypoints, **{f"the footage {number}": name for number, name in enumerate(job.footage, 1)}}
    for option, name in named.items():
        if "\0" in name:
            raise UsageError(f"The name for {option} holds a character that no file name has.", "Check the name.")
    if keypoints and not Path(keypoints).is_dir():
        raise UsageError(
            f"The keypoints folder {keypoints} does not exist.", "Give the folder with OpenPose's JSON files."
        )
    if len(job.label) > LONGEST_LABEL:
        raise UsageError(f"The label has more than {LONGEST_LABEL} characters.", "Name the action in a few words.")


def _check_mirror(job: Job, keypoints: str) -> None:
    """Raise UsageError for what was measured in the mirrored picture."""
    for option, given in (("--camera", job.camera not in CAMERAS), ("--keypoints", keypoints)):
        if job.mirror and given:
            raise UsageError(
                f"--mirror and {option} exclude each other: the file is of the mirrored picture.",
                "Flip the footage in a video editor, and take the camera or the keypoints from that.",
            )


def _check_upload(job: Job) -> None:
    """Say now, and not after minutes of detection, that pictures cannot be sent."""
    from engine.semantics.vlm_run import can_ask
    from engine.semantics.vlm_server import check_server

    check_server()
    if not (job.allow_upload or can_ask()):
        raise UsageError(
            "--labeler openai sends pictures of the person to a server, and nobody is here to agree to that.",
            "Add --allow-upload if they may be sent, or use another labeler.",
        )


def _camera(path: Path) -> GivenCamera:
    from engine.camera.camera_file import read_camera

    return read_camera(path)


def _check_device(name: str) -> None:
    if name not in _DEVICES:
        raise UsageError(f"There is no device '{name}'.", f"Choose from {', '.join(_DEVICES)}.")


def choose_device(name: str) -> str:
    """`cpu`, `cuda` or `mps`; `auto` takes CUDA where it is there. Raises UsageError for a device that is not there."""
    _check_device(name)
    import torch

    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return "cuda" if there["cuda"] else "cpu"
    if not there[name]:
        raise UsageError(
            f"The device '{name}' is not available: PyTorch finds none on this machine.",
            "Use --device auto, or install a PyTorch for that device; `adapt-motion doctor` lists what is there.",
        )
    return name


def expand_footage(arguments: Sequence[str]) -> list[tuple[Path, EngineError | None]]:
    """Clips that the arguments name, each with the reason why it cannot be used, in order and each once."""
    from engine.footage.decoding import expand

    def one(argument: str) -> dict[Path, EngineError | None]:
        try:
            return dict.fromkeys(expand([argument]))
        except (FootageError, UsageError) as error:
            return {Path(argument): error}
        except OSError as error:  # a folder that may not be looked into, a name that is too long
            reason = error.strerror or error
            return {Path(argument): FootageError(f"{shown(argument)} cannot be read: {reason}.", "Check the path.")}

    clips: dict[Path, EngineError | None] = {}
    for argument in arguments:
        clips |= one(argument)
    return list(clips.items())


def _offered(option: str, value: str, offered: Sequence[str]) -> None:
    if value not in offered:
        raise UsageError(
            f"{option} does not know '{shown(value)}'.", f"Choose from {', '.join(filter(None, offered))}."
        )


def _check_focal(job: Job) -> None:
    if job.focal_px is None:
        return
    if job.camera not in CAMERAS:
        raise UsageError("--focal-px and --camera exclude each other.", "The camera file has the focal length.")
    if not LEAST_FOCAL_PX <= job.focal_px <= MOST_FOCAL_PX:
        raise UsageError(
            f"--focal-px is {job.focal_px:g}, not a focal length from {LEAST_FOCAL_PX:g} to {MOST_FOCAL_PX:g} pixels.",
            "Leave it out to have it estimated.",
        )


def _check_height(height_m: float | None) -> None:
    if height_m is not None and not LEAST_HEIGHT_M <= height_m <= MOST_HEIGHT_M:
        raise UsageError(
            f"--height-m is {height_m:g}, not a person's height from {LEAST_HEIGHT_M:g} to {MOST_HEIGHT_M:g} m.",
            "Give the height in metres, or leave it out to have it estimated.",
        )


def _check_seed(seed: int) -> None:
    if not 0 <= seed < 2**32:
        raise UsageError(f"The seed {seed} is not between 0 and {2**32 - 1}.", "Choose another seed.")


def _check_exports(exports: Sequence[str]) -> None:
    unknown = [kind for kind in exports if kind not in EXPORTS]
    if unknown:
        raise UsageError(f"There is no export '{unknown[0]}'.", f"Choose from {', '.join(EXPORTS)}.")


def _range(start_s: float | None, end_s: float | None) -> None:
    for option, value in (("--start-s", start_s), ("--end-s", end_s)):
        if value is not None and not (math.isfinite(value) and value >= 0):
            raise UsageError(f"{option} is {value:g}, not a time from 0 s on.", "Times are seconds into the footage.")
    if end_s is not None and end_s <= (start_s or 0.0):
        raise UsageError(
            f"The range ends at {end_s:g} s, not after its start at {start_s or 0.0:g} s.", "Swap the times."
        )
