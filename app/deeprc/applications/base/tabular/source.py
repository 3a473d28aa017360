"""The text of a file: its encoding is detected, and a file that is not text is refused with the name of its kind."""

from __future__ import annotations

import codecs
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from deeprc.applications.base.tabular.parquet import MAGIC
from deeprc.core.errors import InputError

# The first bytes of other kinds of file -> what the file is, and what the user can do.
_SAVE = "save the table as csv or Parquet and name that file"
_UNPACK = "unpack it and name the file inside"
_KINDS = (
    (b"\x1f\x8b", "compressed with gzip", _UNPACK),
    (b"BZh", "compressed with bzip2", _UNPACK),
    (b"\xfd7zXZ", "compressed with xz", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (b"Rar!", "a RAR archive", _UNPACK),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook of the old kind (xls)", _SAVE),
    (b"\x89HDF", "an HDF5 or NetCDF file", _SAVE),
    (b"CDF\x01", "a NetCDF file", _SAVE),
    (b"CDF\x02", "a NetCDF file", _SAVE),
    (b"CDF\x05", "a NetCDF file", _SAVE),
    (b"ARROW1", "an Arrow (Feather) file", _SAVE),
    (b"ORC", "an ORC file", _SAVE),
    (b"%PDF", "a PDF document", _SAVE),
    (b"SQLite format 3", "an SQLite database", _SAVE),
    (b"\x93NUMPY", "an array of NumPy", _SAVE),
    (b"\x80\x04\x95", "a pickle of Python", _SAVE),
)
_WORDS = (
    ("<!doctype html", "a web page", "download the file itself: the page may be an error or ask for a login"),
    ("<html", "a web page", "download the file itself: the page may be an error or ask for a login"),
    ("<?xml", "an XML document", _SAVE),
    ("{", "a JSON document", _SAVE),
    ("[{", "a JSON document", _SAVE),
    ("version https://git-lfs", "a pointer of Git LFS in place of the file", "fetch the file itself: git lfs pull"),
)
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def begins_as_parquet(path: Path) -> bool:
    """Whether a plain file begins as those of Parquet do; errors as of `read_bytes`."""
    with _opened(path) as file:
        return file.read(len(MAGIC)) == MAGIC


def read_bytes(path: Path) -> bytes:
    """The bytes of a plain file that is not empty.

    Raises
    ------
    InputError
        For a file that is missing, empty, unreadable or not a plain file.
    """
    with _opened(path) as file:
        data = file.read()
    if not data.strip():
        raise InputError("the file is empty", where=path, expected="a line of column names, and rows")
    return data


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise InputError("is a folder, where a file should be", where=path, fix="name a file inside it")
        if not stat.S_ISREG(mode):
            raise InputError("is no plain file (a pipe or a device)", where=path, fix="write the data to a file")
        with path.open("rb") as file:
            yield file
    except FileNotFoundError:
        raise InputError("no such file", where=path, fix="check the path") from None
    except OSError as error:
        raise InputError(f"cannot read this file: {error.strerror}", where=path, fix="check the path") from error


def text_of(data: bytes, path: Path, encoding: str | None = None) -> tuple[str, list[str]]:
    """The text in `data`, its lines ended by a newline alone, and notices for the user.

    Parameters
    ----------
    encoding
        The encoding, if known; else UTF-8, UTF-16 and UTF-32 are detected, and anything else is read as Windows-1252.

    Raises
    ------
    InputError
        For a file of another kind (compressed, a workbook, a web page), or bytes that are not text.
    """
    _refuse_kinds(data, path)
    found, data, notices = encoding or "utf-8", data, []
    for mark, name in _MARKS:
        if data.startswith(mark):
            found, data = name, data[len(mark) :]
            break
    else:
        if not encoding and (wide := _wide(data)):
            found = wide
    try:
        text = data.decode(found)
    except LookupError:
        raise InputError(f"unknown encoding {found!r}", where=path, fix="utf-8, cp1252 and latin-1 are some") from None
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        if encoding or found != "utf-8":
            raise InputError(
                f"these bytes are no {found}",
                where=f"{path}:{line}",
                found=repr(data[error.start : error.start + 8]),
                fix="name the file's encoding by the key 'encoding'" if encoding else "is the file whole? copy it anew",
            ) from None
        text = _western(data, path, line)
        notices = [f"line {line} and perhaps others are not UTF-8: read as Windows-1252 (key 'encoding')"]
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\ufeff", "").rstrip("\x1a")
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise InputError("not a text file: it holds zero bytes", where=f"{path}:{line}", fix=_SAVE)
    if not text.strip():
        raise InputError("the file is empty", where=path, expected="a line of column names, and rows")
    start = text.lstrip()[:40].lower()
    for word, kind, fix in _WORDS:
        if start.startswith(word):
            raise InputError(f"not a table: {kind}", where=path, fix=fix)
    return text, notices


def _refuse_kinds(data: bytes, path: Path) -> None:
    if data.startswith(b"PK\x03\x04"):
        book = any(name in data for name in (b"xl/workbook", b"xl/worksheets", b"content.xml"))
        kind, fix = ("a spreadsheet (xlsx or ods)", _SAVE) if book else ("a zip archive", _UNPACK)
        raise InputError(f"not a table: {kind}", where=path, fix=fix)
    for start, kind, fix in _KINDS:
        if data.startswith(start):
            raise InputError(f"not a table: {kind}", where=path, fix=fix)


def _wide(data: bytes) -> str | None:
    """UTF-16 without a byte order mark: in Western text every second byte is zero."""
    head = data[:4096]
    half = max(1, len(head) // 2)
    if head[1::2].count(0) > 0.4 * half > head[0::2].count(0):
        return "utf-16-le"
    if head[0::2].count(0) > 0.4 * half > head[1::2].count(0):
        return "utf-16-be"
    return None


def _western(data: bytes, path: Path, line: int) -> str:
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        raise InputError(
            "neither UTF-8 nor Windows-1252",
            where=f"{path}:{line}",
            fix="name the file's encoding by the key 'encoding', such as latin-1 or shift_jis",
        ) from None
