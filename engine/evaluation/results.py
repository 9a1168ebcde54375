"""Finished results, one JSON object a line, so that a bench that was interrupted goes on where it stopped."""

from __future__ import annotations

import ast
import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine.errors import OutputError

ENGINE = Path(__file__).resolve().parents[1]
_CODE = (
    "adaptation/*.py",
    "adaptation/baselines/*.py",
    "backbones/*.py",
    "body/*.py",
    "semantics/*.py",
    *(f"evaluation/{name}.py" for name in ("assemble", "data", "joints", "metrics", "runner", "scores", "source")),
    "training/observations.py",
    "training/detector_model.py",
)
_MODELS = ("assets", "../presets")
_MODEL_ENDINGS = (".safetensors", ".npz", ".json", ".toml")


@dataclass(frozen=True)
class Record:
    """Figures of one row on one case. Names as in `Case` and `Row`."""

    case: str
    clip: str
    category: str
    condition: str
    row: str
    frames: int
    figures: dict[str, float]

    def value(self, name: str) -> float:
        """A figure, NaN where there is none."""
        return self.figures.get(name, math.nan)


class ResultStore:
    """Records by key, in memory and, if there is a file, on disk. A line that was cut off is made again.

    Args:
        path: file to read and add to; None: nothing is kept.

    Raises:
        OutputError: the file cannot be read or written.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._records: dict[str, Record] = {}
        self._torn = False
        if path is not None and path.exists():
            try:
                text = path.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise OutputError(f"The results file {path} cannot be read: {error}.", "Choose another.") from error
            self._torn = bool(text) and not text.endswith("\n")
            for line in text.splitlines():
                self._take(line)

    def _take(self, line: str) -> None:
        try:
            entry = json.loads(line)
            key = entry.pop("key")
            figures = {name: math.nan if value is None else float(value) for name, value in entry["figures"].items()}
            self._records[key] = Record(**{**entry, "figures": figures})
        except (ValueError, KeyError, TypeError, AttributeError):
            return

    def __len__(self) -> int:
        return len(self._records)

    def get(self, key: str) -> Record | None:
        """What is known under a key."""
        return self._records.get(key)

    def add(self, key: str, record: Record) -> None:
        """Keep a record, on disk at once."""
        self._records[key] = record
        if self._path is None:
            return
        line = json.dumps({"key": key, **asdict(record), "figures": plain(record.figures)})
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(("\n" if self._torn else "") + line + "\n")
            self._torn = False
        except OSError as error:
            raise OutputError(
                f"The results file {self._path} cannot be written: {error}.", "Choose another."
            ) from error


def plain(values: dict[str, float]) -> dict[str, float | None]:
    """Numbers fit for JSON: None for what is no number."""
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def key_of(*parts: Any) -> str:
    """A short key of plain values."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:24]


def fingerprint(root: Path = ENGINE) -> str:
    """Of the code and of the networks that results depend on: changed ones give other results."""
    files = [path for pattern in _CODE for path in root.glob(pattern)]
    files += [path for folder in _MODELS for path in (root / folder).resolve().rglob("*") if _is_model(path)]
    return digest_of(sorted(files))


def _is_model(path: Path) -> bool:
    return path.suffix in _MODEL_ENDINGS and path.is_file()


def digest_of(files: Iterable[Path]) -> str:
    """SHA-256 over the content of files, in the order given; of code without its comments and layout."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode())
        content = path.read_bytes()
        digest.update(ast.dump(ast.parse(content)).encode() if path.suffix == ".py" else content)
    return digest.hexdigest()


def by_case(records: Sequence[Record], row: str) -> dict[str, Record]:
    """Records of one row by the name of their case."""
    return {record.case: record for record in records if record.row == row}
