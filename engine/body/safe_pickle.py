"""Reads the official SMPL `.pkl` as data: a pickle of NumPy, SciPy and chumpy objects written by Python 2.

An ordinary unpickler calls whatever the file names. This one knows a short table of names, gives inert stand-ins for
them, and refuses the file at the first other name.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray


class UnsafePickleError(Exception):
    """The file is damaged, or names something that body files have no use for."""


def read_pickle(content: bytes) -> dict[str, Any]:
    """The dictionary in a body file's pickle (protocols 0 to 5), with chumpy and sparse objects turned into arrays.

    Entries that are neither arrays nor turn into one are left as they are. Raises UnsafePickleError.
    """
    try:
        loaded = _Reader(io.BytesIO(content), encoding="latin1", fix_imports=False).load()
        if not isinstance(loaded, dict):
            raise UnsafePickleError("it holds no dictionary")
        return {str(name): _to_array(value) for name, value in loaded.items()}
    except UnsafePickleError:
        raise
    except Exception as error:  # a damaged or hostile file can raise anything here, from EOFError to MemoryError
        raise UnsafePickleError(f"it is damaged ({type(error).__name__}: {error})") from error


class _Inert:
    """Keeps the state that the file gives it and does nothing."""

    state: dict[str, Any] = {}  # noqa: RUF012  the default of an object that the file gives no state

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, dict):
            raise UnsafePickleError("an object in it has a state of an unknown kind")
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

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setstate__(self, state: Any) -> None:
        raise UnsafePickleError("it tries to change a function")


_NDARRAY, _OBJECT = object(), object()  # stand for numpy.ndarray and object where they are arguments


def _empty_array(kind: Any, shape: Any, dtype: Any) -> NDArray[Any]:
    """NumPy's `_reconstruct`, for plain arrays alone; the array's state follows in the file."""
    if kind is not _NDARRAY or shape != (0,) or dtype not in ("b", b"b"):
        raise UnsafePickleError("an array in it is of an unknown kind")
    return np.ndarray(shape, "b")


def _dtype(spec: Any, *_align_and_copy: Any) -> np.dtype[Any]:
    if not isinstance(spec, str):
        raise UnsafePickleError("an array in it has a type of an unknown kind")
    return np.dtype(spec, False, True)  # copied, for the state that follows changes it


def _scalar(dtype: Any, content: Any) -> Any:
    """NumPy's `scalar`, for numbers alone."""
    raw = content.encode("latin1") if isinstance(content, str) else content
    if not isinstance(dtype, np.dtype) or dtype.kind not in "fiub" or not isinstance(raw, bytes):
        raise UnsafePickleError("a number in it is of an unknown kind")
    return np.frombuffer(raw, dtype, count=1)[0]


def _reconstructor(kind: Any, base: Any, state: Any) -> _Inert:
    """`copy_reg._reconstructor`, for the inert classes alone."""
    if not (isinstance(kind, type) and issubclass(kind, _Inert)) or base is not _OBJECT or state is not None:
        raise UnsafePickleError("an object in it is of an unknown kind")
    return kind()


def _encode(text: Any, encoding: Any) -> bytes:
    """`_codecs.encode`, which Python 3 writes for bytes."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise UnsafePickleError("a text in it has an unknown encoding")
    return text.encode("latin1")


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
    "__builtin__ set": set,
    "builtins set": set,
    "_codecs encode": _Stand(_encode),
}
"""Names as they stand in the file, Python 2 spelling included."""


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[f"{module} {name}"]
        except KeyError:
            raise UnsafePickleError(f"it asks for '{module}.{name}', which no body file needs") from None


def _to_array(value: Any) -> Any:
    if isinstance(value, _Chumpy):
        return _to_array(value.state["x"])
    if isinstance(value, _ChumpySelect):
        picked = np.asarray(_to_array(value.state["a"])).ravel()[np.asarray(value.state["idxs"])]
        return picked.reshape(value.state["preferred_shape"])
    if isinstance(value, _SparseColumns | _SparseRows):
        return _dense(value)
    return value


def _dense(sparse: _SparseColumns | _SparseRows) -> NDArray[Any]:
    state = sparse.state
    shape = tuple(int(size) for size in (state["_shape"] if "_shape" in state else state["shape"]))
    if len(shape) != 2 or shape[0] * shape[1] > 10**7:
        raise UnsafePickleError(f"a sparse matrix in it has the shape {shape}")
    form = scipy.sparse.csc_matrix if isinstance(sparse, _SparseColumns) else scipy.sparse.csr_matrix
    matrix = form((state["data"], state["indices"], state["indptr"]), shape=shape)
    matrix.check_format(full_check=True)  # an index out of range would write outside of the array below
    dense: NDArray[Any] = matrix.toarray()
    return dense
