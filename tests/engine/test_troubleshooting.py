"""Every message that a user of the command line can see is on the troubleshooting page. Read from the sources."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = " ".join((ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8").split())
ERRORS = {"EngineError", "UsageError", "OutputError", "ExportError", "FootageError", "NobodyFoundError"}
ERRORS |= {"ModelFileError", "OutOfMemoryError", "CancelledError"}


def source_of(module):
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def reachable(start):
    """Modules of the engine that `start` imports, however late and however indirectly."""
    found, waiting = set(), [start]
    while waiting:
        module = waiting.pop()
        if module in found or not source_of(module).is_file():
            continue
        found.add(module)
        for node in ast.walk(ast.parse(source_of(module).read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "engine":
                waiting += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return sorted(found)


def literal_parts(node):
    """The texts in an expression, as long as no value is put in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.JoinedStr):
        return [part.value for part in node.values if isinstance(part, ast.Constant)]
    return []


def messages(module):
    """The longest fixed part of each message in a module: first argument of an error, second of a warning."""
    for node in ast.walk(ast.parse(source_of(module).read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        place = 0 if name in ERRORS else 1 if name in ("warn", "_warn") else None
        if place is not None and len(node.args) > place:
            parts = [" ".join(part.split()).strip(" '.:,(") for part in literal_parts(node.args[place])]
            if longest := max(parts, key=len, default=""):
                yield longest


MESSAGES = sorted({(module, text) for module in reachable("engine.cli") for text in messages(module)})


def test_messages_are_found():
    modules = {module for module, _ in MESSAGES}
    assert {
        "engine.config",
        "engine.footage.decoding",
        "engine.body.smpl_file",
        "engine.output.blender_export",
    } <= modules
    assert len(MESSAGES) > 60


@pytest.mark.parametrize(("module", "text"), MESSAGES, ids=[text for _, text in MESSAGES])
def test_every_message_is_on_the_page(module, text):
    assert text in PAGE, f"{module}: docs/troubleshooting.md lacks this message"
