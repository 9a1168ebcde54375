"""The stage of a run that puts a user's corrections into finished motions."""

from __future__ import annotations

from collections.abc import Sequence

from engine import __version__
from engine.adaptation.corrected import Work, correct, is_tracked
from engine.adaptation.corrections import PINS, Correction, Corrections, span
from engine.adaptation.reestimated import EDITS, reestimate
from engine.errors import UsageError
from engine.output.results import Stretch
from engine.runtime.cache import Cache
from engine.runtime.progress import Part, Progress

_STEPS = 1000


def corrected_stretches(
    found: Sequence[Stretch], corrections: Corrections, footage_key: str, work: Work, cache: Cache, progress: Progress
) -> list[Stretch]:
    """The stretches of a clip with their corrections.

    Args:
        found: all of them, finished.
        corrections: of the file.
        footage_key: SHA-256 of the footage.
        work: estimates what is to be estimated again.
        cache: of the clip.
        progress: is warned of corrections that have no effect.

    Raises:
        UsageError: the corrections are of another clip.
        EngineError: as adaptation.
    """
    if corrections.footage and corrections.footage != footage_key:
        raise UsageError(
            "The corrections are of other footage than this clip.", "Give the file that was written for this clip."
        )
    if corrections.engine and corrections.engine != __version__:
        progress.warn(
            "corrections_version",
            f"The corrections were made on a motion by version {corrections.engine}, and this is {__version__}: look "
            "whether the pins still fit.",
        )
    _report_unmet(found, corrections.corrections, progress)
    result = []
    for number, stretch in enumerate(found):
        mine = [one for one in corrections.corrections if one.person == stretch.track.person]
        mine = [one for one in mine if is_tracked(one, stretch)]
        start, steps = number * _STEPS, _STEPS

        def put(done: int) -> None:
            progress(done, len(found) * _STEPS)

        halves = [Part(put, start, steps // 2), Part(put, start + steps // 2, steps // 2)]
        edits = [one for one in edits_of(corrections, stretch.track.person) if is_tracked(one, stretch)]
        stretch = reestimate(stretch, edits, work, cache, halves[0])
        pins = [one for one in mine if isinstance(one, PINS)]
        result.append(correct(stretch, pins, work, cache, _Warning(halves[1], progress)))
    return result


def edits_of(corrections: Corrections, person: int) -> list[Correction]:
    """Those of a person that change what counts as seen."""
    return [one for one in corrections.corrections if one.person == person and isinstance(one, EDITS)]


class _Warning:
    """Progress of a part that passes warnings on."""

    def __init__(self, part: Part, whole: Progress) -> None:
        self._part, self.warn = part, whole.warn

    def __call__(self, done: int, total: int) -> None:
        """Pass it on."""
        self._part(done, total)


def _report_unmet(found: Sequence[Stretch], corrections: Sequence[Correction], progress: Progress) -> None:
    """Warn of corrections of somebody, or at a time, of which there is no motion."""
    for one in corrections:
        times = [stretch.motion.timestamps for stretch in found if stretch.track.person == one.person]
        when = f"The correction at {span(one)[0]:.2f} s has no effect"
        if not times:
            progress.warn("correction_unmet", f"{when}: there is no motion of person {one.person}.")
        elif not any(is_tracked(one, stretch) for stretch in found if stretch.track.person == one.person):
            tracked = ", ".join(f"from {part[0]:.2f} s to {part[-1]:.2f} s" for part in times)
            progress.warn("correction_unmet", f"{when}: person {one.person} is tracked {tracked}.")
