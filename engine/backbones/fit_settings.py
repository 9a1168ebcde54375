"""What can be set about the `fit` backbone."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class FitSettings(BaseModel):
    """How a body is fitted to one person's track.

    Weights are relative to the reprojection error, which counts in units of `keypoint_error`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    iterations: int = Field(
        default=400, ge=1, le=5000, description="Optimiser steps per window; more fits closer, slower."
    )
    max_rate_hz: float = Field(
        default=30.0,
        ge=5,
        le=240,
        description="Footage faster than this is fitted at every n-th frame; motion stays smooth.",
    )
    knot_spacing_s: float = Field(
        default=1 / 15,
        ge=0.01,
        le=1.0,
        description="Seconds between the knots of the motion's splines; less follows jerks.",
    )
    window_s: float = Field(default=10.0, ge=1, le=120, description="Seconds fitted at once; memory grows with it.")
    overlap_s: float = Field(
        default=1.5, ge=0.1, le=10, description="Seconds over which neighbouring windows are blended."
    )
    learning_rate: float = Field(default=0.03, gt=0, le=1, description="First step size of the optimiser, in radians.")
    keypoint_error: float = Field(
        default=0.01,
        gt=0,
        le=0.5,
        description="Usual error of a keypoint as a share of the person's height in the image.",
    )
    outlier_errors: float = Field(
        default=6.0, gt=0, le=100, description="Keypoints further off than this many usual errors lose their say."
    )
    limb_direction: float = Field(
        default=0.3, ge=0, le=100, description="Weight of the detector's 3D limb directions across the view."
    )
    limb_depth: float = Field(
        default=0.1,
        ge=0,
        le=100,
        description="Weight of the detector's 3D limb directions along the view, the noisier part.",
    )
    smooth_path: float = Field(default=0.3, ge=0, le=1000, description="Weight against accelerations of body points.")
    smooth_turns: float = Field(
        default=0.3, ge=0, le=1000, description="Weight against accelerations of joint rotations."
    )
    pose_prior: float = Field(default=0.4, ge=0, le=1000, description="Weight of staying near a relaxed pose.")
    contacts: float = Field(
        default=0.1, ge=0, le=1000, description="Weight of feet that stand still on the floor, and none below it."
    )
    joint_limits: float = Field(
        default=0.5, ge=0, le=1000, description="Weight of knees and elbows bending as hinges do."
    )
    shape_prior: float = Field(default=0.1, ge=0, le=1000, description="Weight of staying near the mean body.")
