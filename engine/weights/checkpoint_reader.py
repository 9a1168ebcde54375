"""Reads the tensors of a checkpoint as data: safetensors, PyTorch's two formats, and TorchScript archives.

A PyTorch checkpoint is a pickle, and an ordinary unpickler calls whatever the file names. This one knows a short table
of names, gives stand-ins that do nothing for all but tensors, and refuses the file at the first other name. Tensors are
read one by one on demand, so optimiser states that fill most of a training checkpoint never reach memory.
"""

from __future__ import annotations

import io
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, ClassVar, NamedTuple

import safetensors
import torch
from torch import Tensor

from engine.weights.plain_unpickler import PlainUnpickler


class UnsafeCheckpointError(Exception):
    """The file names something that checkpoints have no use for, or is built to mislead."""


class NotACheckpointError(Exception):
    """The file is damaged or of another kind."""


@dataclass(frozen=True)
class StoredTensor:
    """A tensor in a file that is open.

    Attributes:
        shape: its shape.
        dtype: its type in the file.
        read: reads it; only while the file is open.
    """

    shape: tuple[int, ...]
    dtype: torch.dtype
    read: Callable[[], Tensor]


@contextmanager
def open_tensors(path: Path) -> Iterator[dict[str, StoredTensor]]:
    """Every tensor of a checkpoint by its dotted name, nested entries included (`model.conv1.weight`).

    Raises UnsafeCheckpointError, NotACheckpointError, OSError.
    """
    with path.open("rb") as file:
        head = file.read(265)
        file.seek(0)
        if head[8:9] == b"{":
            with _damage_reported():
                plain: Any = safetensors.safe_open(path, framework="pt")
                names = list(plain.keys())
            with plain:
                with _damage_reported():
                    found = {name: _from_safetensors(plain, name) for name in names}
                yield found
        elif head[:4] == b"PK\x03\x04":
            with _damage_reported():
                archive = zipfile.ZipFile(file)
            with archive:
                with _damage_reported():
                    found = _flat(_read_archive(archive))
                yield found
        elif head[:1] == b"\x80":
            with _damage_reported():
                found = _flat(_read_sequence(file))
            yield found
        else:
            raise NotACheckpointError(_kind_of(head))


def _kind_of(head: bytes) -> str:
    if head[:2] == b"\x1f\x8b" or head[257:262] == b"ustar":
        return "it is a packed archive: unpack it, and give the checkpoint that is in it"
    if head.lstrip()[:1] == b"<":
        return "it is a web page, not a model: the download may need a login"
    return "it is empty" if not head else "it is no checkpoint"


@contextmanager
def _damage_reported() -> Iterator[None]:
    """Whatever damaged or hostile bytes raise becomes NotACheckpointError."""
    try:
        yield
    except (UnsafeCheckpointError, NotACheckpointError, OSError):
        raise
    except Exception as error:  # anything from EOFError to MemoryError
        raise NotACheckpointError(f"it is damaged ({type(error).__name__}: {error})") from error


def _from_safetensors(archive: Any, name: str) -> StoredTensor:
    part = archive.get_slice(name)
    dtype = _SAFETENSORS_TYPES.get(part.get_dtype())
    if dtype is None:
        raise NotACheckpointError(f"its tensor {name} has the unknown type {part.get_dtype()}")
    return StoredTensor(tuple(part.get_shape()), dtype, lambda: archive.get_tensor(name))


_SAFETENSORS_TYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64,
    "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool,
}  # fmt: skip


# --- the two containers ---------------------------------------------------------------------------------------------


_MOST_PICKLE_BYTES = 2**27


class _Storage(NamedTuple):
    """A run of numbers in the file: its name there, its type, and how many."""

    key: str
    dtype: torch.dtype
    length: int


