"""Files that are meant to do harm, made byte by byte: archives of arrays and pickles. Nothing of them is ever run."""

import io
import os
import pickle
import struct
import warnings
import zipfile

import numpy as np


def npy(array, allow_pickle=False):
    """An array as a member of an archive."""
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(array), allow_pickle=allow_pickle)
    return file.getvalue()


def header(text, content=b""):
    """A member with a header of our own, and what follows it."""
    raw = text.encode("latin1")
    raw += b" " * (-(10 + len(raw) + 1) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(raw)) + raw + content


def described(descr, shape, content=b""):
    """A member with a well-formed header."""
    return header(f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}", content)


def archive(members, method=zipfile.ZIP_DEFLATED):
    """The bytes of a zip."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as made:
        for name, content in members.items():
            made.writestr(name, content)
    return file.getvalue()


def in_directory(content, offset, value):
    """Write `value` at `offset` of every entry of a zip's directory."""
    changed = bytearray(content)
    place = changed.find(b"PK\x01\x02")
    while place >= 0:
        changed[place + offset : place + offset + len(value)] = value
        place = changed.find(b"PK\x01\x02", place + 4)
    return bytes(changed)


def bomb(good, name, megabytes=640):
    """`good` with one member of zeros that takes far more memory than disk."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as made:
        for other, content in good.items():
            if other != name:
                made.writestr(other, content)
        with made.open(name, "w", force_zip64=True) as member:
            member.write(described("<f8", f"({megabytes * 2**17},)"))
            for _ in range(megabytes // 16):
                member.write(bytes(2**24))
    return file.getvalue()


def _twice(good, name):
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w") as made:
        warnings.simplefilter("ignore")  # zipfile tells of it
        for other, content in [*good.items(), (name, good[name])]:
            made.writestr(other, content)
    return file.getvalue()


class Runs:
    """Would make a file if anything called what the pickle names."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


