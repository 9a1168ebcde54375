"""Expected trouble. Anything else that is raised is a bug and keeps its traceback."""

from __future__ import annotations

from engine.protocol import ExitCode


class EngineError(Exception):
    """Trouble that the user can do something about.

    Args:
        message: what happened and where, one plain sentence.
        hint: what to do next, one plain sentence.
    """

    exit_code = ExitCode.ERROR
    code = "error"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(EngineError):
    """Wrong options, presets, label or camera files."""

    exit_code, code = ExitCode.USAGE, "usage"


class OutputError(EngineError):
    """The output folder cannot be written or the disk is full."""

    code = "output"


class ExportError(EngineError):
    """Blender could not be started or could not write the export."""

    code = "export"


class FootageError(EngineError):
    """Footage that is missing, is no footage, or has no frames."""

    exit_code, code = ExitCode.FOOTAGE, "footage"


class NobodyFoundError(EngineError):
    """No person in the footage, or not the requested person."""

    exit_code, code = ExitCode.NOBODY, "nobody"


class ModelFileError(EngineError):
    """A model file that is missing, damaged, of another model, or refused as unsafe."""

    exit_code, code = ExitCode.MODEL_FILE, "model_file"


class OutOfMemoryError(EngineError):
    """Memory ran out even after falling back to smaller batches and the CPU."""

    exit_code, code = ExitCode.OUT_OF_MEMORY, "out_of_memory"


class CancelledError(EngineError):
    """The user cancelled. What is finished stays."""

    exit_code, code = ExitCode.CANCELLED, "cancelled"
