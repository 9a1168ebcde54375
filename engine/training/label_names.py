"""What the sources' labels are called in a dictionary: 209 texts of clips and authored actions, from a table."""

from __future__ import annotations

import json
from pathlib import Path

from engine.semantics.dictionary import MotionDictionary

TABLE = Path(__file__).with_name("label_map.json")


def label_names(dictionary: MotionDictionary, table: Path = TABLE) -> dict[str, str]:
    """Label of the dictionary for each label of the sources that is called otherwise there.

    A label that the dictionary has itself stays as it is, so the table, which is made for the dictionary of everyday
    words, does no harm to one that knows the sources' own labels.
    """
    names: dict[str, str] = json.loads(table.read_text(encoding="utf-8"))
    known = set(dictionary.labels)
    return {source: label for source, label in names.items() if source not in known and label in known}
