"""`python -m engine` is the `adapt-motion` command."""

import os
import sys

from engine.runtime import early_stop


def main() -> None:
    """Listen to signals, then load the command line, run it and end the process with its exit code."""
    early_stop.install()
    from engine.cli import main as command

    try:
        command()
    except SystemExit as ending:
        if not early_stop.is_run(sys.argv[1:]) or not isinstance(ending.code, int):
            raise
        # All is written. What Python and C++ libraries do on leaving takes a while, and signals then have no handler.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(ending.code)


if __name__ == "__main__":
    main()
