"""Adaptation as a stage: what is kept on disk, what is made again, and what it falls back to."""

import dataclasses

import numpy as np
import pytest
from stage_runs import Notes, WavesBackbone, options_with
from synthetic_people import seen, walk

from engine.adaptation import stage
from engine.adaptation.priors import priors_key
from engine.errors import CancelledError, ModelFileError, OutOfMemoryError
from engine.output.motion_file import ORIGIN_DETECTED, ORIGIN_NONE
from engine.runtime.cache import Cache
from engine.weights.model_settings import ModelSettings


@pytest.fixture(scope="module")
def person(body):
    return walk(body, seconds=1.5)


def adapted(body, person, folder, backbone, options=None, labels=None, progress=None):
    track = seen(body, person, noise_px=3)
    options = options or options_with()
    labels = np.array([""] * len(person.times)) if labels is None else labels
    cache = Cache(folder, options.resume, lambda code, message: None)
    return stage.adapt_person(
        track, labels, person.camera, body, backbone, options, "predicted", cache, progress or Notes()
    )


def test_what_is_done_is_kept_and_used_again(body, person, tmp_path):
    backbone = WavesBackbone(person)
    first = adapted(body, person, tmp_path, backbone)
    again = adapted(body, person, tmp_path, backbone)
    assert backbone.bound == 1
    for name in vars(first.prediction):
        assert np.array_equal(getattr(first.prediction, name), getattr(again.prediction, name))
    assert np.array_equal(first.keypoints, again.keypoints)
    assert first.about == again.about
    assert len(first.about["epochs"]) == 3
    assert not list(tmp_path.rglob("*.safetensors")), "the unfinished state is gone"
    adapted(body, person, tmp_path, backbone, options_with(resume=False))
    assert backbone.bound == 2


def test_another_setting_or_seed_is_another_result(body, person, tmp_path):
    backbone = WavesBackbone(person)
    adapted(body, person, tmp_path, backbone)
    adapted(body, person, tmp_path, backbone, options_with("adaptation.projection=0.2"))
    adapted(body, person, tmp_path, backbone, dataclasses.replace(options_with(), seed=1))
    assert backbone.bound == 3


def test_a_cancelled_run_leaves_what_the_next_one_goes_on_from(body, person, tmp_path):
    whole, rest, options = Notes(), Notes(), options_with()
    uninterrupted = adapted(body, person, tmp_path / "a", WavesBackbone(person), options, progress=whole)
    with pytest.raises(CancelledError):
        adapted(body, person, tmp_path / "b", WavesBackbone(person), options, progress=Notes(whole.calls * 2 // 3))
    assert len(list(tmp_path.rglob("*.safetensors"))) == 1
    resumed = adapted(body, person, tmp_path / "b", WavesBackbone(person), options, progress=rest)
    assert rest.calls < whole.calls
    assert np.array_equal(resumed.prediction.rotations, uninterrupted.prediction.rotations)
    assert not list(tmp_path.rglob("*.safetensors"))


def test_memory_that_runs_out_on_the_device_is_found_on_the_cpu(body):
    tried, notes = [], Notes()

    def work(device, model):
        tried.append((device, next(model.buffers()).device.type))
        if device != "cpu":
            raise OutOfMemoryError("full")
        return "done"

    assert stage._with_fallback(work, "cuda", body, notes) == "done"
    assert tried == [("cuda", "cpu"), ("cpu", "cpu")]
    assert "goes on with the CPU" in notes.warned[0]
    with pytest.raises(OutOfMemoryError):
        stage._with_fallback(lambda device, model: work("cuda", model), "cpu", body, notes)


def test_labels_of_rows_become_stretches_of_time():
    labels, times = np.array(["", "walk", "walk", "sit", ""]), np.arange(5) / 10
    found = [(one.start_s, one.end_s, one.label) for one in stage.stretches(labels, times)]
    assert found == [(0.1, pytest.approx(0.3), "walk"), (pytest.approx(0.3), 0.4, "sit")]
    last = stage.stretches(labels[1:3], times[1:3])[-1]
    assert last.end_s == float("inf")


def test_a_person_of_a_run_without_it_is_as_it_was(body, person):
    track = seen(body, person)
    track.keypoints[3, 4, 2] = 0.1
    track.keypoints[5, 6] = np.nan
    same = stage.as_it_was(track, person.prediction)
    assert same.prediction is person.prediction
    assert same.origins[3, 4] == same.origins[5, 6] == ORIGIN_NONE
    assert (same.origins == ORIGIN_DETECTED).sum() == same.origins.size - 2
    assert np.isfinite(same.keypoints).all()
    assert same.about is None


def test_which_runs_have_the_stage():
    assert stage.wanted(options_with())
    assert not stage.wanted(options_with("adaptation.enabled=false"))
    assert not stage.wanted(options_with(backbone="fit"))


def test_missing_networks_are_named(tmp_path):
    with pytest.raises(ModelFileError, match=r"no model file .*gone\.pt for adaptation"):
        priors_key(ModelSettings(mdnet=str(tmp_path / "gone.pt")), labelled=False)


def test_the_key_changes_with_the_content_of_the_networks(tmp_path):
    file = tmp_path / "md.pt"
    file.write_bytes(b"one")
    first = priors_key(ModelSettings(mdnet=str(file)), labelled=False)
    file.write_bytes(b"two")
    assert priors_key(ModelSettings(mdnet=str(file)), labelled=False) != first
