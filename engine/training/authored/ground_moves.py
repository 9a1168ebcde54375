"""Low and athletic movements: crouching, kneeling, lunging, push-ups, jumping jacks.

What the moves are comes from studies of them: the deep squat (Schoenfeld 2010, J Strength Cond Res 24:3497), the
forward lunge with the trunk upright or inclined (Farrokhi et al. 2008, J Orthop Sports Phys Ther 38:403), the push-up
with hands at the width of the shoulders or wider (Cogley et al. 2005, J Strength Cond Res 19:628). The figures are our
choice. Deep squat: knees bent by 135 to 145 degrees, heels up, trunk inclined by 25 to 40. Kneeling: thigh upright,
knee bent by about 110, toes tucked under. Lunge: step of about a leg length, knees bent by 108 to 115 degrees, rear
knee some centimetres over the floor, 2 to 3 s. Push-up: hands 1 to 1.5 shoulder widths apart, elbows from straight to
130 degrees, 1.5 to 2.5 s a repetition. Jumping jack: 0.8 to 1.2 s a repetition, arms through 150 to 170 degrees.
"""

from __future__ import annotations

import numpy as np

from engine.training.authored.stage import SIDES, Stage
from engine.training.authored.steps import Step, take_steps
from engine.training.figure import INDEX


def crouch(stage: Stage) -> None:
    """Crouching down deep, staying, and rising."""
    person, t, rng = stage.performer, stage.seconds, stage.rng
    scale = person.figure.standing_height / 0.965
    low = stage.key((0.1 * t, 0), (0.36 * t, 1), (0.66 * t, 1), (0.92 * t, 0), smooth_s=0.1)
    depth, heels = rng.uniform(0.46, 0.56) * scale, rng.uniform(18, 34)
    stage.pelvis[:, 1] -= low * depth
    stage.pelvis[:, 2] -= low * (0.13 - 0.003 * heels) * scale
    stage.turn[:, 0] += low * rng.uniform(16, 28)
    stage.spine[:, 0] += low * rng.uniform(18, 30)
    stage.head[:, 0] -= low * rng.uniform(10, 25)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        foot, arm = stage.feet[side], stage.arms[side]
        foot.pitch = foot.pitch + low * heels
        foot.knee = foot.knee + low * rng.uniform(6, 22)
        foot.flat[:, 0] += sign * rng.uniform(0.0, 0.05)
        arm.reach[:] = (sign * rng.uniform(0.05, 0.14) * scale, rng.uniform(0.42, 0.52) * scale, 0.36 * scale)
        arm.weight = stage.key((0.15 * t, 0), (0.38 * t, 1), (0.64 * t, 1), (0.88 * t, 0), smooth_s=0.1)
        arm.hint[:] = (0.8, -0.8, -0.3)


def _foot_offset(stage: Stage, side: str, pitch: float) -> np.ndarray:
    """(3,) from the foot's flat place to the ankle at a pitch."""
    foot = stage.feet[side]
    kept, foot.pitch = foot.pitch, stage.still(pitch)
    offset: np.ndarray = (stage.ankle(side) - foot.flat)[0]
    foot.pitch = kept
    return offset


def kneel(stage: Stage) -> None:
    """Kneeling down on one knee or on both, and staying there."""
    figure, t, rng = stage.performer.figure, stage.seconds, stage.rng
    scale, tucked = figure.standing_height / 0.965, 68.0
    thigh, shank = figure.length("left_hip", "left_knee"), figure.length("left_knee", "left_ankle")
    knee_y = 0.07 * scale
    ankle = _foot_offset(stage, "left", tucked)
    reach_back = np.sqrt(shank**2 - (ankle[1] - knee_y) ** 2)
    both = rng.random() < 0.5
    down_s, last_s = (0.42 * t, 0.62 * t) if both else (0.5 * t, 0.5 * t)
    steps = [Step("left", 0.1 * t, 0.26 * t, _behind(stage, "left", -reach_back - ankle[2]), 0.05, 25.0, 45.0, tucked)]
    if both:
        place = _behind(stage, "right", -reach_back - ankle[2])
        steps.append(Step("right", 0.46 * t, last_s, place, 0.04, 45.0, 60.0, tucked))
    else:
        place = (float(stage.feet["right"].flat[0, 0]), 0.0, stage.feet["right"].flat[0, 2] + shank * 0.9)
        steps.append(Step("right", 0.28 * t, 0.42 * t, place, 0.04, 20.0, -5.0))
    take_steps(stage, steps)
    stage.settles = False
    hip_drop = figure.joints[0, 1] - figure.joints[INDEX["left_hip"], 1]
    height = knee_y + thigh * 0.995 + hip_drop
    low = stage.key((0.16 * t, 0), (down_s, 1), (t, 1), smooth_s=0.1)
    stage.pelvis[:, 1] += low * (height - figure.standing_height)
    stage.pelvis[:, 2] += low * 0.015
    stage.pelvis[:, 1] -= 0.012
    bend = stage.key((0.08 * t, 0), (0.34 * t, 1), (0.62 * t, 0.1), (t, 0), smooth_s=0.1)
    stage.turn[:, 0] += bend * 14
    stage.spine[:, 0] += bend * 16 + low * 4
    stage.head[:, 0] += bend * 6
    if not both:
        _hand_on_knee(stage, low, scale)
    for side in SIDES:
        stage.arms[side].flexion = stage.arms[side].flexion + bend * 22
        stage.arms[side].elbow = stage.arms[side].elbow + bend * 25 + low * 8