def _read_archive(archive: zipfile.ZipFile) -> Any:
    """The zip that `torch.save` writes since PyTorch 1.6, and TorchScript's, which only adds code that stays unread."""
    names = archive.namelist()
    roots = [name.removesuffix("data.pkl") for name in names if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(roots) != 1:
        raise NotACheckpointError("it is a zip file, but no checkpoint")
    root = roots[0]
    if f"{root}byteorder" in names and archive.read(f"{root}byteorder") != b"little":
        raise NotACheckpointError("it was written on a machine with another byte order")

    def read(storage: _Storage) -> Tensor:
        with _damage_reported():
            name = f"{root}data/{storage.key}"
            if archive.getinfo(name).file_size != storage.length * storage.dtype.itemsize:
                raise NotACheckpointError("it is damaged (it ends too early)")
            return _numbers(bytearray(archive.read(name)), storage)

    if archive.getinfo(f"{root}data.pkl").file_size > _MOST_PICKLE_BYTES:
        raise NotACheckpointError("its list of tensors is larger than any")
    return _Reader(io.BytesIO(archive.read(f"{root}data.pkl")), read).load()


_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


def _read_sequence(file: IO[bytes]) -> Any:
    """What `torch.save` wrote before PyTorch 1.6: five pickles in a row, then the numbers of each storage."""
    positions: dict[str, tuple[int, int]] = {}

    def read(storage: _Storage) -> Tensor:
        with _damage_reported():
            position, size = positions[storage.key]
            file.seek(position)
            return _numbers(bytearray(file.read(size)), storage)

    with _damage_reported():
        first = _Reader(file, read).load()
        if first != _MAGIC or _Reader(file, read).load() != _PROTOCOL:
            raise NotACheckpointError("it is a pickle, but no checkpoint")
        _Reader(file, read).load()  # word sizes of the machine
        reader = _Reader(file, read)
        content = reader.load()
        for key in _Reader(file, read).load():
            size = int.from_bytes(file.read(8), "little") * reader.storages[key].dtype.itemsize
            positions[key] = file.tell(), size
            file.seek(size, io.SEEK_CUR)
    return content


def _numbers(content: bytearray, storage: _Storage) -> Tensor:
    if len(content) != storage.length * storage.dtype.itemsize:
        raise NotACheckpointError("it is damaged (it ends too early)")
    return torch.frombuffer(content, dtype=storage.dtype) if content else torch.empty(0, dtype=storage.dtype)


# --- the pickle -----------------------------------------------------------------------------------------------------


class _Ignored:
    """Stands for everything that is no tensor: may be made, filled and changed, and keeps nothing."""

    def __init__(self, *_arguments: Any) -> None:
        """Take anything."""

    def __setstate__(self, _state: Any) -> None:
        """Take anything."""

    def __setitem__(self, _key: Any, _value: Any) -> None:
        """Take anything."""

    def append(self, _item: Any) -> None:
        """Take anything."""

    def extend(self, _items: Any) -> None:
        """Take anything."""

    add = append


class _ScriptModule:
    """A module of a TorchScript archive: its attributes are tensors and further modules."""

    attributes: dict[str, Any] = {}  # noqa: RUF012  of a module that the file gives no state

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, dict):
            raise UnsafeCheckpointError("a module in it has a state of an unknown kind")
        self.attributes = state


class _Stand:
    """Stands for a type or function that the file names. A pickle cannot change it."""

    __slots__ = ("dtype", "function")

    def __init__(self, function: Callable[..., Any] | None = None, dtype: torch.dtype | None = None) -> None:
        self.function, self.dtype = function, dtype

    def __call__(self, *arguments: Any) -> Any:
        if self.function is None:
            raise UnsafeCheckpointError("it uses a type as a function")
        return self.function(*arguments)

    def __setstate__(self, state: Any) -> None:
        raise UnsafeCheckpointError("it tries to change a function")


def _plain_dictionary(*_factory: Any) -> dict[Any, Any]:
    return {}


def _same(tensor: Any, *_requires_grad_and_hooks: Any) -> Any:
    return tensor


_STORAGES = {
    "FloatStorage": torch.float32, "DoubleStorage": torch.float64, "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16, "LongStorage": torch.int64, "IntStorage": torch.int32,
    "ShortStorage": torch.int16, "CharStorage": torch.int8, "ByteStorage": torch.uint8, "BoolStorage": torch.bool,
}  # fmt: skip

_ALLOWED: dict[str, Any] = {
    **{f"torch {name}": _Stand(dtype=dtype) for name, dtype in _STORAGES.items()},
    "torch._utils _rebuild_parameter": _Stand(_same),
    "collections OrderedDict": OrderedDict,
    "collections defaultdict": _Stand(_plain_dictionary),
    # settings and counters that training programs leave beside the tensors
    **dict.fromkeys(
        (
            *(f"{module} {name}" for module in ("__builtin__", "builtins") for name in (
                "bool", "dict", "float", "int", "list", "long", "object", "set", "str", "tuple", "unicode")),
            *(f"{module} _reconstructor" for module in ("copy_reg", "copyreg")),
            *(f"{module} {name}" for module in ("numpy.core.multiarray", "numpy._core.multiarray") for name in (
                "_reconstruct", "scalar")),
            *(f"torch {name}" for name in ("Size", "device", "float16", "float32", "float64", "bfloat16", "int64")),
            *(f"torch.jit._pickle build_{kind}list" for kind in ("int", "double", "bool", "tensor")),
            "numpy ndarray", "numpy dtype", "_codecs encode", "typing Any", "argparse Namespace",
            "pathlib Path", "pathlib PosixPath", "pathlib WindowsPath",
            "omegaconf.dictconfig DictConfig", "omegaconf.listconfig ListConfig", "omegaconf.base ContainerMetadata",
            "omegaconf.base Metadata", "yacs.config CfgNode",
            *(f"omegaconf.nodes {kind}Node" for kind in ("Any", "Boolean", "Float", "Integer", "String")),
        ),
        _Ignored,
    ),
}  # fmt: skip
"""Names as they stand in the file. Nothing real is called but OrderedDict."""

