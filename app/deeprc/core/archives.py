"""Archives of others are unpacked within a folder, whatever they hold."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path


def unpack(archive: tarfile.TarFile, folder: Path) -> None:
    """Unpack all of it; nothing is written outside of the folder, and there are no devices.

    By Python's filter `data` (PEP 706), which 3.11.3 and earlier lack (Debian 12 has 3.11.2): there by the same rules.

    Raises
    ------
    tarfile.TarError
        For such a member.
    """
    if hasattr(tarfile, "data_filter"):
        archive.extractall(folder, filter="data")
        return
    for member in archive.getmembers():
        _check(member, folder)  # as late as this: it follows links that are there by now
        if member.isreg() or member.islnk():
            member.mode = member.mode & 0o755 | 0o600
        elif member.isdir():
            member.mode = 0o755
        member.uid, member.gid, member.uname, member.gname = os.getuid(), os.getgid(), "", ""
        archive.extract(member, folder)


def _check(member: tarfile.TarInfo, folder: Path) -> None:
    if not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
        raise tarfile.TarError(f"{member.name!r} is a special file")
    start = Path(member.name).parent if member.issym() else Path()
    paths = [Path(member.name), *([start / member.linkname] if member.issym() or member.islnk() else [])]
    root = Path(os.path.realpath(folder))
    for path in paths:
        if path.is_absolute() or not Path(os.path.realpath(root / path)).is_relative_to(root):
            raise tarfile.TarError(f"{member.name!r} would be outside the destination")
