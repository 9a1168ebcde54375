"""What this machine has to offer."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cores() -> int:
    """Cores that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def free_bytes() -> int:
    """Memory that new work may take: what Linux calls available, within a container's limit; elsewhere half of all."""
    if sys.platform == "linux":
        known = [_meminfo(), *_container()]
        return min(value for value in known if value is not None) if any(known) else 2**32
    if sys.platform == "win32":
        return _windows_free()
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def _meminfo() -> int | None:
    text = _text("/proc/meminfo")
    return int(text.partition("MemAvailable:")[2].split()[0]) * 1024 if "MemAvailable:" in text else None


def _container() -> list[int]:
    """What is left of the limit of this control group, if it has one."""
    limit, used = (_text(f"/sys/fs/cgroup/memory.{name}").strip() for name in ("max", "current"))
    return [max(int(limit) - int(used), 0)] if limit.isdigit() and used.isdigit() else []


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


def _windows_free() -> int:
    import ctypes

    class Status(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ulong), ("load", ctypes.c_ulong)] + [
            (name, ctypes.c_ulonglong) for name in ("total", "free", "a", "b", "c", "d", "e")
        ]

    status = Status(length=ctypes.sizeof(Status))
    ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))  # type: ignore[attr-defined]
    return int(status.free)
