"""Where the published models lie that a user may put in place of the shipped networks."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class ModelSettings(BaseModel):
    """Paths of model files and data sets. What is empty is looked for in `folder`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: str = Field(
        default="",
        description="Folder with published models; empty: ADAPT_MOTION_MODELS, else the user's data folder.",
    )
    hmr: str = Field(default="", description="Checkpoint of CycleAdapt's or SPIN's HMR, for --backbone hmr.")
    hmr2: str = Field(default="", description="Checkpoint of 4D-Humans' HMR2.0, for --backbone hmr2.")
    mdnet: str = Field(default="", description="Checkpoint of CycleAdapt's MDNet, the denoiser.")
    motionclip: str = Field(default="", description="Checkpoint of MotionCLIP, the motion-text space.")
    clip: str = Field(default="", description="CLIP ViT-B/32: OpenAI's .pt file, or a folder that transformers saved.")
    babel: str = Field(default="", description="Folder with BABEL's JSON files, the dictionary for MotionCLIP.")
    amass: str = Field(default="", description="Folder with AMASS's .npz files, for BABEL's exemplar motions.")
