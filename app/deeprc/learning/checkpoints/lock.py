"""One training at a time in a folder of checkpoints.

The first rank locks a file beside the folder, since the folder itself is removed, or renamed, amid its use. The lock is
POSIX's (`fcntl.lockf`): whatever ends the process, the kernel or the server of a shared file system takes it back, and
no process that a training has forked keeps it.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from deeprc.core.errors import DeepRCError
from deeprc.core.files import storage_error
from deeprc.core.holder import Holder
from deeprc.learning.peers import Peers

TAKEN = (errno.EACCES, errno.EAGAIN)
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP)


class HeldError(DeepRCError):
    """Another training is saved in the same folder."""


@contextmanager
def held(folder: Path | None, peers: Peers, say: Callable[[str], None] = print) -> Iterator[None]:
    """Hold a folder of checkpoints, which need not be there yet, while the body runs; every rank calls it.

    Parameters
    ----------
    folder
        None where nothing is saved, and so nothing held.
    say
        Told where the file system has no locks: whoever starts two trainings there is not stopped.

    Raises
    ------
    HeldError
        On the first rank, where another training that lives holds it. The others wait until that has ended them.
    StorageError
        Where the file of the lock cannot be written.
    """
    if folder is None:
        yield
        return
    path = place(folder)
    file = _take(path, folder, say) if peers.rank == 0 else None
    peers.allgather(None)
    try:
        yield
    finally:
        if file is not None:
            path.unlink(missing_ok=True)  # while it is locked: who has opened it meanwhile looks for it again
            os.close(file)


def place(folder: Path) -> Path:
    """The file that is locked for a folder; what a killed training has left of it is in nobody's way."""
    folder = folder.absolute()
    return folder.with_name(f".{folder.name}.lock")


def _take(path: Path, folder: Path, say: Callable[[str], None]) -> int:
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        except OSError as error:
            raise storage_error(error, path) from error
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in TAKEN:
                found = _holder(file)
                os.close(file)
                raise _refusal(folder, found) from None
            if error.errno not in NO_LOCKS:
                os.close(file)
                raise storage_error(error, path) from error
            say(f"{folder}: no lock, which this file system has not got: start no other training in this folder")
        if _stands(file, path):
            break
        os.close(file)  # of a training that has ended in this moment
    with suppress(OSError):  # a disk that is full: who holds it is then not told
        os.truncate(file, 0)
        os.pwrite(file, json.dumps(asdict(Holder.me())).encode(), 0)
    return file


def _stands(file: int, path: Path) -> bool:
    """Whether the file that is open still has its name."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(file), path.stat())
    return False


def _holder(file: int) -> Holder | None:
    for _ in range(20):
        with suppress(OSError, ValueError, TypeError):
            return Holder(**json.loads(os.pread(file, 1 << 20, 0)))
        time.sleep(0.05)  # it may have been locked in this moment, and not yet written
    return None


def _refusal(folder: Path, found: Holder | None) -> HeldError:
    fix = "wait until it has ended"
    if found:
        fix += f", or stop it: `kill {found.pid}`" + ("" if found.here else f" on {found.host}")
    return HeldError(
        "another training is saved in this folder",
        where=folder,
        found=found and f"process {found.pid} on {found.host}, since {found.since}: {found.command}",
        expected="one training at a time in a folder of checkpoints",
        fix=f"{fix}; or give another folder by --checkpoints",
    )
