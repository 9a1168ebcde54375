"""The paper's Table 5 on footage: milliseconds a frame of each method, on the processor and on a graphics card."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from engine.adaptation.baselines.compared import adapt
from engine.doctor.published import examine
from engine.errors import EngineError
from engine.evaluation.assemble import assemble
from engine.evaluation.methods import METHODS, RIGHT, Row
from engine.evaluation.runner import Runner, Tools
from engine.pipeline import ClipRun
from engine.protocol import Job
from engine.run_options import check_options
from engine.runtime.cancel import Cancel
from engine.runtime.progress import Silent
from engine.runtime.reporter import Reporter
from engine.semantics.segments import whole_clip
from engine.stages import Estimated
from engine.weights.model_settings import ModelSettings

LABEL = "balance"
"""What is done in the demo clip."""


class _Nowhere:
    """Events that nobody reads."""

    def send(self, name: str, **values: Any) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing to tidy."""


def method_costs(clip: Path, device: str, log: Callable[[str], None]) -> dict[str, dict[str, float | str]]:
    """Method to device to milliseconds a frame of prediction and adaptation, or the reason why it was not run.

    On a card each runs once before it is timed, so that the card is warm.

    Args:
        clip: footage; its main person is taken.
        device: measured beside the processor.
        log: takes what is done.

    Raises:
        EngineError: nothing can be measured at all, such as footage that cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="adapt-motion-bench-") as scratch:
        log(f"Detecting in {clip.name} …")
        people = _people(clip, Path(scratch))
    costs: dict[str, dict[str, float | str]] = {row.title: {} for row in METHODS}
    for place in dict.fromkeys(("cpu", device)):
        try:
            tools = assemble("balanced", (), "landmark", None, place, 0)
        except EngineError as error:
            for row in METHODS:
                costs[row.title][place] = f"not run: {error.message}"
            continue
        for row in METHODS:
            log(f"{row.title} on {place} …")
            costs[row.title][place] = _milliseconds(row, people, tools)
    for finding in examine(ModelSettings(), keys=("hmr", "hmr2")):
        if finding.state != "ok":
            costs[f"{finding.title}, every method"] = dict.fromkeys(("cpu", device), "not run: its weights are missing")
    return costs


def _people(clip: Path, folder: Path) -> Estimated:
    """The main person of the clip, with camera."""
    options = check_options(Job([str(clip)], str(folder), label=LABEL))
    tools_body = assemble("balanced", (), "landmark", None, "cpu", 0).body
    found = ClipRun(clip, folder / clip.stem, options, tools_body, Reporter(_Nowhere(), Cancel())).estimate()
    assert found is not None, "nothing ends the run before"
    return found


def _milliseconds(row: Row, people: Estimated, tools: Tools) -> float | str:
    track, camera, runner = people.tracks[0], people.camera, Runner(tools)
    settings, device = runner.settings_of(row), torch.device(tools.device)
    if settings.strategy == "dynaboa" and not settings.source:
        return "not run: it needs a source set; --corpus FILE --tables methods times it"
    segments = whole_clip(LABEL) if row.label == RIGHT else ()

    def run() -> None:
        if row.kind == "backbone":
            tools.backbone.predict(track, camera, tools.body, Silent())
            return
        network = tools.backbone.bind(track, camera, tools.body, device)
        adapt(network, track, camera, tools.body, segments, tools.priors, settings, 0, Silent(), tools.device)

    if device.type != "cpu":
        run()
    begun = time.perf_counter()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return 1000 * (time.perf_counter() - begun) / len(track.timestamps)
