"""The loop on people whose true motion is known, with small networks of the protocols of the shipped ones."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_networks import SmallDictionary, SmallSpace, WavesNetwork
from synthetic_people import seen, stand, unseen, walk

from engine.adaptation.denoiser import MotionDenoiser
from engine.adaptation.infiller import MotionInfiller
from engine.adaptation.loop import adapt
from engine.adaptation.priors import Priors
from engine.adaptation.settings import AdaptationSettings
from engine.adaptation.state import StateFile
from engine.backbones.fit import FitBackbone
from engine.backbones.fit_settings import FitSettings
from engine.body.rotations import axis_angle_to_matrix, matrix_to_six
from engine.errors import CancelledError, ModelFileError
from engine.output.motion_file import ORIGIN_DETECTED, ORIGIN_FILLED, ORIGIN_NONE
from engine.runtime.progress import Silent
from engine.semantics.segments import Segment, whole_clip

SWING = whole_clip("swing")
QUICK = AdaptationSettings(
    epochs=3,
    learning_rate=1e-2,
    lowest_learning_rate=1e-3,
    least_steps=3,
    segment_step_s=1.0,
    denoiser_step=24,
    takes=0,
    solve_steps=0,
)
INFILLED = QUICK.model_copy(update={"takes": 2})
SOLVED = QUICK.model_copy(update={"takes": 2, "solve_steps": 20})


class Notes(Silent):
    """Keeps warnings; stops the work after some calls."""

    def __init__(self, stop_after=None):
        self.warnings, self.calls, self.stop_after, self.last = {}, 0, stop_after, (0, 0)

    def __call__(self, done, total):
        assert 0 <= self.last[0] <= done <= total
        self.calls, self.last = self.calls + 1, (done, total)
        if self.stop_after is not None and self.calls > self.stop_after:
            raise CancelledError("stopped")

    def warn(self, code, message):
        self.warnings[code] = message


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def priors():
    dictionary = SmallDictionary()
    return Priors(SmallSpace(dictionary), dictionary, MotionDenoiser(width=32, blocks=1))


@pytest.fixture(scope="module")
def person(body):
    return walk(body, seconds=2.5)


def spoilt(person, by=0.15):
    """What a network could say of this person: every joint off by some angle of its own."""
    turn = torch.randn(1, 24, 3, generator=torch.Generator().manual_seed(3)) * by
    return replace(person.prediction, rotations=person.prediction.rotations @ axis_angle_to_matrix(turn).numpy())


def run(body, person, track, priors, settings=QUICK, segments=SWING, network=None, **more):
    network = network or WavesNetwork(spoilt(person), person.times)
    progress = more.pop("progress", Notes())
    return adapt(network, track, person.camera, body, segments, priors, settings, 0, progress, **more)


def same(a, b):
    arrays = [(getattr(a.prediction, name), getattr(b.prediction, name)) for name in vars(a.prediction)]
    arrays += [(getattr(a, name), getattr(b, name)) for name in ("keypoints", "origins", "similarity")]
    return all(np.array_equal(x, y) for x, y in arrays)


def without_seconds(history):
    return [{name: value for name, value in entry.items() if name != "seconds"} for entry in history]


def test_the_motion_comes_nearer_to_the_footage_and_the_network_keeps_its_weights(body, person, priors):
    network = WavesNetwork(spoilt(person), person.times)
    before = network.state()
    progress = Notes()
    result = run(body, person, seen(body, person), priors, network=network, progress=progress)
    assert result.prediction.residual_px.mean() < 0.6 * result.initial.residual_px.mean()
    assert all(torch.equal(value, before[name]) for name, value in network.state().items())
    assert progress.warnings == {}
    assert progress.last[0] == progress.last[1]
    assert [entry["epoch"] for entry in result.history] == [1, 2, 3]
    for entry in result.history:
        parts = entry["projection"] * QUICK.projection + entry["alignment"] * QUICK.alignment
        assert entry["loss"] == pytest.approx(parts + entry["smoothing"] * QUICK.smoothing, rel=1e-4)
    assert result.history[0]["learning_rate"] == pytest.approx(1e-2)
    assert result.history[-1]["learning_rate"] == pytest.approx(1e-3)


def test_alignment_alone_raises_the_similarity(body, person, priors):
    settings = QUICK.model_copy(update={"projection": 0.0, "smoothing": 0.0, "alignment": 1.0, "fill_in": False})
    result = run(body, person, seen(body, person), priors, settings)
    similarity = [entry["similarity"] for entry in result.history]
    assert similarity[-1] > similarity[0] > 0
    off = run(body, person, seen(body, person), priors, settings.model_copy(update={"alignment": 0.0}))
    assert off.history[-1]["similarity"] < similarity[-1]


def test_a_discriminator_can_take_the_place_of_alignment(body, person, priors):
    settings = QUICK.model_copy(update={"label_use": "discriminator", "fill_in": False})
    result = run(body, person, seen(body, person), priors, settings)
    assert result.prediction.residual_px.mean() < result.initial.residual_px.mean()
    assert same(result, run(body, person, seen(body, person), priors, settings)), "the same seed, the same motion"


def test_unpaired_poses_go_to_the_motion_of_the_label(body, person, priors):
    settings = QUICK.model_copy(
        update={"projection": 0.0, "smoothing": 0.0, "alignment": 1.0, "label_use": "unpaired", "fill_in": False}
    )
    history = run(body, person, seen(body, person), priors, settings).history
    assert history[-1]["alignment"] < history[0]["alignment"]


def test_hidden_keypoints_are_filled_in_where_the_motion_is_like_its_label(body, person, priors):
    hidden = [f"{side}_{part}" for side in ("left", "right") for part in ("knee", "ankle", "heel", "foot_index")]
    track = unseen(seen(body, person), names=hidden)
    settings = QUICK.model_copy(update={"fill_in_similarity": -1.0})
    result = run(body, person, track, priors, settings)
    columns = [track.keypoint_names.index(name) for name in hidden]
    assert (result.origins[:, columns] == ORIGIN_FILLED).all()
    others = [i for i in range(33) if i not in columns]
    assert (result.origins[:, others] == ORIGIN_DETECTED).all()
    assert result.keypoints[:, columns, 2] == pytest.approx(np.repeat(result.similarity[:, None], 8, 1), abs=1e-6)
    never = run(body, person, track, priors, settings.model_copy(update={"fill_in": False}))
    assert (never.origins[:, columns] == ORIGIN_NONE).all()
    strict = run(body, person, track, priors, settings.model_copy(update={"fill_in_similarity": 1.0}))
    assert (strict.origins[:, columns] == ORIGIN_NONE).all()
    assert [entry["keypoints_filled_in"] for entry in strict.history] == [0, 0, 0]


def test_the_average_moves_targets_and_without_it_they_stay(body, person, priors):
    track = seen(body, person, noise_px=5)
    moved = run(body, person, track, priors).keypoints
    assert 0 < np.abs(moved[..., :2] - track.keypoints[..., :2]).mean() < 20
    still = run(body, person, track, priors, QUICK.model_copy(update={"ema": 1.0})).keypoints
    assert np.array_equal(still, track.keypoints)


def test_without_labels_it_is_cycleadapts_recipe(body, person, priors):
    result = run(body, person, seen(body, person), priors, segments=())
    assert result.prediction.residual_px.mean() < result.initial.residual_px.mean()
    assert all(entry["alignment"] == 0 and entry["similarity"] is None for entry in result.history)
    assert result.history[-1]["smoothing"] > 0
    assert not result.similarity.any()
    bare = run(body, person, seen(body, person), Priors())
    assert all(entry["smoothing"] == 0 and entry["alignment"] == 0 for entry in bare.history)


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(body, person, priors):
    track = seen(body, person, noise_px=3)

    def once(seed):
        network = WavesNetwork(spoilt(person), person.times, dropout=0.3)
        return adapt(network, track, person.camera, body, whole_clip("swing"), priors, QUICK, seed, Silent())

    first, again, other = once(1), once(1), once(2)
    assert same(first, again)
    assert without_seconds(first.history) == without_seconds(again.history)
    assert not same(first, other)


def test_an_interrupted_run_goes_on_from_its_last_epoch_to_the_same_bytes(body, person, priors, tmp_path):
    track = seen(body, person, noise_px=3)
    whole = Notes()
    uninterrupted = run(body, person, track, priors, progress=whole)
    file = StateFile(tmp_path / "state.safetensors", "key")
    with pytest.raises(CancelledError):
        run(body, person, track, priors, state=file, progress=Notes(stop_after=whole.calls * 3 // 4))
    left = file.read(Silent())
    assert 1 <= len(left.history) < 3
    rest = Notes()
    resumed = run(body, person, track, priors, state=file, progress=rest)
    assert same(resumed, uninterrupted)
    assert without_seconds(resumed.history) == without_seconds(uninterrupted.history)
    assert rest.calls < whole.calls


def test_labels_change_within_the_clip(body, person, priors):
    segments = (Segment(0, 1.2, "swing"), Segment(1.2, 2.5, "stand"))
    result = run(body, person, seen(body, person), priors, segments=segments)
    assert result.similarity[[0, -1]].all()
    assert result.labels == {"": "", "stand": "stand", "swing": "swing"}


def test_an_unknown_label_is_reported_and_guides_nothing(body, person, priors):
    progress = Notes()
    result = run(body, person, seen(body, person), priors, segments=whole_clip("blarg"), progress=progress)
    assert "'blarg' is not known" in progress.warnings["label_unknown"]
    assert "stand" in progress.warnings["label_unknown"]
    assert not result.similarity.any()
    assert result.labels["blarg"] == ""


@pytest.mark.parametrize("frames", [1, 2, 7, 30])
def test_clips_of_any_length_work(body, priors, frames):
    person = stand(body, seconds=1.0)
    some = {name: value[:frames] if name != "betas" else value for name, value in vars(person.prediction).items()}
    track = seen(body, person)
    short = {
        name: getattr(track, name)[:frames]
        for name in ("frame_indices", "timestamps", "keypoints", "landmarks3d", "boxes", "detected")
    }
    person = replace(person, prediction=replace(person.prediction, **some), times=person.times[:frames])
    result = run(body, person, replace(track, **short), priors, segments=whole_clip("stand"))
    assert result.prediction.rotations.shape == (frames, 24, 3, 3)
    assert np.isfinite(result.prediction.rotations).all()
    assert np.isfinite(result.keypoints).all()


def test_a_gap_and_a_segment_without_any_keypoint(body, priors):
    person = walk(body, seconds=4.0)
    track = unseen(seen(body, person), rows=slice(50, 120))
    track.boxes[50:120] = np.nan
    result = run(body, person, track, priors)
    assert np.isfinite(result.prediction.rotations).all()
    assert np.isfinite(result.prediction.transl).all()
    assert result.prediction.residual_px[:40].mean() < result.initial.residual_px[:40].mean()


def test_nothing_seen_at_all_and_a_frozen_picture(body, priors):
    person = stand(body, seconds=2.0)
    track = seen(body, person)
    blind = run(body, person, unseen(track), priors)
    assert np.isfinite(blind.prediction.rotations).all()
    frozen = replace(track, keypoints=np.repeat(track.keypoints[:1], 60, 0), landmarks3d=track.landmarks3d * np.nan)
    assert np.isfinite(run(body, person, frozen, priors).prediction.rotations).all()


def test_a_label_that_the_motion_is_unlike_is_reported_and_counts_in_full(body, person, priors):
    class Contrary(SmallSpace):
        """Labels lie opposite to their motions."""

        def encode_labels(self, labels):
            return -super().encode_labels(labels)

    contrary, progress = Priors(Contrary(priors.dictionary), priors.dictionary), Notes()
    track = unseen(seen(body, person), names=["left_knee"])
    settings = QUICK.model_copy(update={"fill_in_similarity": -1.0})
    result = run(body, person, track, contrary, settings, progress=progress)
    assert "unlike its label 'swing'" in progress.warnings["label_unlike"]
    assert "counts in full" in progress.warnings["label_unlike"]
    assert all(entry["alignment"] > 1 and entry["keypoints_filled_in"] > 0 for entry in result.history)


ARM = [f"left_{part}" for part in ("elbow", "wrist", "index", "pinky", "thumb")]
BENT = axis_angle_to_matrix(torch.tensor([0.0, -1.0, 0.0]))


class Bends(MotionInfiller):
    """An in-filler that bends the left elbow and gives back everything else that is shown."""

    def forward(self, condition, state, level):
        clean, touch = super().forward(condition, state, level)
        clean = torch.lerp(condition.start, clean, 0.0).clone()
        clean[:, :, 18] = matrix_to_six(BENT)
        return clean, touch


def infiller(kind=MotionInfiller):
    torch.manual_seed(0)
    return kind(("swing",), width=32, layers=1).requires_grad_(False).eval()


@pytest.mark.parametrize("settings", [INFILLED, SOLVED])
def test_hidden_joints_are_in_filled_and_seen_ones_are_left_to_the_evidence(body, person, priors, settings):
    more = replace(priors, infiller=infiller(Bends))
    settings = settings.model_copy(update={"fill_in": False})

    def off(track):
        result = run(body, person, track, more, settings)
        return np.abs(result.prediction.rotations[:, 18] - BENT.numpy()).mean(), result

    hidden, result = off(unseen(seen(body, person), names=ARM))
    in_view, clear = off(seen(body, person))
    assert hidden < 0.05
    assert in_view > 0.15, "as the evidence has it"
    assert clear.infilled is None, "nothing is hidden"
    (stretch,) = result.infilled.stretches
    assert (stretch.start_s, stretch.end_s) == (pytest.approx(person.times[0]), pytest.approx(person.times[-1]))
    assert stretch.taken == int(np.argmin(stretch.disagreement_mm))
    assert len(result.infilled.draws.rotations) == len(stretch.disagreement_mm) == 2


def test_a_joint_that_is_seen_again_meets_what_was_filled_in_without_a_jump(body, person, priors):
    track = unseen(seen(body, person), names=ARM, rows=slice(20, 50))
    result = run(body, person, track, replace(priors, infiller=infiller(Bends)), SOLVED)
    elbow = torch.from_numpy(result.prediction.rotations[:, 18])
    step = (elbow[1:] - elbow[:-1]).flatten(1).norm(dim=1)
    assert (elbow[35] - BENT).norm() < 0.5 * (elbow[5] - BENT).norm()
    assert step.max() < 0.4, "a fifth of a second for a bend of a radian"


def test_the_label_pulls_at_hidden_joints_alone(body, person, priors):
    alone = {"projection": 0.0, "smoothing": 0.0, "fill_in": False, "takes": 2}
    network = WavesNetwork(spoilt(person), person.times)
    result = run(body, person, seen(body, person), priors, QUICK.model_copy(update=alone), network=network)
    np.testing.assert_allclose(result.prediction.rotations, result.initial.rotations, atol=1e-5)
    hidden = run(body, person, unseen(seen(body, person), names=ARM), priors, QUICK.model_copy(update=alone))
    assert np.abs(hidden.prediction.rotations - hidden.initial.rotations).max() > 1e-3


def test_all_hidden_for_seconds_goes_on_finite_and_is_filled_in(body, priors):
    person = walk(body, seconds=4.0)
    track = unseen(seen(body, person), rows=slice(40, 100))
    settings = SOLVED.model_copy(update={"fill_in_similarity": -1.0})
    result = run(body, person, track, replace(priors, infiller=infiller()), settings)
    assert np.isfinite(result.prediction.rotations).all()
    assert np.isfinite(result.prediction.transl).all()
    assert (result.origins[60:80, :33] == ORIGIN_FILLED).mean() > 0.9


def test_an_in_filler_with_nan_is_left_out(body, person, priors):
    broken, progress = infiller(), Notes()
    broken.leave.bias.fill_(torch.nan)
    track = unseen(seen(body, person), names=ARM)
    result = run(body, person, track, replace(priors, infiller=broken), INFILLED, progress=progress)
    assert set(progress.warnings) == {"infiller_unused"}
    assert np.isfinite(result.prediction.rotations).all()


def test_an_interrupted_run_with_an_in_filler_goes_on_to_the_same_bytes(body, person, priors, tmp_path):
    track, more, notes = unseen(seen(body, person), names=["left_wrist"]), replace(priors, infiller=infiller()), Notes()
    whole = run(body, person, track, more, SOLVED, progress=notes)
    file = StateFile(tmp_path / "state.safetensors", "key")
    with pytest.raises(CancelledError):
        run(body, person, track, more, SOLVED, state=file, progress=Notes(stop_after=notes.calls * 3 // 4))
    assert len(file.read(Silent()).history) >= 1
    assert same(run(body, person, track, more, SOLVED, state=file), whole)


def test_the_solve_comes_to_what_the_fit_finds_where_the_network_is_a_little_off(body, person, priors):
    track = seen(body, person)
    fitted = FitBackbone(FitSettings(iterations=200)).predict(track, person.camera, body, Silent())
    network = WavesNetwork(spoilt(person, 0.06), person.times)
    result = run(body, person, track, priors, SOLVED.model_copy(update={"solve_steps": 100}), network=network)

    def off(prediction):
        both = (prediction, person.prediction)
        have, want = (body.joints(torch.from_numpy(p.rotations), torch.from_numpy(p.betas)) for p in both)
        return float(((have - have[:, :1]) - (want - want[:, :1])).norm(dim=-1).mean())

    assert result.keypoint_weight == pytest.approx(1, abs=0.05)
    assert off(result.prediction) < off(fitted) + 0.006
    assert off(result.prediction) < 0.7 * off(result.initial)


def test_an_interrupted_run_that_solves_goes_on_to_the_same_bytes(body, person, priors, tmp_path):
    track, notes = seen(body, person), Notes()
    whole = run(body, person, track, priors, SOLVED, progress=notes)
    for share in (0.3, 0.9):
        file = StateFile(tmp_path / f"{share}.safetensors", "key")
        with pytest.raises(CancelledError):
            run(body, person, track, priors, SOLVED, state=file, progress=Notes(stop_after=int(notes.calls * share)))
        assert same(run(body, person, track, priors, SOLVED, state=file, progress=Notes()), whole)


def test_keypoints_of_which_the_detector_is_not_sure_draw_less(body, person, priors):
    track = seen(body, person)
    keypoints = track.keypoints.copy()
    legs = [track.keypoint_names.index(f"left_{part}") for part in ("knee", "ankle", "heel", "foot_index")]
    keypoints[:, legs] += np.array([120.0, -60.0, -0.55], np.float32)
    wrong = replace(track, keypoints=keypoints)

    def off(**more):
        settings = QUICK.model_copy(update={"alignment": 0.0, "fill_in": False, "ema": 1.0, "smoothing": 0.0, **more})
        settings = settings.model_copy(update={"learning_rate": 1e-3, "lowest_learning_rate": 0.0})
        network = WavesNetwork(person.prediction, person.times)
        result = run(body, person, wrong, priors, settings, network=network)
        return np.abs(result.prediction.rotations - person.prediction.rotations)[:, [1, 4]].mean()

    assert off() < off(by_confidence=False)


def test_a_pose_network_with_nan_is_refused(body, person, priors):
    network = WavesNetwork(spoilt(person), person.times)
    with torch.no_grad():
        network.module.weight[3, 0] = torch.nan
    with pytest.raises(ModelFileError, match="not finite"):
        run(body, person, seen(body, person), priors, network=network)


def test_a_denoiser_or_a_motion_text_network_with_nan_is_left_out(body, person, priors):
    denoiser = MotionDenoiser(width=32, blocks=1)
    with torch.no_grad():
        for weight in denoiser.parameters():
            weight.fill_(torch.nan)
    space = SmallSpace(priors.dictionary)
    space.mix = space.mix * torch.nan
    progress = Notes()
    broken = Priors(space, priors.dictionary, denoiser)
    result = run(body, person, seen(body, person), broken, progress=progress)
    assert set(progress.warnings) == {"labels_unused", "denoiser_unused"}
    assert np.isfinite(result.prediction.rotations).all()
    assert not result.similarity.any()
    assert result.prediction.residual_px.mean() < result.initial.residual_px.mean()


def test_steps_that_blow_up_are_taken_back(body, person, priors):
    class Fragile(WavesNetwork):
        """Its second epoch gives NaN."""

        calls = 0

        def __call__(self, rows):
            batch = super().__call__(rows)
            if torch.is_grad_enabled():
                self.calls += 1
            return replace(batch, rotations=batch.rotations * torch.nan) if self.calls > 4 else batch

    progress = Notes()
    network = Fragile(spoilt(person), person.times)
    result = run(body, person, seen(body, person), priors, network=network, progress=progress)
    assert "Round 2 of adaptation" in progress.warnings["adaptation_stopped"]
    assert len(result.history) == 1
    assert np.isfinite(result.prediction.rotations).all()
    assert result.prediction.residual_px.mean() < result.initial.residual_px.mean()


def test_no_seam_shows_where_windows_meet(body, priors):
    class Edgy(WavesNetwork):
        """It is off by a constant turn that differs from window to window, as networks are."""

        def __call__(self, rows):
            batch = super().__call__(rows)
            angle = 0.2 * torch.sin(rows[:, :1] * 1.7)
            turn = torch.zeros(*rows.shape, 24, 3)
            turn[..., 4, 0] = angle
            return replace(batch, rotations=batch.rotations @ axis_angle_to_matrix(turn))

    person = stand(body, seconds=8.0)
    network = Edgy(person.prediction, person.times)
    settings = QUICK.model_copy(update={"learning_rate": 1e-9, "lowest_learning_rate": 0.0, "epochs": 1})
    result = run(body, person, seen(body, person), priors, settings, network=network)
    steps = np.abs(np.diff(result.prediction.rotations[:, 4], axis=0)).max(axis=(1, 2))
    assert np.ptp(result.prediction.rotations[:, 4, 2, 1]) > 0.1, "windows do differ"
    assert steps.max() < 0.06, "but over half a second they become one another"


def test_solved_motion_is_smoother_and_nearer_to_the_keypoints(body, person, priors):
    track, progress = seen(body, person, noise_px=3), Notes()
    shaky = torch.randn(len(person.times), 24, 3, generator=torch.Generator().manual_seed(4)) * 0.03
    motion = spoilt(person, 0.05)
    motion = replace(motion, rotations=motion.rotations @ axis_angle_to_matrix(shaky).numpy())
    once = QUICK.model_copy(update={"epochs": 1})
    rough = run(body, person, track, priors, once, network=WavesNetwork(motion, person.times))
    once = once.model_copy(update={"solve_steps": 60})
    network = WavesNetwork(motion, person.times)
    solved = run(body, person, track, priors, once, network=network, progress=progress)
    jerk = [np.abs(np.diff(one.prediction.rotations, 3, axis=0)).mean() for one in (rough, solved)]
    assert jerk[1] < 0.5 * jerk[0]
    assert solved.prediction.residual_px.mean() < rough.prediction.residual_px.mean()
    assert progress.last[0] == progress.last[1]


def test_each_person_starts_from_the_pre_trained_weights(body, person, priors):
    network = WavesNetwork(spoilt(person), person.times)
    track = seen(body, person)
    first = run(body, person, track, priors, network=network)
    second = run(body, person, track, priors, network=network)
    assert same(first, second)