def _behind(stage: Stage, side: str, z: float) -> tuple[float, float, float]:
    return float(stage.feet[side].flat[0, 0]) * 0.95, 0.0, float(z)


def _hand_on_knee(stage: Stage, low: np.ndarray, scale: float) -> None:
    arm = stage.arms["right"]
    arm.reach[:] = (-0.11 * scale, 0.62 * scale, 0.26 * scale)
    arm.weight = low * 0.95
    arm.hint[:] = (0.8, -0.5, -0.8)
    arm.pronation = arm.pronation + 45 * low


def lunge(stage: Stage) -> None:
    """Lunges: a long step forward, down until both knees are bent square, and back."""
    person, t, rng = stage.performer, stage.seconds, stage.rng
    figure, scale = person.figure, person.figure.standing_height / 0.965
    leg = figure.length("left_hip", "left_knee", "left_ankle")
    stride = rng.uniform(0.82, 0.95) * leg
    start = stage.feet["right"].flat[0].copy()
    place = (float(start[0]), 0.0, float(start[2] + stride))
    home = (float(start[0]), 0.0, float(start[2]))
    take_steps(
        stage,
        [
            Step("right", 0.12 * t, 0.3 * t, place, 0.06, 18.0, -14.0),
            Step("right", 0.66 * t, 0.86 * t, home, 0.06, 16.0, 6.0),
        ],
    )
    low = stage.key((0.16 * t, 0), (0.47 * t, 1), (0.53 * t, 1), (0.85 * t, 0), smooth_s=0.08)
    stage.feet["left"].pitch = stage.key((0.18 * t, 0), (0.46 * t, 58), (0.54 * t, 58), (0.84 * t, 0))
    bottom = rng.uniform(0.53, 0.58) * scale
    stage.pelvis[:, 1] += low * (bottom - figure.standing_height)
    stage.pelvis[:, 2] += low * stride * 0.53
    stage.turn[:, 0] += low * rng.uniform(0, 10)
    stage.spine[:, 0] += low * rng.uniform(0, 6)
    on_hips = rng.random() < 0.4
    for side, sign in (("left", 1.0), ("right", -1.0)):
        arm = stage.arms[side]
        if on_hips:
            arm.reach = stage.pelvis + np.array([sign * 0.19, 0.07, 0.03]) * scale
            arm.weight = stage.key((0.0, 1), (t, 1))
            arm.hint[:] = (1.0, 0.0, -0.5)
            arm.pronation = arm.pronation + 70
        else:
            arm.flexion = arm.flexion + sign * low * 14
            arm.elbow = arm.elbow + low * 18


def push_up(stage: Stage) -> None:
    """Push-ups on hands and toes, the body in one line."""
    person, t, rng = stage.performer, stage.seconds, stage.rng
    figure, scale = person.figure, person.figure.standing_height / 0.965
    stage.settles = False
    tucked = 68.0
    ankle = _foot_offset(stage, "left", tucked)
    leg = figure.length("left_hip", "left_knee", "left_ankle") * 0.985
    hips = figure.joints[0, 1] - figure.joints[INDEX["left_hip"], 1]
    trunk = figure.joints[INDEX["left_shoulder"], 1] - figure.joints[0, 1]
    arm_m = figure.length("left_shoulder", "left_elbow", "left_wrist")
    wrist_y, line = 0.09 * scale, leg + hips + trunk
    top = np.degrees(np.arcsin((arm_m * 0.985 + wrist_y - ankle[1]) / line))
    bottom = np.degrees(np.arcsin((rng.uniform(0.2, 0.26) * scale - ankle[1]) / line))
    period = stage.vary(1.9, 0.2) / person.tempo
    count = max(1, int((t - 0.8) / period))
    cycle = np.clip((stage.times - 0.4) / period, 0, count)
    depth = (0.5 - 0.5 * np.cos(2 * np.pi * cycle)) ** 0.9
    slope = np.radians(top + (bottom - top) * depth)
    body = np.stack([0 * slope, np.sin(slope), np.cos(slope)], 1)
    for side in SIDES:
        foot = stage.feet[side]
        foot.flat[:, 0] *= 0.6
        foot.flat[:, 2] = 0
        foot.pitch, foot.yaw, foot.knee = stage.still(tucked), stage.still(2), stage.still(0)
    stage.pelvis = np.array([0.0, ankle[1], ankle[2]]) + body * (leg + hips) + (0, 0.01, 0)
    stage.turn[:, 0] = 90 - np.degrees(slope)
    stage.spine[:] = 0
    stage.head[:] = (-rng.uniform(8, 28), 0, 0)
    slope_top = np.radians(top)
    hands_z = ankle[2] + line * np.cos(slope_top) + rng.uniform(-0.02, 0.03)
    wide = rng.uniform(1.15, 1.5) * figure.joints[INDEX["left_shoulder"], 0]
    for side, sign in (("left", 1.0), ("right", -1.0)):
        arm = stage.arms[side]
        arm.reach = np.tile([sign * wide, wrist_y, hands_z], (stage.frames, 1))
        arm.weight = stage.still(1)
        arm.hint[:] = (rng.uniform(0.5, 1.1), 0.1, -1.0)
        arm.pronation, arm.extension, arm.deviation = stage.still(80), stage.still(72), stage.still(0)


