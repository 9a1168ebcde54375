"""People filmed by a camera that moves on a known path."""

from dataclasses import replace

import numpy as np
import torch

from engine.world.still_camera import to_world


def turn(axis, degrees):
    """(3, 3) turn about x, y or z."""
    angle, (i, j) = np.radians(degrees), {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    matrix = np.eye(3)
    matrix[i, i] = matrix[j, j] = np.cos(angle)
    matrix[i, j], matrix[j, i] = -np.sin(angle), np.sin(angle)
    return matrix


def path_of(still, times):
    """(T, 4, 4) a camera that starts where `still` (4, 4) stands, then walks sideways and up, and turns."""
    poses = np.tile(still, (len(times), 1, 1))
    poses[:, :3, 3] += np.outer(times, (0.6, -0.3, 0.1))
    for row, time in enumerate(times):
        poses[row, :3, :3] = turn("z", -6 * time) @ still[:3, :3] @ turn("x", 2 * time)
    return poses


def filmed_person(body, walker):
    """Somebody, in the world, the path of a camera that films them, and what a backbone would say in that camera."""
    world = to_world(walker.prediction, walker.times, body, walker.camera)
    poses = path_of(world.camera_to_world, walker.times)
    turns = poses[:, :3, :3]
    rotations = walker.prediction.rotations.astype(np.float64).copy()
    rotations[:, 0] = turns.transpose(0, 2, 1) @ world.camera_to_world[:3, :3] @ rotations[:, 0]
    joints = np.einsum("tji,tnj->tni", turns, world.joints3d_world - poses[:, None, :3, 3])
    rest = walker.prediction.transl[0] - body_root(body, walker)[0]
    transl = joints[:, 0] + rest
    seen = replace(walker.prediction, rotations=rotations.astype(np.float32), transl=transl.astype(np.float32))
    return walker, world, poses, seen


def body_root(body, walker):
    """(T, 3) pelvis in the still camera."""
    arguments = (walker.prediction.rotations, walker.prediction.betas, walker.prediction.transl)
    return body.joints_and_landmarks(*map(torch.as_tensor, arguments))[0][:, 0].numpy()
