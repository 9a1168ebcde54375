"""Runs inside a Blender with a window: carries out what `test_window.py` asks for, on the main thread.

    blender … -P window_driver.py -- FOLDER

A question is a file FOLDER/<n>.ask with Python code that sets `answer`; the answer comes as JSON in FOLDER/<n>.answer.
"""

from __future__ import annotations

import json
import sys
import time
import traceback
from pathlib import Path

import bpy

FOLDER = Path(sys.argv[sys.argv.index("--") + 1])

scope = {"bpy": bpy, "Path": Path, "time": time}


def answer_questions() -> float:
    for question in sorted(FOLDER.glob("*.ask")):
        scope["answer"] = None
        try:
            exec(question.read_text(encoding="utf-8"), scope)
            reply = {"answer": scope["answer"]}
        except Exception:
            reply = {"error": traceback.format_exc()}
        question.unlink()
        part = question.with_suffix(".part")
        part.write_text(json.dumps(reply), encoding="utf-8")
        part.replace(question.with_suffix(".answer"))
    return 0.05


bpy.app.timers.register(answer_questions, first_interval=0.5, persistent=True)
