"""The motion dictionary: which actions are known, what else they are called, and what they look like.

`presets/actions.json` holds labels in a tree and paraphrases; `actions_exemplars.npz` beside it a motion of each.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from engine.body.rotations import axis_angle_to_matrix, matrix_to_six
from engine.errors import ModelFileError
from engine.files.array_file import ArrayFileError, read_arrays
from engine.files.array_tables import EXEMPLARS
from engine.files.json_file import read_json
from engine.semantics.text_match import TextMatcher, side_of
from engine.semantics.types import WINDOW, Match

ACTIONS = Path(__file__).resolve().parents[2] / "presets" / "actions.json"
NEAR_ENOUGH = 0.55
"""Score from which a free text counts as a label. Chosen on texts that the matcher is not scored on."""
_SUGGESTIONS = 3
_CLOSE = 0.05
"""How much lower a label without sides may score than one that is of the left or the right side."""
_HINT = "Install the add-on again, or repair the file: presets/actions.json of the project shows how it should look."
_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Action(_Part):
    """One entry of the dictionary."""

    label: _Text
    category: _Text
    captured: bool = Field(description="False for an action of which all motions are authored.")
    paraphrases: tuple[_Text, ...]
    path: str = Field(default="", description="Place in the tree of actions, such as locomotion/walk.")
    style: str = Field(default="", description="How the plain action is done, such as slowly; empty for the plain one.")
    babel: tuple[_Text, ...] = Field(default=(), description="BABEL's categories of actions that mean it.")
    formerly: tuple[_Text, ...] = Field(default=(), description="Labels of earlier versions that now mean it.")
    nearest: tuple[_Text, ...] = Field(
        default=(), description="Labels that an action added later is most like, which networks know in its place."
    )

    @property
    def texts(self) -> tuple[str, ...]:
        """The label, its paraphrases, and BABEL's categories that are not among them."""
        own = (self.label, *self.paraphrases)
        return (*own, *(alias for alias in self.babel if alias not in own))


class _Action2(_Part):
    """One entry of a file of format 2."""

    label: _Text
    path: Annotated[str, StringConstraints(pattern=r"^[\w-]+(/[\w-]+)*$", max_length=100)]
    captured: bool
    paraphrases: tuple[_Text, ...]
    style: Annotated[str, StringConstraints(max_length=100)] = ""
    babel: tuple[_Text, ...] = ()
    formerly: tuple[_Text, ...] = ()
    nearest: tuple[_Text, ...] = ()

    def action(self) -> Action:
        """The entry; its category is the root of its path."""
        return Action(category=self.path.split("/")[0], **self.model_dump())


class _Action1(_Part):
    """One entry of a file of format 1."""

    label: _Text
    category: _Text
    captured: bool
    paraphrases: tuple[_Text, ...]

    def action(self) -> Action:
        """The entry."""
        return Action(**self.model_dump())


class _File2(_Part):
    format_version: Literal[2]
    exemplars: Annotated[str, StringConstraints(pattern=r"^[\w.-]+\.npz$")]
    actions: Annotated[tuple[_Action2, ...], Field(min_length=1)]


class _File1(_Part):
    format_version: Literal[1]
    exemplars: Annotated[str, StringConstraints(pattern=r"^[\w.-]+\.npz$")]
    actions: Annotated[tuple[_Action1, ...], Field(min_length=1)]


