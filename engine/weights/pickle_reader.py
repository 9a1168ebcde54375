"""Reads a pickle of arrays as data, in a process of its own that `engine/weights/safe_pickle.py` starts and limits.

The official SMPL `.pkl` is a pickle of NumPy, SciPy and chumpy objects written by Python 2. Nothing that the file names
is looked up: a short table of names gives inert stand-ins, and NumPy itself never sees the file's types or states, only
letters and sizes that are checked here. Standard library and NumPy only.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import pickle
import re
import sys
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from engine.weights.plain_unpickler import PlainUnpickler

MOST_BYTES = 2**31
"""Of all the arrays together."""

_MOST_DENSE = 10**7
_MOST_VALUES, _MOST_ARRAYS, _MOST_DEPTH = 10**5, 50_000, 12
_TYPE = re.compile(r"[<>|=]?(b1|[iu][1248]|f[248])")
_TEXT_TYPE = re.compile(r"[<>|=]?[SU][0-9]{1,6}")


class PickleReadError(Exception):
    """The file is damaged, or names something that arrays have no use for. The text is part of a sentence."""


class _Inert:
    """Keeps the state that the file gives it and does nothing."""

    state: dict[str, Any] = {}  # noqa: RUF012  the default of an object that the file gives no state

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, dict):
            raise PickleReadError("an object in it has a state of an unknown kind")
        self.state = state


class _Chumpy(_Inert):
    """`chumpy.ch.Ch`: an array under `x`."""


class _ChumpySelect(_Inert):
    """`chumpy.reordering.Select`: entries `idxs` of the flattened `a`."""


class _SparseColumns(_Inert):
    """`scipy.sparse.csc_matrix`."""


class _SparseRows(_Inert):
    """`scipy.sparse.csr_matrix`."""


class _Stand:
    """Stands for a function that the file names. Has no attributes that a pickle could set."""

    __slots__ = ("function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __setstate__(self, state: Any) -> None:
        raise PickleReadError("it tries to change a function")


class _Type:
    """Stands for a NumPy type of numbers: a letter and a size, and the byte order that its state gives."""

    __slots__ = ("code", "order")

    def __init__(self, code: str) -> None:
        self.code, self.order = code.lstrip("<>|="), "<"

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) < 8 or state[1] not in ("<", ">", "|", "="):
            raise PickleReadError("an array in it has a type of an unknown kind")
        if state[2:5] != (None, None, None):
            raise PickleReadError("an array in it has a type that is made of others")
        self.order = state[1].replace("=", "<")

    def dtype(self) -> np.dtype[Any]:
        return np.dtype(self.order + self.code)


class _Array:
    """Stands for a NumPy array until its state has come."""

    __slots__ = ("array",)

    def __init__(self) -> None:
        self.array: Any = np.zeros(0)

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) != 5 or not isinstance(state[2], _Type):
            raise PickleReadError("an array in it is of an unknown kind")
        _, shape, kind, fortran, raw = state
        content = _raw(raw)
        sizes = _sizes(shape)
        dtype = kind.dtype()
        if math.prod(sizes) * dtype.itemsize != len(content):
            raise PickleReadError("an array in it has another size than it says")
        array = np.ndarray(sizes, dtype, content, order="F" if fortran is True or fortran == 1 else "C")
        self.array = array.astype(dtype.newbyteorder("="))


_NDARRAY, _OBJECT = object(), object()  # stand for numpy.ndarray and object where they are arguments


def _raw(value: Any) -> bytes:
    try:
        raw = value.encode("latin1") if isinstance(value, str) else value
    except UnicodeEncodeError as error:
        raise PickleReadError("an array in it has no bytes") from error
    if not isinstance(raw, bytes):
        raise PickleReadError("an array in it has no bytes")
    return raw


def _sizes(shape: Any) -> tuple[int, ...]:
    fits = isinstance(shape, tuple) and len(shape) <= 8
    if not fits or not all(type(size) is int and 0 <= size < 2**31 for size in shape):
        raise PickleReadError("an array in it has a shape that is none")
    return tuple(shape)


def _empty_array(kind: Any, shape: Any, dtype: Any) -> _Array:
    """NumPy's `_reconstruct`, for plain arrays alone; the array's state follows in the file."""
    if kind is not _NDARRAY or shape != (0,) or dtype not in ("b", b"b"):
        raise PickleReadError("an array in it is of an unknown kind")
    return _Array()


def _dtype(spec: Any, *_align_and_copy: Any) -> _Type:
    if not isinstance(spec, str) or not (_TYPE.fullmatch(spec) or _TEXT_TYPE.fullmatch(spec)):
        raise PickleReadError("an array in it has a type that is no number")
    if _TEXT_TYPE.fullmatch(spec):  # needed by none, but there in data sets
        return _Type(f"V{int(spec.lstrip('<>|=SU')) * (4 if 'U' in spec else 1)}")
    return _Type(spec)


def _scalar(kind: Any, content: Any) -> Any:
    """NumPy's `scalar`, for numbers alone."""
    raw = _raw(content)
    if not isinstance(kind, _Type) or kind.code.startswith("V") or len(raw) != kind.dtype().itemsize:
        raise PickleReadError("a number in it is of an unknown kind")
    return np.frombuffer(raw, kind.dtype())[0].item()


