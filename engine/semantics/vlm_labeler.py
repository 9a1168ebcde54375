"""Labels by a vision-language model (Lin et al. 2025, appendix B), off unless requested and consented to.

The footage is looked at in segments of two seconds. Of each, some pictures of the person alone go to the server with
the dictionary, and a label for each picture comes back. What is not in the dictionary is matched to it or dropped.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import OutputError, UsageError
from engine.files.atomic import replacing
from engine.files.json_file import read_json
from engine.files.user_folder import data_folder
from engine.footage.decoding import Frame
from engine.keypoints.types import PersonTrack
from engine.runtime.progress import Progress
from engine.semantics.types import MotionDictionary
from engine.semantics.vlm_pictures import Pictures, Stretch, stretches, take
from engine.semantics.vlm_server import (
    FailedError,
    Question,
    RefusedError,
    Server,
    Spent,
    is_encrypted,
    is_local,
    server_name,
)
from engine.semantics.vlm_settings import VlmSettings

NOTHING = "none"
"""What the model says where it sees no action of the list."""
_WAIT_S = 0.1
_FORM = 2
"""Of prompt and answer; other ones are not taken from the cache."""

Check = Callable[[Pictures, Sequence[str]], float]
"""Mean cosine (0..1) of a segment's pictures and their labels; NaN where there is none."""


@dataclass(frozen=True)
class Plan:
    """What is about to be sent, for the user to agree to.

    Attributes:
        server, model: where it goes, and what looks at it.
        requests: how many, if all goes well.
        pictures: of the person, or of the whole frame, in all.
        whole_picture: which of the two.
        tokens: about how many, sent and answered.
        cost: about how many dollars, at the prices of the settings; 0 for a server on this computer.
    """

    server: str
    model: str
    requests: int
    pictures: int
    whole_picture: bool
    tokens: int
    cost: float

    def sentence(self) -> str:
        """The plan in words."""
        what = "whole frames" if self.whole_picture else "pictures of the person, cut out of the footage,"
        price = f", about ${self.cost:.2f}" if self.cost else ""
        secrecy = "" if is_encrypted() else " Pictures and key are not encrypted on the way."
        return (
            f"{self.pictures} {what} go to {self.server} ({self.model}) in {self.requests} requests: "
            f"about {self.tokens} tokens{price}.{secrecy}"
        )


Consent = Callable[[Plan], bool]


