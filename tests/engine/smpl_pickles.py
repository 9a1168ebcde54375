"""SMPL body files as the official ones are, and pickles that mean harm."""

import contextlib
import pickle
import struct
import sys
import types

import numpy as np
import pytest
import scipy.sparse

from engine.body.smpl_file import PARENTS

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


class RunsWhenOpened:
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
            {"v_template": RunsWhenOpened(exec, "import builtins; builtins.pickle_ran = 1")}
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


HOSTILE = _hostile()
