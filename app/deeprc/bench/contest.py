"""Two ways to do the same thing, measured in turns: on a busy machine only the ratio of neighbours means something.

Both stay started. While one works the other waits on a socket: ranks that waited for each other within MPI would take a
core each meanwhile.
"""

from __future__ import annotations

import importlib.util
import os
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Hashable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Client, Connection
from pathlib import Path
from typing import Any, Protocol

from deeprc.bench.machine import ProcessUse
from deeprc.bench.start import command
from deeprc.core.errors import ConfigError, DeepRCError, unknown
from deeprc.frames import Communicator

STARTED = 120  # seconds until all ranks are there
USUAL = ("int", "all")  # what an entrant works on where nothing is said
OURS = ("arrow", "cylon")  # engines of which there are many ranks
# What engines need, and how it is got.
NEEDED = {
    "duckdb": ("duckdb", "pip install 'deeprc[bench]'"),
    "pandas": ("pandas", "pip install pandas"),
    "dask": ("distributed", "pip install 'dask[dataframe]' distributed"),
    "cylon": ("pycylon", "run where Cylon is (docs/frames.md, engine cylon)"),
}


@dataclass(frozen=True)
class Entrant:
    """Who takes part.

    Parameters
    ----------
    engine
        What computes.
    ranks
        MPI ranks of one thread each; threads of an engine that knows no ranks, or its worker processes.
    keys
        What it works on: keys that are whole numbers (`int`), or `text`; all columns of the tables (`all`), or those
        that a person would choose (`pruned`).
    """

    engine: str
    ranks: int
    keys: str = "int"

    @property
    def name(self) -> str:
        return ":".join(filter(None, (self.engine, str(self.ranks), self.keys if self.keys not in USUAL else "")))


def entrant(text: str, ranks: int, engines: Sequence[str], keys: Sequence[str] = ("int",)) -> Entrant:
    """Who is meant by `ENGINE[:RANKS[:KEYS]]`; `ranks` where none are named, and the first of `keys`.

    Raises
    ------
    ConfigError
        For an unknown engine or kind of keys, ranks that are no number, or an engine that is not installed.
    """
    engine, *more = text.split(":")
    if engine not in engines:
        raise unknown("engine", engine, engines)
    count, kind = [*more, "", ""][:2]
    if len(more) > 2 or (count and not (count.isdecimal() and int(count))):
        raise ConfigError("no such entrant", found=text, expected="ENGINE[:RANKS[:KEYS]], such as polars or arrow:1")
    if kind and kind not in keys:
        raise unknown("kind of keys", kind, keys)
    package, cure = NEEDED.get(engine, ("", ""))
    if package and importlib.util.find_spec(package) is None:
        raise ConfigError(f"engine {engine} is not installed here", found=f"no package {package}", fix=cure)
    return Entrant(engine, int(count or ranks), kind or keys[0])


class Team:
    """The processes of an entrant, started and waiting."""

    def __init__(self, entrant: Entrant, process: subprocess.Popen, lines: list[Connection], log: Path) -> None:
        self.entrant, self.process, self.lines, self.log = entrant, process, lines, log

    def ask(self, task: Any) -> list:
        """What each rank answers, in rank order."""
        try:
            for line in self.lines:
                line.send(task)
            return [line.recv() for line in self.lines]
        except (EOFError, OSError) as error:
            raise self.lost() from error

    def run(self, task: Any) -> dict:
        """Do a task once: seconds until the slowest rank is done, CPU seconds of all, the most memory of a rank."""
        told = self.ask(("run", task))
        return {
            "seconds": max(rank["seconds"] for rank in told),
            "cpu_seconds": sum(rank["cpu_seconds"] for rank in told),
            "peak_mb": round(max(rank["peak_mb"] for rank in told)),
        }

    def result(self) -> list:
        """What the last run came to, as each rank tells it."""
        return self.ask(("result", None))

    def lost(self) -> DeepRCError:
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        return DeepRCError(f"{self.entrant.name} failed (exit {self.process.poll()}):\n{self.log.read_text()[-4000:]}")


