"""Every message that a user of the add-on can see is on the troubleshooting page. Read from the sources."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from adapt_motion.blender_addon import messages
from adapt_motion.blender_addon.run import install_progress

ROOT = Path(__file__).resolve().parents[3]
PAGE = " ".join((ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8").split())
RAISED = {"UserError", "_FailedError"}
CHECKS = {"problems"}


def literal_parts(node: ast.AST) -> list[str]:
    """The texts in an expression, as long as no value is put in."""
    if isinstance(node, ast.BinOp):
        return literal_parts(node.left)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.JoinedStr):
        return [part.value for part in node.values if isinstance(part, ast.Constant)]
    return []


def messages_in(path: Path) -> set[str]:
    """The longest fixed part of each message that a module raises, appends to its problems or shows at a run's end."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and node.args:
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            problem = name == "append" and getattr(getattr(node.func, "value", None), "id", "") == "problems"
            found += [literal_parts(node.args[0])] if name in RAISED or problem else []
        elif isinstance(node, ast.Assign) and getattr(node.targets[0], "attr", "") == "message":
            found.append(literal_parts(node.value))
    return {max(parts, key=len).strip(" '.:,(") for parts in found if parts and len(max(parts, key=len)) > 8}


MODULES = sorted((ROOT / "blender_addon").rglob("*.py"))
RAISED_MESSAGES = sorted((path.name, text) for path in MODULES for text in messages_in(path))
CONSTANTS = [value.split("{")[0] for name, value in vars(messages).items() if name.isupper() and isinstance(value, str)]
REASONS = [message for _, message, _ in install_progress._REASONS]
EXITS = [messages.explain_exit(code)[0].partition("(")[0] for code in (-9, -11, 0, 1)]


def test_messages_are_found():
    assert {"install.py", "engine_check.py", "clip_run.py", "scene.py", "files.py"} <= {
        name for name, _ in RAISED_MESSAGES
    }
    assert len(CONSTANTS) > 10
    assert len(REASONS) == 5


@pytest.mark.parametrize(
    "text", [text for _, text in RAISED_MESSAGES if "installed and runs" not in text and "engine runs" not in text]
)
def test_every_message_that_is_raised_is_on_the_page(text):
    assert text in PAGE, "docs/troubleshooting.md lacks this message"


@pytest.mark.parametrize("text", [*CONSTANTS, *REASONS, *EXITS])
def test_every_constant_message_is_on_the_page(text):
    assert text.strip(" '.:,(") in PAGE, "docs/troubleshooting.md lacks this message"


def test_lines_are_as_wide_as_they_are_measured():
    """By the count of letters a line of wide ones had been cut in a sidebar of the usual width."""

    def measure(text):
        return sum(10 if letter in "mw" else 5 for letter in text)

    for text in ("2 people found. Tick whom to adapt.", "mmm www " * 9, "/a/path/" + "m" * 60, "one"):
        for icon in (False, True):
            lines = messages.wrap(text, 229, icon, measure)
            room = 229 - messages.BESIDE_TEXT_PX
            assert max(measure(line) for line in lines) <= room
            assert measure(lines[0]) <= room - messages.ICON_PX * icon
            assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert messages.wrap("", 229, True, measure) == []
    assert messages.wrap(f"in {'folder/' * 9}environment,", 229, True, measure)[-1].endswith("environment,")
