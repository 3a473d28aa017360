"""Files that are no longer what they were when a plan was made of them: by size, and what else tells.

Of a file of a mounted file system that is its number and its time where it was looked at, on that node: other nodes may
see other ones, all see the size. Of a file of a server it is the server's own mark (an ETag, or a time).
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from deeprc.core.errors import InputError
from deeprc.frames.io import _read_file
from deeprc.frames.remote.location import Remote

AT_ONCE = 16  # files of servers are asked for


@dataclass(frozen=True)
class Look:
    """What a file was.

    Parameters
    ----------
    mark
        The file's number and time, or the server's mark; empty where it has none.
    host
        The node that looked at it; empty for a file of a server.
    """

    size: int
    mark: tuple[int, int] | str
    host: str = ""


def look(file: Path | Remote) -> Look:
    """What a file is now."""
    if isinstance(file, Remote):
        return Look(*file.mark())
    stat = file.stat()
    return Look(stat.st_size, (stat.st_ino, stat.st_mtime_ns), socket.gethostname())


def check(files: Sequence[Path | Remote], looks: Sequence[Look]) -> None:
    """Raise an InputError for the first of the files that has become another one."""
    pairs = list(zip(files, looks, strict=True))
    if len(pairs) > 1 and isinstance(files[0], Remote):
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda pair: _check(*pair), pairs))
        return
    for file, before in pairs:
        _check(file, before)


def _check(file: Path | Remote, before: Look) -> None:
    now = _read_file(look, file)
    if now.size != before.size:
        found, expected = f"{now.size:,} bytes", f"{before.size:,} bytes"
    elif now.mark != before.mark and now.host == before.host and before.mark and now.mark:
        found, expected = "as many bytes, written anew", "the file that it was"
    else:
        return
    raise InputError(
        "the file has become another one since it was scanned",
        where=file,
        found=found,
        expected=expected,
        fix="scan it again",
    )
