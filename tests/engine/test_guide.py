import torch

from engine.adaptation.guide import Guide, mixed
from engine.adaptation.infiller import Infilled
from engine.adaptation.whole_track import Estimate
from engine.body.rotations import axis_angle_to_matrix

FRAMES = 70


class Reader:
    """An in-filler that turns every joint by what the sentence says, and thinks of its truth what it is told to."""

    def __init__(self, fits):
        self.fits = fits

    def sentence_of(self, label):
        return torch.full((384,), {"": 0.0, "bend": 0.5}.get(label, 0.0))

    def __call__(self, rotations, shown, confidence, times_s, sentence):
        turn = axis_angle_to_matrix(sentence[..., None, :1] * torch.tensor([1.0, 0, 0]))
        return Infilled(rotations @ turn, torch.full(times_s.shape, self.fits))


def still(frames=FRAMES):
    return Estimate(torch.eye(3).repeat(frames, 24, 1, 1), torch.zeros(frames, 10), torch.zeros(frames, 3))


def guide(labels, fits=5.0, confidence=0.0, fps=30, unseen=1.0, seen=0.0):
    times = torch.arange(FRAMES) / fps
    joints = torch.full((FRAMES, 24), confidence)
    return Guide(Reader(fits), still(), joints, times, labels, unseen, seen)


def mended(guide, doubt=1.0):
    return guide.mended(still(), torch.full((FRAMES,), doubt))


def angle(rotations):
    return torch.atan2(rotations[..., 2, 1], rotations[..., 2, 2])


def test_joints_not_seen_follow_the_label_and_seen_ones_stay():
    bend = guide(["bend"] * FRAMES)
    assert bend.trust == {"bend": 1.0}
    torch.testing.assert_close(angle(mended(bend).rotations), torch.full((FRAMES, 24), 0.5), atol=1e-4, rtol=0)
    seen = guide(["bend"] * FRAMES, confidence=0.9)
    torch.testing.assert_close(mended(seen).rotations, still().rotations, atol=1e-5, rtol=0)
    between = mended(guide(["bend"] * FRAMES, confidence=0.55)).rotations
    assert ((angle(between) > 0.1) & (angle(between) < 0.4)).all()


def test_seen_joints_are_in_filled_as_far_as_keypoints_are_doubted():
    seen = guide(["bend"] * FRAMES, confidence=0.9, seen=1.0)
    for doubt, least, most in ((0.0, -1e-3, 1e-3), (0.5, 0.1, 0.4), (1.0, 0.49, 0.51)):
        angles = angle(mended(seen, doubt).rotations)
        assert ((angles > least) & (angles < most)).all()


def test_a_label_that_does_not_fit_is_left_out():
    doubted = guide(["bend"] * FRAMES, fits=-3.0)
    assert doubted.trust == {"bend": 0.0}
    torch.testing.assert_close(mended(doubted).rotations, still().rotations, atol=1e-5, rtol=0)


def test_rows_without_a_label_and_labels_that_it_does_not_know_say_nothing():
    part = guide(["bend"] * 30 + [""] * 20 + ["juggle"] * 20)
    assert part.trust == {"bend": 1.0}
    angles = angle(mended(part).rotations)
    assert (angles[:20] > 0.4).all()
    assert (angles[40:].abs() < 0.1).all()


def test_footage_of_any_rate():
    for fps in (24, 60, 120):
        angles = angle(mended(guide(["bend"] * FRAMES, fps=fps)).rotations)
        torch.testing.assert_close(angles, torch.full((FRAMES, 24), 0.5), atol=1e-4, rtol=0)


def test_an_in_filler_that_is_out_of_order_does_not_judge_labels():
    broken = guide(["bend"] * FRAMES, fits=float("nan"))
    assert broken.trust == {"bend": 1.0}


def test_mixed_goes_from_the_one_to_the_other():
    one, other = still(4).rotations, axis_angle_to_matrix(torch.full((4, 24, 3), 0.3))
    torch.testing.assert_close(mixed(one, other, torch.zeros(4, 1)), one)
    torch.testing.assert_close(mixed(one, other, torch.ones(4, 24)), other, atol=1e-5, rtol=0)
