"""Body files: what is read from them, what is refused, and that nothing in them is ever run."""

import builtins
import contextlib
import io
import pickle
import struct
import sys
import types

import numpy as np
import pytest
import scipy.sparse

from engine.body.model import load_body
from engine.body.smpl_file import PARENTS, read_body_file
from engine.errors import ModelFileError
from engine.protocol import ExitCode

VERTICES = 30
RAN = []


def official_arrays(shapes: int = 10) -> dict[str, np.ndarray]:
    """Made-up arrays with the names, shapes and types of the official files."""
    random = np.random.default_rng(0)
    weights, regressor = (
        random.random((VERTICES, 24)),
        random.random((24, VERTICES)) * (random.random((24, VERTICES)) < 0.2),
    )
    parents = np.array([4294967295, *PARENTS[1:]])
    return {
        "v_template": random.normal(size=(VERTICES, 3)),
        "shapedirs": random.normal(size=(VERTICES, 3, shapes)),
        "posedirs": random.normal(size=(VERTICES, 3, 207)),
        "J_regressor": regressor,
        "weights": weights / weights.sum(1, keepdims=True),
        "kintree_table": np.array([parents, np.arange(24)], dtype=np.uint32),
        "f": random.integers(0, VERTICES, (50, 3)).astype(np.uint32),
        "J": random.normal(size=(24, 3)),
    }


class Ch:
    """Pickled as `chumpy.ch.Ch`, an object of the old kind with its array under `x`."""

    def __init__(self, x):
        self.x, self._dirty_vars, self._itr = np.asarray(x), {"x"}, None


class Select:
    """Pickled as `chumpy.reordering.Select`."""

    def __init__(self, array):
        self.a, self.idxs, self.preferred_shape = Ch(array), np.arange(array.size), array.shape


class csc_matrix:  # noqa: N801  its name in the file
    """Pickled as SciPy's `csc_matrix` of old: a plain object with this state."""

    def __init__(self, array):
        matrix = scipy.sparse.csc_matrix(array)
        self.__dict__.update(
            data=matrix.data,
            indices=matrix.indices,
            indptr=matrix.indptr,
            _shape=matrix.shape,
            maxprint=50,
            format="csc",
        )


@contextlib.contextmanager
def known_as(names: dict[type, tuple[str, str]]):
    """Let pickle find classes under other modules' names, as if those were installed."""
    with pytest.MonkeyPatch.context() as patch:
        for kind, (module, name) in names.items():
            for stand_in in (module.split(".")[0], module):
                if stand_in == module or stand_in not in sys.modules:
                    patch.setitem(sys.modules, stand_in, types.ModuleType(stand_in))
            patch.setattr(sys.modules[module], name, kind, raising=False)
            patch.setattr(kind, "__module__", module)
        yield


def official_pickle(arrays: dict[str, np.ndarray], protocol: int, scipy_module: str = "scipy.sparse.csc") -> bytes:
    """`arrays` as the official `.pkl` has them: chumpy shape directions, a sparse regressor, Python 2's names."""
    content: dict[str, object] = dict(arrays)
    content["shapedirs"], content["posedirs"] = Ch(arrays["shapedirs"]), Select(arrays["posedirs"])
    content["J_regressor"] = csc_matrix(arrays["J_regressor"])
    content |= {"bs_style": "lbs", "bs_type": "lrotmin"}
    names = {
        Ch: ("chumpy.ch", "Ch"),
        Select: ("chumpy.reordering", "Select"),
        csc_matrix: (scipy_module, "csc_matrix"),
    }
    with known_as(names):
        return pickle.dumps(content, protocol)


