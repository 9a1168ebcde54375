"""Pickles that end Python's own unpickler, or the machine: refused after little work, and nothing is felt here."""

import resource
import sys

import numpy as np
import pytest
from effort import counted_calls
from hostile_files import hostile_pickles
from smpl_pickles import HOSTILE, official_arrays, official_pickle, python2_pickle

from engine.weights.pickle_reader import PickleReadError, read
from engine.weights.plain_unpickler import PlainUnpickler
from engine.weights.safe_pickle import UnsafePickleError, read_pickle

KINDS = hostile_pickles()
HARMLESS = {"memo bomb", "chumpy of nothing", "huge frame"}
"""Bombs for another reader alone; this one reads them."""

MOST_CALLS = 10 * PlainUnpickler.most_made


@pytest.mark.parametrize("kind", ["deep hash", "deep value", "growing lists"])
def test_the_main_process_feels_nothing(kind):
    reader = resource.getrusage(resource.RUSAGE_CHILDREN)
    with pytest.raises(UnsafePickleError) as caught:
        read_pickle(KINDS[kind])
    assert str(caught.value).isprintable()
    if sys.platform == "linux":
        most = max(reader.ru_maxrss, 2**20)  # KiB; other tests may have had larger children before
        assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss <= most, "no reader took a gigabyte"


@pytest.mark.parametrize("kind", sorted(set(KINDS) - HARMLESS))
def test_a_hostile_pickle_is_refused_by_the_reader_itself(kind):
    with counted_calls() as calls, pytest.raises(PickleReadError):
        read(KINDS[kind])
    assert calls[0] < MOST_CALLS


@pytest.mark.parametrize("instruction", [b"\x85", b"\x86", b"]", b"}", b")", b"(l", b"(d", b"(t", b"\x8f", b"(\x91"])
def test_no_file_makes_more_than_its_share(instruction):
    """Also lists and tables that are thrown away at once: each of them costs the garbage collector time."""
    filling = b")" if instruction in (b"\x85", b"\x86") else b""
    content = b"\x80\x04}" + (filling * 2 + instruction + b"0") * PlainUnpickler.most_made + b"."
    with pytest.raises(PickleReadError, match="makes more lists and objects than any such file"):
        read(content)


@pytest.mark.parametrize("kind", sorted(HARMLESS))
def test_what_bombs_another_reader_is_read_in_no_time(kind):
    with counted_calls() as calls:
        tree, arrays = read(KINDS[kind])
    assert not arrays
    assert len(tree["table"]) < 2
    assert calls[0] < 1000


@pytest.mark.parametrize("kind", list(HOSTILE))
def test_nothing_is_run_by_the_reader_itself(kind, monkeypatch):
    ran = []
    for module, name in (("os", "system"), ("builtins", "exec"), ("builtins", "eval"), ("numpy", "load")):
        monkeypatch.setattr(sys.modules[module], name, lambda *words: ran.append(words))
    with pytest.raises(PickleReadError):
        read(HOSTILE[kind])
    assert not ran


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("fortran", [False, True])
def test_arrays_come_back_as_they_were(order, fortran):
    import pickle

    array = np.arange(24.0).reshape(2, 3, 4).astype(f"{order}f4")
    content = {"a": np.asfortranarray(array) if fortran else array, "b": [np.arange(3), {"c": 1.5}], "d": "text"}
    content |= {"e": None, "f": {1, 2}, "g": np.float64(2.5), "h": np.array(["x"]), "i": (True, 7)}
    found = read_pickle(pickle.dumps(content, 2))
    assert np.array_equal(found["a"], array)
    assert found["b"][0].tolist() == [0, 1, 2]
    assert found["b"][1] == {"c": 1.5}
    assert (found["d"], found["e"], sorted(found["f"]), found["g"]) == ("text", None, [1, 2], 2.5)
    assert found["h"] is None, "text arrays are nobody's"
    assert found["i"] == [True, 7]


def test_frozen_sets_are_lists():
    import pickle

    assert read(pickle.dumps({"a": frozenset({1}), "b": 2}, 4))[0] == read(pickle.dumps({"a": [1], "b": 2}, 4))[0]


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_official_files_are_read_by_the_reader_itself(protocol):
    arrays = official_arrays()
    for content in (official_pickle(arrays, protocol), python2_pickle(arrays)):
        tree, found = read(content)
        for name in ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "f"):
            assert np.array_equal(found[tree["table"][name]["array"]], arrays[name])
