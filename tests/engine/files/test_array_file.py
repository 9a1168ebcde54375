"""The reader of arrays: reads what NumPy writes, and nothing that is meant to do harm; sizes come before reading."""

import io
import os
import random
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from effort import counted_calls
from hostile_files import archive, bomb, described, header, hostile_archives, npy

from engine.files.array_file import ArrayFileError, Item, check_arrays, read_all, read_arrays
from engine.files.plain_file import open_plain

TABLE = {
    "points": Item("f", ("V", 3), -100, 100),
    "faces": Item("iu", ("F", 3), 0, 1000),
    "version": Item("iu", (), 0, 9, needed=False),
    "name": Item("U", (), needed=False, hint=True),
}
ARRAYS = {
    "points": np.arange(12.0).reshape(4, 3),
    "faces": np.array([[0, 1, 2]]),
    "version": np.array(1),
    "name": np.array("a body"),
}
GOOD = {f"{name}.npy": npy(array) for name, array in ARRAYS.items()}


@pytest.fixture
def write(tmp_path):
    def write(content):
        (tmp_path / "a.npz").write_bytes(content)
        return tmp_path / "a.npz"

    return write


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize(
    "array",
    [
        np.array(""),
        np.array("日本"),
        np.array(["a", "bc"], ">U2"),
        np.array(True),
        np.zeros((0, 3)),
        np.zeros((3, 0), ">f4"),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(3, dtype=">i4"),
        np.arange(300, dtype=np.uint8),
        np.linspace(-1, 1, 9).astype(np.float16),
        np.array([np.nan, np.inf]),
    ],
    ids=lambda one: f"{one.dtype}{one.shape}",
)
def test_what_numpy_writes_comes_back(write, array, method):
    found = read_all(write(archive({"x.npy": npy(array)}, method)))["x"]
    assert np.array_equal(found, array, equal_nan=array.dtype.kind == "f")
    assert found.shape == array.shape
    assert found.dtype == array.dtype.newbyteorder("=")
    assert found.flags.writeable


@pytest.mark.parametrize(
    "text",
    [
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2L, 3L), }",
        "{'shape': (2, 3), 'fortran_order': False, 'descr': '<f8'}",
        "{'descr':'<f8','fortran_order':False,'shape':(2,3)}",
    ],
)
def test_headers_of_other_writers_are_read(write, text):
    found = read_all(write(archive({"x.npy": header(text, np.arange(6.0).tobytes())})))
    assert found["x"].tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_table_says_what_is_read(write, save):
    file = io.BytesIO()
    save(file, **ARRAYS, more=np.zeros(5))
    found = read_arrays(write(file.getvalue()), TABLE)
    assert list(found) == list(TABLE)
    assert all(np.array_equal(found[name], ARRAYS[name]) for name in TABLE)


FAULTS = {
    "points is (4, 2), not (4, 3)": {"points": np.zeros((4, 2))},
    "points is (), not (V, 3)": {"points": np.array(1.0)},
    "points has type int64, not numbers": {"points": np.zeros((4, 3), int)},
    "points has values that are not finite": {"points": np.full((4, 3), np.nan)},
    "points is -500, not within -100 to 100": {"points": np.full((4, 3), -500.0)},
    "faces has type float64, not whole numbers": {"faces": np.zeros((1, 3))},
    "version is (2,), not ()": {"version": np.array([1, 2])},
    "version has type <U3, not whole numbers": {"version": np.array("new")},
    "it lacks points, faces": {"points": None, "faces": None},
}


@pytest.mark.parametrize("sentence", FAULTS)
def test_what_does_not_fit_the_table_is_reported(write, sentence):
    arrays = {name: array for name, array in (ARRAYS | FAULTS[sentence]).items() if array is not None}
    content = archive({f"{name}.npy": npy(array) for name, array in arrays.items()})
    for check in (lambda: read_arrays(write(content), TABLE), lambda: check_arrays(arrays, TABLE)):
        with pytest.raises(ArrayFileError) as caught:
            check()
        assert str(caught.value) == sentence
        assert not caught.value.unreadable


def test_a_letter_is_the_same_size_throughout(write):
    table = {"a": Item("f", ("T", 2)), "b": Item("f", ("T",))}
    content = archive({"a.npy": npy(np.zeros((3, 2))), "b.npy": npy(np.zeros(4))})
    with pytest.raises(ArrayFileError, match=r"b is \(4,\), not \(3,\)"):
        read_arrays(write(content), table)


def test_a_hint_that_does_not_fit_is_left_out(write):
    found = read_arrays(write(archive({**GOOD, "name.npy": npy(np.arange(3))})), TABLE)
    assert "name" not in found
    assert len(found) == 3


