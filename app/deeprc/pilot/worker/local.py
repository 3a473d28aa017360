"""Sockets of this machine, between processes of one user: in a folder, or without a place where it cannot hold any.

A folder keeps others away. It is named by its number, since a socket's path may have 107 bytes only. A name without a
place can be called by everybody who reads /proc/net/unix, so that both sides look whose process the other is. The
kernel translates that between user namespaces: a container that maps our user sees it as its own.
"""

from __future__ import annotations

import os
import secrets
import socket
import sys
from pathlib import Path

NOBODY = 65534  # in a user namespace, everybody whom it does not map


def listen(folder: Path, backlog: int = 128) -> tuple[socket.socket, str]:
    """A socket in `folder` that its owner alone can call, and its address: a path, or `@` and a name."""
    name = f"{secrets.token_hex(8)}.socket"
    listener = socket.socket(socket.AF_UNIX)
    try:
        _at(folder / name, listener.bind)
        (folder / name).chmod(0o600)  # nobody can call yet
        address = str(folder / name)
    except OSError:  # not every file system has sockets
        if os.geteuid() == NOBODY:
            raise
        address = f"@deeprc-{secrets.token_hex(16)}"
        listener.bind("\0" + address[1:])
    listener.listen(backlog)
    listener.setblocking(False)
    return listener, address


def connect(address: str) -> socket.socket:
    """Call there. That somebody else listens is a PermissionError."""
    caller = socket.socket(socket.AF_UNIX)
    if address[0] == "@":
        caller.connect("\0" + address[1:])
    else:
        _at(Path(address), caller.connect)
    if not ours(caller):
        caller.close()
        raise PermissionError("another user's process listens there")
    return caller


def ours(line: socket.socket) -> bool:
    """Whether the other side is a process of our user: it was when it called, or began to listen."""
    return _other(line, 1) == os.geteuid()


def peer(line: socket.socket) -> int:
    """The number of the process on the other side."""
    return _other(line, 0)


def _other(line: socket.socket, which: int) -> int:
    pid_uid_gid = line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return int.from_bytes(pid_uid_gid[4 * which : 4 * which + 4], sys.byteorder)


def _at(path: Path, call) -> None:
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        call(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)
