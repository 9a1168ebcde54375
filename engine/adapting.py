"""The stage `adapt` of a run: everybody's motion adapted, several people at a time where there are cores and memory."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from engine import stages
from engine.adaptation import stage as adaptation
from engine.adaptation.performers import FOLDER, Performer
from engine.adaptation.stage import Adapted
from engine.backbones.choice import make_backbone
from engine.backbones.crop_backbone import PictureInputs
from engine.backbones.types import Backbone
from engine.body.model import BodyModel, load_body
from engine.run_options import RunOptions
from engine.runtime.cache import Cache
from engine.runtime.machine import cores, free_bytes
from engine.runtime.memory import give_back_large_blocks
from engine.runtime.progress import Progress
from engine.runtime.reporter import Part, Reporter
from engine.runtime.workers import Tell, Workers
from engine.stages import Estimated

_PERSON_BYTES = 1200 * 2**20
_ON_ONE_GPU = 2
"""People at a time: one is prepared on the processor while the network of another is adapted."""
_SCALE = 1000


def network_of(people: Estimated, options: RunOptions, folder: Path, progress: Progress) -> Backbone:
    """The backbone with its pre-trained weights. Raises ModelFileError."""
    settings, frames = options.settings, functools.partial(people.frames, options)
    pictures = PictureInputs(settings.models, settings.hmr, frames, progress, folder)
    return make_backbone(options.backbone, settings.fit, options.device, pictures)


def adapt_one(
    people: Estimated,
    number: int,
    body: BodyModel,
    network: Callable[[], Backbone],
    options: RunOptions,
    cache: Cache,
    progress: Progress,
) -> Adapted:
    """One of the people adapted, from the pre-trained weights or those of their performer. Raises EngineError."""
    track, camera = people.tracks[number], people.camera
    key = stages.prediction_key(people.clip, track, camera, body, options)
    performer = None
    if options.performer:
        clip = cache.log.parent.parent
        performer = Performer(clip.parent / FOLDER, options.performer, people.clip.footage_key, clip.name)
    labels = people.labels[number]
    return adaptation.adapt_person(track, labels, camera, body, network, options, key, cache, progress, performer)


def adapt_all(
    people: Estimated,
    body: BodyModel,
    network: Callable[[], Backbone],
    options: RunOptions,
    cache: Cache,
    folder: Path,
    reporter: Reporter,
) -> list[Adapted]:
    """All the people adapted. The result is the same for any number of cores.

    Args:
        people: with the labels of each.
        body: of the run.
        network: gives the backbone.
        options: of the run.
        cache: of the clip.
        folder: of the clip's results.
        reporter: takes how far it is; work stops where it is cancelled.

    Raises:
        EngineError: one of them failed, or a process ended before its work was done.
    """
    count = len(people.tracks)
    left = [number for number in range(count) if not _known(people, number, body, options, cache)]
    processes = _at_a_time(len(left), options)
    adapted = dict[int, Adapted]()
    if processes > 1:
        adapted = _side_by_side(people, left, processes, options, cache, folder, reporter)
    for number in range(count):
        if number not in adapted:
            part = Part(reporter, number, count)
            adapted[number] = adapt_one(people, number, body, network, options, cache, part)
    return [adapted[number] for number in range(count)]


def _known(people: Estimated, number: int, body: BodyModel, options: RunOptions, cache: Cache) -> bool:
    track = people.tracks[number]
    predicted = stages.prediction_key(people.clip, track, people.camera, body, options)
    return cache.has(adaptation.STAGE, adaptation.key_of_person(track, people.labels[number], options, predicted))


def _at_a_time(count: int, options: RunOptions) -> int:
    if options.performer:  # of one person, whose stretches follow each other
        return 1
    most = _ON_ONE_GPU if options.device != "cpu" else count
    return min(count, most, options.cores or cores(), free_bytes() // _PERSON_BYTES)


def _side_by_side(
    people: Estimated,
    numbers: Sequence[int],
    processes: int,
    options: RunOptions,
    cache: Cache,
    folder: Path,
    reporter: Reporter,
) -> dict[int, Adapted]:
    """Some of the people, by their numbers."""
    shares = [0.0] * len(numbers)

    def noted(job: int, value: tuple[Any, ...]) -> None:
        if value[0] == "warn":
            reporter.warn(*value[1:])
        else:
            shares[job] = value[1] / max(value[2], 1)
            reporter(round(_SCALE * sum(shares)), _SCALE * len(numbers))

    order = _Order(replace(people, found=[], predictions=[]), folder, options, processes)
    with Workers(processes, cache.log, _worker, order) as workers:
        done = workers.work(numbers, noted, reporter.cancel.check)
        return {numbers[job]: adapted for job, adapted in done}


@dataclass(frozen=True)
class _Order:
    """What each of the processes has to know."""

    people: Estimated
    folder: Path
    options: RunOptions
    processes: int


@dataclass(frozen=True)
class _Teller:
    """Progress of a process of its own: to the one that made it."""

    tell: Tell

    def __call__(self, done: int, total: int) -> None:
        self.tell(("progress", done, total))

    def warn(self, code: str, message: str) -> None:
        """Pass a warning on."""
        self.tell(("warn", code, message))


@contextlib.contextmanager
def _worker(order: _Order) -> Iterator[Callable[[int, Tell], Adapted]]:
    """Adapts people by their numbers in one of several processes, with its share of the cores."""
    give_back_large_blocks()
    share = max((order.options.cores or cores()) // order.processes, 1)
    torch.set_num_threads(share)
    options = replace(order.options, cores=share)
    body = load_body(options.body, options.device)

    def work(number: int, tell: Tell) -> Adapted:
        progress = _Teller(tell)
        cache = Cache(order.folder, options.resume, progress.warn)
        network = functools.partial(network_of, order.people, options, order.folder, progress)
        return adapt_one(order.people, number, body, network, options, cache, progress)

    yield work
