"""The pilots of this user that run on this machine, and what their processes listen on."""

from __future__ import annotations

import contextlib
import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from deeprc.pilot import ENGINE
from deeprc.pilot.processes import MARK, TASK, members
from deeprc.pilot.started import PROGRAM

Owner = str  # Snakemake, ENGINE, worker or job
BROKER = ["-m", "deeprc.pilot.broker"]
ACCEPTS = 0x10000  # __SO_ACCEPTCON in the flags of /proc/net/unix


@dataclass(frozen=True)
class Socket:
    """Something that is listened on: TCP `127.0.0.1:10000`, a Unix socket's path, or `@name` of an abstract one.

    `program` is the name of the process `pid`; `owner` says who started it.
    """

    kind: Literal["tcp", "unix", "abstract"]
    address: str
    pid: int
    program: str
    owner: Owner

    @property
    def port(self) -> tuple[str, int]:
        """Address and port of a TCP socket."""
        address, _, port = self.address.rpartition(":")
        return address, int(port)


@dataclass(frozen=True)
class RunningPilot:
    """A running pilot: its private folder, and the owner of each of its processes here."""

    folder: Path
    processes: dict[int, Owner]


def pilots(folder: Path) -> list[RunningPilot]:
    """Pilots whose RADICAL-Pilot was started on this machine, whatever their private folder; also pilots of the private
    `folder` that have processes here, as on a node of their batch job.
    """
    found: dict[Path, dict[int, psutil.Process]] = defaultdict(dict)
    clients: dict[Path, int] = {}
    parents: dict[int, int] = {}
    alive: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError, KeyError):  # it has just ended
            if process.uids().real != os.getuid():
                continue
            place, alive[process.pid], parents[process.pid] = Path(process.cwd()), process, process.ppid()
            if process.cmdline()[1:3] == BROKER and os.getsid(process.pid) == process.pid:  # else a fork of it
                found[place] |= {each.pid: each for each in members(process.environ()[MARK], process.pid)}
                clients[place] = process.ppid()
            elif pilot := _pilot(place, folder.resolve()):
                found[pilot][process.pid] = process
    made = []
    for place, parts in found.items():
        while new := {pid for pid, parent in parents.items() if parent in parts and pid not in parts}:
            parts |= {pid: alive[pid] for pid in new}
        client: dict[int, Owner] = {clients[place]: "Snakemake"} if clients.get(place, 1) != 1 else {}
        made.append(RunningPilot(place, client | owners([*parts.values()])))
    return made


def _pilot(place: Path, folder: Path) -> Path | None:
    """The pilot's folder that a process works in: a process that renames itself has no other sign of its owner."""
    parts = place.relative_to(folder).parts if place.is_relative_to(folder) else ()
    return folder.joinpath(*parts[:3]) if parts[:1] == ("runs",) and parts[2:] else None


def owners(processes: list[psutil.Process]) -> dict[int, Owner]:
    """The owner of each process. A job owns what starts a task, and what a task or a worker starts, forks included."""
    found: dict[int, Owner] = {}
    parents: dict[int, int] = {}
    for process in processes:
        with contextlib.suppress(psutil.Error, OSError):
            program, parents[process.pid] = process.cmdline(), process.ppid()
            is_task = TASK in process.environ()
            found[process.pid] = "worker" if program[1:2] == [str(PROGRAM)] else "job" if is_task else ENGINE
    for pid, owner in found.items():
        above = parents[pid]
        while above in found:
            if found[above] == "worker" or (owner, found[above]) == (ENGINE, "job"):
                found[pid] = "job"
            above = parents[above]
    return found


def listening(pilot: RunningPilot) -> list[Socket]:
    """Every socket that the pilot's processes listen on; one that several hold is listed for the first of them."""
    unix, found = _unix(), {}
    for pid, owner in sorted(pilot.processes.items()):
        with contextlib.suppress(psutil.Error, OSError):  # it has just ended
            process = psutil.Process(pid)
            whose = pid, process.name(), owner
            for one in process.net_connections("tcp"):
                if one.status == psutil.CONN_LISTEN:
                    address = f"{one.laddr.ip}:{one.laddr.port}"
                    found.setdefault(address, Socket("tcp", address, *whose))
            for file in Path(f"/proc/{pid}/fd").iterdir():
                if name := unix.get(_target(file)):
                    kind, path = ("abstract", name) if name[0] == "@" else ("unix", _path(name, pilot.folder))
                    found.setdefault(path, Socket(kind, path, *whose))
    return list(found.values())


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:  # it was just closed
        return ""


def _path(name: str, folder: Path) -> str:
    """The path of a socket that was named by the descriptor number of its folder (`pilot/worker/local.py`)."""
    if not name.startswith("/proc/"):
        return name
    own = Path(name).name
    return next((str(Path(place, own)) for place, _, files in os.walk(folder) if own in files), name)


def _unix() -> dict[str, str]:
    """The names of listening Unix sockets, keyed by what /proc calls a process's open file."""
    found = {}
    for line in Path("/proc/net/unix").read_text(errors="replace").splitlines()[1:]:
        _, _, _, flags, _, _, inode, *name = line.split(maxsplit=7)
        if name and int(flags, 16) & ACCEPTS:
            found[f"socket:[{inode}]"] = name[0]
    return found
