import numpy as np
import pytest

from engine.training.authored import ACTIONS, author, performers
from engine.training.figure import INDEX, MIRROR, vectors
from engine.training.ground import contact_slide

PEOPLE = performers(4, np.random.default_rng(0))


def performed(action, person=PEOPLE[0], seed=0):
    """The clip with its joints (T, 24, 3) and points of the skin (T, S, 3)."""
    clip = author(action, person, np.random.default_rng(seed))
    joints, turned = person.figure.pose(clip.rotations, clip.pelvis)
    return clip, joints, person.figure.skin_points(joints, turned)


def at(joints, name):
    return joints[:, INDEX[name]]


@pytest.mark.parametrize("person", PEOPLE[:2], ids=lambda p: "left-handed" if p.left_handed else "right-handed")
@pytest.mark.parametrize("action", ACTIONS)
def test_bodies_stay_out_of_the_floor_and_planted_feet_stay_put(action, person):
    clip, joints, skin = performed(action, person)
    assert skin[..., 1].min() > -0.015
    assert contact_slide(skin[:, person.figure.soles], clip.contacts, clip.fps) < 0.02
    assert 0.3 < clip.contacts.mean() <= 1
    assert (at(joints, "left_hip")[0] - at(joints, "right_hip")[0])[0] > 0


@pytest.mark.parametrize("action", ACTIONS)
def test_hands_do_not_go_through_the_thighs(action):
    _, joints, _ = performed(action)
    for hand in ("left_wrist", "left_hand", "right_wrist", "right_hand"):
        for side in ("left", "right"):
            hip, knee = at(joints, f"{side}_hip"), at(joints, f"{side}_knee")
            share = np.clip(((at(joints, hand) - hip) * (knee - hip)).sum(1) / ((knee - hip) ** 2).sum(1), 0, 1)
            nearest = hip + share[:, None] * (knee - hip)
            assert np.linalg.norm(at(joints, hand) - nearest, axis=1).min() > 0.035


@pytest.mark.parametrize("action", ACTIONS)
def test_joints_stay_within_what_people_can_do(action):
    clip, joints, _ = performed(action)
    angles = np.degrees(np.linalg.norm(vectors(clip.rotations), axis=-1))
    for names, most in (("knee", 160), ("elbow", 160), ("hip", 155), ("ankle", 75), ("wrist", 115), ("collar", 40)):
        for side in ("left", "right"):
            assert angles[:, INDEX[f"{side}_{names}"]].max() < most, names
    for spine in ("spine1", "spine2", "spine3", "neck", "head"):
        assert angles[:, INDEX[spine]].max() < 50
    acceleration = np.linalg.norm(np.diff(joints, 2, axis=0), axis=-1) * clip.fps**2
    assert np.isfinite(joints).all()
    assert acceleration.max() < 160  # no jumps: a hop of a jumping jack has about 100 m/s²


@pytest.mark.parametrize("action", ACTIONS)
def test_performances_differ_and_a_seed_repeats_one(action):
    first, again, other = performed(action)[0], performed(action)[0], performed(action, seed=1)[0]
    np.testing.assert_array_equal(first.rotations, again.rotations)
    common = min(len(first.pelvis), len(other.pelvis))
    assert np.abs(first.rotations[:common] - other.rotations[:common]).max() > 0.05


def test_left_handed_people_perform_the_mirror_image():
    clip, joints, _ = performed("wave", PEOPLE[1])
    assert PEOPLE[1].left_handed
    assert at(joints, "left_wrist")[:, 1].max() > at(joints, "left_shoulder")[:, 1].max()
    assert at(joints, "right_wrist")[:, 1].max() < at(joints, "right_hip")[:, 1].max() + 0.1
    image, _ = PEOPLE[1].figure.pose(clip.mirrored().rotations, clip.mirrored().pelvis)
    np.testing.assert_allclose(image, joints[:, MIRROR] * (-1, 1, 1), atol=1e-9)


@pytest.mark.parametrize(("action", "way"), [("walk upstairs", 1), ("walk downstairs", -1)])
def test_stairs_are_climbed_foot_over_foot(action, way):
    clip, joints, _ = performed(action)
    rise = clip.pelvis[-1, 1] - clip.pelvis[0, 1]
    assert way * rise > 0.45
    assert clip.pelvis[-1, 2] > 0.7  # forward, also on the way down
    heights = at(joints, "left_ankle")[:, 1] - at(joints, "right_ankle")[:, 1]
    assert heights.max() > 0.12
    assert heights.min() < -0.12


def test_sitting_down_and_standing_up_end_where_the_other_starts():
    person = PEOPLE[0]
    down, up, sit = (performed(a, person)[0] for a in ("sit down", "stand up from a chair", "sit"))
    seat = person.figure.standing_height - 0.25
    assert down.pelvis[0, 1] > person.figure.standing_height - 0.05
    assert down.pelvis[-1, 1] < seat
    assert up.pelvis[0, 1] < seat
    assert up.pelvis[-1, 1] > person.figure.standing_height - 0.05
    assert sit.pelvis[:, 1].max() < seat


def test_hands_do_what_the_actions_say():
    _, joints, _ = performed("clap")
    apart = np.linalg.norm(at(joints, "left_wrist") - at(joints, "right_wrist"), axis=1)
    middle = apart[len(apart) // 3 : -len(apart) // 3]
    assert middle.min() < 0.12
    assert ((middle[1:-1] < middle[:-2]) & (middle[1:-1] < middle[2:])).sum() >= 2  # claps more than once
    _, joints, _ = performed("drink")
    assert np.linalg.norm(at(joints, "right_wrist") - at(joints, "head"), axis=1).min() < 0.25
    _, joints, _ = performed("pick something up with both hands")
    lowest = np.maximum(at(joints, "left_wrist")[:, 1], at(joints, "right_wrist")[:, 1]).min()
    assert lowest < 0.35
    _, joints, _ = performed("jumping jack")
    assert at(joints, "left_wrist")[:, 1].max() > at(joints, "head")[:, 1].max()


def test_low_moves_are_low():
    person = PEOPLE[0]
    stand = person.figure.standing_height
    assert performed("crouch", person)[0].pelvis[:, 1].min() < 0.6 * stand
    assert performed("lunge", person)[0].pelvis[:, 1].min() < 0.72 * stand
    _, joints, _ = performed("kneel", person)
    assert min(at(joints, "left_knee")[-1, 1], at(joints, "right_knee")[-1, 1]) < 0.1
    _, joints, _ = performed("push-up", person)
    chest = at(joints, "spine3")[:, 1]
    assert chest.max() - chest.min() > 0.15
    assert at(joints, "left_knee")[:, 1].min() > 0.06  # the body is one line, the knees do not rest


@pytest.mark.parametrize(("action", "way"), [("push something heavy", 1), ("pull something heavy", -1)])
def test_pushing_goes_forward_and_pulling_backward(action, way):
    clip, joints, _ = performed(action)
    assert way * (clip.pelvis[-1, 2] - clip.pelvis[len(clip.pelvis) // 4, 2]) > 0.2
    assert (at(joints, "left_wrist")[-1, 2] - clip.pelvis[-1, 2]) > 0.2  # hands ahead
