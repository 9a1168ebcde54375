"""Synthetic cameras before synthetic motion: geometry that can be checked by hand."""

from __future__ import annotations

from dataclasses import replace

import torch
from drawn_scenes import BODY, FRAMES, WINDOWS, scene, standing

from engine.keypoints.joint_sets import MEDIAPIPE_33
from engine.training.observations import LIMBS, LOWER_BODY_UNSEEN, Conditions, joined

FEET = [MEDIAPIPE_33.index(f"{side}_{part}") for side in ("left", "right") for part in ("heel", "foot_index")]
NOSE = MEDIAPIPE_33.index("nose")


def test_keypoints_are_the_projected_landmarks() -> None:
    made = scene()
    camera = made.intrinsics[:, None, None]
    flat = (camera @ made.landmarks[..., None]).squeeze(-1)
    assert torch.allclose(flat[..., :2] / flat[..., 2:], made.keypoints, atol=0.05)
    joints = BODY.joints(
        made.rotations.flatten(0, 1), made.betas.repeat_interleave(FRAMES, 0), made.transl.flatten(0, 1)
    )
    assert torch.allclose(joints.unflatten(0, (WINDOWS, FRAMES)), made.joints, atol=1e-5)


def test_people_are_upright_before_the_camera_and_stay_in_the_picture() -> None:
    made = scene()
    higher = made.keypoints[:, :, NOSE, 1] < made.keypoints[:, :, FEET, 1].mean(-1)
    assert float(higher.float().mean()) > 0.95
    assert float(made.joints[..., 2].min()) > 0.2
    inside = ((made.keypoints >= 0) & (made.keypoints <= made.image_size[:, None, None])).all(-1)
    assert float(inside.float().mean()) > 0.85
    assert torch.equal(made.hidden, ~inside)


def test_a_walk_keeps_its_length() -> None:
    made = scene()
    still = replace(standing(), pelvis=standing().pelvis[:, :1].expand(-1, FRAMES, -1))
    assert still.pelvis.shape == made.transl.shape
    way = (made.joints[:, -1, 0] - made.joints[:, 0, 0]).norm(dim=-1)
    # a camera that pans changes where things are from frame to frame, four in five do not
    assert float((way - 1).abs().median()) < 1e-4


def test_the_lower_body_is_cut_off_and_the_lens_stays() -> None:
    made = scene(Conditions(0, 1, 0, 0, 0))
    assert float(made.hidden[:, :, FEET].float().mean()) > 0.95
    assert float(made.hidden[:, :, NOSE].float().mean()) < 0.3
    flat = (made.intrinsics[:, None, None] @ made.landmarks[..., None]).squeeze(-1)
    assert torch.allclose(flat[..., :2] / flat[..., 2:], made.keypoints, atol=0.05)


def test_a_limb_is_hidden_in_every_frame() -> None:
    made = scene(Conditions(0, 0, 1, 0, 0))
    whole = torch.stack([made.hidden[:, :, list(limb)].all(-1).all(-1) for limb in LIMBS], -1)
    assert bool(whole.any(-1).all())


def test_something_passes() -> None:
    made = scene(Conditions(1, 0, 0, 0, 0), windows=60)
    covered = made.hidden.float().mean((1, 2))
    assert float((covered > 0.03).float().mean()) > 0.8
    changes = (made.hidden[:, 1:] != made.hidden[:, :-1]).any(-1).any(-1)
    assert float(changes.float().mean()) > 0.7


def test_furniture_hides_the_feet() -> None:
    assert float(scene(Conditions(0, 0, 0, 1, 0)).hidden[:, :, FEET].float().mean()) > 0.9


def test_people_at_the_edge_are_partly_outside() -> None:
    made = scene(Conditions(0, 0, 0, 0, 1))
    share = made.hidden.float().mean((1, 2))
    assert float(share.mean()) > 0.15


def test_the_share_of_each_condition_is_what_was_requested() -> None:
    made = scene(Conditions(0, 0, 0.5, 0, 0), windows=200)
    hidden = made.hidden.flatten(1).any(1) & made.covers.isfinite().all(-1).all(-1)
    assert 0.38 < float(hidden.float().mean()) < 0.62


def test_the_same_seed_gives_the_same_scene() -> None:
    first, second = scene(seed=5), scene(seed=5)
    assert all(torch.equal(getattr(first, name), getattr(second, name)) for name in ("keypoints", "transl"))
    assert not torch.equal(first.keypoints, scene(seed=6).keypoints)


def test_scenes_are_joined_one_after_the_other() -> None:
    first, second = scene(seed=5), scene(LOWER_BODY_UNSEEN, seed=6)
    both = joined([first, second])
    assert torch.equal(both.keypoints, torch.cat((first.keypoints, second.keypoints)))
    assert torch.equal(both.image_size[WINDOWS:], second.image_size)
