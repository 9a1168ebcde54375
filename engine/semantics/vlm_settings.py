"""What can be set about labels by a vision-language model."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from engine.protocol import VLM_MOST_COST, VLM_MOST_REQUESTS


class VlmSettings(BaseModel):
    """How `--labeler openai` asks, and how much it may cost. The server and the key come from OPENAI_BASE_URL and
    OPENAI_API_KEY; neither is a setting, so that no file keeps a key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(default="gpt-4o", min_length=1, description="Name of the model, as the server knows it.")
    pictures: int = Field(default=8, ge=1, le=60, description="Frames of each segment of two seconds that are shown.")
    picture_px: int = Field(default=224, ge=64, le=1024, description="Side of each picture in pixels.")
    layout: Literal["sheet", "single"] = Field(
        default="sheet", description="One contact sheet for a segment, or its pictures one by one."
    )
    whole_picture: bool = Field(
        default=False, description="Send the whole frame; else the person is cut out and the rest stays here."
    )
    timeout_s: float = Field(
        default=60.0, gt=0, le=600, description="Longest silence of the server; an answer may take three times that."
    )
    attempts: int = Field(default=4, ge=1, le=10, description="How often a segment is requested when answers fail.")
    backoff_s: float = Field(
        default=1.0, gt=0, le=60, description="Pause after the first failure; doubled after each further one."
    )
    at_once: int = Field(default=4, ge=1, le=32, description="Segments that are requested at the same time.")
    most_requests: int = Field(
        default=VLM_MOST_REQUESTS, ge=1, le=100_000, description="Requests of a run at most, repeated ones included."
    )
    most_tokens: int = Field(default=1_000_000, ge=1, le=1_000_000_000, description="Tokens of a run at most.")
    most_cost: float = Field(
        default=VLM_MOST_COST, ge=0, le=10_000, description="Dollars of a run at most, at the prices below."
    )
    price_in: float = Field(
        default=2.5, ge=0, le=10_000, description="Dollars for a million tokens sent; see the server's list."
    )
    price_out: float = Field(default=10.0, ge=0, le=10_000, description="Dollars for a million tokens answered.")
    most_labels: int = Field(
        default=500, ge=2, le=5000, description="Labels of the dictionary that are offered, the first of the list."
    )
    least_agreement: float = Field(
        default=0.3, ge=-1, le=1, description="Mean cosine of picture and label by CLIP below which a warning is shown."
    )
    cache: str = Field(default="", description="Folder of earlier answers; empty: in the user's data folder.")
