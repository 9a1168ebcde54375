"""Expected trouble on Blender's side. Anything else that is raised is a bug and keeps its traceback."""

from __future__ import annotations


class UserError(Exception):
    """Trouble that the user can do something about.

    Args:
        message: what happened and where, one plain sentence.
        hint: what to do next, one plain sentence.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message} {hint}".strip())
        self.message = message
        self.hint = hint