@contextmanager
def teams(
    entrants: Sequence[Entrant], module: str, arguments: Sequence[object], known: Sequence[str] = OURS
) -> Iterator[list[Team]]:
    """Start processes of `module` for each entrant: its arguments are an address, engine, keys, and `arguments`.

    Parameters
    ----------
    known
        The engines of which there are many ranks; others are one process with as many threads.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="deeprc-bench-")))
        yield [
            stack.enter_context(_team(who, module, arguments, who.engine in known, folder / str(number)))
            for number, who in enumerate(entrants)
        ]


@contextmanager
def _team(who: Entrant, module: str, arguments: Sequence[object], many: bool, at: Path) -> Iterator[Team]:
    ranks, threads = (who.ranks, 1) if many else (1, who.ranks)
    at.mkdir()
    address, log = at / "line", at / "log"
    with socket.socket(socket.AF_UNIX) as listening, log.open("w") as output:
        listening.bind(str(address))
        listening.listen(ranks)
        listening.settimeout(1)
        line, environment = command(ranks, module, [address, who.engine, who.keys, *arguments], threads)
        process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment)
        team = Team(who, process, [], log)
        try:
            team.lines = _connected(listening, ranks, team)
            yield team
            for each in team.lines:
                each.send(None)
            process.wait(60)
        finally:
            for each in team.lines:
                each.close()
            if process.poll() is None:
                process.terminate()  # mpiexec takes its ranks along
                process.wait()


def _connected(listening: socket.socket, ranks: int, team: Team) -> list[Connection]:
    lines: dict[int, Connection] = {}
    deadline = time.monotonic() + STARTED
    while len(lines) < ranks:
        try:
            accepted, _ = listening.accept()
        except TimeoutError:
            if team.process.poll() is not None or time.monotonic() > deadline:
                raise team.lost() from None
            continue
        accepted.setblocking(True)
        line = Connection(accepted.detach())
        lines[line.recv()] = line
    return [lines[rank] for rank in range(ranks)]


def serve(address: str, comm: Communicator, work: Any, told: Any, usage: ProcessUse | None = None) -> None:
    """Do what the other end of a line asks for, until it asks no more.

    Parameters
    ----------
    work
        Does a task, and is what is timed.
    told
        What is told of its result.
    usage
        Of what processes; of this one where it is None.
    """
    result, usage = None, usage or ProcessUse()
    with Client(address, family="AF_UNIX") as line:
        line.send(comm.rank)
        while (asked := line.recv()) is not None:
            what, task = asked
            if what == "result":
                line.send(told(result))
                continue
            result = None  # the memory of the last one is free before the next
            usage.forget_peak()
            start_cpu = usage.cpu_seconds()
            comm.barrier()
            start = time.perf_counter()
            result = work(task)
            seconds = time.perf_counter() - start
            cpu = usage.cpu_seconds() - start_cpu
            line.send({"seconds": seconds, "cpu_seconds": cpu, "peak_mb": usage.peak_mb()})


class Runner(Protocol):
    """What can do a task once, and be told of it: a `Team`."""

    def run(self, task: Any) -> dict: ...


def turns(runners: Sequence[Runner], tasks: Sequence[Hashable], repeats: int) -> dict[Hashable, list[list[dict]]]:
    """Each task by each in turns; who begins changes with every turn. A first turn, which pays for connections, files
    and touches of memory, does not count.

    Returns
    -------
    For each task a list of turns, each with what every runner took.
    """
    done: dict[Hashable, list[list[dict]]] = {}
    for task in tasks:
        rounds = []
        for turn in range(repeats + 1):
            order = range(len(runners)) if turn % 2 else range(len(runners) - 1, -1, -1)
            took = {number: runners[number].run(task) for number in order}
            rounds.append([took[number] for number in range(len(runners))])
        done[task] = rounds[1:]
    return done


def medians(took: Sequence[dict]) -> dict:
    """The median seconds and CPU seconds of several runs, and the most memory."""
    return {
        "seconds": statistics.median(one["seconds"] for one in took),
        "cpu_seconds": statistics.median(one["cpu_seconds"] for one in took),
        "peak_mb": max(one["peak_mb"] for one in took),
    }


def ratios(rounds: Sequence[Sequence[dict]], what: str = "seconds") -> dict:
    """The first runner's figure over the second's, turn by turn: below 1 the first needs less.

    Returns
    -------
    `median`, `low` and `high` (the quartiles; of fewer than four turns the extremes) and `turns`, all of them.
    """
    each = [first[what] / second[what] for first, second in rounds]
    low, _, high = statistics.quantiles(each) if len(each) >= 4 else (min(each), 0, max(each))
    return {"median": statistics.median(each), "low": low, "high": high, "turns": each}


def load() -> float:
    """How many processes wanted a core in the last minute."""
    return os.getloadavg()[0]
