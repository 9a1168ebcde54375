"""Pickles that end Python's own unpickler, or the machine: refused within seconds, and this process feels nothing."""

import resource
import sys
import time

import numpy as np
import pytest
from hostile_files import hostile_pickles
from test_smpl_file import _CONTENTS, official_arrays, official_pickle, python2_pickle

from engine.body.pickle_reader import PickleReadError, read
from engine.body.safe_pickle import UnsafePickleError, read_pickle

KINDS = hostile_pickles()
HARMLESS = {"memo bomb", "chumpy of nothing", "huge frame"}
"""Bombs for another reader alone; this one reads them."""

LONG = {"deep value"}
"""What takes this process a while."""


@pytest.mark.parametrize("kind", sorted(LONG | {"growing lists", "deep hash"}))
def test_the_main_process_feels_nothing(kind):
    before, reader = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    with pytest.raises(UnsafePickleError) as caught:
        read_pickle(KINDS[kind])
    after = resource.getrusage(resource.RUSAGE_SELF)
    assert after.ru_utime - before.ru_utime < 5
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - reader.ru_utime < 10
    assert str(caught.value).isprintable()
    if sys.platform == "linux":
        most = max(reader.ru_maxrss, 2**20)  # KiB; other tests may have had larger children before
        assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss <= most, "no reader took a gigabyte"


@pytest.mark.parametrize("kind", sorted(set(KINDS) - HARMLESS - LONG))
def test_a_hostile_pickle_is_refused_by_the_reader_itself(kind):
    begun = time.process_time()
    with pytest.raises(PickleReadError):
        read(KINDS[kind])
    assert time.process_time() - begun < 5


@pytest.mark.parametrize("kind", sorted(HARMLESS))
def test_what_bombs_another_reader_is_read_in_no_time(kind):
    begun = time.process_time()
    tree, arrays = read(KINDS[kind])
    assert not arrays
    assert len(tree["table"]) < 2
    assert time.process_time() - begun < 0.5


@pytest.mark.parametrize("kind", list(_CONTENTS))
def test_nothing_is_run_by_the_reader_itself(kind, monkeypatch):
    ran = []
    for module, name in (("os", "system"), ("builtins", "exec"), ("builtins", "eval"), ("numpy", "load")):
        monkeypatch.setattr(sys.modules[module], name, lambda *words: ran.append(words))
    with pytest.raises(PickleReadError):
        read(_CONTENTS[kind])
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


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_official_files_are_read_by_the_reader_itself(protocol):
    arrays = official_arrays()
    for content in (official_pickle(arrays, protocol), python2_pickle(arrays)):
        tree, found = read(content)
        for name in ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "f"):
            assert np.array_equal(found[tree["table"][name]["array"]], arrays[name])
