"""Which files are footage: video files, image sequences, what the user's arguments mean, and hashes of contents."""

from __future__ import annotations

import glob
import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.errors import FootageError

_IMAGE_KINDS = "png jpg jpeg tif tiff exr bmp webp dpx ppm pgm pam hdr jp2 jxl sgi"
_VIDEO_KINDS = "mp4 mov m4v avi mkv webm mpg mpeg mts m2ts ts 3gp 3g2 wmv flv mxf ogv gif dv h264 hevc"
IMAGE_SUFFIXES = frozenset(f".{kind}" for kind in _IMAGE_KINDS.split())
VIDEO_SUFFIXES = frozenset(f".{kind}" for kind in _VIDEO_KINDS.split())

_NUMBER_FIELD = re.compile(r"%0?(\d*)d|#+")
_VIDEO_HINT = "Give a video file (mp4, mov, avi, mkv, webm), a folder of images or a pattern like shot.####.png."


def expand(arguments: Sequence[str]) -> list[Path]:
    """Footage that the user's arguments stand for, each clip once, in the order given.

    A folder of images and a printf (`shot_%04d.png`) or `####` pattern are one clip; a folder without images stands for
    the videos in it; a glob pattern for the videos and sequences it matches. What matches nothing is handed on as it
    is, so that `probe` says so for that clip and the others still run.
    """
    found: dict[Path, None] = {}
    for argument in arguments:
        for path in _expand_one(argument):
            found.setdefault(path, None)
    return list(found)


def _expand_one(argument: str) -> list[Path]:
    path = Path(os.path.expanduser(argument))
    if path.is_dir():
        videos = sorted((p for p in _visible_files(path) if p.suffix.lower() in VIDEO_SUFFIXES), key=natural_key)
        return [path] if images_in(path) or not videos else videos
    if path.exists() or _NUMBER_FIELD.search(path.name) or not glob.has_magic(argument):
        return [path]
    matches = sorted((Path(match) for match in glob.glob(str(path), recursive=True)), key=natural_key)
    # `shots/*.png` lists the frames of sequences: each folder is one clip, not each of its images.
    clips = [match.parent if match.suffix.lower() in IMAGE_SUFFIXES else match for match in matches]
    return [clip for clip in clips if clip.is_file() or images_in(clip)] or [path]


def natural_key(path: Path) -> tuple[str, str]:
    """Sort key that puts frame 9 before frame 10."""
    return re.sub(r"\d+", lambda digits: digits[0].zfill(20), path.name.lower()), str(path)


def _visible_files(folder: Path) -> Iterator[Path]:
    try:
        entries = list(folder.iterdir())
    except OSError as error:
        raise FootageError(
            f"The folder {folder} cannot be read: {error.strerror}.", "Check its permissions."
        ) from error
    return (path for path in entries if not path.name.startswith(".") and path.is_file())


def images_in(folder: Path) -> list[Path]:
    """Images of a folder in natural order; where kinds are mixed, those of the kind that most files have."""
    if not folder.is_dir():
        return []
    images = [path for path in _visible_files(folder) if path.suffix.lower() in IMAGE_SUFFIXES]
    if not images:
        return []
    kind = Counter(_kind(path) for path in images).most_common(1)[0][0]
    return sorted((path for path in images if _kind(path) == kind), key=natural_key)


def _kind(path: Path) -> str:
    return {".jpeg": ".jpg", ".tiff": ".tif"}.get(path.suffix.lower(), path.suffix.lower())


def _images_of_pattern(pattern: Path) -> list[Path]:
    """Files that a printf or #### pattern names, by their number."""
    field = _NUMBER_FIELD.search(pattern.name)
    if field is None or not pattern.parent.is_dir():
        return []
    digits = len(field[0]) if field[0].startswith("#") else int(field[1] or 0)
    before, after = re.escape(pattern.name[: field.start()]), re.escape(pattern.name[field.end() :])
    name = re.compile(f"{before}(\\d{{{max(digits, 1)},}}){after}")
    numbered = [
        (int(match[1]), path) for path in _visible_files(pattern.parent) if (match := name.fullmatch(path.name))
    ]
    return [path for _, path in sorted(numbered)]


def sequence_files(path: Path) -> list[Path] | None:
    """Images of the sequence that `path` (a folder, a pattern or one image) stands for; None if it is a video file.

    Raises:
        FootageError: there is nothing at `path`, it is no ordinary file, or the folder or pattern has no images.
    """
    if path.is_dir():
        images = images_in(path)
        if not images:
            raise FootageError(f"The folder {path} has no images in it.", _VIDEO_HINT)
        return images
    if path.is_file():
        return [path] if path.suffix.lower() in IMAGE_SUFFIXES else None
    if path.exists():
        raise FootageError(f"{path} is not a file.", _VIDEO_HINT)
    if _NUMBER_FIELD.search(path.name):
        images = _images_of_pattern(path)
        if not images:
            raise FootageError(f"No image matches {path}.", "Check the folder and the numbering in the pattern.")
        return images
    if glob.has_magic(path.name):
        raise FootageError(f"No footage matches {path}.", "Check the folder and the pattern.")
    raise FootageError(f"There is no file {path}.", "Check the path; the file may have been moved or renamed.")


def fingerprint(path: Path) -> str:
    """SHA-256 (hex) of the footage: of a video file its contents, of a sequence every image's name and contents.

    Raises:
        FootageError: the footage is missing or cannot be read.
    """
    images = sequence_files(path)
    digest = hashlib.sha256()
    for file in [path] if images is None else images:
        if images is not None:
            digest.update(f"{file.name}\0{file.stat().st_size}\0".encode())
        try:
            with file.open("rb") as stream:
                while block := stream.read(1 << 20):
                    digest.update(block)
        except OSError as error:
            raise FootageError(f"{file} cannot be read: {error.strerror}.", "Check its permissions.") from error
    return digest.hexdigest()