def _reconstructor(kind: Any, base: Any, state: Any) -> _Inert:
    """`copy_reg._reconstructor`, for the inert classes alone."""
    if not (isinstance(kind, type) and issubclass(kind, _Inert)) or base is not _OBJECT or state is not None:
        raise PickleReadError("an object in it is of an unknown kind")
    return kind()


def _encode(text: Any, encoding: Any) -> bytes:
    """`_codecs.encode`, which Python 3 writes for bytes."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise PickleReadError("a text in it has an unknown encoding")
    return _raw(text)


def _set(values: Any = ()) -> list[Any]:
    if not isinstance(values, list):
        raise PickleReadError("a set in it is of an unknown kind")
    return values


_ALLOWED: dict[str, Any] = {
    "numpy ndarray": _NDARRAY,
    "numpy dtype": _Stand(_dtype),
    "numpy.core.multiarray _reconstruct": _Stand(_empty_array),
    "numpy._core.multiarray _reconstruct": _Stand(_empty_array),
    "numpy.core.multiarray scalar": _Stand(_scalar),
    "numpy._core.multiarray scalar": _Stand(_scalar),
    "scipy.sparse.csc csc_matrix": _SparseColumns,
    "scipy.sparse._csc csc_matrix": _SparseColumns,
    "scipy.sparse.csr csr_matrix": _SparseRows,
    "scipy.sparse._csr csr_matrix": _SparseRows,
    "chumpy.ch Ch": _Chumpy,
    "chumpy.reordering Select": _ChumpySelect,
    "copy_reg _reconstructor": _Stand(_reconstructor),
    "copyreg _reconstructor": _Stand(_reconstructor),
    "__builtin__ object": _OBJECT,
    "builtins object": _OBJECT,
    "__builtin__ set": _Stand(_set),
    "builtins set": _Stand(_set),
    "_codecs encode": _Stand(_encode),
}
"""Names as they stand in the file, Python 2 spelling included."""

_REFUSED = ("PERSID", "BINPERSID", "EXT1", "EXT2", "EXT4", "INST", "OBJ", "NEWOBJ_EX", "DUP", "NEXT_BUFFER",
            "READONLY_BUFFER", "BYTEARRAY8")  # fmt: skip
"""Instructions that no such file needs."""


class _Reader(PlainUnpickler):
    """The instructions of a pickle, for what is in `_ALLOWED`."""

    fault: ClassVar[type[Exception]] = PickleReadError
    dispatch: ClassVar = dict(PlainUnpickler.dispatch)

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in for a name in the file."""
        try:
            return _ALLOWED[f"{module} {name}"]
        except KeyError:
            shown = "".join(char if char.isprintable() else "?" for char in f"{module}.{name}"[:80])
            raise PickleReadError(f"it asks for '{shown}', which no body file needs") from None

    def _refuse(self) -> None:
        raise PickleReadError("it holds an instruction that no such file needs")

    def _reduce(self) -> None:
        self.count()
        arguments = self.stack.pop()
        stand = self.stack[-1]
        if not isinstance(stand, _Stand) or type(arguments) is not tuple:
            raise PickleReadError("it calls something that is no function of arrays")
        self.stack[-1] = stand.function(*arguments)

    def _new_object(self) -> None:
        self.count()
        arguments = self.stack.pop()
        kind = self.stack.pop()
        if not (isinstance(kind, type) and issubclass(kind, _Inert)) or arguments != ():
            raise PickleReadError("an object in it is of an unknown kind")
        self.stack.append(kind())

    def _build(self) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        if not isinstance(target, _Inert | _Stand | _Type | _Array):
            raise PickleReadError("it tries to change something that is no array")
        target.__setstate__(state)


_OWN = {"REDUCE": _Reader._reduce, "NEWOBJ": _Reader._new_object, "BUILD": _Reader._build}
_Reader.dispatch.update({getattr(pickle, name)[0]: _Reader._refuse for name in _REFUSED})
_Reader.dispatch.update({getattr(pickle, name)[0]: method for name, method in _OWN.items()})


def read(content: bytes) -> tuple[dict[str, Any], list[Any]]:
    """The dictionary in a pickle (protocols 0 to 5), with chumpy and sparse objects turned into arrays.

    Only to be called where a crash or much memory does no harm.

    Returns:
        What JSON can hold, `{"array": n}`, `{"list": …}`, `{"table": …}` or `{"value": …}`, and the arrays.

    Raises:
        PickleReadError: it is damaged, or no pickle of arrays.
    """
    try:
        loaded = _Reader(io.BytesIO(content), encoding="latin1", fix_imports=False).load()
        if type(loaded) is not dict:
            raise PickleReadError("it holds no dictionary")
        export = _Export()
        return export.tree(loaded), export.arrays
    except PickleReadError:
        raise
    except Exception as error:  # a damaged or hostile file can raise anything here, from EOFError to MemoryError
        raise PickleReadError(f"it is damaged ({type(error).__name__})") from error


