"""Words that this project does not use: the field has its own for what they mean. Read from code, docs and messages."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

AVOIDED = {
    r"told|telling|said": "report, list, state, describe",
    r"asked": "requested, queried",
    r"believe[ds]?|doubt(ed|s|ful)?": "weight, confidence, trust",
    r"understood": "recognised, parsed",
    r"mend(ed|s|ing)?": "repair, correct",
    r"findings": "report, issues, people_summary",
    r"whole_track": "track_inference",
    r"nobody listens": "no-op proxy",
    r"what is not right": "known limitations",
    r"Guide": "LabelInfiller",
}
"""Expression to what is written in its place."""

QUOTED = {
    "CHANGELOG.md": "old names of settings",
    "presets/actions.json": "what people type",
    "presets/actions_200.json": "what people type",
    "tests/engine/semantics/phrases.json": "what people type",
    "tests/engine/semantics/test_clip_tokens.py": "phrases",
    "tests/engine/test_language.py": "this list",
}
"""Files that may have these words, and why."""

ENDINGS = {".py", ".md", ".toml", ".json"}
FOLDERS = ("engine", "blender_addon", "docs", "presets", "tests", "LICENSES")
FILES = [*ROOT.glob("*.md"), *ROOT.glob("*.py"), *ROOT.glob("*.toml")]
FILES += [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in ENDINGS]


def words_in(text):
    """Words with their parts: `_is_told` has the word `told`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text.replace("_", " ")) + "\n" + text


@pytest.fixture(scope="module")
def texts():
    """Name and content of each file that is looked through, with the parts of its words."""
    names = {path.relative_to(ROOT).as_posix(): path for path in sorted(FILES)}
    return {name: words_in(path.read_text(encoding="utf-8")) for name, path in names.items() if name not in QUOTED}


@pytest.mark.parametrize("word", AVOIDED)
def test_words_to_avoid_are_in_no_file(texts, word):
    expression = re.compile(rf"\b({word})\b.*", 0 if word == "Guide" else re.IGNORECASE)
    found = [f"{name}: {match[0].strip()}" for name, text in texts.items() if (match := expression.search(text))]
    assert not found, f"write one of: {AVOIDED[word]}\n" + "\n".join(found)


def test_the_words_would_be_found():
    assert re.search(r"\btold\b", words_in("def test_trouble_is_told():"))
    assert re.search(r"\bGuide\b", words_in("class LabelGuide:"))
