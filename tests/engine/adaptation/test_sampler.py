"""Segments of any footage, and how they are drawn."""

import numpy as np
import pytest
import torch

from engine.adaptation.sampler import cut, draw, per_row, resampled, stride_of


def clip(seconds, rate, *labels):
    """Times and labels of a clip whose labels share its length equally."""
    times = np.arange(round(seconds * rate)) / rate
    return times, np.array([labels[i * len(labels) // len(times)] for i in range(len(times))])


@pytest.mark.parametrize("rate", [5, 15, 23.976, 24, 25, 29.97, 30, 50, 59.94, 60, 120, 240])
def test_a_segment_is_two_seconds_at_any_rate(rate):
    segments = cut(*clip(7, rate, "walk"), 0.5, 1.0)
    stride = stride_of(clip(7, rate, "walk")[0])
    lasts = (segments.rows[:, -1] - segments.rows[:, 0] + stride) / rate
    assert lasts == pytest.approx(2.0, abs=0.6 * stride / rate)
    assert rate / stride <= 45
    assert (segments.rows.diff(dim=1) == stride).all()
    assert set(segments.labels) == {"walk"}
    covered = np.unique(segments.rows)
    assert covered[0] == 0
    assert covered[-1] == len(clip(7, rate, "walk")[0]) - 1
    assert np.diff(covered).max() <= stride


def test_at_30_frames_a_second_it_is_the_papers_60_frames():
    segments = cut(*clip(4, 30, "walk"), 2.0, 2.0)
    assert segments.rows.tolist() == [list(range(60)), list(range(60, 120))]
    six = torch.rand(2, 60, 24, 6, generator=torch.Generator().manual_seed(0))
    assert resampled(six, segments, torch.arange(2)) == pytest.approx(six, abs=1e-5)


def test_fast_footage_is_learned_from_at_every_phase():
    rows = cut(*clip(10, 60, "walk"), 0.5, 1.0).rows
    assert set((rows[:, 0] % 2).tolist()) == {0, 1}


@pytest.mark.parametrize("rate", [24, 50, 60])
def test_motion_is_resampled_in_time(rate):
    times, labels = clip(3, rate, "walk")
    segments = cut(times, labels, 0.5, 1.0)
    six = torch.as_tensor(times).float()[segments.rows][..., None, None].expand(-1, -1, 24, 6)
    out = resampled(six, segments, torch.arange(len(segments.rows)))[..., 3, 3]
    wanted = times[segments.rows[:, 0]][:, None] + np.arange(60) / 30
    assert out.numpy() == pytest.approx(np.minimum(wanted, times[segments.rows[:, -1]][:, None]), abs=1e-4)


def test_gradients_reach_the_rows():
    times, labels = clip(3, 24, "walk")
    segments = cut(times, labels, 0.5, 1.0)
    six = torch.zeros(1, segments.rows.shape[1], 24, 6, requires_grad=True)
    resampled(six, segments, torch.tensor([0])).sum().backward()
    assert (six.grad != 0).all()


def test_a_clip_shorter_than_a_segment_runs_to_and_fro():
    times, labels = clip(0.5, 30, "jump")
    segments = cut(times, labels, 0.5, 2.0)
    assert segments.rows.tolist() == [list(range(15))]
    assert segments.labels == ("jump",), "its label holds throughout, however short it is"
    six = torch.arange(15.0)[None, :, None, None].expand(1, 15, 24, 6)
    out = resampled(six, segments, torch.tensor([0]))[0, :, 0, 0].tolist()
    assert out[:30] == pytest.approx([*range(15), *range(13, -1, -1), 1], abs=1e-4)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_clip_of_a_few_frames_is_a_segment_without_alignment(count):
    segments = cut(np.arange(count) / 30, np.array(["walk"] * count), 0.5, 1.0)
    assert segments.rows.tolist() == [list(range(count))]
    assert segments.labels == ("",)
    assert segments.share.isfinite().all()


def test_segments_of_mixed_labels_are_left_out():
    segments = cut(*clip(4, 30, "walk", "sit"), 1.0, 2.0)
    assert segments.labels == ("walk", "", "sit")
    assert segments.rows[1].tolist() == list(range(30, 90)), "but they are there for the other terms"


def test_a_long_enough_part_of_one_label_may_stand_for_itself():
    segments = cut(*clip(4, 30, "walk", "sit"), 0.5, 1.0)
    assert segments.labels == ("walk", "walk", "walk", "sit", "sit")
    assert segments.span.tolist()[1] == [15, 60], "rows 60 to 74 of that segment are of the other label"
    six = torch.arange(60.0)[None, :, None, None].expand(1, 60, 24, 6)
    assert resampled(six, segments, torch.tensor([1])).max() <= 44


def test_frames_without_a_label_count_as_another():
    assert set(cut(*clip(4, 30, "", ""), 0.5, 1.0).labels) == {""}
    assert cut(*clip(4, 30, "walk", ""), 2.0, 1.0).labels == ("walk", "")


def test_segments_that_agree_least_are_drawn_most():
    similarity = torch.tensor([0.0, 0.5, 0.9, 0.3])
    labelled = torch.tensor([True, True, True, False])
    chosen = draw(similarity, labelled, 40000, torch.Generator().manual_seed(0))
    shares = torch.bincount(chosen, minlength=4) / 40000
    weights = torch.tensor([1.0, 0.5, 0.1, 1.6 / 3])
    assert shares.tolist() == pytest.approx((weights / weights.sum()).tolist(), abs=0.01)


def test_drawing_works_where_everything_agrees_and_where_nothing_has_a_label():
    generator = torch.Generator().manual_seed(0)
    assert len(draw(torch.ones(3), torch.ones(3, dtype=torch.bool), 8, generator)) == 8
    assert len(draw(torch.zeros(3), torch.zeros(3, dtype=torch.bool), 8, generator)) == 8


def test_a_row_is_as_similar_as_the_segments_about_it():
    segments = cut(*clip(4, 30, "walk"), 1.0, 2.0)
    rows = per_row(torch.tensor([0.2, 0.6, 1.0]), segments, 120)
    assert rows[[0, 45, 75, 119]].tolist() == pytest.approx([0.2, 0.4, 0.8, 1.0])
    halves = cut(*clip(4, 30, "walk", ""), 2.0, 2.0)
    assert per_row(torch.tensor([0.7, 0.3]), halves, 120)[[0, 119]].tolist() == pytest.approx([0.7, 0.0])


@pytest.mark.parametrize(("step_s", "step"), [(0.35, 21), (0.5, 31)])
def test_a_step_over_fast_footage_is_odd(step_s, step):
    starts = cut(*clip(10, 60, "walk"), step_s, 2.0).rows[:, 0]
    assert set(starts.diff()[:-1].tolist()) == {step}
