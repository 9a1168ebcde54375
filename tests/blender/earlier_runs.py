"""Output folders as earlier runs of the engine have left them."""

from __future__ import annotations

import json

import synthetic


def leave(out, footage, people=1, finished=True):
    """What a run of the engine leaves in `out`."""
    folder = out / "my clip"
    (folder / ".cache").mkdir(parents=True)
    (folder / ".cache" / "clip.json").write_text(json.dumps({"footage": str(footage)}))
    (folder / ".cache" / "detect-0-00000.npz").touch()
    for number in range(people):
        synthetic.write_person(folder, number + 1, seed=number)
    if finished:
        (folder / "report.json").write_text("{}")
    return folder
