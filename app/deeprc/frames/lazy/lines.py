"""Lines of text files, by their bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deeprc.frames.io import _read_file
from deeprc.frames.lazy.changed import Look, check
from deeprc.frames.remote.location import Remote

BOM = b"\xef\xbb\xbf"  # at the beginning of some files of UTF-8
AT_A_TIME = 2**20  # bytes of a text that has no room in memory
LINE = 2**20  # bytes among which a line's end is looked for at a time


@dataclass(frozen=True)
class LinesOfFile:
    """Lines from one byte of a file to another, read some at a time whenever they are asked for."""

    file: Path | Remote
    start: int
    end: int
    look: Look

    def __iter__(self) -> Iterator[bytes]:
        at = self.start
        while at < self.end:
            stop = line_end(self.file, min(at + AT_A_TIME, self.end), at, self.end)
            text = _read_file(text_of, self.file, at, stop)
            if not isinstance(self.file, Remote) or stop >= self.end:  # a server is asked once
                check([self.file], [self.look])
            yield text
            at = stop


def names_end(file: Path | Remote, first: int, end: int) -> int:
    """Where the line of names ends: the first one that is not empty."""
    start = first
    while start < end:
        stop = line_end(file, start + 1, start, end)
        if text_of(file, start, stop).strip(b"\r\n"):
            return stop
        start = stop
    return end


def text_of(file: Path | Remote, start: int, end: int) -> bytes:
    with file.open("rb") as handle:
        handle.seek(start)
        return handle.read(end - start)


def line_end(file: Path | Remote, at: int, start: int, end: int) -> int:
    """Where the line begins that is the first one at or after a byte."""
    if at <= start or at >= end:
        return min(max(at, start), end)
    with file.open("rb") as handle:
        handle.seek(at - 1)
        while piece := handle.read(LINE):
            if (found := piece.find(b"\n")) >= 0:
                return min(handle.tell() - len(piece) + found + 1, end)
    return end
