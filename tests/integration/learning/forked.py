"""Ranks that are forks of this process, which start in no time; and how they are killed at a chosen step."""

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from toy import train

from deeprc.learning.notice import AskedToEnd
from deeprc.learning.world import World


class Pipes:
    """A rank that talks to the others through pipes: forks of this process, which start in no time."""

    def __init__(self, rank: int, lines: list[list[Connection]], aside: list[list[Connection]]) -> None:
        self.rank, self.size, self.lines, self.aside = rank, len(lines), lines[rank], aside[rank]
        self.world = World(rank, self.size)

    def exchange(self, mine: np.ndarray, other: int) -> np.ndarray:
        """The lower rank speaks first: no two wait for a full pipe."""
        if self.rank < other:
            self.lines[other].send(mine)
            return self.lines[other].recv()
        theirs = self.lines[other].recv()
        self.lines[other].send(mine)
        return theirs

    def allgather(self, value):
        """To the first rank and back."""
        if self.rank:
            self.lines[0].send(value)
            return self.lines[0].recv()
        values = [value, *(line.recv() for line in self.lines[1:])]
        for line in self.lines[1:]:
            line.send(values)
        return values

    def later(self, mine: np.ndarray) -> "Later":
        return Later(self.rank, self.aside, mine)


class Later:
    """What comes through the pipes of a group of its own, in the order of the saves."""

    def __init__(self, rank: int, lines: list[Connection], mine: np.ndarray) -> None:
        self.lines, self.found = lines, {rank: mine}
        for line in filter(None, lines):
            line.send(mine)

    def rows(self) -> np.ndarray | None:
        for other, line in enumerate(self.lines):
            if other not in self.found and line.poll():
                self.found[other] = line.recv()
        whole = len(self.found) == len(self.lines)
        return np.stack([self.found[rank] for rank in sorted(self.found)]) if whole else None


def pipes(context, ranks: int) -> list[list[Connection | None]]:
    """A line from each rank to each other."""
    lines = [[None] * ranks for _ in range(ranks)]
    for low in range(ranks):
        for high in range(low + 1, ranks):
            lines[low][high], lines[high][low] = context.Pipe()
    return lines


class Forks:
    """The toy's training on forked ranks; `before` is called with each rank and step; `options` as of `toy.trained`."""

    def __init__(
        self, folder: Path, ranks: int, steps: int, before: Callable = lambda rank, step: None, mode: str = "elastic",
        **options,
    ) -> None:  # fmt: skip
        context = multiprocessing.get_context("fork")
        lines, aside = pipes(context, ranks), pipes(context, ranks)
        self.results, self.step = context.Queue(), context.Value("i", -1, lock=False)

        def watched(rank: int, step: int) -> None:
            if rank == 0:
                self.step.value = step
            before(rank, step)

        def work(rank: int) -> None:
            peers = Pipes(rank, lines, aside)
            try:
                told = train(folder, steps, peers, lambda step: watched(rank, step), lambda line: None, mode, **options)
                self.results.put(told)
            except AskedToEnd as error:
                self.results.put(error.problem)

        self.processes = [context.Process(target=work, args=(rank,)) for rank in range(ranks)]
        for process in self.processes:
            process.start()

    def told(self) -> list[str]:
        """The weights of all ranks, or why they ended."""
        found = [self.results.get(timeout=60) for _ in self.processes]
        for process in self.processes:
            process.join()
        return found

    def kill(self) -> None:
        """Kill all ranks that live, at once."""
        for process in self.processes:
            os.kill(process.pid, signal.SIGKILL)
        for process in self.processes:
            process.join()

    def kill_after(self, step: int, chance: random.Random, *, one: bool) -> None:
        """Kill all ranks, or one of them and a moment later the others (as a launcher does), within or after a step."""
        end = time.monotonic() + 60
        while self.step.value < step:
            assert time.monotonic() < end
            time.sleep(0.001)
        time.sleep(chance.uniform(0, 0.03))
        if one:
            os.kill(chance.choice(self.processes).pid, signal.SIGKILL)
            time.sleep(chance.uniform(0, 0.3))
        self.kill()


def forked(
    folder: Path, ranks: int, kill_after: float | None, before=lambda rank, step: None, mode: str = "elastic",
    steps: int = 24,
) -> list[str]:  # fmt: skip
    """The weights of all ranks, or why they ended; none where they were killed, all at once, after so many seconds."""
    forks = Forks(folder, ranks, steps, before, mode)
    if kill_after is None:
        return forks.told()
    time.sleep(kill_after)
    forks.kill()
    return []
