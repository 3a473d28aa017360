"""Says which rank was killed, which it cannot say itself, and removes what it had: a process beside those of a node.

`python watcher.py GOODBYES RANKS NODES ROWS PID:RANK…` stands alone, and starts in some milliseconds. GOODBYES is an
open pipe, through which ranks that end by themselves say so; NODES is the number of nodes, ROWS the folder for rows.
"""

from __future__ import annotations

import fcntl
import os
import re
import select
import shutil
import signal
import socket
import struct
import sys
from contextlib import suppress
from pathlib import Path

RANK = struct.Struct("<i")
ALL = -1  # in place of a rank: all end, as one of them has told already
OURS = re.compile(r"[0-9a-f]{16}")
SHARED = re.compile(r"/dev/shm/mpich_shm_\w+")
MAPPED = ": a file that is mapped into memory was cut shorter, or a file system in memory is full"
LET_END = 5000  # milliseconds that the launcher has to end the others
# linux/pidfd.h, Linux 6.15: how a process has ended, also when its parent knows already.
INFO_SIZE, INFO_EXIT = 64, 1 << 3
GET_INFO = 3 << 30 | INFO_SIZE << 16 | 0xFF << 8 | 11


def remove_abandoned(base: Path) -> None:
    """The folders of rows whose locks nobody holds. A lock without its folder may be one that is being taken."""
    for folder in base.iterdir():
        if not OURS.fullmatch(folder.name) or not folder.is_dir():
            continue
        lock = folder.with_suffix(".lock")
        with suppress(OSError), lock.open("r+b") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
            lock.unlink(missing_ok=True)


class Watched:
    """A rank's process."""

    def __init__(self, pid: int, rank: int) -> None:
        self.pid, self.rank = pid, rank
        self.handle = os.pidfd_open(pid)

    def status(self) -> int | None:
        """How it ended, as `os.wait` tells it; None where that cannot be known."""
        info = bytearray(struct.pack("<Q", INFO_EXIT) + bytes(INFO_SIZE - 8))
        with suppress(OSError):
            fcntl.ioctl(self.handle, GET_INFO, info)
            if struct.unpack_from("<Q", info)[0] & INFO_EXIT:
                return struct.unpack_from("<i", info, INFO_SIZE - 4)[0]
        with suppress(OSError):
            state, *_, code = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
            return int(code) if state == "Z" else None
        return None

    @property
    def is_told(self) -> bool:
        """Whether its launcher knows of its end: it looks at the first one before it ends the others."""
        return not Path(f"/proc/{self.pid}").exists()


def told(ended: list[Watched], alive: int, ranks: int, nodes: int) -> str | None:
    """What to say of ranks that ended without a word; None where others may have ended them, or nothing is wrong."""
    if len(ended) > 1:
        ended = [one for one in ended if one.is_told] or ended
    one, status = ended[0], ended[0].status()
    if len(ended) > 1 or (nodes > 1 and not alive and status in (None, signal.SIGKILL, signal.SIGTERM)):
        return None  # a launcher has ended them all
    if status in (0, None) and not alive:
        return None
    where = f"process {one.pid} on {socket.gethostname()}"
    if status is None:
        how = f"ended amid the work ({where}; its launcher says how)"
    elif os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        how = f"was killed ({name}{MAPPED if name == 'SIGBUS' else ''}, {where})"
    else:
        how = f"ended with exit code {os.waitstatus_to_exitcode(status)} and without a word ({where})"
    return f"error: rank {one.rank} of {ranks} {how}: all ranks end\n"


def main(goodbyes: int, ranks: int, nodes: int, rows: Path, watched: list[Watched]) -> None:
    os.set_blocking(goodbyes, False)
    shared, alive, silent = set(), {one.handle: one for one in watched}, False
    for one in watched:
        with suppress(OSError):
            shared |= set(SHARED.findall(Path(f"/proc/{one.pid}/maps").read_text()))
    poll = select.poll()
    for handle in (goodbyes, *alive):
        poll.register(handle, select.POLLIN)
    waiting = None
    while alive:
        events = poll.poll(waiting)
        if not events:  # the launcher lets them be: they would wait for the dead one for ever
            for one in alive.values():
                signal.pidfd_send_signal(one.handle, signal.SIGKILL)
        ended = [alive.pop(handle) for handle, _ in events if handle in alive]
        for one in ended:
            poll.unregister(one.handle)
        said = set()
        with suppress(BlockingIOError, KeyError):  # KeyError: nobody can write any more, which is known already
            while words := os.read(goodbyes, 4096):
                said |= {rank for (rank,) in RANK.iter_unpack(words)}
            poll.unregister(goodbyes)
        if ALL in said:
            silent, waiting = True, LET_END
        for handle in [handle for handle, one in alive.items() if one.rank in said]:
            poll.unregister(handle)
            del alive[handle]
        ended = [one for one in ended if one.rank not in said]
        if ended and not silent:
            silent, waiting = True, LET_END
            sentence = told(ended, len(alive), ranks, nodes)
            if sentence:
                with suppress(OSError):
                    os.write(2, sentence.encode())
    if silent:
        with suppress(OSError):
            remove_abandoned(rows)
        for path in map(Path, shared):
            with suppress(OSError):
                if path.stat().st_uid == os.geteuid():
                    path.unlink()


if __name__ == "__main__":
    with suppress(OSError):  # a rank has ended before it was watched, or Linux is older than 5.3
        main(
            int(sys.argv[1]),
            int(sys.argv[2]),
            int(sys.argv[3]),
            Path(sys.argv[4]),
            [Watched(*map(int, pair.split(":"))) for pair in sys.argv[5:]],
        )
