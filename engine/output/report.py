"""`report.json`: how a clip's result came about."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engine.backbones.types import Camera, Prediction
from engine.body.model import BodyModel
from engine.body.stature import standing_height
from engine.footage.clip import Clip
from engine.keypoints.types import SEEN_CONFIDENCE, PersonTrack
from engine.output.motion_file import ORIGIN_FILLED, Motion
from engine.output.review import weak_stretches
from engine.run_options import RunOptions
from engine.runtime.versions import versions

REPORT = "report.json"


def describe_run(options: RunOptions) -> dict[str, Any]:
    """The options of the run."""
    return {
        "versions": versions(),
        "platform": platform.platform(),
        "preset": options.preset,
        "settings": options.settings.model_dump(mode="json"),
        "seed": options.seed,
        "backbone": options.backbone,
        "device": options.device,
        "person": options.person,
        "shots": options.shots,
        "split": [str(one) for one in options.split],
        "merge": [list(one) for one in options.merge],
        "body": str(options.body) if options.body else None,
        "height_m": options.height_m,
        "keypoints": str(options.keypoints) if options.keypoints else None,
        "range_s": [options.start_s, options.end_s],
        "labels": [
            {"start": item.start_s, "end": item.end_s if np.isfinite(item.end_s) else None, "label": item.label}
            for item in options.segments
        ],
        "corrections": dict(Counter(one.kind for one in options.corrections.corrections))
        if options.corrections
        else {},
    }


def describe_footage(clip: Clip, cuts_s: Sequence[float]) -> dict[str, Any]:
    """Facts about the footage, cut at these seconds."""
    info = clip.info
    return {
        "path": str(info.path),
        "sha256": clip.footage_key,
        "width": info.width,
        "height": info.height,
        "frame_rate": f"{info.frame_rate.numerator}/{info.frame_rate.denominator}",
        "variable_rate": info.variable_rate,
        "frame_count": info.frame_count,
        "duration_s": info.duration_s,
        "rotation_degrees": info.rotation_degrees,
        "mirrored": clip.mirrored,
        "picture": clip.picture,
        "cuts_s": [round(cut, 4) for cut in cuts_s],
    }


def describe_camera(camera: Camera) -> dict[str, Any]:
    """The camera and how sure we are of it."""
    described = {
        "intrinsics": camera.intrinsics.tolist(),
        "focal_source": camera.focal_source,
        "motion": camera.motion,
    }
    if camera.lens is not None:
        described |= {"distortion": camera.lens.key()["distortion"], "zooms": camera.lens.zooms}
    return described


def describe_person(
    track: PersonTrack, prediction: Prediction, motion: Motion, path: Path, body: BodyModel
) -> dict[str, Any]:
    """Figures of one person's result."""
    residual = prediction.residual_px[track.detected]
    seen = track.keypoints[..., 2] >= SEEN_CONFIDENCE
    return {
        "person": track.person,
        "shot": track.shot,
        "motion": path.name,
        "frames": len(track.timestamps),
        "first_frame": int(track.frame_indices[0]),
        "first_s": float(track.timestamps[0]),
        "last_s": float(track.timestamps[-1]),
        "frames_detected": int(track.detected.sum()),
        "keypoints_seen": dict(zip(track.keypoint_names, seen.sum(0).tolist(), strict=True)),
        "keypoints_filled_in": int((motion.keypoints2d_origin == ORIGIN_FILLED).sum()),
        "residual_px": {
            "mean": round(float(residual.mean()), 3),
            "median": round(float(np.median(residual)), 3),
            "p95": round(float(np.percentile(residual, 95)), 3),
        },
        "betas": motion.betas.tolist(),
        "standing_height_m": round(float(standing_height(body, torch.from_numpy(motion.betas))), 4),
        "labels": dict(Counter(motion.labels.tolist())),
        "review": weak_stretches(motion),
    }
