"""A performer's next clip begins from what was learned in the one before; that is reported, files are not trusted."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from stage_runs import Notes, WavesBackbone, options_with
from synthetic_people import seen, walk

from engine.adaptation import stage
from engine.adaptation.performers import Performer
from engine.errors import UsageError
from engine.protocol import Job
from engine.run_options import check_options
from engine.runtime.cache import Cache


@pytest.fixture(scope="module")
def person(body):
    return walk(body, seconds=1.5)


class Remembering(WavesBackbone):
    """Keeps what each network began with."""

    def __init__(self, person):
        super().__init__(person)
        self.begun = []

    def bind(self, track, camera, body, device):
        network = super().bind(track, camera, body, device)
        restore = network.restore

        def noted(state):
            self.begun.append({name: value.clone() for name, value in state.items()})
            restore(state)

        network.restore = noted
        return network


def run(body, person, out, clip, name="Ann", options=None, backbone=None):
    track, notes = seen(body, person, noise_px=3), Notes()
    backbone = backbone or Remembering(person)
    performer = Performer(out / "performers", name, f"key of {clip}", clip) if name else None
    cache = Cache(out / clip, True, lambda code, message: None)
    labels = np.array([""] * len(person.times))
    adapted = stage.adapt_person(
        track, labels, person.camera, body, backbone, options or options_with(), clip, cache, notes, performer
    )
    return adapted, notes.warned, backbone


def test_the_next_clip_begins_where_the_first_has_ended_and_reports_it(body, person, tmp_path):
    first, warned, _ = run(body, person, tmp_path, "one")
    assert warned == ["This is the first clip of the performer 'Ann' here: what is learned is kept."]
    assert first.about["performer"] == {"name": "Ann", "began_from": ""}
    (file,) = (tmp_path / "performers").iterdir()
    second, warned, backbone = run(body, person, tmp_path, "two")
    assert warned == ["Adaptation begins from what was learned of the performer 'Ann' in the clip one."]
    assert second.about["performer"] == {"name": "Ann", "began_from": "one"}
    pretrained = WavesBackbone(person).bind(None, None, None, None).state()
    begun = backbone.begun[0]
    assert any(not torch.equal(begun[name], pretrained[name]) for name in pretrained)
    assert not np.array_equal(first.prediction.rotations, second.prediction.rotations)
    assert {one.name for one in file.parent.iterdir()} == {"Ann.safetensors", "Ann.before.safetensors"}
    plain, warned, _ = run(body, person, tmp_path, "three", name="")
    assert not warned
    assert "performer" not in plain.about


def test_the_same_clip_again_begins_where_it_did_and_is_reused(body, person, tmp_path):
    run(body, person, tmp_path, "one")
    second, _, _ = run(body, person, tmp_path, "two")
    again, warned, backbone = run(body, person, tmp_path, "two")
    assert backbone.bound == 0
    assert np.array_equal(again.prediction.rotations, second.prediction.rotations)
    assert warned == ["Adaptation begins from what was learned of the performer 'Ann' in the clip one."]
    changed, _, _ = run(body, person, tmp_path, "two", options=options_with("adaptation.projection=0.2"))
    assert changed.about["performer"]["began_from"] == "one"


@pytest.mark.parametrize("harm", ["garbage", "nan", "no shape", "other network", "gone"])
def test_a_file_that_cannot_be_used_is_reported_and_nothing_is_lost(body, person, tmp_path, harm):
    run(body, person, tmp_path, "one")
    file = tmp_path / "performers" / "Ann.safetensors"
    about = {"format": "1", "footage": "x", "clip": "one", "rows": "9", "body": "open-body"}
    betas, weights = {"betas": torch.zeros(10)}, {"weight": torch.zeros(3)}
    if harm == "garbage":
        file.write_bytes(b"garbage")
    elif harm == "gone":
        file.unlink()
    else:
        tensors = {"nan": betas | {"weight": torch.full((3,), torch.nan)}, "no shape": weights}
        save_file(tensors.get(harm, betas | weights), file, about)
    fresh, _, _ = run(body, person, tmp_path / "elsewhere", "two", name="")
    found, warned, _ = run(body, person, tmp_path, "two")
    words = {"gone": "is the first clip", "other network": "is of another network"}.get(harm, "cannot be used")
    assert any(words in text for text in warned), warned
    assert np.array_equal(found.prediction.rotations, fresh.prediction.rotations), "from the pre-trained network"


def test_of_several_stretches_the_longest_is_kept(tmp_path):
    performer = Performer(tmp_path, "Ann", "key", "clip")
    for rows, value in ((50, 1.0), (20, 2.0), (60, 3.0)):
        performer.keep({"weight": torch.full((2,), value)}, np.full(10, value, np.float32), "open-body", rows)
    other = Performer(tmp_path, "Ann", "other", "next")
    start = other.start(Notes())
    assert start.weights["weight"].tolist() == [3.0, 3.0]
    assert start.betas.tolist() == [3.0] * 10
    assert json.loads(f'"{start.clip}"') == "clip"


@pytest.mark.parametrize("name", ["../Ann", "a/b", " Ann", "x" * 61, "con", "A\nB"])
def test_names_that_no_file_has_are_refused(name):
    with pytest.raises(UsageError, match="cannot be that of a file"):
        check_options(Job(footage=["-"], out="-", performer=name))


def test_one_person_and_a_network_that_is_adapted():
    with pytest.raises(UsageError, match="names one person"):
        check_options(Job(footage=["-"], out="-", performer="Ann", person="all"))
    with pytest.raises(UsageError, match="needs a network that is adapted"):
        check_options(Job(footage=["-"], out="-", performer="Ann", backbone="fit"))
