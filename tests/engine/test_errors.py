"""Every kind of expected trouble has one code and one exit code."""

from engine import errors
from engine.protocol import ExitCode

KINDS = [
    kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.EngineError)
]  # fmt: skip


def test_exit_codes_are_those_of_the_contract():
    assert {kind.__name__: int(kind.exit_code) for kind in KINDS} == {
        "EngineError": 1,
        "UsageError": 2,
        "OutputError": 1,
        "ExportError": 1,
        "FootageError": 3,
        "NobodyFoundError": 4,
        "ModelFileError": 5,
        "OutOfMemoryError": 6,
        "CancelledError": 7,
    }
    assert [int(code) for code in ExitCode] == list(range(8))


def test_codes_are_all_different():
    assert len({kind.code for kind in KINDS}) == len(KINDS)


def test_an_error_carries_its_sentence_and_hint():
    error = errors.FootageError("There is no file a.mp4.", "Check the path.")
    assert str(error) == error.message == "There is no file a.mp4."
    assert error.hint == "Check the path."
    assert isinstance(error, errors.EngineError)
