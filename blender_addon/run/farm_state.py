"""What is known of clips that were sent to a farm: they go side by side. No `bpy` in here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from .. import messages
from .job import Event
from .run_state import RunState


@dataclass
class SentClip:
    """A clip on the farm.

    Attributes:
        stage, done, total: what goes on, and how many of its tasks are done.
        motions, frames: of its results.
        message: what went wrong.
        status: `running`, `done` or `failed`.
    """

    stage: str = ""
    done: int = 0
    total: int = 0
    motions: list[str] = field(default_factory=list)
    frames: int = 0
    message: str = ""
    status: str = "running"

    @property
    def text(self) -> str:
        """How far it is, in a few words."""
        title = messages.tr(messages.STAGE_TITLES.get(self.stage, self.stage.capitalize()) or "Waiting")
        counted = messages.tr("{done} of {total}", done=self.done, total=self.total)
        return f"{title}, {counted}" if self.total > 1 else title


@dataclass
class FarmState(RunState):
    """A farm that works on clips of the queue; the bar shows how far all of them are.

    Attributes:
        clips: by the name that the engine gives them, in the order in which they were sent.
        over: called with a clip's place among those sent and what became of it, as soon as it is over.
    """

    clips: dict[str, SentClip] = field(default_factory=dict)
    over: Callable[[int, SentClip], None] = lambda place, clip: None

    @property
    def title(self) -> str:
        """What goes on, in words."""
        if self.source.cancelled and not self.finished:
            return messages.tr("Cancelling")
        return messages.tr(messages.ON_FARM if self.clips else messages.FARM_STARTS)

    def clip_at(self, place: int) -> SentClip | None:
        """The clip that was sent as the one with this number; None as long as the farm has not listed it."""
        clips = list(self.clips.values())
        return clips[place] if place < len(clips) else None

    def _clip(self, event: Event) -> SentClip:
        return self.clips.get(event.get("clip", ""), SentClip())

    def _on_start(self, event: Event) -> None:
        self.clips = {str(name): SentClip() for name in event["clips"]}

    def _on_stage(self, event: Event) -> None:
        clip = self._clip(event)
        clip.stage, clip.done, clip.total = event["stage"], 0, 0

    def _on_progress(self, event: Event) -> None:
        clip = self._clip(event)
        clip.done, clip.total = int(event["done"]), int(event["total"])

    def _on_farm(self, event: Event) -> None:
        self.done, self.total = event["done"] + event["failed"], event["clips"]
        self.eta_s = event.get("eta_s")

    def _on_result(self, event: Event) -> None:
        super()._on_result(event)
        clip = self._clip(event)
        clip.motions.append(event["motion"])
        clip.frames = max(clip.frames, int(event["frames"]))

    def _on_error(self, event: Event) -> None:
        if event.get("clip") not in self.clips:  # of all clips
            return super()._on_error(event)
        clip = self._clip(event)
        clip.message = clip.message or f"{event['message']} {messages.hint_in_blender(event['hint'])}".strip()

    def _on_over(self, event: Event) -> None:
        for place, (name, clip) in enumerate(self.clips.items()):
            if name == event["clip"]:
                clip.status = str(event["status"])
                self.over(place, clip)

    def _on_exited(self, event: Event) -> None:
        went = [clip.status for clip in self.clips.values()]
        over, failed = len(went) - went.count("running"), went.count("failed")
        if event["code"] > 0 and over == len(went) > 0:
            event = {**event, "code": 0}  # each clip says itself what went wrong
        super()._on_exited(event)
        if self.cancelled:
            self.message, self.hint = "Cancelled.", messages.FARM_KEPT
        elif not self.failed:
            self.message = messages.farm_done(len(went) - failed, failed, self.seconds)
            self.hint = "Attach it from the queue."
