"""The `adapt-motion train` commands. Heavy imports wait until a command runs, so that `--help` is quick."""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, is_dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from engine.errors import UsageError
from engine.protocol import ExitCode
from engine.runtime.streams import clean_stdout
from engine.training.training_report import TrainingReport, checkpoint_of

train_app = typer.Typer(
    help="Build the training corpus and train the networks that ship. Ctrl-C stops; the same command goes on.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_DETECTORS = ("heavy", "full")
_GRACE_S = 60.0
"""Seconds after Ctrl-C in which a step may end and be kept; of a large network on a CPU it takes several."""
_Corpus = Annotated[str, typer.Argument(help="Corpus file, built by `adapt-motion train corpus`.")]
_Weights = Annotated[
    str,
    typer.Option("-o", "--out", help="Weights to write (.safetensors); figures (.json) and a checkpoint lie beside."),
]
_Seed = Annotated[int, typer.Option(min=0, help="Of everything random. On the same machine it gives the same file.")]
_Steps = Annotated[int | None, typer.Option(min=1, help="Optimiser steps; left out: as many as the shipped file had.")]
_Share = Annotated[
    float, typer.Option(min=0.01, max=1, help="Train on this share of the performers' minutes; all are scored on.")
]
_Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
_Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]


@train_app.command()
def corpus(
    motions: Annotated[
        list[str],
        typer.Argument(
            help="Folders with bvh/<source>/<clip>.bvh (or .amc and .asf), labels.csv, provenance.csv and "
            "skeletons.json; docs/training-data.md describes them."
        ),
    ],
    out: Annotated[str, typer.Option("-o", "--out", help="Corpus file to write (.npz); figures (.json) lie beside.")],
    seed: _Seed = 0,
    performers: Annotated[
        int, typer.Option(min=2, help="People who perform the authored actions; a fifth of them is held out.")
    ] = 16,
    dictionary: Annotated[str, typer.Option(help="Dictionary that gives labels their names; the one in use.")] = "",
    debug: _Debug = False,
) -> None:
    """Retarget folders of motion capture to SMPL, author the actions that they lack, write one corpus file.

    A file that cannot be used is named, with its line, and the others go on. A take that is there twice is kept once.
    """
    with _work("corpus", "Nothing was written: run the same command again.") as (progress, stream):
        from engine.semantics.dictionary import ACTIONS, MotionDictionary
        from engine.training.corpus_build import build_corpus

        folders, named = [Path(folder) for folder in motions], Path(dictionary) if dictionary else ACTIONS
        words = MotionDictionary.from_files(named)
        report = build_corpus(folders, Path(out), seed, progress, None, performers, words)
        _give(plain(report), Path(out), stream)
    raise typer.Exit(ExitCode.DONE)


@train_app.command("detector-model")
def detector_model(
    corpus: _Corpus,
    out: Annotated[str, typer.Option("-o", "--out", help="Measured noise to write (.npz); figures lie beside.")],
    pairs: Annotated[str, typer.Option(help="Folder for what the detector reported; what is there is not redone.")],
    seed: _Seed = 0,
    sequences: Annotated[int, typer.Option(min=2, help="Sequences of 24 pictures to draw and look at.")] = 960,
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps of each of the networks that are fitted.")] = 3000,
    model: Annotated[str, typer.Option(help="Detector: heavy or full.")] = "heavy",
    debug: _Debug = False,
) -> None:
    """Measure the keypoint detector's noise: draw bodies of known pose, detect them, fit a model of the errors.

    About three seconds a sequence on one core of a CPU. `train backbone` draws its observations from the model.
    """
    if model not in _DETECTORS:
        raise UsageError(f"There is no detector '{model}'.", f"Choose from {', '.join(_DETECTORS)}.")
    again = f"Run the same command again: what is in {pairs} is kept."
    with _work("sequences", again) as (progress, stream):
        from engine.training.detector_fit import fit_detector_model
        from engine.training.detector_study import study_detector

        study_detector(Path(corpus), Path(pairs), sequences, seed, progress, model)
        progress.next("fit")
        figures = fit_detector_model(Path(pairs), Path(out), steps, seed, progress)
        _give({"seed": seed, "sequences": sequences, "steps": steps, **figures}, Path(out), stream)
    raise typer.Exit(ExitCode.DONE)


@train_app.command()
def backbone(
    corpus: _Corpus,
    out: _Weights,
    seed: _Seed = 0,
    steps: _Steps = None,
    share: _Share = 1.0,
    device: _Device = "auto",
    detector: Annotated[str, typer.Option(help="Measured noise of `train detector-model`; the shipped one.")] = "",
    start: Annotated[str, typer.Option(help="Weights of an earlier backbone to start from; from nothing.")] = "",
    rate: Annotated[float, typer.Option(min=1e-6, help="Largest learning rate.")] = 8e-4,
    debug: _Debug = False,
) -> None:
    """Train the pose backbone: what the detector reports of a person in, SMPL motion out.

    Hours on a CPU, minutes on a GPU. The figures are those of the held-out performers.
    """
    with _training("backbone", Path(out)) as (progress, stream):
        from engine.training.backbone import BackboneTraining, train_backbone

        learn = partial(train_backbone, start=Path(start) if start else None)
        learn = partial(learn, detector=Path(detector)) if detector else learn
        _train(learn, BackboneTraining(learning_rate=rate), corpus, out, seed, steps, share, device, progress, stream)
    raise typer.Exit(ExitCode.DONE)


