"""Feet that stand on rigs of other proportions, also where those of the source slide and float, as from footage."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import rigs
import walking
from adapt_motion.blender_addon.blender import compat, filters, rotations, timing
from adapt_motion.blender_addon.character import feet, scene
from adapt_motion.blender_addon.cleanup import edits
from adapt_motion.blender_addon.retarget import bake
from inside import joints_at
from judging import judge, map_for, slip, touches

RIGS = ("mixamo", "unreal_5", "unity", "vrm")
SOUND = 60
"""Frames of the walk before it begins to slide."""


@pytest.fixture
def slider(blank, tmp_path):
    """A walk that is sound at first; then body and legs drift by some degrees and centimetres, so that feet slide."""
    timing.set_scene_rate(blank, Fraction(30))
    person = scene.import_people([walking.write_walker(tmp_path / "clip")], blank).people[0]
    random = np.random.default_rng(4)
    begins = np.clip((np.arange(120) - SOUND) / 10, 0, 1)
    for curve in compat.curves_of(person.armature):
        if curve.data_path.endswith("location") or "_hip" in curve.data_path or "_knee" in curve.data_path:
            noise = filters.gaussian(random.normal(size=120), 5) * begins * 0.16
            for key, more in zip(curve.keyframe_points, noise, strict=True):
                key.co[1] += more
            curve.update()
    return person


def feet_of_source(armature) -> np.ndarray:
    """(T, 4, 3) ankles and balls."""
    return np.stack([joints_at(armature, frame)[[7, 10, 8, 11]] for frame in range(1, 121)])


def still(places: np.ndarray, touching: np.ndarray) -> np.ndarray:
    """(T, 4) the contacts in which a foot of the source itself moves by less than a centimetre."""
    kept = np.zeros(touching.shape)
    for column in range(4):
        for start, end in filters.runs(touching[:, column] > 0.5):
            stood = places[start:end, column]
            kept[start:end, column] = np.linalg.norm(stood - stood.mean(0), axis=1).max() < 0.01
    return kept


@pytest.mark.parametrize("name", RIGS)
def test_legs_keep_their_directions_where_the_source_slides(blank, slider, name):
    touching = touches(slider)
    stood = still(feet_of_source(slider.armature), touching)
    assert 0.2 < stood.sum() / touching.sum() < 0.8, "some contacts slide, some do not"
    assert slip(feet_of_source(slider.armature), touching) > 0.02
    rig = rigs.build(rigs.CONVENTIONS[name], blank)
    found = map_for(rig)
    baked = bake.bake(slider.armature, rig, found, blank)
    worst, places = judge(slider.armature, rig, found.bones, touching)
    print(f"\n{name}: {max(worst.values()):.2f} degrees, {slip(places, stood) * 1000:.1f} mm, {baked.warnings}")
    assert max(worst.values()) < 3, worst
    assert slip(places, stood) < 0.01
    jerk = [np.linalg.norm(np.diff(one[:, [0, 2]], n=2, axis=0), axis=-1).max() for one in
            (places, feet_of_source(slider.armature))]  # fmt: skip
    assert jerk[0] < 2 * jerk[1], "feet come to stand and leave softly"


def test_who_wants_feet_to_stand_lets_legs_turn(blank, slider):
    """The setting is the choice between the two, and says what is missing."""
    rig = rigs.build(rigs.CONVENTIONS["unity"], blank)
    found, touching = map_for(rig), touches(slider)
    some = []
    for degrees in (1, 3, 40):
        options = bake.Options(most_turn=np.radians(degrees))
        baked = bake.bake(slider.armature, rig, found, blank, options)
        worst, places = judge(slider.armature, rig, found.bones, touching)
        legs = max(angle for joint, angle in worst.items() if "hip" in joint or "knee" in joint)
        assert legs < degrees
        some.append((slip(places, touching), baked.warnings))
    assert some[0][0] > some[1][0] > some[2][0]
    assert some[2][0] < 0.01
    assert some[2][1] == []
    assert len(some[0][1]) == 1
    assert "beside where they stand" in some[0][1][0]
    assert "legs turn by 1 degrees" in some[0][1][0]


def test_feet_are_locked_afterwards(blank, slider):
    rig = rigs.build(rigs.CONVENTIONS["vrm"], blank)
    found, touching = map_for(rig), touches(slider)
    bake.bake(slider.armature, rig, found, blank)
    edits.lock_feet(rig, blank)
    _, places = judge(slider.armature, rig, found.bones, touching)
    assert slip(places, touching) < 0.001


def test_a_leg_turns_by_the_bound_and_no_further():
    """Toward its place as far as it may; the distance that is left is what is reported."""
    count = 40
    hip, knee, ankle = (np.tile(place, (count, 1)) for place in ((0, 0, 0.9), (0, -0.03, 0.5), (0, 0, 0.09)))
    same = np.tile([1.0, 0, 0, 0], (count, 1))
    heel, ball = np.array([0, 0, -0.09]), np.array([0, -0.12, -0.09])
    other = feet.Leg(*(part + np.array([0.2, 0, 0.5]) for part in (hip, knee, ankle)), same, same, same, heel, ball)
    path = np.linspace(0, 0.16, count)[:, None] * (0, 1, 0)  # the foot slides by 16 cm while it touches
    slides = feet.Leg(hip, knee + path / 2, ankle + path, same, same, same, heel, ball)
    touching = np.zeros((count, 4), dtype=bool)
    touching[:, :2] = True
    for most in (0.02, 0.05, np.inf):
        stand = feet.Stand(30, hips=0.0, most_turn=most)
        planted = feet.plant([slides, other], touching, np.zeros((count, 4)), stand)
        turned = np.maximum(rotations.angle(planted.thigh[0], same), rotations.angle(planted.shin[0], same))
        assert turned.max() <= most + 1e-6
        if np.isfinite(most):
            assert turned.max() > 0.99 * most
            assert planted.off_m[:, 0].max() > 0.02
        else:
            assert planted.off_m.max() < 1e-6
        assert planted.off_m[:, 1].max() == 0
