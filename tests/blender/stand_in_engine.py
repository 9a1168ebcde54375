"""An engine without networks for batch mode: writes synthetic motion, or does what the footage's name says.

`nobody.mp4` fails as the engine does, `crash.mp4` dies half-way, any other gives two people.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import synthetic


def say(event: str, **values) -> None:
    print(json.dumps({"event": event, **values}), flush=True)


def main(words: list[str]) -> int:
    footage = Path(words[-1])
    folder = Path(words[words.index("--out") + 1]) / footage.stem
    say("start", protocol=1, engine="stand-in", clips=[footage.stem])
    say("stage", clip=footage.stem, stage="detect", index=1, count=2)
    if footage.stem == "nobody":
        say("error", clip="nobody", code="nobody", message="Nobody was found.", hint="Trim the clip.")
        say("end", exit_code=4, succeeded=0, failed=1)
        return 4
    if footage.stem == "crash":
        os.abort()
    for person in (1, 2):
        motion = synthetic.write_person(folder, person, seed=person)
        body = str(motion.with_name(f"person_{person}_body.npz"))
        say("warning", clip=footage.stem, code="dark", message="The footage is dark.")
        say("result", clip=footage.stem, person=person, motion=str(motion), body=body, report="", exports=[], frames=40)
    say("end", exit_code=0, succeeded=1, failed=0)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
