"""Finding, and checking, the published models that a user may put in place of the shipped networks."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.errors import ModelFileError
from engine.weights.checkpoints import CLIP, CLIP_TRANSFORMERS, HMR, HMR2, HMR_BATCH_NORM, MDNET, MOTIONCLIP
from engine.weights.model_settings import ModelSettings

FOLDER_VARIABLE = "ADAPT_MOTION_MODELS"
_DEEPEST = 3  # folders below the models folder in which names are looked for


@dataclass(frozen=True)
class PublishedModel:
    """A model or data set that is had from its authors alone.

    Attributes:
        key: its setting, `models.<key>`; for the body the option `--body`.
        title: what people call it.
        use: what it is for here, and the option that asks for it.
        names: files or folders by which it is found.
        obtain: where it is officially had, one sentence.
        licence: one sentence.
    """

    key: str
    title: str
    use: str
    names: tuple[str, ...]
    obtain: str
    licence: str

    @property
    def option(self) -> str:
        """What to give on the command line with the path after it."""
        return "--body " if self.key == "smpl" else f"--set models.{self.key}="


PUBLISHED = (
    PublishedModel(
        key="smpl",
        title="SMPL body (SMPL-H and SMPL-X too)",
        use="the body, in place of the open one: --body FILE",
        names=(
            *(f"{kind}_{gender}.{end}" for kind in ("SMPL", "SMPLH", "SMPLX") for end in ("npz", "pkl")
              for gender in ("NEUTRAL", "FEMALE", "MALE")),
            "basicModel_neutral_lbs_10_207_0_v1.0.0.pkl", "basicmodel_neutral_lbs_10_207_0_v1.1.0.pkl",
            "basicmodel_f_lbs_10_207_0_v1.1.0.pkl", "basicmodel_m_lbs_10_207_0_v1.1.0.pkl",
        ),
        obtain="smpl.is.tue.mpg.de, mano.is.tue.mpg.de (SMPL-H) or smpl-x.is.tue.mpg.de, after registering.",
        licence="Research without profit only, unless bought from Meshcapade; may not be passed on.",
    ),
    PublishedModel(
        key="hmr",
        title="HMR (ResNet-50) of CycleAdapt, or of SPIN",
        use="pose network: --backbone hmr",
        names=(HMR.file, HMR_BATCH_NORM.file),
        obtain=f"{HMR.obtain} SPIN's: {HMR_BATCH_NORM.obtain}",
        licence=f"CycleAdapt: {HMR.licence} SPIN: {HMR_BATCH_NORM.licence}",
    ),
    PublishedModel(
        key="hmr2",
        title=HMR2.name,
        use="pose network: --backbone hmr2",
        names=(HMR2.file,),
        obtain=HMR2.obtain,
        licence=HMR2.licence,
    ),
    PublishedModel(
        key="mdnet",
        title=MDNET.name,
        use="denoiser of the adaptation",
        names=(MDNET.file,),
        obtain=MDNET.obtain,
        licence=MDNET.licence,
    ),
    PublishedModel(
        key="motionclip",
        title=MOTIONCLIP.name,
        use="motion-text space of the adaptation; needs CLIP",
        names=(Path(MOTIONCLIP.file).name,),
        obtain=MOTIONCLIP.obtain,
        licence=MOTIONCLIP.licence,
    ),
    PublishedModel(
        key="clip",
        title="CLIP ViT-B/32",
        use="texts for MotionCLIP, and a check of labels against the picture",
        names=(CLIP.file, "clip-vit-base-patch32", "clip"),
        obtain=f"{CLIP.obtain} Or {CLIP_TRANSFORMERS.obtain} The table of merges has to lie beside it.",
        licence=CLIP.licence,
    ),
    PublishedModel(
        key="babel",
        title="BABEL labels",
        use="dictionary of actions for MotionCLIP",
        names=("babel_v1.0_release", "babel_v1-0_release", "babel"),
        obtain="babel.is.tue.mpg.de, after registering.",
        licence="Research without profit only; may not be passed on.",
    ),
    PublishedModel(
        key="amass",
        title="AMASS motions (SMPL+H)",
        use="exemplar motions for BABEL's labels",
        names=("amass", "AMASS"),
        obtain="amass.is.tue.mpg.de, after registering.",
        licence="Research without profit only; each of its parts has terms of its own; may not be passed on.",
    ),
)  # fmt: skip


def published(key: str) -> PublishedModel:
    """The entry with this key. Raises KeyError."""
    return {entry.key: entry for entry in PUBLISHED}[key]


def models_folder(settings: ModelSettings) -> Path:
    """Where models are looked for that have no path of their own: the setting, the variable, the user's data folder."""
    chosen = settings.folder or os.environ.get(FOLDER_VARIABLE, "")
    return Path(chosen).expanduser() if chosen else data_folder() / "models"


def data_folder() -> Path:
    """Where the engine keeps what belongs to this user, whichever clip it is for. It may not be there yet."""
    if sys.platform == "win32":
        folder = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        folder = Path.home() / "Library" / "Application Support"
    else:
        folder = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return folder / "adapt-motion"


def find(key: str, settings: ModelSettings) -> Path | None:
    """The path that the settings give, whether or not it is there; else the first that the models folder has."""
    given = getattr(settings, key, "")
    if given:
        return Path(given).expanduser()
    folder = models_folder(settings)
    for name in published(key).names:
        for depth in range(_DEEPEST + 1):
            found = sorted(folder.glob("*/" * depth + name)) if folder.is_dir() else []
            if found:
                return found[0]
    return None


def require(key: str, settings: ModelSettings, asked_by: str) -> Path:
    """The path of a model that `asked_by` (an option or setting) needs.

    Raises:
        ModelFileError: it is nowhere; says where it is officially had and where to put it.
    """
    path = find(key, settings)
    if path is None or not path.exists():
        entry = published(key)
        where = f"{path} is not there" if path is not None else f"it is not in {models_folder(settings)}"
        raise ModelFileError(
            f"{asked_by} needs {entry.title}, and {where}.",
            f"It is had from: {entry.obtain} Put {entry.names[0]} into that folder, or give {entry.option}PATH.",
        )
    return path


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


def _told(what: str, path: Path, notes: _Notes) -> str:
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
    return _told((HMR_BATCH_NORM if isinstance(network.bn1, FrozenBatchNorm) else HMR).name, path, notes)


def _check_hmr2(path: Path) -> str:
    from engine.backbones.hmr2 import Hmr2

    notes = _Notes()
    network = Hmr2.from_checkpoint(path, notes)
    return _told(f"{HMR2.name}, {len(network.backbone.blocks)} layers", path, notes)


def _check_mdnet(path: Path) -> str:
    from engine.adaptation.mdnet import MdNet

    notes = _Notes()
    MdNet.from_checkpoint(path, notes)
    return _told(MDNET.name, path, notes)


def _check_motionclip(path: Path) -> str:
    from engine.semantics.motionclip import MotionClip

    notes = _Notes()
    MotionClip.from_checkpoint(path, notes)
    return _told(MOTIONCLIP.name, path, notes)


def _check_clip(path: Path) -> str:
    from engine.semantics.clip_text import load_clip_text

    notes = _Notes()
    load_clip_text(path, notes)
    return _told("CLIP ViT-B/32 with its merges", path, notes)


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