class MotionDictionary:
    """The actions that are known. Meets `types.MotionDictionary`.

    Args:
        actions: the entries; labels and all texts are different from each other.
        exemplars: file with a motion of each label, read on demand.
        added: a studio's own actions, which have a file of exemplars of their own.
    """

    def __init__(self, actions: Sequence[Action], exemplars: Path, added: MotionDictionary | None = None) -> None:
        own = {action.label: action for action in actions}
        self._added = added
        self._own = tuple(own)
        self._actions: dict[str, Action] = own | (added._actions if added else {})
        self._exemplar_file = exemplars

    def with_studio(self, path: Path) -> MotionDictionary:
        """This dictionary and a studio's own actions. Raises ModelFileError for a damaged file or a text of both."""
        if not path.is_file():
            return self
        added = MotionDictionary.from_files(path)
        known = {text.lower() for label in self.labels for text in self.texts(label)}
        twice = [text for label in added.labels for text in added.texts(label) if text.lower() in known]
        if twice:
            hint = f"Change it in {path}."
            raise ModelFileError(f"The text '{twice[0]}' of {path} is in the motion dictionary already.", hint)
        return MotionDictionary([self._actions[label] for label in self._own], self._exemplar_file, added)

    def nearest(self, label: str) -> tuple[str, ...]:
        """Labels that an added action is most like, best first; none for one that networks know."""
        return self._actions[label].nearest

    @classmethod
    def from_files(cls, path: Path = ACTIONS) -> MotionDictionary:
        """The dictionary of a JSON file, with the exemplars beside it. Raises ModelFileError."""
        content = _read(path)
        actions = tuple(entry.action() for entry in content.actions)
        seen: set[str] = set()
        for action in actions:
            for text in action.texts:
                if text.lower() in seen:
                    raise ModelFileError(f"The motion dictionary {path} has the text '{text}' twice.", _HINT)
                seen.add(text.lower())
        return cls(actions, path.with_name(content.exemplars))

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels, in the order of the file."""
        return tuple(self._actions)

    def category(self, label: str) -> str:
        """The kind of action. Raises KeyError for a label that is not in the dictionary, as do the next four."""
        return self._actions[label].category

    def captured(self, label: str) -> bool:
        """Whether there is motion capture of it, or authored motion alone."""
        return self._actions[label].captured

    def paraphrases(self, label: str) -> tuple[str, ...]:
        """Other words for it."""
        return self._actions[label].paraphrases

    def texts(self, label: str) -> tuple[str, ...]:
        """The label and its paraphrases, BABEL's categories among them."""
        return self._actions[label].texts

    def path(self, label: str) -> str:
        """Place of the label in the tree of actions; its category in a dictionary without a tree."""
        return self._actions[label].path or self._actions[label].category

    def style(self, label: str) -> str:
        """How the plain action is done, such as slowly; empty for the plain one."""
        return self._actions[label].style

    def of_babel(self, category: str) -> str | None:
        """The label that one of BABEL's categories means."""
        return next((label for label, action in self._actions.items() if category in action.babel), None)

    def exemplar(self, label: str) -> NDArray[np.float32]:
        """A motion of the label (60, 24, 6) at 30 frames a second, global rotation included, facing -y with z up.

        Raises:
            KeyError: the label is not in the dictionary.
            ModelFileError: the file of exemplars is missing, damaged or of another dictionary.
        """
        if self._added and label in self._added._actions:
            return self._added.exemplar(label)
        vectors = torch.from_numpy(self._exemplars[self._own.index(self._actions[label].label)])
        six: NDArray[np.float32] = matrix_to_six(axis_angle_to_matrix(vectors)).numpy()
        return six

    def match(self, text: str) -> Match:
        """The label that free text means; none if nothing is near enough, or if it leaves open which side is meant.

        A text of the dictionary means its label, and a label of an earlier version what it has become.
        """
        if label := self._as_written.get(" ".join(text.lower().split())):
            return Match(label, 1.0, (label,))
        scores = np.full(len(self._actions), -1.0, np.float32)
        np.maximum.at(scores, self._owners, self._matcher.scores(text))
        order = [int(row) for row in np.argsort(-scores, kind="stable")[: _SUGGESTIONS + 1] if scores[row] > 0]
        nearest = [self.labels[row] for row in order]
        best = float(scores[order[0]]) if order else 0.0
        clear = [label for label in nearest if not self._leaves_side_open(text, label, nearest)]
        label = clear[0] if clear and scores[self.labels.index(clear[0])] >= max(NEAR_ENOUGH, best - _CLOSE) else None
        return Match(label, best, tuple(nearest[:_SUGGESTIONS]))

    @staticmethod
    def _leaves_side_open(text: str, label: str, nearest: Sequence[str]) -> bool:
        """Whether the label is of one side and the text of neither: "hop" may be on either leg, and the wrong one would
        be pulled at."""
        return side_of(label) != 0 and side_of(text) == 0 and mirrored(label) in nearest

    @cached_property
    def _as_written(self) -> dict[str, str]:
        """Label of each text, in small letters, and of each label of an earlier version that is no text by now."""
        earlier = {name.lower(): label for label, action in self._actions.items() for name in action.formerly}
        return earlier | {text.lower(): label for label in self.labels for text in self.texts(label)}

    @cached_property
    def _matcher(self) -> TextMatcher:
        return TextMatcher.from_file([text for label in self.labels for text in self.texts(label)])

    @cached_property
    def _owners(self) -> NDArray[np.int64]:
        """Row of the label of each text."""
        return np.array([row for row, label in enumerate(self.labels) for _ in self.texts(label)])

    @cached_property
    def _exemplars(self) -> NDArray[np.float32]:
        """(N, 60, 24, 3) axis-angle."""
        path = self._exemplar_file
        try:
            arrays = read_arrays(path, EXEMPLARS)
        except (OSError, ArrayFileError) as error:
            raise ModelFileError(f"The exemplar motions {path} cannot be read.", _HINT) from error
        labels, vectors = arrays["labels"].tolist(), arrays["rotations"].astype(np.float32)
        if tuple(labels) != self._own or vectors.shape != (len(labels), WINDOW, 24, 3):
            raise ModelFileError(f"The exemplar motions {path} are those of another dictionary.", _HINT)
        exemplars: NDArray[np.float32] = vectors
        return exemplars


def _read(path: Path) -> _File1 | _File2:
    """The content of a dictionary's file, of either format. Raises ModelFileError."""
    try:
        content = read_json(path)
        everyday = isinstance(content, dict) and content.get("format_version") == 2
        return _File2.model_validate(content) if everyday else _File1.model_validate(content)
    except OSError as error:
        raise ModelFileError(f"The motion dictionary {path} cannot be read.", _HINT) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ModelFileError(f"The motion dictionary {path} is wrong at {where}: {first['msg']}.", _HINT) from error
    except ValueError as error:
        raise ModelFileError(f"The motion dictionary {path} is not JSON.", _HINT) from error


def mirrored(label: str) -> str:
    """A label with left and right changed."""
    return re.sub(r"\b(left|right)\b", lambda found: "right" if found[0] == "left" else "left", label)