def hostile_archives(good, name, marker):
    """Kind of harm to archive: `good` (member to bytes) with something wrong about the member `name`."""
    whole = archive(good)
    members = {
        "no array": b"hello, I am no array",
        "empty": b"",
        "magic alone": b"\x93NUMPY",
        "nested header": header("(" * 9000),
        "minus header": header("-" * 3000 + "1"),
        "sum header": header("1" + "+1" * 1900),
        "open quote": header("{'descr': '''"),
        "unhashable": header("{[]: 1}"),
        "huge shape": described("<f8", "(1000000000000, 3)"),
        "overflowing shape": described("<f8", f"({2**62}, {2**62})"),
        "zero times huge": described("<f8", f"(0, {10**14})"),
        "negative shape": described("<f8", "(-1, 3)"),
        "long number": described("<f8", f"({'9' * 190}, 3)"),
        "shape without end": described("<f8", "(1" + " " * 150 + "1" * 50),
        "long text": described("<U99999999", "(1,)", b"x"),
        "void": described("|V0", "(3, 3)"),
        "object": npy(np.array([Runs(marker)], object), allow_pickle=True),
        "structured": header("{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (2,), }", bytes(8)),
        "complex": npy(np.ones(3, complex)),
        "date": npy(np.zeros(3, "M8[s]")),
        "no text": described("<U1", "(1,)", b"\xff\xff\xff\x7f"),
        "half a pair": described("<U1", "(1,)", struct.pack("<I", 0xD800)),
        "neither true nor false": described("|b1", "(1,)", b"\x07"),
        "not a number": npy(np.array(np.nan)),
        "infinite": npy(np.array(np.inf)),
        "0-dimensional text": npy(np.array("new")),
        "0-dimensional": npy(np.array(1.0)),
        "nine dimensions": npy(np.zeros((1,) * 9)),
    }
    found = {kind: archive({**good, name: content}) for kind, content in members.items()}
    found |= {
        "encrypted": in_directory(whole, 8, b"\x01"),
        "odd compression": in_directory(whole, 10, b"\x63\x00"),
        "size of a lie": in_directory(whole, 24, b"\x10\x00\x00\x00"),
        "four gigabytes": in_directory(whole, 24, b"\xf0\xff\xff\xff"),
        "offset beyond": in_directory(whole, 42, b"\xf0\xff\xff\x7f"),
        "wrong checksum": in_directory(whole, 16, b"\x00\x00\x00\x00"),
        "names of a lie": in_directory(whole, 28, b"\xff\xff"),
        "stored and deflated": in_directory(whole, 10, b"\x00\x00"),
        "twice": _twice(good, name),
        "cut in half": whole[: len(whole) // 2],
        "cut tail": whole[:-10],
        "nothing": b"",
        "text": b"hello",
        "one array": npy(np.zeros(3)),
        "no extension": archive(
            {(one.removesuffix(".npy") if one == name else one): part for one, part in good.items()}
        ),
        "bytes in the middle": whole[: len(whole) // 3] + b"\xff" * 50 + whole[len(whole) // 3 + 50 :],
    }
    return found


# --- pickles -------------------------------------------------------------------------------------------------------


def _global(module, name):
    return b"c" + module.encode() + b"\n" + name.encode() + b"\n"


def _text(value):
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def _int(value):
    return b"J" + struct.pack("<i", value)


def _bytes(value):
    return b"B" + struct.pack("<I", len(value)) + value


def _dtype(spec, *state):
    return _global("numpy", "dtype") + _text(spec) + b"\x89\x88\x87R(" + b"".join(state) + b"tb"


def _array(dtype, shape, raw):
    made = _global("numpy.core.multiarray", "_reconstruct") + _global("numpy", "ndarray") + b"K\x00\x85C\x01b\x87R"
    return made + b"(K\x01(" + b"".join(map(_int, shape)) + b"t" + dtype + b"\x89" + raw + b"tb"


def _table(**entries):
    return b"\x80\x03}(" + b"".join(_text(name) + value for name, value in entries.items()) + b"u."


_DOUBLE = _dtype("f8", _int(3), _text("<"), b"NNN", _int(-1), _int(-1), _int(0))
_FORGED = _dtype("O8", _int(3), _text("|"), b"NNN", _int(-1), _int(-1), _int(0))
_FIELDS = b"}" + _text("a") + _DOUBLE + _int(1 << 30) + b"\x86s"


def _sparse(shape, data, indices, starts):
    def ints(values):
        kind = _dtype("i4", _int(3), _text("<"), b"NNN", _int(-1), _int(-1), _int(0))
        return _array(kind, (len(values),), _bytes(struct.pack(f"<{len(values)}i", *values)))

    state = b"}(" + _text("_shape") + b"(" + b"".join(map(_int, shape)) + b"t" + _text("data")
    state += _array(_DOUBLE, (len(data),), _bytes(struct.pack(f"<{len(data)}d", *data)))
    state += _text("indices") + ints(indices) + _text("indptr") + ints(starts) + b"u"
    made = _global("copyreg", "_reconstructor") + _global("scipy.sparse.csc", "csc_matrix")
    return made + _global("builtins", "object") + b"N\x87R" + state + b"b"


def _chumpy(state):
    made = _global("copyreg", "_reconstructor") + _global("chumpy.ch", "Ch") + _global("builtins", "object")
    return made + b"N\x87Rq\x05" + state + b"b"


def hostile_pickles():
    """Kind of harm to pickle. Read by Python's own unpickler with NumPy's types, several end in a signal or never."""
    fan = b"".join(b"2\x86" for _ in range(60))
    fan_by_memo = b"".join(b"q" + bytes([k]) + b"h" + bytes([k]) + b"\x86" for k in range(60))
    numbers = [struct.pack("<I", k) for k in range(11)]
    growing = b"".join(b"r" + number + b"0(" + (b"j" + number) * 10 + b"t" for number in numbers)
    return {
        "object scalar with a forged pointer": _table(gender=_array(_FORGED, (1,), _bytes(b"\x41" * 8))),
        "object tree with forged pointers": _table(kintree_table=_array(_FORGED, (2, 24), _bytes(b"\x41" * 384))),
        "void with an offset outside": _table(
            gender=_array(
                _dtype("V8", _int(3), _text("|"), b"N", _text("a") + b"\x85", _FIELDS, _int(8), _int(1), _int(16)),
                (1,),
                _bytes(bytes(8)),
            )
        ),
        "huge element": _table(
            gender=_array(
                _dtype("V8", _int(3), _text("|"), b"NNN", _int(2**31 - 1), _int(1), _int(0)), (1,), _bytes(bytes(8))
            )
        ),
        "negative shape": _table(gender=_array(_DOUBLE, (-1,), _bytes(bytes(8)))),
        "hash without end": b"\x80\x02})" + fan + b"K\x01s.",
        "hash without end by memo": b"\x80\x02})" + fan_by_memo + b"K\x01s.",
        "deep hash": b"\x80\x02})" + b"\x85" * 3_000_000 + b"K\x01s.",
        "deep value": b"\x80\x02}" + _text("a") + b")" + b"\x85" * 3_000_000 + b"s.",
        "memo bomb": b"\x80\x02}r\xff\xff\xff\x3fX\x01\x00\x00\x00aK\x01s.",
        "growing lists": b"\x80\x02}" + _text("a") + b")" + growing + b"s.",
        "huge bytes": b"\x80\x04\x8e" + struct.pack("<Q", 2**60) + b".",
        "huge frame": b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b"}.",
        "negative long": b"\x80\x02\x8b" + struct.pack("<i", -5) + b".",
        "long number": b"\x80\x02}" + _text("a") + b"I" + b"9" * 5000 + b"\ns.",
        "sparse outside": _table(J_regressor=_sparse((3, 2), (1, 2), (0, 10**6), (0, 1, 2))),
        "sparse large": _table(J_regressor=_sparse((2**31 - 1, 2**31 - 1), (1,), (0,), (0, 1))),
        "sparse negative": _table(J_regressor=_sparse((-5, -5), (1,), (0,), (0, 1))),
        "chumpy of itself": _table(v_template=_chumpy(b"}" + _text("x") + b"h\x05s")),
        "chumpy of nothing": _table(v_template=_chumpy(b"}")),
        "truncated": pickle.dumps({"v_template": list(range(1000))}, 2)[:200],
        "random": np.random.default_rng(0).bytes(4000),
        "page": b"<html>login</html>",
    }
