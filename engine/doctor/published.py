"""The published models that are there, each checked by loading it whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.errors import ModelFileError
from engine.weights.checkpoints import HMR, HMR2, HMR_BATCH_NORM, MDNET, MOTIONCLIP
from engine.weights.model_files import PUBLISHED, PublishedModel, find, models_folder
from engine.weights.model_settings import ModelSettings


@dataclass(frozen=True)
class ModelFinding:
    """What was found of one published model.

    Attributes:
        key, title, use, obtain, licence, option: as in `PublishedModel`.
        place: where to put it, one sentence.
        path: where it was found; empty if it was not.
        state: `ok`, `missing` (nothing is wrong: it is optional) or `refused`.
        found: what the file is, or what is wrong with it.
        hint: what to do about it.
    """

    key: str
    title: str
    use: str
    obtain: str
    licence: str
    option: str
    place: str
    path: str
    state: str
    found: str
    hint: str = ""


def examine(settings: ModelSettings, body: str = "", keys: Sequence[str] = ()) -> list[ModelFinding]:
    """Look for every published model and check those that are there by loading them whole.

    Args:
        settings: paths.
        body: the user's body file, as `--body` gives it.
        keys: look at these alone; empty for all.
    """
    return [_examined(entry, settings, body) for entry in PUBLISHED if not keys or entry.key in keys]


def _examined(entry: PublishedModel, settings: ModelSettings, body: str) -> ModelFinding:
    path = Path(body) if entry.key == "smpl" and body else find(entry.key, settings)
    state, found, hint = "missing", "not given", ""
    if path is not None:
        try:
            found = _CHECKS[entry.key](path)
            state = "ok"
        except ModelFileError as error:
            state, found, hint = "refused", error.message, error.hint
    place = f"Put {entry.names[0]} into {models_folder(settings)}, or give {entry.option}PATH."
    if entry.key == "smpl":
        place = "Keep it where you like, and give it with --body FILE."
    return ModelFinding(
        entry.key, entry.title, entry.use, entry.obtain, entry.licence, entry.option, place,
        "" if path is None else str(path), state, found, hint,
    )  # fmt: skip


class _Notes:
    """Keeps what a loader warns of."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def __call__(self, done: int, total: int) -> None:
        """Do nothing."""

    def warn(self, code: str, message: str) -> None:
        """Keep it."""
        self.notes.append(message)


def _described(what: str, path: Path, notes: _Notes) -> str:
    files = [file for file in path.iterdir() if file.is_file()] if path.is_dir() else [path]
    size = sum(file.stat().st_size for file in files)
    return " ".join([f"{what}, whole, {size / 2**20:.0f} MiB.", *notes.notes])


def _check_body(path: Path) -> str:
    from engine.body.smpl_file import read_body_file

    body = read_body_file(path)
    return f"{body.surface_model_type} ({body.gender}), {len(body.v_template)} vertices."


def _check_hmr(path: Path) -> str:
    from engine.backbones.hmr import FrozenBatchNorm, Hmr

    notes = _Notes()
    network = Hmr.from_checkpoint(path, notes)
    return _described((HMR_BATCH_NORM if isinstance(network.bn1, FrozenBatchNorm) else HMR).name, path, notes)


def _check_hmr2(path: Path) -> str:
    from engine.backbones.hmr2 import Hmr2

    notes = _Notes()
    network = Hmr2.from_checkpoint(path, notes)
    return _described(f"{HMR2.name}, {len(network.backbone.blocks)} layers", path, notes)


def _check_mdnet(path: Path) -> str:
    from engine.adaptation.mdnet import MdNet

    notes = _Notes()
    MdNet.from_checkpoint(path, notes)
    return _described(MDNET.name, path, notes)


def _check_motionclip(path: Path) -> str:
    from engine.semantics.motionclip import MotionClip

    notes = _Notes()
    MotionClip.from_checkpoint(path, notes)
    return _described(MOTIONCLIP.name, path, notes)


def _check_clip(path: Path) -> str:
    from engine.semantics.clip_text import load_clip_text

    notes = _Notes()
    load_clip_text(path, notes)
    return _described("CLIP ViT-B/32 with its merges", path, notes)


def _check_babel(path: Path) -> str:
    from engine.semantics.babel import read_babel

    labels = read_babel(path)
    return f"{len(labels)} labels in {sum(len(one.places) for one in labels)} places."


def _check_amass(path: Path) -> str:
    from engine.semantics.amass import find_amass

    return f"{len(find_amass(path))} motion files."


_CHECKS: dict[str, Callable[[Path], str]] = {
    "smpl": _check_body,
    "hmr": _check_hmr,
    "hmr2": _check_hmr2,
    "mdnet": _check_mdnet,
    "motionclip": _check_motionclip,
    "clip": _check_clip,
    "babel": _check_babel,
    "amass": _check_amass,
}