_SCRIPT_PREFIX = "__torch__."


class _Reader(PlainUnpickler):
    """Unpickles with the table above; `read` fetches a storage's numbers when a tensor is requested."""

    fault: ClassVar[type[Exception]] = UnsafeCheckpointError

    def __init__(self, file: IO[bytes], read: Callable[[_Storage], Tensor]) -> None:
        super().__init__(file, encoding="latin1", fix_imports=False)
        self.storages: dict[str, _Storage] = {}
        self._read = read
        self._tensors = {
            "torch._utils _rebuild_tensor_v2": _Stand(self._tensor),
            "torch._utils _rebuild_tensor": _Stand(self._tensor),
        }

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in for a name in the file."""
        full = f"{module} {name}"
        if full in self._tensors:
            return self._tensors[full]
        if full in _ALLOWED:
            return _ALLOWED[full]
        if module.startswith(_SCRIPT_PREFIX):
            return _ScriptModule
        raise UnsafeCheckpointError(f"it asks for '{module}.{name}', which no checkpoint needs")

    def fill(self, table: Any, items: dict[Any, Any]) -> None:
        """Put entries into a dictionary; into what stands for something else they go nowhere."""
        if isinstance(table, dict):
            table.update(items)
        elif not isinstance(table, _Ignored):
            raise UnsafeCheckpointError("a table in it is of an unknown kind")

    def persistent_load(self, reference: Any) -> _Storage:
        """The storage that the file refers to: ("storage", type, name, device, length[, view])."""
        if not isinstance(reference, tuple) or len(reference) not in (5, 6) or reference[0] != "storage":
            raise UnsafeCheckpointError("it refers to something that is no tensor")
        kind, key, length = reference[1], reference[2], reference[4]
        known = isinstance(kind, _Stand) and kind.dtype is not None and (len(reference) == 5 or reference[5] is None)
        if not known or not isinstance(key, str) or not _is_size(length):
            raise UnsafeCheckpointError("it refers to numbers of an unknown kind")
        return self.storages.setdefault(key, _Storage(key, kind.dtype, length))

    def _tensor(self, storage: Any, offset: Any, shape: Any, stride: Any, *_flags: Any) -> StoredTensor:
        if not isinstance(storage, _Storage) or not isinstance(shape, tuple) or not isinstance(stride, tuple):
            raise UnsafeCheckpointError("a tensor in it is of an unknown kind")
        if len(shape) != len(stride) or not all(map(_is_size, (offset, *shape, *stride))):
            raise UnsafeCheckpointError("a tensor in it has no proper shape")
        last = offset + sum((size - 1) * step for size, step in zip(shape, stride, strict=True))
        if 0 not in shape and last >= storage.length:
            raise UnsafeCheckpointError("a tensor in it reaches beyond its own numbers")

        def read() -> Tensor:
            return self._read(storage).as_strided(shape, stride, offset).contiguous()

        return StoredTensor(shape, storage.dtype, read)


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**48


_MOST_ENTRIES, _DEEPEST = 1_000_000, 32


def _flat(content: Any) -> dict[str, StoredTensor]:
    """The tensors in nested dictionaries, lists and modules by their dotted names, in the order of the file."""
    found: dict[str, StoredTensor] = {}
    waiting: list[tuple[tuple[str, ...], Any]] = [((), content)]
    for _ in range(_MOST_ENTRIES):  # a pickle may hold itself
        if not waiting:
            return found
        place, value = waiting.pop()
        if isinstance(value, StoredTensor):
            found[".".join(place)] = value
            continue
        inner = _entries(value)
        if inner and len(place) == _DEEPEST:
            break
        waiting.extend(((*place, str(name)), entry) for name, entry in reversed(inner))
    raise UnsafeCheckpointError("it holds more entries than any checkpoint")


def _entries(value: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, _ScriptModule):
        value = value.attributes
    if isinstance(value, dict):
        return [(name, entry) for name, entry in value.items() if isinstance(name, str | int)]
    if isinstance(value, list | tuple) and not isinstance(value, _Storage):
        return list(enumerate(value))
    return []