class _Export:
    """Arrays, numbers, text and lists and tables of them; anything else becomes None."""

    def __init__(self) -> None:
        self.arrays: list[Any] = []
        self._values = self._bytes = 0

    def tree(self, value: Any, depth: int = 0) -> dict[str, Any]:
        """`value` as `read` gives it back."""
        self._values += 1
        if depth > _MOST_DEPTH or self._values > _MOST_VALUES:
            raise PickleReadError("it holds lists in each other without end")
        if isinstance(value, _Array | _Inert):
            return self._array(_as_array(value))
        if isinstance(value, list | tuple):
            return {"list": [self.tree(one, depth + 1) for one in value]}
        if isinstance(value, dict):
            return {"table": {_name(name): self.tree(one, depth + 1) for name, one in value.items()}}
        plain = isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))
        return {"value": value if plain else None}

    def _array(self, array: Any) -> dict[str, Any]:
        if array is None or array.dtype.kind == "V":
            return {"value": None}
        self._bytes += array.nbytes
        self.arrays.append(array)
        if self._bytes > MOST_BYTES or len(self.arrays) > _MOST_ARRAYS:
            raise PickleReadError("it holds too many arrays")
        return {"array": len(self.arrays) - 1}


def _name(name: Any) -> str:
    return name.decode("latin1") if isinstance(name, bytes) else str(name)


def _as_array(value: Any, depth: int = 0) -> Any:
    """The array that an object stands for; None if there is none in it."""
    if isinstance(value, _Array):
        return value.array
    if depth > _MOST_DEPTH:
        raise PickleReadError("it holds objects in each other without end")
    if isinstance(value, _Chumpy):
        return _as_array(value.state.get("x"), depth + 1)
    if isinstance(value, _ChumpySelect):
        return _selected(value, depth)
    return _dense(value) if isinstance(value, _SparseColumns | _SparseRows) else None


def _selected(value: _ChumpySelect, depth: int) -> Any:
    whole, indices = _as_array(value.state.get("a"), depth + 1), _as_array(value.state.get("idxs"), depth + 1)
    if whole is None or indices is None or indices.dtype.kind not in "iu":
        raise PickleReadError("a selection in it is of an unknown kind")
    return whole.ravel()[indices].reshape(_sizes(value.state.get("preferred_shape")))


def _dense(sparse: _SparseColumns | _SparseRows) -> Any:
    state = sparse.state
    shape = _sizes(state.get("_shape", state.get("shape")))
    if len(shape) != 2 or shape[0] * shape[1] > _MOST_DENSE:
        raise PickleReadError(f"a sparse matrix in it has the shape {shape}")
    parts = [_as_array(state.get(name)) for name in ("data", "indices", "indptr")]
    if not all(part is not None and part.ndim == 1 for part in parts):
        raise PickleReadError("a sparse matrix in it is of an unknown kind")
    data, indices, starts = parts
    by_column = isinstance(sparse, _SparseColumns)
    lines, length = (shape[1], shape[0]) if by_column else shape
    if data.dtype.kind not in "fiu" or indices.dtype.kind not in "iu" or starts.dtype.kind not in "iu":
        raise PickleReadError("a sparse matrix in it is of an unknown kind")
    counts = np.diff(starts.astype(np.int64))
    if len(starts) != lines + 1 or starts[0] != 0 or (counts < 0).any() or not len(data) == len(indices) == starts[-1]:
        raise PickleReadError("a sparse matrix in it is damaged")
    if len(indices) and (indices.min() < 0 or indices.max() >= length):
        raise PickleReadError("a sparse matrix in it is damaged")
    dense = np.zeros((lines, length), data.dtype)
    np.add.at(dense, (np.repeat(np.arange(lines), counts), indices), data)
    return dense.T if by_column else dense


def _limit(memory: int, seconds: int) -> None:
    """From here on this process can have no more than this, where the system has such limits."""
    try:
        import resource
    except ImportError:
        return
    names = {"RLIMIT_AS": memory, "RLIMIT_CPU": seconds, "RLIMIT_CORE": 0, "RLIMIT_FSIZE": 0}
    for what, most in ((getattr(resource, name), most) for name, most in names.items() if hasattr(resource, name)):
        _, hard = resource.getrlimit(what)
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with contextlib.suppress(ValueError, OSError):  # macOS knows some that it does not set
            resource.setrlimit(what, (least, least))


def main(memory: int, seconds: int) -> None:
    """From a pickle on stdin to an archive of arrays on stdout; a sentence on stderr and code 1 if that fails.

    Args:
        memory: bytes that this process may take, all in all.
        seconds: of the processor's time.
    """
    _limit(memory, seconds)
    try:
        tree, arrays = read(sys.stdin.buffer.read())
        named = {f"a{number}": array for number, array in enumerate(arrays)}
        text = np.frombuffer(json.dumps(tree, allow_nan=False).encode("ascii"), np.uint8)
        np.savez(sys.stdout.buffer, tree=text, **named)
        sys.stdout.flush()
    except PickleReadError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)
    except MemoryError:
        sys.stderr.write("it takes too much memory\n")
        sys.exit(1)
