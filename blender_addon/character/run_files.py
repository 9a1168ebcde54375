"""Motion files under names that no later run takes: the engine puts a clip's new result in the place of the last one.

What is brought in refers to `person_1_run_1.npz`, so that a take keeps its keypoints, labels and shape. It is another
name of the same file where the disk has such, so it takes no room until the next run. No `bpy` in here.
"""

from __future__ import annotations

import filecmp
import os
import re
import shutil
from pathlib import Path

CLAIM = Path(".cache") / "clip.json"
"""In a clip's folder: says whose it is, and so that a run may write there."""

_MOTION = re.compile(r"person_[0-9]+(_shot_[0-9]+)?")


def person_of(motion_path: str | Path) -> str:
    """Whose motion a file has, as the engine calls them: `person_1`, of whatever run."""
    return re.sub(r"_run_[0-9]+$", "", Path(motion_path).stem)


def body_path(motion_path: str | Path) -> Path:
    """Where the engine puts the rest body of a motion file."""
    path = Path(motion_path)
    return path.with_name(f"{path.stem}_body.npz")


def is_result(path: Path) -> bool:
    """Whether a file is called as the engine calls its motion files; bodies, takes and kept ones lie beside them."""
    return _MOTION.fullmatch(path.stem) is not None


def kept(path: Path) -> Path | None:
    """The kept file with the same motion as `path`; None if there is none. Looks at the disk."""
    runs = [one for one in path.parent.glob(f"{path.stem}_run_*.npz") if person_of(one) == path.stem]
    return next((one for one in sorted(runs) if _is_same(one, path)), None)


def keep(path: str | Path) -> Path:
    """Give a motion file and its body a name that stays theirs; `path` itself where no run writes or it cannot be."""
    path = Path(path)
    if not is_result(path) or not (path.parent / CLAIM).is_file():
        return path
    try:
        return kept(path) or _keep(path)
    except OSError:
        return path


def _keep(path: Path) -> Path:
    number = 1
    while (own := path.with_name(f"{path.stem}_run_{number}.npz")).exists():
        number += 1
    if body_path(path).is_file():
        _link(body_path(path), body_path(own))
    _link(path, own)
    return own


def _link(path: Path, own: Path) -> None:
    own.unlink(missing_ok=True)
    try:
        os.link(path, own)
    except OSError:  # a disk without a second name for a file
        shutil.copy2(path, own)


def _is_same(one: Path, other: Path) -> bool:
    return one.samefile(other) or filecmp.cmp(one, other, shallow=False)
