"""Follows the instructions of a pickle in Python, where none of them can hang or crash, for files from strangers.

Python's own reader in C takes memory for numbers that the file only names, and keys of tables are hashed, which for
nested tuples takes for ever or ends in a crash. Here keys are plain, and sets are lists. The number of lists, tuples,
tables and objects is limited: a byte makes each of them, and every one of millions costs the garbage collector time.
Standard library only.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any, ClassVar


class PlainUnpickler(pickle._Unpickler):  # the one in Python: its memo is a dictionary
    """Instructions without surprises; what the file names is for `find_class` of a subclass to judge.

    Attributes:
        fault: raised with part of a sentence for what is not followed.
        most_made: how many lists, tuples, tables and objects a file may make.
        made: how many it has made so far.
    """

    fault: ClassVar[type[Exception]] = ValueError
    most_made: ClassVar[int] = 10**5
    made: int = 0
    dispatch: ClassVar = dict(pickle._Unpickler.dispatch)
    stack: list[Any]
    pop_mark: Callable[[], list[Any]]

    def count(self) -> None:
        """One more list, tuple, table or object."""
        self.made += 1
        if self.made > self.most_made:
            raise self.fault("it makes more lists and objects than any such file")

    def fill(self, table: Any, items: dict[Any, Any]) -> None:
        """Put entries into what the file takes for a table."""
        if type(table) is not dict:
            raise self.fault("a table in it is of an unknown kind")
        table.update(items)

    def _set_item(self) -> None:
        value = self.stack.pop()
        self._put([self.stack.pop(), value])

    def _set_items(self) -> None:
        self._put(self.pop_mark())

    def _put(self, items: list[Any]) -> None:
        keys = items[::2]
        if not all(key is None or type(key) in (str, int, bytes, float, bool) for key in keys):
            raise self.fault("a table in it has entries without a name")
        self.fill(self.stack[-1], dict(zip(keys, items[1::2], strict=True)))

    def _dictionary(self) -> None:
        items = self.pop_mark()
        self.stack.append({})
        self._put(items)

    def _empty_set(self) -> None:
        self.stack.append([])

    def _add_items(self) -> None:
        items = self.pop_mark()
        if type(self.stack[-1]) is list:
            self.stack[-1].extend(items)

    def _frozen_set(self) -> None:
        items = self.pop_mark()  # changes which list the stack is
        self.stack.append(items)


_OWN = {"SETITEM": PlainUnpickler._set_item, "SETITEMS": PlainUnpickler._set_items, "DICT": PlainUnpickler._dictionary,
        "EMPTY_SET": PlainUnpickler._empty_set, "ADDITEMS": PlainUnpickler._add_items,
        "FROZENSET": PlainUnpickler._frozen_set}  # fmt: skip
PlainUnpickler.dispatch.update({getattr(pickle, name)[0]: method for name, method in _OWN.items()})

_MAKERS = ("EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_LIST", "LIST", "EMPTY_DICT", "DICT",
           "EMPTY_SET", "FROZENSET", "NEWOBJ", "REDUCE")  # fmt: skip


def _counting(follow: Callable[[Any], None]) -> Callable[[Any], None]:
    def counted(reader: PlainUnpickler) -> None:
        reader.count()
        follow(reader)

    return counted


for _code in (getattr(pickle, name)[0] for name in _MAKERS):
    PlainUnpickler.dispatch[_code] = _counting(PlainUnpickler.dispatch[_code])
