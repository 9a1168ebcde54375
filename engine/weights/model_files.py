"""Finding the published models that a user may put in place of the shipped networks."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from engine.errors import ModelFileError
from engine.files.user_folder import data_folder
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
    return Path(os.path.expanduser(chosen)) if chosen else data_folder() / "models"


def find(key: str, settings: ModelSettings) -> Path | None:
    """The path that the settings give, whether or not it is there; else the first that the models folder has."""
    given = getattr(settings, key, "")
    if given:
        return Path(os.path.expanduser(given))
    folder = models_folder(settings)
    for name in published(key).names:
        for depth in range(_DEEPEST + 1):
            found = _below(folder, "*/" * depth + name)
            if found:
                return found[0]
    return None


def _below(folder: Path, pattern: str) -> list[Path]:
    try:
        return sorted(folder.glob(pattern)) if folder.is_dir() else []
    except OSError:  # something in it went away meanwhile, or no system takes the name
        return []


def require(key: str, settings: ModelSettings, needed_by: str) -> Path:
    """The path of a model that `needed_by` (an option or setting) needs.

    Raises:
        ModelFileError: it is nowhere; says where it is officially had and where to put it.
    """
    path = find(key, settings)
    if path is None or not path.exists():
        entry = published(key)
        where = f"{path} is not there" if path is not None else f"it is not in {models_folder(settings)}"
        raise ModelFileError(
            f"{needed_by} needs {entry.title}, and {where}.",
            f"It is had from: {entry.obtain} Put {entry.names[0]} into that folder, or give {entry.option}PATH.",
        )
    return path