@train_app.command()
def denoiser(
    corpus: _Corpus,
    out: _Weights,
    seed: _Seed = 0,
    steps: _Steps = None,
    share: _Share = 1.0,
    device: _Device = "auto",
    debug: _Debug = False,
) -> None:
    """Train the motion denoiser: windows of 49 frames, noisy and masked in, clean out.

    About a quarter of an hour on one core of a CPU. The figures are those of the held-out performers.
    """
    with _training("denoiser", Path(out)) as (progress, stream):
        from engine.training.denoiser import DenoiserTraining, train_denoiser

        _train(train_denoiser, DenoiserTraining(), corpus, out, seed, steps, share, device, progress, stream)
    raise typer.Exit(ExitCode.DONE)


@train_app.command()
def infiller(
    corpus: _Corpus,
    out: _Weights,
    seed: _Seed = 0,
    steps: _Steps = None,
    share: _Share = 1.0,
    device: _Device = "auto",
    debug: _Debug = False,
) -> None:
    """Train the motion in-filler: a pose network's motion, partly unseen, and what is done in; clean motion out.

    About half an hour on one core of a CPU. The figures are those of the held-out performers.
    """
    with _training("infiller", Path(out)) as (progress, stream):
        from engine.training.infiller import InfillerTraining, train_infiller

        _train(train_infiller, InfillerTraining(), corpus, out, seed, steps, share, device, progress, stream)
    raise typer.Exit(ExitCode.DONE)


@train_app.command("motion-text")
def motion_text(
    corpus: _Corpus,
    out: _Weights,
    seed: _Seed = 0,
    steps: _Steps = None,
    share: _Share = 1.0,
    device: _Device = "auto",
    debug: _Debug = False,
) -> None:
    """Train the space in which motions lie near the words for them.

    The figures are those of the held-out performers.
    """
    with _training("motion-text", Path(out)) as (progress, stream):
        from engine.training.motion_text import MotionTextTraining, train_motion_text

        _train(train_motion_text, MotionTextTraining(), corpus, out, seed, steps, share, device, progress, stream)
    raise typer.Exit(ExitCode.DONE)


def _train(
    learn: Callable[..., Any],
    settings: Any,
    corpus: str,
    out: str,
    seed: int,
    steps: int | None,
    share: float,
    device: str,
    progress: TrainingReport,
    stream: TextIO,
) -> None:
    """Train one network and give its figures. `learn` has the signature of `train_denoiser`."""
    from engine.run_options import choose_device

    chosen = choose_device(device)
    settings = replace(settings, share=share, **({} if steps is None else {"steps": steps}))
    score = learn(Path(corpus), Path(out), settings, seed, progress, chosen)
    progress.end()
    _give({"seed": seed, "steps": settings.steps, "share": share, "device": chosen, **plain(score)}, Path(out), stream)


def plain(figures: Any) -> Any:
    """Data classes and all that is in them as what JSON has; what is not finite becomes None."""
    if is_dataclass(figures) and not isinstance(figures, type):
        figures = asdict(figures)
    if isinstance(figures, dict):
        return {key: plain(value) for key, value in figures.items()}
    if isinstance(figures, list | tuple):
        return [plain(value) for value in figures]
    return None if isinstance(figures, float) and not math.isfinite(figures) else figures


def _give(figures: dict[str, Any], out: Path, stream: TextIO) -> None:
    """Figures for the user, and as JSON beside `out`."""
    from engine.output.folders import write_json

    figures = plain(figures)
    write_json(out.with_suffix(".json"), figures)
    stream.writelines(f"{line}\n" for line in figure_lines(figures))
    stream.write(f"Written: {out} and {out.with_suffix('.json')}\n")


def figure_lines(figures: dict[str, Any], indent: str = "") -> Iterator[str]:
    """Nested figures as lines of text: one for each number, one for each row of a table."""
    for key, value in figures.items():
        name = f"{indent}{key.replace('_', ' ')}"
        if isinstance(value, dict):
            yield f"{name}:"
            yield from figure_lines(value, indent + "  ")
        elif isinstance(value, list | tuple) and value:
            yield f"{name}:"
            for row in value:
                cells = row.items() if isinstance(row, dict) else [("", row)]
                yield f"{indent}  " + ", ".join(f"{k.replace('_', ' ')} {_short(v)}".strip() for k, v in cells)
        elif value is not None and value not in ([], ()):
            yield f"{name}: {_short(value)}"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


@contextlib.contextmanager
def _training(name: str, out: Path) -> Iterator[tuple[TrainingReport, TextIO]]:
    """As `_work`, for something with a checkpoint beside `out`."""
    checkpoint = checkpoint_of(out)
    again = f"Run the same command again: it goes on from {checkpoint}."
    with _work(name, again, checkpoint) as work:
        yield work


@contextlib.contextmanager
def _work(name: str, again: str, checkpoint: Path | None = None) -> Iterator[tuple[TrainingReport, TextIO]]:
    """Progress that listens to Ctrl-C and how to go on after it, and the real stdout for what comes out."""
    from engine.runtime.cancel import Cancel

    with clean_stdout() as stream:
        cancel = Cancel(grace_s=_GRACE_S)
        progress = TrainingReport(name, cancel, again, sys.stderr, checkpoint)
        cancel.last_words = progress.last_words
        with cancel.listening(watch_stdin=False), progress:
            yield progress, stream
