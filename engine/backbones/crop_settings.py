"""What can be set about the picture networks `hmr` and `hmr2`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

PICTURE_BACKBONES = ("hmr", "hmr2")
"""Backbones that look at the footage itself, with weights that the user has to get."""


class CropSettings(BaseModel):
    """How a picture network looks at a person, and what of it adaptation changes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    layers: tuple[str, ...] = Field(
        default=(),
        description='Parts that are adapted, by the beginning of their names, such as ["smpl_head"] or '
        '["layer4", "fc1"]; empty: all. Frozen parts before the first of them cost no memory.',
    )
    crops_at_once: int = Field(
        default=16, ge=1, le=512, description="Crops in one pass; less takes less memory, more is faster on a GPU."
    )
    half: Literal["auto", "off", "bf16"] = Field(
        default="auto", description="16-bit products in the large part; auto: on a CUDA device that has them."
    )
    compile: bool = Field(
        default=False, description="Compile the large part with torch.compile: minutes at first, then faster."
    )
    dropout: bool = Field(default=True, description="HMR drops half of its inner values while it learns (CycleAdapt).")
    box_scale: float = Field(
        default=1.2, ge=0.5, le=3, description="Side of the crop over that of the box about the keypoints."
    )
    memory_mib: int = Field(
        default=1024, ge=1, le=65536, description="MiB of crops that are kept in memory; more lie in a temporary file."
    )
