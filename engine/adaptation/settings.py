"""What can be set about adaptation. The numbers of the paper are in `presets/adaptation/paper.toml`."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

LabelUse = Literal["alignment", "unpaired", "discriminator"]


class AdaptationSettings(BaseModel):
    """How the pose network is fine-tuned on one person's track. Equations are those of the paper."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = Field(default=True, description="Whether the pose network is adapted to the clip at all.")
    strategy: Literal["semantics", "boa", "dynaboa", "dapa"] = Field(
        default="semantics",
        description="How: as the paper does, or as one of the methods that it is compared with, for comparison.",
    )
    source: str = Field(
        default="", description="File of poses with known truth, of which `dynaboa` takes those that are most alike."
    )
    epochs: int = Field(default=6, ge=1, le=100, description="Rounds; targets change between them.")
    batch: int = Field(default=4, ge=1, le=64, description="Segments in a step.")
    least_steps: int = Field(
        default=6, ge=1, le=1000, description="Steps of an epoch at least, so that short clips are adapted too."
    )
    segment_step_s: float = Field(
        default=0.5, gt=0, le=10, description="Seconds from the start of a segment to the next one's; they may overlap."
    )
    least_label_s: float = Field(
        default=1.0,
        ge=0.25,
        le=2,
        description="Seconds of one label that a segment of mixed labels needs to be compared with it.",
    )
    learning_rate: float = Field(default=1e-4, gt=0, le=1e-2, description="Of the first epoch.")
    lowest_learning_rate: float = Field(default=1e-6, ge=0, le=1e-2, description="Of the last; between them a cosine.")
    projection: float = Field(default=1.0, ge=0, le=100, description="Weight of the 2D keypoints (eq. 5).")
    by_confidence: bool = Field(
        default=True, description="Whether keypoints count as much as the detector is sure of them; else all the same."
    )
    alignment: float = Field(default=1.0, ge=0, le=100, description="Weight of agreement with the label (eq. 4).")
    smoothing: float = Field(default=1.0, ge=0, le=100, description="Weight of the denoiser's motion (eq. 9).")
    shape: float = Field(default=0.001, ge=0, le=10, description="Weight of a steady shape beside it (eq. 9).")
    label_use: LabelUse = Field(
        default="alignment",
        description="`alignment` compares motion and label in their space; for comparison (the paper's Table 4) "
        "`unpaired` pulls local poses to a motion made from the label, and `discriminator` learns to tell them apart.",
    )
    takes: int = Field(
        default=8,
        ge=0,
        le=64,
        description="Motions that the in-filler draws for hidden joints; the one that agrees best with what is seen is "
        "taken. 0: hidden joints are left to the pose network (the paper).",
    )
    fill_in: bool = Field(default=True, description="Whether keypoints not seen get targets from the motion (eq. 6).")
    fill_in_similarity: float = Field(
        default=0.75, ge=-1, le=1, description="Similarity of motion and label above which they do."
    )
    ema: float = Field(
        default=0.90, ge=0, le=1, description="Share of a 2D target that stays from epoch to epoch (eq. 7); 1: all."
    )
    denoiser_learning_rate: float = Field(
        default=5e-5, ge=0, le=1e-2, description="Of the denoiser, which is adapted in turn; 0 leaves it as it is."
    )
    denoiser_step: int = Field(
        default=8, ge=1, le=49, description="Frames from one of the windows that it is adapted on to the next."
    )
    solve_steps: int = Field(
        default=100,
        ge=0,
        le=5000,
        description="Steps of the solve at the end, in which all evidence and the adapted motion meet; the fit that "
        "tells what keypoints weigh takes twice as many. 0 leaves both out (the paper).",
    )
    prior_seen: float = Field(
        default=0.03,
        ge=0,
        le=1000,
        description="Weight of the adapted motion in the solve, for joints that are seen: the more, the less keypoints "
        "weigh.",
    )
    prior_hidden: float = Field(
        default=10.0, ge=0, le=1000, description="The same for joints that are hidden, whose motion is in-filled."
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.lowest_learning_rate > self.learning_rate:
            raise ValueError("the lowest learning rate is above the first one")
        return self
