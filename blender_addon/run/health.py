"""What the engine's doctor found, and what is known of the key of the labelling service. No `bpy` in here."""

from __future__ import annotations

from typing import Any

from .. import messages, texts

KEY_VARIABLE = "OPENAI_API_KEY"

_finding: dict[str, Any] | None = None
_key: dict[str, Any] | None = None


def remember(found: dict[str, Any]) -> None:
    """Keep what the doctor found, for drawing."""
    global _finding
    _finding = found


def finding() -> dict[str, Any] | None:
    """What the doctor found last; None if it has not run."""
    return _finding


def remember_key(reply: dict[str, Any]) -> None:
    """Keep the key store's reply."""
    global _key
    _key = reply


def forget() -> None:
    """Nothing is known any more."""
    global _finding, _key
    _finding = _key = None


def summary(found: dict[str, Any]) -> tuple[str, str]:
    """What the doctor found in a sentence, and what to do about it."""
    bad = [check for check in found["checks"] if check["state"] in ("missing", "refused")]
    if not bad:
        return "Everything that the engine needs is there.", ""
    names = ", ".join(check["name"] for check in bad[:3])
    return f"{'Missing' if bad[0]['state'] == 'missing' else 'Of no use'}: {names}.", bad[0]["hint"]


def key_text() -> str:
    """What is known of the key."""
    if _key is None:
        return texts.KEY_UNKNOWN
    if not _key["keyring"]:
        return messages.NO_KEYRING
    return texts.KEY_STORED if _key["stored"] else messages.KEY_MISSING