KINDS = hostile_archives(GOOD, "points.npy", "never made")


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_that_means_harm_is_refused(write, kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write(KINDS[kind])
    with counted_calls() as calls, pytest.raises(ArrayFileError) as caught:
        read_arrays(path, TABLE)
    assert calls[0] < 2000
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300
    assert not (tmp_path / "never made").exists()


def test_the_object_would_do_harm_elsewhere(write, tmp_path, monkeypatch):
    """The test above can fail: NumPy itself, with `allow_pickle`, runs what the file names."""
    monkeypatch.chdir(tmp_path)
    np.load(write(KINDS["object"]), allow_pickle=True)["points"]
    assert (tmp_path / "never made").is_dir()
    with pytest.raises(ArrayFileError, match="Python objects") as caught:
        read_arrays(write(KINDS["object"]), TABLE)
    assert caught.value.objects


@pytest.mark.parametrize("name", ["points.npy", "unknown.npy"])
def test_a_bomb_takes_no_memory(write, name):
    path = write(bomb(GOOD, name))
    tracemalloc.start()
    try:
        if name == "points.npy":
            with pytest.raises(ArrayFileError):
                read_arrays(path, TABLE)
        else:
            read_arrays(path, TABLE)
        with pytest.raises(ArrayFileError, match="too large"):
            read_all(path)
        assert tracemalloc.get_traced_memory()[1] < 10 * 2**20
    finally:
        tracemalloc.stop()


def test_what_a_small_type_grows_to_counts(write):
    content = archive({"x.npy": npy(np.zeros(2**20, np.uint8))})
    assert read_all(write(content), most_bytes=8 * 2**20)["x"].size == 2**20
    with pytest.raises(ArrayFileError, match="too large: 8 MiB"):
        read_all(write(content), most_bytes=8 * 2**20 - 1)


def test_a_directory_that_claims_the_whole_of_a_sparse_file_is_not_read(tmp_path):
    path = tmp_path / "a.npz"
    with path.open("wb") as file:
        file.truncate(2**35)
        file.seek(0, 2)
        file.write(struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 60000, 60000, 2**32 - 2, 0, 0))
    tracemalloc.start()
    try:
        with pytest.raises(ArrayFileError, match="directory is damaged"):
            read_arrays(path, TABLE)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_each_of_twenty_thousand_members_costs_little(write):
    path = write(archive({**GOOD, **{f"x{number}.npy": npy(0) for number in range(20_000)}}))
    with counted_calls() as calls:
        assert len(read_arrays(path, TABLE)) == 4
    assert calls[0] < 100 * 20_000


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "missing", "nul"])
def test_only_ordinary_files_are_opened(tmp_path, kind):
    path = tmp_path / "a.npz"
    if kind == "pipe":
        if not hasattr(os, "mkfifo"):
            pytest.skip("this system has no pipes with names")
        os.mkfifo(path)
    elif kind == "device":
        path = "/dev/zero"
        if not os.path.exists(path):
            pytest.skip("this system has no /dev/zero")
    elif kind == "folder":
        path.mkdir()
    elif kind == "nul":
        path = tmp_path / "a\0.npz"
    with pytest.raises(OSError) as caught:  # noqa: PT011  the words follow
        read_arrays(path, TABLE)
    assert caught.value.strerror


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="this system makes no files up")
def test_files_that_the_system_makes_up_are_empty():
    """Some of them (/proc/kmsg) do not answer when they are read."""
    assert open_plain("/proc/self/status").read() == b""


def test_thousand_changed_files_end_in_our_own_error(write):
    """Bytes changed anywhere: either the same arrays come back, or the reader says what is wrong."""
    chance = random.Random(16)
    whole = {method: archive(GOOD, method) for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)}
    refused = 0
    for number in range(1000):
        content = bytearray(whole[number % 2 * zipfile.ZIP_DEFLATED])
        for _ in range(chance.choice((1, 1, 3, 20))):
            content[chance.randrange(len(content))] = chance.randrange(256)
        if chance.random() < 0.1:
            content = content[: chance.randrange(len(content))]
        try:
            found = read_arrays(write(bytes(content)), TABLE)
        except ArrayFileError:
            refused += 1
        else:
            assert all(np.array_equal(array, ARRAYS[name]) for name, array in found.items())
    assert refused > 500


def test_described_members_are_what_they_say(write):
    """The hostile headers above are refused for what is wrong with them, not for their form."""
    content = archive({**GOOD, "points.npy": described("<f8", "(1, 3)", np.ones(3).tobytes())})
    assert read_arrays(write(content), TABLE)["points"].tolist() == [[1, 1, 1]]
