"""What the add-on says while it works and when something goes wrong. No `bpy` in here."""

from __future__ import annotations

import re
from collections.abc import Callable

_translate: Callable[[str], str] = str


def translate_with(function: Callable[[str], str]) -> None:
    """Have `tr` ask `function` for the user's language; `str` for English."""
    global _translate
    _translate = function


def tr(text: str, **values: object) -> str:
    """`text` in the user's language, with `values` put into its braces afterwards."""
    translated = _translate(text)
    return translated.format(**values) if values else translated


STAGE_TITLES = {
    "footage": "Reading the footage",
    "shots": "Finding cuts",
    "detect": "Finding people",
    "track": "Following people",
    "predict": "Estimating poses",
    "segment": "Labelling actions",
    "takes": "Proposing takes",
    "adapt": "Adapting to the clip",
    "world": "Placing in the world",
    "correct": "Following the pins",
    "write": "Writing results",
    "export": "Exporting",
    "python": "Looking for Python",
    "environment": "Making the environment",
    "packages": "Installing packages",
    "check": "Checking the engine",
    "import": "Bringing it into Blender",
    "doctor": "Examining the engine",
    "key": "Asking the system's keyring",
    "action": "Adding the action",
}
"""Titles of the stages of the engine (`protocol.STAGES`) and of the installation (`install.STAGES`)."""

ENGINE_MISSING = "The engine is not installed."
ENGINE_INTERRUPTED = "The engine's installation was interrupted."
ENGINE_OUTDATED = "The engine's packages are from another version of the add-on."
ENGINE_GONE = "There is no Python at the path in the preferences."
OFFLINE = "Blender is set to work offline. Allow online access in Preferences > System"
BUSY = "Something is running: wait for it or cancel it"
NO_FOOTAGE = "Choose the footage first"
HEIGHT_SMALL = "Nobody is {height:.2f} m tall: the least height is {least:g} m"
FOOTAGE_GONE = "The footage is not there any more: {path}"
NOTHING_RUNS = "Nothing is running"
NO_CHARACTER = "Select the armature of an adapted clip"
NO_CAMERA = "Select the armature of an adapted clip that has its camera"
TAKES_PROPOSED = "Takes to choose from: {count}"
TO_LOOK_AT = "Stretches to look at: {count}"
PINNED_FROM_KEYS = "Frames pinned from their keys: {count}"
PINS_FOLLOWED = "{frames} frames follow the pins, done in {seconds:.0f} s."
LAYERS_SPLIT = "Filled-in motion on layers of their own: {limbs}"
NO_LOG = "There is no log yet"
LABELS_OVERLAP = "The labels '{first}' and '{second}' overlap at frame {frame}."
LABEL_ENDS = "'{label}' ends at frame {frame} now, where the new label begins."
NO_LABELS = "There are no labels yet"
NO_MARKERS = "There are no markers on the timeline"
NO_PEOPLE = "Press Find People first"
MERGE_WHOM = "Choose somebody else in the list to merge with."
SPLIT_WHERE = "{name} is not seen both before and after the current frame."
SPLIT_HINT = "Go to a frame between two in which that person is seen."
NO_MOVIE_CLIP = "Press Show Footage first"
NO_RESULTS = "There are no finished results of this footage"
NOT_SOLVED = "The footage's camera is not solved."
QUEUE_EMPTY = "The queue is empty"
NOTHING_WAITS = "No clip in the queue waits"
INTERRUPTED = "Interrupted: run the queue to go on from there."
ON_FARM = "On the farm"
FARM_STARTS = "Looking for the farm's machines"
FARM_KEPT = "What is finished is kept: send the queue again to go on from there."
VLM_OFF = "Labels by a vision-language model are switched off in the preferences."
KEY_MISSING = "There is no key in your system's keyring."
NO_KEYRING = "This system's keyring cannot be used: set OPENAI_API_KEY before starting Blender."


def duration(seconds: float) -> str:
    """`0:07`, `12:30`, `1:02:03`."""
    whole = max(0, round(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def people(count: int) -> str:
    """`1 person`, `3 people`."""
    return tr("1 person") if count == 1 else tr("{count} people", count=count)


def people_found(count: int) -> str:
    """How looking for people ended."""
    return tr("1 person found.") if count == 1 else tr("{count} people found. Tick whom to adapt.", count=count)


def labels_suggested(count: int) -> str:
    """How asking for labels ended."""
    return tr("1 label suggested.") if count == 1 else tr("{count} labels suggested.", count=count)


def done(frames: int, count: int, seconds: float | None) -> str:
    """How a run ended well, with the time that it took where that is known."""
    if seconds is None:
        return tr("{frames} frames of {who}.", frames=frames, who=people(count))
    return tr("{frames} frames of {who}, done in {time}.", frames=frames, who=people(count), time=duration(seconds))


def farm_done(done: int, failed: int, seconds: float) -> str:
    """How a farm ended."""
    if failed:
        return tr("{done} clips done, {failed} failed, in {time}.", done=done, failed=failed, time=duration(seconds))
    return tr("{done} clips done in {time}.", done=done, time=duration(seconds))


def explain_exit(code: int) -> tuple[str, str]:
    """Sentence and hint for an engine that ended without saying why."""
    hint = "Press Adapt Motion to go on from where it stopped; if it ends again, open the log."
    if code in (-9, 137):
        return "The engine was ended from outside, most often because the computer ran out of memory.", hint
    if code < 0:
        return f"The engine crashed (signal {-code}).", hint
    if code == 0:
        return "The engine ended without a result.", "Open the log to see what it did."
    return f"The engine ended unexpectedly (exit code {code}).", hint


def hint_in_blender(hint: str) -> str:
    """A hint of the engine's for somebody who has buttons and not a command line."""
    if "--debug" in hint:
        return "Press Adapt Motion again; if it happens again, open the log and report it."
    return hint.replace("Use --backbone landmark.", "Choose Network + Adaptation under Options.")


LEAST_LINE_PX, BESIDE_TEXT_PX, ICON_PX = 90.0, 80.0, 26.0
"""Of text in a box, at scale 1: the shortest line, what tabs and margins take of a region's width, and an icon."""


_PIECES = re.compile(r"[^/\\]+[/\\]*|[/\\]+")
"""Of a word: the folders of a path, or all of it."""


def wrap(text: str, width: float, icon: bool, measure: Callable[[str], float]) -> list[str]:
    """Lines of `text` for a box in a region `width` pixels wide at scale 1; Blender's labels do not wrap by themselves.

    With `icon` the first line leaves room for one. `measure` gives the width of a text in pixels at scale 1; a word
    that is too long for a line is cut, between the folders of a path where that is enough.
    """
    lines, room = [""], max(LEAST_LINE_PX, width - BESIDE_TEXT_PX)
    for word in text.split():
        space = " "
        for piece in _PIECES.findall(word):
            left = room - ICON_PX * (icon and len(lines) == 1)
            longer = f"{lines[-1]}{space}{piece}".lstrip()
            if measure(longer) <= left:
                lines[-1] = longer
            else:
                cut = _cut(piece, room - ICON_PX * icon, measure)
                lines = cut if lines == [""] else lines + cut
            space = ""
    return [line for line in lines if line]


def _cut(piece: str, room: float, measure: Callable[[str], float]) -> list[str]:
    lines = [""]
    for letter in piece:
        if lines[-1] and measure(lines[-1] + letter) > room:
            lines.append("")
        lines[-1] += letter
    return lines


def rate(frames_per_second: float) -> str:
    """`29.97`, `25`: as people write frame rates."""
    return f"{frames_per_second:.3f}".rstrip("0").rstrip(".")
