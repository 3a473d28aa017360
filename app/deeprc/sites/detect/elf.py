"""The soname of a shared library, read from the file: its name may be anything.

(pyelftools tells the same of every library that was tried, and takes half as long again: a package more for one field.)
"""

from __future__ import annotations

import struct
from pathlib import Path

PT_LOAD, PT_DYNAMIC = 1, 2
DT_NULL, DT_STRTAB, DT_SONAME = 0, 5, 14


def soname(path: Path) -> str | None:
    """What programs that are linked against the library ask for; None for what is no 64-bit ELF library with one."""
    try:
        data = path.read_bytes()
        return _soname(data)
    except (OSError, struct.error, ValueError, StopIteration):
        return None


def _soname(data: bytes) -> str | None:
    if data[:5] != b"\x7fELF\x02":
        return None
    order = "<" if data[5] == 1 else ">"
    (headers,) = struct.unpack_from(order + "Q", data, 32)
    size, count = struct.unpack_from(order + "HH", data, 54)
    segments = []
    for number in range(count):
        kind, _, offset, address, _, length = struct.unpack_from(order + "IIQQQQ", data, headers + number * size)
        segments.append((kind, offset, address, length))
    _, start, _, length = next(segment for segment in segments if segment[0] == PT_DYNAMIC)
    entries: dict[int, int] = {}
    for place in range(start, start + length, 16):
        tag, value = struct.unpack_from(order + "qQ", data, place)
        if tag == DT_NULL:
            break
        entries.setdefault(tag, value)
    if DT_SONAME not in entries:
        return None
    table = entries[DT_STRTAB]
    offset = next(o + table - a for kind, o, a, size in segments if kind == PT_LOAD and a <= table < a + size)
    begin = offset + entries[DT_SONAME]
    return data[begin : data.index(b"\0", begin)].decode()