class VlmLabeler:
    """Asks a vision-language model for the labels of a track.

    Args:
        settings: see there.
        consent: is shown the plan before anything is sent, and says whether it may be.
        check: judges labels by the pictures; None without CLIP.
    """

    def __init__(self, settings: VlmSettings, consent: Consent, check: Check | None = None) -> None:
        self.settings, self.consent, self.check = settings, consent, check
        self.spent = Spent(settings)

    def label(
        self,
        frames: Callable[[], Iterable[Frame]],
        track: PersonTrack,
        dictionary: MotionDictionary,
        typed: NDArray[np.str_],
        progress: Progress,
    ) -> NDArray[np.str_]:
        """Labels where none is typed; typed ones always win.

        Args:
            frames: begins the footage anew.
            track: the person.
            dictionary: what is known.
            typed: (T,) the user's label of each row, '' for none.
            progress: by segments; is warned of what failed and of labels that do not look right.

        Returns:
            (T,) labels of the dictionary, '' where there is none, and the typed ones.

        Raises:
            UsageError: no client, no server, no consent, or more than the budget allows.
            CancelledError: the user cancelled; what was answered is kept.
        """
        wanted = typed == ""
        chosen = stretches(track.timestamps, wanted, track.detected, self.settings.pictures)
        offered = dictionary.labels[: self.settings.most_labels]
        shown = list(take(frames, track, chosen, self.settings))
        questions = [_question(one, offered, self.settings) for one in shown]
        answers: list[list[str] | None] = [self._kept(question) for question in questions]
        if any(answer is None for answer in answers):
            self._agree(
                [question for question, answer in zip(questions, answers, strict=True) if answer is None], shown
            )
            self._ask_all(questions, answers, progress)
        labels = self._in_dictionary(answers, dictionary, progress)
        self._look_again(shown, labels, track, progress)
        rows = _rows(zip((one.stretch for one in shown), labels, strict=True), track.timestamps)
        return np.where(wanted, rows, typed)

    # --- before anything is sent ------------------------------------------------------------------------------------

    def _agree(self, questions: list[Question], shown: list[Pictures]) -> None:
        tokens_in, tokens_out = 0, 0
        for question in questions:
            tokens_in += len(question.prompt) // 3 + len(question.jpegs) * _picture_tokens(shown[0].size)
            tokens_out += 12 * self.settings.pictures
        cost = (tokens_in * self.settings.price_in + tokens_out * self.settings.price_out) / 1e6
        pictures = sum(len(one.stretch.shown) for one in shown) * len(questions) // len(shown)
        plan = Plan(
            server_name(), self.settings.model, len(questions), pictures, self.settings.whole_picture,
            tokens_in + tokens_out, 0.0 if is_local() else cost,
        )  # fmt: skip
        limits = {
            "most_requests": plan.requests > self.settings.most_requests,
            "most_tokens": plan.tokens > self.settings.most_tokens,
            "most_cost": plan.cost > self.settings.most_cost,
        }
        over = [name for name, is_over in limits.items() if is_over]
        if over:
            raise UsageError(
                f"The labels would take more than the budget allows: {plan.sentence()}",
                f"Raise {' and '.join(f'labeler.{name}' for name in over)} with --set, or label a part of the clip.",
            )
        if not self.consent(plan):
            raise UsageError(
                f"Nothing was sent, because nobody agreed to it: {plan.sentence()}",
                "Add --allow-upload if that may be sent, or use --labeler retrieval, which sends nothing.",
            )

    # --- asking -----------------------------------------------------------------------------------------------------

    def _ask_all(self, questions: list[Question], answers: list[list[str] | None], progress: Progress) -> None:
        """Fill in what is missing of `answers`, as far as it can be had."""
        server = Server(self.settings, self.spent)
        pool = ThreadPoolExecutor(self.settings.at_once)
        failures: Counter[str] = Counter()
        try:
            waiting: dict[Future[list[str]], int] = {
                pool.submit(self._request, server, question): index
                for index, (question, answer) in enumerate(zip(questions, answers, strict=True))
                if answer is None
            }
            total = len(questions)
            while waiting:
                progress(total - len(waiting), total)
                done, _ = wait(waiting, _WAIT_S, FIRST_COMPLETED)
                for future in done:
                    index = waiting.pop(future)
                    with suppress(FailedError):
                        answers[index] = future.result()
                    if answers[index] is None:
                        failures[str(future.exception())] += 1
                    if isinstance(future.exception(), RefusedError):
                        for other in waiting:
                            other.cancel()
                        failures[str(future.exception())] += len(waiting)
                        waiting.clear()
                        break
            progress(total, total)
        finally:
            server.close()
            pool.shutdown(wait=False, cancel_futures=True)
        for reason, count in failures.items():
            progress.warn("labeler", f"{count} segments got no label from {server_name()}: {reason}.")

    def _request(self, server: Server, question: Question) -> list[str]:
        def check(answer: Any) -> list[str]:
            labels = answer.get("labels") if isinstance(answer, dict) else None
            if not isinstance(labels, list) or not all(isinstance(one, str) for one in labels):
                raise ValueError("it has no list of labels")
            if len(labels) != question.labels:
                raise ValueError(f"it has {len(labels)} labels, not {question.labels}")
            return [" ".join(one.split())[:100] for one in labels]

        answer = server.ask(question, check)
        self._keep(question, answer)
        return answer

    # --- the cache --------------------------------------------------------------------------------------------------

    def _place(self, question: Question) -> Path:
        """Named after everything that was sent, of which nothing is kept."""
        digest = hashlib.sha256(f"{_FORM}\0{self.settings.model}\0{server_name()}\0{question.prompt}".encode())
        for jpeg in question.jpegs:
            digest.update(hashlib.sha256(jpeg).digest())
        folder = Path(self.settings.cache) if self.settings.cache else data_folder() / "labels"
        return folder / f"{digest.hexdigest()[:32]}.json"

    def _kept(self, question: Question) -> list[str] | None:
        try:
            labels = read_json(self._place(question))["labels"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return labels if isinstance(labels, list) and all(isinstance(one, str) for one in labels) else None

    def _keep(self, question: Question, labels: list[str]) -> None:
        path = self._place(question)
        with suppress(OSError, OutputError):
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as file:
                file.write(json.dumps({"labels": labels}).encode())

    # --- after the answers ------------------------------------------------------------------------------------------

    def _in_dictionary(
        self, answers: list[list[str] | None], dictionary: MotionDictionary, progress: Progress
    ) -> list[list[str]]:
        """Labels of the dictionary, '' where there is none."""
        known, dropped = {NOTHING: "", "": ""}, set()
        for answer in {label for labels in answers for label in labels or ()} - set(known):
            known[answer] = answer if answer in dictionary.labels else dictionary.match(answer).label or ""
            if not known[answer]:
                dropped.add(answer)
        if dropped:
            progress.warn(
                "labeler",
                f"Labels that are not in the dictionary were dropped: {', '.join(sorted(map(repr, dropped))[:5])}.",
            )
        return [[known[label] for label in labels or ()] for labels in answers]

    def _look_again(
        self, shown: list[Pictures], labels: list[list[str]], track: PersonTrack, progress: Progress
    ) -> None:
        """Put labels before the user that do not look like the pictures."""
        if self.check is None:
            return
        for pictures, names in zip(shown, labels, strict=True):
            agreement = self.check(pictures, names) if any(names) else math.nan
            if agreement < self.settings.least_agreement:
                start, end = (
                    float(track.timestamps[row]) for row in (pictures.stretch.first, pictures.stretch.last - 1)
                )
                label = ", ".join(sorted({name for name in names if name}))
                progress.warn(
                    "label_uncertain",
                    f"The label '{label}' from {start:.1f} s to {end:.1f} s may be wrong: picture and label agree by "
                    f"{agreement:.2f}, less than {self.settings.least_agreement:g}. Type another label if it is.",
                )


def _question(pictures: Pictures, labels: Sequence[str], settings: VlmSettings) -> Question:
    count = len(pictures.stretch.shown)
    order = (
        "in one sheet, numbered from left to right and from top to bottom" if settings.layout == "sheet" else "in order"
    )
    prompt = (
        f"You see {count} pictures of one person, {order}, from {2.0:g} seconds of a video, in the order of time. "
        "Say for each picture which action the person is doing, with the pictures before and after it in mind. "
        f"Choose from this list, word for word, or say '{NOTHING}' where none fits or nothing can be seen. "
        "Do not add anything. People other than the one in the middle do not matter.\n"
        f"List: {'; '.join(labels)}\n"
        f'Answer in JSON: {{"labels": [{count} texts, one for each picture]}}'
    )
    item: dict[str, Any] = {"type": "string"}
    if len(labels) < 250 or sum(map(len, labels)) < 15_000:  # what OpenAI takes
        item["enum"] = [*labels, NOTHING]
    listed = {"type": "array", "items": item, "description": f"{count} labels, one for each picture"}
    schema = {"type": "object", "properties": {"labels": listed}, "required": ["labels"], "additionalProperties": False}
    return Question(prompt, pictures.jpegs, schema, count)


def _picture_tokens(size: tuple[int, int]) -> int:
    """About what a picture counts as: OpenAI's rule for tiles of 512 pixels."""
    return 85 + 170 * math.ceil(size[0] / 512) * math.ceil(size[1] / 512)


def _rows(labelled: Iterable[tuple[Stretch, list[str]]], timestamps: NDArray[np.float64]) -> NDArray[np.str_]:
    """(T,) labels: each row takes that of the shown one nearest to it in time."""
    rows = np.full(len(timestamps), "", object)
    for stretch, labels in labelled:
        if labels:
            some = np.arange(stretch.first, stretch.last)
            nearest = np.abs(timestamps[some][:, None] - timestamps[list(stretch.shown)]).argmin(1)
            rows[some] = np.array(labels, object)[nearest]
    return rows.astype(np.str_)
