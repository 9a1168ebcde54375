"""The readers of test_fuzz.py again, with values that atheris chooses by the lines of the engine that they reach.

    python tests/engine/coverage_fuzz.py [SECONDS of each reader]

A process for each reader; the exit status is that of the first that met an error that is not our own, hung for ten
seconds or took a gigabyte. Without atheris, which does not install everywhere, nothing is run.
"""

from __future__ import annotations

import contextlib
import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "common"), str(HERE.parents[1])]

LIMITS = ("-timeout=10", "-rss_limit_mb=2048", "-malloc_limit_mb=1024")
"""Of one value; a process with torch takes half a gigabyte to begin with."""

LENGTHS = ("-max_len=4096", "-len_control=0")
"""Bytes that hypothesis makes a value of: an archive with damage takes hundreds."""


def one_reader(kind: str, seconds: str) -> None:
    """Does not come back: libFuzzer ends the process."""
    import atheris

    with atheris.instrument_imports(include=["engine"]):
        import test_fuzz
    from hypothesis import HealthCheck, given, settings

    folder = tempfile.mkdtemp(prefix="adapt-motion-fuzz-")
    name, strategy, read = test_fuzz.FILES.get(kind) or ("", *test_fuzz.WORDS[kind])

    @settings(deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(strategy)
    def one(value: bytes | str) -> None:
        given_as: Path | str = Path(folder) / name if isinstance(value, bytes) else value
        if isinstance(given_as, Path):
            given_as.write_bytes(value)
        with contextlib.suppress(*test_fuzz.OWN):
            read(given_as)

    atheris.Setup([sys.argv[0], f"-max_total_time={seconds}", *LIMITS, *LENGTHS], one.hypothesis.fuzz_one_input)
    atheris.Fuzz()


def main(seconds: str) -> int:
    """Run all readers, one after the other."""
    if importlib.util.find_spec("atheris") is None:
        print("atheris is not installed: its part is left out")
        return 0
    import test_fuzz

    for kind in (*test_fuzz.FILES, *test_fuzz.WORDS):
        with tempfile.TemporaryDirectory() as folder:  # where libFuzzer leaves the value of an error
            words = [sys.executable, __file__, "--reader", kind, seconds]
            done = subprocess.run(words, cwd=folder, stderr=subprocess.STDOUT, stdout=subprocess.PIPE)
        lines = done.stdout.decode(errors="replace").splitlines()
        print(f"{kind}: {lines[-1]}", flush=True)
        if done.returncode:
            print(*lines[-60:], sep="\n")
            return done.returncode
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--reader"]:
        one_reader(*sys.argv[2:4])
    sys.exit(main(*sys.argv[1:2] or ["20"]))