@pytest.fixture
def write(tmp_path):
    def write(content: bytes, name: str = "basicModel_neutral.pkl"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


def npz(arrays) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def assert_same(body, arrays) -> None:
    assert np.array_equal(body.v_template, arrays["v_template"])
    assert np.array_equal(body.shapedirs, arrays["shapedirs"][:, :, :10])
    assert np.array_equal(body.posedirs, arrays["posedirs"])
    assert np.array_equal(body.joint_regressor, arrays["J_regressor"])
    assert np.array_equal(body.weights, arrays["weights"])
    assert np.array_equal(body.faces, arrays["f"])
    assert body.surface_model_type == "smpl"


@pytest.mark.parametrize("shapes", [10, 300], ids=["v1.0", "v1.1"])
def test_an_npz_is_read(write, shapes):
    arrays = official_arrays(shapes)
    assert_same(read_body_file(write(npz(arrays), "SMPL_NEUTRAL.npz")), arrays)


@pytest.mark.parametrize("shapes", [10, 300], ids=["v1.0", "v1.1"])
@pytest.mark.parametrize("protocol", [0, 1, 2])
@pytest.mark.parametrize("scipy_module", ["scipy.sparse.csc", "scipy.sparse._csc"])
def test_the_official_pickle_is_read(write, shapes, protocol, scipy_module):
    arrays = official_arrays(shapes)
    content = official_pickle(arrays, protocol, scipy_module)
    assert b"chumpy" in content and b"csc_matrix" in content  # noqa: PT018  the file is what it claims to imitate
    assert_same(read_body_file(write(content)), arrays)


def python2_pickle(arrays: dict[str, np.ndarray]) -> bytes:
    """What Python 2 wrote, opcode by opcode: byte strings as STRING opcodes, `copy_reg` and `numpy.core` names."""

    def string(value: bytes) -> bytes:
        return b"T" + struct.pack("<i", len(value)) + value

    def integer(value: int) -> bytes:
        return b"J" + struct.pack("<i", value)

    def array(value: np.ndarray) -> bytes:
        value = np.ascontiguousarray(value)
        kind = value.dtype
        code = f"{kind.kind}{kind.itemsize}".encode()
        return b"".join(
            (
                b"cnumpy.core.multiarray\n_reconstruct\n", b"(cnumpy\nndarray\n", integer(0), b"\x85", string(b"b"),
                b"tR",
                b"(", integer(1), b"(", *(integer(size) for size in value.shape), b"t",
                b"cnumpy\ndtype\n(", string(code), integer(0), integer(1), b"tR",
                b"(", integer(3), string(b"<"), b"NNN", integer(-1), integer(-1), integer(0), b"tb",
                b"I00\n", string(value.tobytes()), b"tb",
            )
        )  # fmt: skip

    def new_object(module: bytes, name: bytes, state: bytes) -> bytes:
        return b"ccopy_reg\n_reconstructor\n(c" + module + b"\n" + name + b"\nc__builtin__\nobject\nNtR" + state + b"b"

    def mapping(entries: dict[bytes, bytes]) -> bytes:
        return b"}(" + b"".join(string(key) + value for key, value in entries.items()) + b"u"

    matrix = scipy.sparse.csc_matrix(arrays["J_regressor"])
    shape = b"(" + integer(24) + integer(VERTICES) + b"t"
    parts = {"data": matrix.data, "indices": matrix.indices, "indptr": matrix.indptr}
    sparse = mapping({b"_shape": shape} | {name.encode(): array(part) for name, part in parts.items()})
    entries = {name.encode(): array(value) for name, value in arrays.items()}
    dirty = b"c__builtin__\nset\n(]" + string(b"x") + b"atR"
    shapedirs = mapping({b"x": array(arrays["shapedirs"]), b"_dirty_vars": dirty})
    entries[b"shapedirs"] = new_object(b"chumpy.ch", b"Ch", shapedirs)
    entries[b"J_regressor"] = new_object(b"scipy.sparse.csc", b"csc_matrix", sparse)
    return b"\x80\x02" + mapping(entries) + b"."


def test_what_python_2_wrote_is_read(write):
    arrays = official_arrays()
    assert_same(read_body_file(write(python2_pickle(arrays))), arrays)


def test_a_user_s_file_replaces_the_open_body(write):
    body = load_body(write(official_pickle(official_arrays(), 2)))
    assert body.surface_model_type == "smpl"
    assert len(body.faces) == 50


class _RunsWhenOpened:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def ran(value="ran"):
    RAN.append(value)
    return np.zeros(1)


def _hostile() -> dict[str, bytes]:
    def raw(text: bytes) -> bytes:
        return b"\x80\x02" + text + b"."

    ours = f"c{__name__}\nran\n".encode()
    return {
        "a function of ours": pickle.dumps(
            {"v_template": _RunsWhenOpened(exec, "import builtins; builtins.pickle_ran = 1")}
        ),
        "os.system": raw(b"cos\nsystem\n(U\x04trueotR"),
        "posix.system": raw(b"cposix\nsystem\n(X\x04\x00\x00\x00truetR"),
        "eval": raw(b"c__builtin__\neval\n(X\x16\x00\x00\x00setattr(x,'y',1) or 12tR"),
        "getattr": raw(b"c__builtin__\ngetattr\n(cnumpy\nndarray\nX\x04\x00\x00\x00dumptR"),
        "numpy.load": raw(b"cnumpy\nload\n(X\x01\x00\x00\x00xtR"),
        "deep in numpy": raw(b"cnumpy.testing._private.utils\nrunstring\n(X\x01\x00\x00\x001}tR"),
        "by instance opcode": raw(b"(X\x01\x00\x00\x00x" + b"i" + ours[1:]),
        "a stack global": b"\x80\x04" + b"\x8c\x08builtins\x8c\x04exec\x93\x8c\x01x\x85R.",
        "dotted": b"\x80\x04" + b"\x8c\x05numpy\x8c\x0fndarray.__new__\x93.",
        "an extension": raw(b"\x82\x01"),
        "another class in _reconstruct": raw(
            b"cnumpy.core.multiarray\n_reconstruct\n(c__builtin__\nset\nK\x00\x85U\x01btR"
        ),
        "another class in _reconstructor": raw(
            b"ccopy_reg\n_reconstructor\n(c__builtin__\nset\nc__builtin__\nobject\nNtR"
        ),
        "changing a function": raw(b"c_codecs\nencode\n(N}X\x08\x00\x00\x00__code__K\x01stb"),
        "changing a class": raw(b"cchumpy.ch\nCh\n}X\x01\x00\x00\x00xK\x01sb"),
        "another codec": raw(b"c_codecs\nencode\n(X\x01\x00\x00\x00xX\x03\x00\x00\x00hextR"),
        "an object array": raw(b"cnumpy\ndtype\n(X\x01\x00\x00\x00O" + b"I00\nI01\ntR"),
        "a persistent id": raw(b"K\x01Q"),
        "cut off": official_pickle(official_arrays(), 2)[:5000],
        "text": b"this is no pickle",
        "nothing": b"",
        "a list": pickle.dumps([1, 2]),
    }


@pytest.mark.parametrize("kind", list(_hostile()))
def test_a_hostile_pickle_is_refused_and_nothing_runs(write, kind, monkeypatch):
    for module, name in (("os", "system"), ("builtins", "exec"), ("builtins", "eval"), ("numpy", "load")):
        monkeypatch.setattr(sys.modules[module], name, ran)
    RAN.clear()
    path = write(_hostile_content(kind))
    with pytest.raises(ModelFileError) as raised:
        read_body_file(path)
    assert RAN == []
    assert not hasattr(builtins, "pickle_ran")
    assert str(path) in raised.value.message
    assert raised.value.hint
    assert raised.value.exit_code == ExitCode.MODEL_FILE


_CONTENTS = _hostile()


def _hostile_content(kind: str) -> bytes:
    return _CONTENTS[kind]


def test_the_hostile_pickle_would_run_elsewhere():
    """The test above can fail: an ordinary reader runs the very same bytes."""
    try:
        pickle.loads(_CONTENTS["a function of ours"])
        assert builtins.pickle_ran == 1
    finally:
        del builtins.pickle_ran


def test_a_sparse_index_out_of_range_is_refused(write):
    arrays = official_arrays()
    sparse = csc_matrix(arrays["J_regressor"])
    sparse.indices = sparse.indices + 1000
    with known_as({csc_matrix: ("scipy.sparse.csc", "csc_matrix")}):
        content = pickle.dumps({**arrays, "J_regressor": sparse}, 2)
    with pytest.raises(ModelFileError, match="damaged"):
        read_body_file(write(content))


def test_python_objects_in_an_npz_are_refused(write):
    arrays = official_arrays() | {"J_regressor": np.array(_RunsWhenOpened(ran), dtype=object)}
    RAN.clear()
    with pytest.raises(ModelFileError, match="holds Python objects"):
        read_body_file(write(npz(arrays), "SMPL_NEUTRAL.npz"))
    assert RAN == []


def _changed(name, change):
    arrays = official_arrays()
    arrays[name] = change(arrays[name])
    return arrays


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"v_template": np.zeros((3, 3))}, "it lacks shapedirs, posedirs"),
        (_changed("posedirs", lambda a: a[:, :, :9]), r"posedirs is \(30, 3, 9\), not \(30, 3, 207\)"),
        (_changed("weights", lambda a: np.zeros((30, 52))), r"weights is \(30, 52\), not \(30, 24\)"),
        (_changed("shapedirs", lambda a: a[:, :, :9]), "shapedirs is"),
        (_changed("v_template", lambda a: a * np.nan), "v_template has values that are not finite"),
        (_changed("v_template", lambda a: a.astype(str)), "v_template has type <U"),
        (_changed("f", lambda a: a + 1), "f names vertices that are not there"),
        (_changed("f", lambda a: a.astype(float)), "f has type float64, not whole numbers"),
        (
            official_arrays() | {"surface_model_type": np.array(["open-body"])},
            r"surface_model_type is \(1,\), not \(\)",
        ),
        (_changed("kintree_table", lambda a: a[:, ::-1]), "not connected as SMPL's are"),
    ],
)
def test_what_is_wrong_is_said(write, arrays, words):
    with pytest.raises(ModelFileError, match=words):
        read_body_file(write(npz(arrays), "body.npz"))


@pytest.mark.parametrize("content", [b"", b"text", npz(official_arrays())[:3000]])
def test_a_damaged_npz_is_refused(write, content):
    with pytest.raises(ModelFileError, match=r"cannot be read as an \.npz body file"):
        read_body_file(write(content, "body.npz"))


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(ModelFileError, match="does not exist"):
        read_body_file(tmp_path / "SMPL_NEUTRAL.npz")


def test_the_official_pickle_becomes_an_npz_of_plain_arrays(write, run_here, tmp_path):
    arrays = official_arrays()
    path = write(official_pickle(arrays, 2), "basicModel_f_lbs.pkl")
    ran = run_here("body", "import", path, tmp_path / "new" / "body.npz")
    assert ran.code == 0, ran.stderr
    assert "30 vertices, smpl, female" in ran.stdout
    found = read_body_file(tmp_path / "new" / "body.npz")
    assert_same(found, arrays)
    assert found.gender == "female", "which the name of the new file does not tell"
    ran = run_here("body", "import", write(b"text", "bad.pkl"), tmp_path / "bad.npz")
    assert ran.code == ExitCode.MODEL_FILE
    assert "was refused" in ran.stderr
    assert not (tmp_path / "bad.npz").exists()
