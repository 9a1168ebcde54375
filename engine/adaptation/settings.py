"""What can be set about adaptation. The numbers of the paper are in `presets/adaptation/paper.toml`."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class AdaptationSettings(BaseModel):
    """How the pose network is fine-tuned on one person's track. Equations are those of the paper."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = Field(default=True, description="Whether the pose network is adapted to the clip at all.")
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
    learning_rate: float = Field(default=2e-4, gt=0, le=1e-2, description="Of the first epoch.")
    lowest_learning_rate: float = Field(default=1e-6, ge=0, le=1e-2, description="Of the last; between them a cosine.")
    projection: float = Field(default=0.05, ge=0, le=100, description="Weight of the 2D keypoints (eq. 5).")
    by_confidence: bool = Field(
        default=True, description="Whether keypoints count as much as the detector is sure of them; else all the same."
    )
    outlier: float = Field(
        default=0.08,
        ge=0,
        le=10,
        description="Share of the person's box: keypoints that the detector is hardly sure of lose their say further "
        "than this from the first prediction, since detectors misplace what is hidden; 0: none does.",
    )
    alignment: float = Field(default=1.0, ge=0, le=100, description="Weight of agreement with the label (eq. 4).")
    aligned_enough: float = Field(
        default=0.8,
        ge=0,
        le=1,
        description="Similarity of motion and label from which it is not raised further: true motion is that like its "
        "label, and what is more like it is not more true. 1: always (the paper).",
    )
    smoothing: float = Field(default=1.0, ge=0, le=100, description="Weight of the denoiser's motion (eq. 9).")
    shape: float = Field(default=0.001, ge=0, le=10, description="Weight of a steady shape beside it (eq. 9).")
    label_use: Literal["alignment", "unpaired"] = Field(
        default="alignment",
        description="`alignment` compares motion and label in their space; `unpaired` pulls local poses to a motion "
        "made from the label, for comparison (the paper's Table 4).",
    )
    trusted_similarity: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Similarity before adaptation from which a label counts in full; from 0.7 of it down, not at all: "
        "what does not look like its label is most likely something else. 0: labels are always believed (the paper).",
    )
    infill_unseen: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="Share that motion in-filled by the labels gets after the last round, for joints that were not "
        "seen. Not of the paper.",
    )
    infill_seen: float = Field(default=0.5, ge=0, le=1, description="The same for joints that were seen.")
    fill_in: bool = Field(default=True, description="Whether keypoints not seen get targets from the motion (eq. 6).")
    fill_in_similarity: float = Field(
        default=0.75, ge=-1, le=1, description="Similarity of motion and label above which they do."
    )
    ema: float = Field(
        default=0.90, ge=0, le=1, description="Share of a 2D target that stays from epoch to epoch (eq. 7); 1: all."
    )
    ema_doubted: float = Field(default=0.7, ge=0, le=1, description="The same where keypoints are doubted.")
    ema_first: bool = Field(
        default=True, description="Whether targets move to the first prediction, too, before the first epoch."
    )
    denoiser_learning_rate: float = Field(
        default=5e-5, ge=0, le=1e-2, description="Of the denoiser, which is adapted in turn; 0 leaves it as it is."
    )
    denoiser_step: int = Field(
        default=8, ge=1, le=49, description="Frames from one of the windows that it is adapted on to the next."
    )
    denoise_first: bool = Field(
        default=True, description="Whether the first epoch has a denoised motion to follow, that of the prediction."
    )

    agreed: float = Field(
        default=0.055,
        ge=0,
        le=1,
        description="Metres: where the network's first prediction and a plain fit are no further apart than this, all "
        "limb joints after alignment, keypoints are believed and the adapted motion counts in full. Not of the paper.",
    )
    disagreed: float = Field(
        default=0.08,
        ge=0,
        le=1,
        description="Metres: from here on keypoints are doubted, and the first prediction counts most; 0: the two are "
        "not compared, and keypoints are always believed (the paper).",
    )
    least_adapted: float = Field(
        default=1 / 3,
        ge=0,
        le=1,
        description="Share that the adapted motion gets, beside the first prediction, where keypoints are doubted.",
    )

    refine_steps: int = Field(
        default=100,
        ge=0,
        le=5000,
        description="Steps in which smooth curves are drawn from the adapted motion to the keypoints; 0 leaves it out.",
    )
    refine_stay: float = Field(
        default=100.0,
        ge=0,
        le=1000,
        description="Weight of staying near the adapted motion while they are, as far as keypoints are doubted.",
    )
    refine_smooth: float = Field(
        default=0.2, ge=0, le=1000, description="Weight against accelerations meanwhile; more flattens jumps and kicks."
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.lowest_learning_rate > self.learning_rate:
            raise ValueError("the lowest learning rate is above the first one")
        if 0 < self.disagreed < self.agreed:
            raise ValueError("the distance of disagreement is below that of agreement")
        return self
