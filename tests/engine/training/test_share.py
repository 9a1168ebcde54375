"""Training on a share of the corpus."""

import json
from collections import Counter

import numpy as np
import pytest

from engine.training.corpus import CorpusClip, learnt_from, write_corpus

FPS = 30


def clip(performer, number, frames, synthetic=False, held_out=False):
    zero = {"poses": 72, "pelvis": 3, "contacts": 4}
    arrays = {name: np.zeros((frames, width), np.int8 if width == 4 else np.float32) for name, width in zero.items()}
    betas, labels = np.zeros(10, np.float32), ()
    return CorpusClip(
        f"{performer}_{number}", "x", performer, synthetic, held_out, betas=betas, labels=labels, **arrays
    )


@pytest.fixture(scope="module")
def clips():
    people = [(f"p{number}", False) for number in range(12)] + [(f"authored_{number}", True) for number in range(6)]
    known = [clip(who, n, 20 + 7 * n, synthetic) for who, synthetic in people for n in range(4)]
    return [*known, clip("q", 0, 90, held_out=True), clip("authored_9", 0, 90, True, held_out=True)]


def frames(chosen, synthetic):
    return sum(len(one.pelvis) for one in chosen if one.synthetic == synthetic)


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.9])
@pytest.mark.parametrize("seed", [0, 1])
def test_minutes_are_the_share_of_captured_and_of_authored_motion(clips, share, seed):
    whole, some = learnt_from(clips), learnt_from(clips, share, seed)
    for synthetic in (False, True):
        wanted = share * frames(whole, synthetic)
        assert wanted <= frames(some, synthetic) < wanted + 42, "one clip more than needed at most"


def test_performers_are_taken_whole_but_for_the_last(clips):
    count = Counter(one.performer for one in learnt_from(clips, 0.5, 0))
    cut = [who for who, clips_of in count.items() if clips_of < 4]
    assert sum("authored" in who for who in cut) <= 1
    assert len(cut) <= 2
    assert len(count) <= 10


def test_nobody_held_out_is_learnt_from_and_all_others_are_without_a_share(clips):
    assert not any(one.held_out for share in (0.3, 1.0) for one in learnt_from(clips, share))
    assert learnt_from(clips) == [one for one in clips if not one.held_out]


def test_seeds_choose_others_and_a_smaller_share_is_part_of_a_larger_one(clips):
    def names(share, seed):
        return [one.name for one in learnt_from(clips, share, seed)]

    assert names(0.4, 0) == names(0.4, 0)
    assert names(0.4, 0) != names(0.4, 1)
    assert set(names(0.2, 0)) < set(names(0.4, 0)) < set(names(1.0, 0))


def test_the_command_trains_on_the_share_and_scores_on_all_held_out_people(tmp_path, run_here):
    clips = [clip("p", n, 60) for n in range(4)] + [clip("q", 0, 60, held_out=True)]
    write_corpus(tmp_path / "corpus.npz", clips)
    words = ["train", "denoiser", tmp_path / "corpus.npz", "-o", tmp_path / "d.safetensors", "--device", "cpu"]
    ran = run_here(*words, "--steps", 1, "--share", 0.25)
    assert ran.code == 0, ran.stderr
    figures = json.loads((tmp_path / "d.json").read_text())
    assert (figures["share"], figures["captured"]["windows"]) == (0.25, 1)

    bad = run_here(*words, "--share", 0)
    assert bad.code == 2
    assert "--share" in bad.stderr