def jumping_jack(stage: Stage) -> None:
    """Jumping jacks: feet apart and hands overhead, and back together."""
    person, t, rng = stage.performer, stage.seconds, stage.rng
    scale = person.figure.standing_height / 0.965
    period = stage.vary(1.0, 0.15) / person.tempo
    count = max(1, int((t - 0.6) / period))
    cycle = np.clip((stage.times - 0.3) / period, 0, count)
    opened = 0.5 - 0.5 * np.cos(2 * np.pi * cycle)
    legs = np.clip((opened - 0.5) * 1.7 + 0.5, 0, 1)  # feet stand while the arms still swing
    flight = np.sin(2 * np.pi * cycle) ** 2 * ((cycle > 0) & (cycle < count))
    air = np.clip(flight * 1.6 - 0.6, 0, 1)
    hop = rng.uniform(0.05, 0.09) * person.amplitude * scale
    spread = rng.uniform(0.2, 0.3) * person.amplitude * scale
    dip = (1 - flight) * 0.045 * scale * np.clip(cycle * 4, 0, 1) * np.clip((count - cycle) * 4, 0, 1)
    stage.pelvis[:, 1] += hop * flight - dip
    for side, sign in (("left", 1.0), ("right", -1.0)):
        foot, arm = stage.feet[side], stage.arms[side]
        foot.flat[:, 0] += sign * spread * legs
        foot.flat[:, 1] += hop * air
        foot.pitch = foot.pitch + 30 * air + 8 * flight
        foot.knee = foot.knee + 6 * opened
        arm.abduction = arm.abduction + opened * (rng.uniform(155, 172) - person.arm_hang) * min(1.05, person.amplitude)
        arm.flexion = arm.flexion + 8 * opened
        arm.elbow = arm.elbow + 12 * np.sin(np.pi * opened)
        arm.rotation = arm.rotation - 60 * opened


def jump(stage: Stage) -> None:
    """Jumps on the spot: down in the knees, up with the arms, and down to a soft landing; flight obeys gravity."""
    rng, scale = stage.rng, stage.performer.figure.standing_height / 0.965
    height = rng.uniform(0.08, 0.26) * scale
    flight_s = 2 * np.sqrt(2 * height / 9.81)
    at = rng.uniform(0.7, 0.9)
    while at < stage.seconds - flight_s - 0.8:
        into = stage.times - at
        flying = (into > 0) & (into < flight_s)
        air = np.where(flying, into * (flight_s - into) * 9.81 / 2, 0.0)
        low = stage.key((at - 0.5, 0), (at - 0.17, 1), (at - 0.03, 0.05), (at, 0), smooth_s=0.03)
        soft = stage.key((at + flight_s, 0), (at + flight_s + 0.13, 0.8), (at + flight_s + 0.5, 0), smooth_s=0.03)
        bent = (low + soft) * rng.uniform(0.14, 0.22) * scale
        stage.pelvis[:, 1] += air - bent
        stage.turn[:, 0] += (low + soft) * 14
        stage.spine[:, 0] += (low + soft) * 10
        stage.head[:, 0] -= (low + soft) * 10
        toes = stage.key((at - 0.12, 0), (at, 34), (at + flight_s, 26), (at + flight_s + 0.1, 0), smooth_s=0.02)
        swing = stage.key(
            (at - 0.5, 0), (at - 0.17, -35), (at + 0.1, 70), (at + flight_s, 25), (at + flight_s + 0.5, 0)
        )
        for side in SIDES:
            foot, arm = stage.feet[side], stage.arms[side]
            foot.flat[:, 1] += air
            foot.pitch = foot.pitch + toes
            arm.flexion = arm.flexion + swing
            arm.elbow = arm.elbow + 20 * (low + soft)
        at += flight_s + rng.uniform(1.0, 1.5)
