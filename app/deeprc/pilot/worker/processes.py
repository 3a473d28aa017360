"""Starting a job's process, and ending it with all that it left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from surroundings import SIGNALS

KEPT: set[int] = set()  # children that are this worker's own, and not a job's
# They pass signals on to their child, or to the group that they lead: coreutils' timeout, Apptainer's process around a
# container (both tried), inits of containers.
FORWARDERS = ("timeout", "starter", "starter-suid", "tini", "dumb-init")


def start(
    argv: list[str], environment: dict[bytes, bytes], *, workdir: str | None = None, output: Path | None = None
) -> int:
    """Start a command in a session of its own; return its number.

    `output` is the file for what it prints, if that is not to go where this process's own goes. Its umask is what
    DEEPRC_UMASK says: a worker's own closes to others what it makes.
    """
    actions = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
    if output is not None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        actions += [(os.POSIX_SPAWN_OPEN, 1, str(output), flags, 0o666), (os.POSIX_SPAWN_DUP2, 1, 2)]
    here, umask = Path.cwd(), os.umask(0o077)
    try:
        os.umask(int(environment.get(b"DEEPRC_UMASK", b"%o" % umask), 8))  # there is one thread only
        os.chdir(workdir or here)
        return os.posix_spawn(argv[0], argv, environment, setsid=True, setsigdef=SIGNALS, file_actions=actions)
    finally:
        os.chdir(here)
        os.umask(umask)


def children(pid: int | None = None) -> list[int]:
    """The numbers of a process's children; of this one's that are not KEPT, if none is given."""
    if pid is None:
        return [each for each in children(os.getpid()) if each not in KEPT]
    try:
        threads = Path(f"/proc/{pid}/task").iterdir()
        return [int(child) for each in threads for child in _read(each / "children").split()]
    except FileNotFoundError:  # it has just ended, or the kernel has no such file
        return [each for each, parent in _parents() if parent == pid] if Path(f"/proc/{pid}").exists() else []


def descendants(*more: int) -> list[int]:
    """The numbers of this process's children, of `more`, of their children, and so on."""
    found = [*more, *children()]
    for pid in found:  # it grows meanwhile
        found += children(pid)
    return found


def ask_to_end(spared: Iterable[int] = ()) -> None:
    """Send SIGTERM to every descendant, but for those that somebody else tells.

    To each, since a shell that waits for its program does not pass a signal on, and a program may have left the group
    that it was started in; and once to each, since a second signal may interrupt what it does on the first.
    """
    family, told = descendants(), {*spared}
    for pid in family:
        with contextlib.suppress(OSError):  # it has just ended
            if _read(Path(f"/proc/{pid}/comm")).strip() in FORWARDERS:
                told |= {*children(pid), *(each for each in family if each != pid and os.getpgid(each) == pid)}
    for pid in {*family} - told:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGTERM)


def end_leftovers(seconds: float = 5.0) -> None:
    """Kill every descendant: a killed child's own children become ours, and are next."""
    deadline = time.monotonic() + seconds
    while (left := children()) and time.monotonic() < deadline:
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in left:
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(pid, os.WNOHANG) == (0, 0) and time.monotonic() < deadline:
                    time.sleep(0.002)


def _parents() -> Iterator[tuple[int, int]]:
    """Each process and its parent."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError, IndexError):  # it has just ended
                yield int(folder.name), int(_read(folder / "stat").rpartition(")")[2].split()[1])


def _read(path: Path) -> str:
    return path.read_text(errors="replace")
