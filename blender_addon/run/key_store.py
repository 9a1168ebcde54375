"""Run by the engine's Python, never by Blender: keeps the key of the labelling service in the system's keyring.

    python key_store.py status             one line of JSON: is there a keyring, is there a key
    python key_store.py set                takes the key from stdin
    python key_store.py delete
    python key_store.py run -m engine …    runs a module with the key in OPENAI_API_KEY

So the key passes neither through Blender's files nor through a command line or a log.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import sys

SERVICE, NAME, VARIABLE = "adapt_motion", "labels", "OPENAI_API_KEY"


def keyring():
    """The `keyring` package with a keyring that works, or None."""
    try:
        package = importlib.import_module("keyring")
        package.get_password(SERVICE, NAME)
    except Exception:  # not installed, locked, or no keyring on this system: each has errors of its own
        return None
    return package


def main(words: list[str]) -> dict:
    """Do one command; gives back the `key` event."""
    store, problem = keyring(), ""
    if store is None:
        problem = "This system's keyring cannot be used: the engine's Python needs the package keyring."
    elif words[0] == "set":
        store.set_password(SERVICE, NAME, sys.stdin.readline().strip())
    elif words[0] == "delete" and store.get_password(SERVICE, NAME):
        store.delete_password(SERVICE, NAME)
    stored = bool(store and store.get_password(SERVICE, NAME))
    return {"event": "key", "keyring": store is not None, "stored": stored, "problem": problem}


def run(words: list[str]) -> None:
    """Run a module (`-m name arguments…`) with the key in its environment, unless there is one."""
    store = keyring()
    if store is not None and not os.environ.get(VARIABLE) and (key := store.get_password(SERVICE, NAME)):
        os.environ[VARIABLE] = key
    module, sys.argv = words[1], ["", *words[2:]]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    del sys.path[0]  # the folder of this file, whose modules are Blender's side
    if sys.argv[1] == "run":
        run(sys.argv[2:])
    else:
        print(json.dumps(main(sys.argv[1:])), flush=True)
