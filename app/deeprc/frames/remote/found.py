"""What a server says of a file or a folder."""

from __future__ import annotations

from dataclasses import dataclass

FILE, FOLDER = "file", "folder"


@dataclass(frozen=True)
class Found:
    """What there is.

    Parameters
    ----------
    kind
        `FILE` or `FOLDER`.
    size
        Bytes of a file.
    sign
        By what a file is seen to be the same: its time, or the server's own mark.
    parts
        Whether the server gives parts of the file; else it is read as a whole.
    """

    kind: str
    size: int = 0
    sign: str = ""
    parts: bool = True
