"""An engine that behaves as its `--preset` says, to test the link to Blender without footage or networks.

`install_fake(root)` makes a folder that `python -m engine` runs from, as the add-on's root does.
"""

from __future__ import annotations

import itertools
import json
import shutil
import signal
import sys
import time
from pathlib import Path


def say(event: str, **values) -> None:
    print(json.dumps({"event": event, **values}), flush=True)


def begin(clip: str) -> None:
    say("start", protocol=1, engine="fake", clips=[clip])
    say("stage", clip=clip, stage="detect", index=1, count=3)
    for done in range(1, 4):
        say("progress", clip=clip, stage="detect", done=done, total=3, eta_s=(3 - done) * 0.01)


def good(clip: str, out: Path) -> int:
    begin(clip)
    say("warning", code="dark", message="The footage is dark.")
    motion = str(out / "person_1.npz")
    say("result", clip=clip, person=1, motion=motion, body="", report=str(out / "report.json"), exports=[], frames=3)
    say("end", exit_code=0, succeeded=1, failed=0)
    return 0


def people(clip: str, out: Path) -> int:
    """Three people, merged and split as the command line has it."""
    begin(clip)
    numbers = [1, 2, 3]
    for option, text in zip(sys.argv, sys.argv[1:], strict=False):
        if option == "--merge":
            numbers.remove(int(text.split("=")[1]))
        elif option == "--split":
            numbers.append(max(3, *numbers) + 1)
    reply = [
        {"person": number, "first_s": number - 1.0, "last_s": 4.0, "seen_s": 3.5, "occluded": 0.1 * number,
         "stretches": 2 if number == 3 else 1, "thumbnail": str(out / f"person_{number}.png"),
         "boxes": [[second / 2, 0.1 * number, 0.2, 0.1 * number + 0.2, 0.8] for second in range(9)]}
        for number in numbers
    ]  # fmt: skip
    say("people", clip=clip, people=reply)
    say("end", exit_code=0, succeeded=1, failed=0)
    return 0


def labels(clip: str, out: Path) -> int:
    begin(clip)
    segments = [
        {"start": 0.0, "end": 1.0, "label": "walk", "similarity": 0.7},
        {"start": 1.5, "end": 2.0, "label": "kick", "similarity": 0.2},
    ]
    say("labels", clip=clip, person=2, segments=[])
    say("labels", clip=clip, person=1, segments=segments)
    say("end", exit_code=0, succeeded=1, failed=0)
    return 0


def takes(clip: str, out: Path) -> int:
    """Writes down how it was called; the takes are there already."""
    begin(clip)
    out.mkdir(parents=True, exist_ok=True)
    (out / "words.json").write_text(json.dumps(sys.argv[1:]))
    say("end", exit_code=0, succeeded=1, failed=0)
    return 0


def error(clip: str, out: Path) -> int:
    begin(clip)
    say("error", code="nobody", message="Nobody was found.", hint="Trim the clip.", clip=clip)
    say("end", exit_code=4, succeeded=0, failed=1)
    print("Nobody was found.", file=sys.stderr)
    return 4


def garbage(clip: str, out: Path) -> int:
    sys.stdout.buffer.write(
        b'\xff\xfe not json\n{"event": "progress"}\n{"event": 3}\n[1, 2]\n\n"text"\n{"event": "magic"}\n'
    )
    sys.stdout.flush()
    return good(clip, out)


def dies(clip: str, out: Path) -> int:
    begin(clip)
    print("Traceback: out of luck", file=sys.stderr, flush=True)
    sys.stdout.write('{"event": "progress", "clip"')  # half a line
    sys.stdout.flush()
    signal.raise_signal(getattr(signal, "SIGKILL", signal.SIGABRT))
    return 0


def deaf(clip: str, out: Path) -> int:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    begin(clip)
    time.sleep(60)
    return 0


def huge(clip: str, out: Path) -> int:
    sys.stdout.write("x" * 5_000_000 + "\n")
    return good(clip, out)


def flood(clip: str, out: Path) -> int:
    begin(clip)
    for done in range(20_000):
        say("progress", clip=clip, stage="detect", done=done, total=20_000)
    return good(clip, out)


def obedient(clip: str, out: Path) -> int:
    begin(clip)
    line = sys.stdin.readline()
    say("error", code="cancelled", message="Cancelled.", hint="Run again to resume.", clip=clip)
    say("log", message=f"stdin gave {line!r}")
    say("end", exit_code=7, succeeded=0, failed=1)
    return 7


def environment(clip: str, out: Path) -> int:
    import os

    say("log", message=json.dumps({"env": dict(os.environ), "cwd": os.getcwd(), "argv": sys.argv[1:]}))
    return good(clip, out)


def farm(words: list[str]) -> int:
    """All clips of the job files at once; `bad` fails, and what was sent is written down."""
    given = list(itertools.pairwise(words))
    address = next((value for word, value in given if word == "--address"), "")
    jobs = [json.loads(Path(value).read_text()) for word, value in given if word == "--job"]
    if address.startswith("nowhere"):
        say("error", code="error", message=f"Nothing answers at --address {address}.", hint="Check it.")
        say("end", exit_code=1, succeeded=0, failed=0)
        return 1
    out = Path(jobs[0]["out"])
    (out / "sent.json").write_text(json.dumps({"address": address, "jobs": jobs}))
    clips = [Path(job["footage"][0]).stem for job in jobs]
    say("start", protocol=1, engine="fake", clips=clips)
    for clip in clips:
        say("stage", clip=clip, stage="detect", index=2, count=5)
    for clip in reversed(clips):
        if clip == "bad":
            say("error", code="nobody", message="Nobody was found.", hint="Trim the clip.", clip=clip)
        else:
            motion = str(out / clip / "person_1.npz")
            say("result", clip=clip, person=1, motion=motion, body="", report="", exports=[], frames=3)
        say("over", clip=clip, status="failed" if clip == "bad" else "done", seconds=1.0)
    say(
        "end", exit_code=4 if "bad" in clips else 0, succeeded=len(clips) - ("bad" in clips), failed=int("bad" in clips)
    )
    return 4 if "bad" in clips else 0


def install_fake(root: Path) -> Path:
    """Put this engine in `root`; gives back `root`."""
    package = root / "engine"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").write_text("")
    shutil.copy(__file__, package / "__main__.py")
    return root


if __name__ == "__main__":
    words = sys.argv[1:]
    if words[0] == "farm":
        sys.exit(farm(words))
    behave = globals()[words[words.index("--preset") + 1]]
    sys.exit(behave(Path(words[-1]).stem, Path(words[words.index("--out") + 1])))
