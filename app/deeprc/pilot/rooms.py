"""What the nodes of a pilot have free, and the first of them with enough: found without a look at each."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from deeprc.pilot.tasks import Room, Shape, Task

NOTHING = (0, 0, 0)


class Firsts:
    """Finds the first of many nodes that has enough: a tree of the most that any node below each of its knots has.

    Parameters
    ----------
    count
        How many nodes there are.
    value
        What the node of that number has; asked for again once it was told as `changed`.
    """

    def __init__(self, count: int, value: Callable[[int], Room]) -> None:
        self._count, self._leaves = count, 1 << (count - 1).bit_length()
        self._value, self._most = value, [(-1, -1, -1)] * (2 * self._leaves)
        self.changed = set(range(count))

    def _refresh(self) -> None:
        most = self._most
        for number in self.changed:
            at, value = self._leaves + number, self._value(number)
            while most[at] != value:
                most[at] = value
                if at == 1:
                    break
                at //= 2
                left, right = most[2 * at], most[2 * at + 1]
                value = max(left[0], right[0]), max(left[1], right[1]), max(left[2], right[2])
        self.changed.clear()

    def having(self, need: Room) -> Iterator[int]:
        """The numbers of the nodes that have that much, in their order."""
        if self.changed:
            self._refresh()
        cores, gpus, memory = need
        most, leaves, below = self._most, self._leaves, [1]
        while below:
            at = below.pop()
            there = most[at]
            if there[0] < cores or (gpus and there[1] < gpus) or (memory and there[2] < memory):
                continue
            if at >= leaves:
                yield at - leaves
            else:
                below += 2 * at + 1, 2 * at

    def nearest(self, need: Room) -> Iterator[int]:
        """The numbers of the nodes, the one that has the largest share of that first; of equals, the first.

        No node below a knot has more than the knot says, so those whose knots say less are not looked at.
        """
        if self.changed:
            self._refresh()
        most, leaves = self._most, self._leaves
        heap = [(-share(need, most[1]), 0, 1, leaves)]  # with the first node below the knot, and how many there are
        while heap:
            _, first, at, below = heapq.heappop(heap)
            if at < leaves:
                below //= 2
                for each, start in ((2 * at, first), (2 * at + 1, first + below)):
                    if start < self._count:
                        heapq.heappush(heap, (-share(need, most[each]), start, each, below))
            else:
                yield first

    def place(self, task: Task) -> list[tuple[int, int]]:
        """Nodes for a task of several ranks, each with the number of its ranks; none where there are not enough.

        Each has a whole block of them, the last one perhaps a smaller.
        """
        count, need = max(1, task.nodes), task.shape.room
        block = -(-task.ranks // count)
        last = task.ranks - block * (count - 1)
        chosen = list(islice(self.having(times(need, block)), count))
        if len(chosen) == count - 1:
            chosen += islice((each for each in self.having(times(need, last)) if each not in chosen), 1)
        if len(chosen) < count:
            return []
        return [(number, block) for number in chosen[:-1]] + [(chosen[-1], last)]


class Rooms:
    """The nodes of a pilot.

    Attributes
    ----------
    free
        What of each node nobody holds.
    soon
        What of each node workers hold that are leaving.
    idle
        The workers of each shape that are idle on each node.
    roomy
        The numbers of the nodes that have a core free.
    kept
        Those that a waiting task has for itself, while it is decided.
    """

    def __init__(self, nodes: Sequence[Room], wanted: Callable[[Shape], bool]) -> None:
        count = len(nodes)
        self.free, self.soon = list(map(tuple, nodes)), [NOTHING] * count
        self.idle: list[dict[Shape, list]] = [{} for _ in range(count)]
        self.roomy = {number for number, room in enumerate(self.free) if room[0] > 0}
        self.kept: set[int] = set()
        self._wanted = wanted
        self.now = Firsts(count, self.free.__getitem__)
        self.later = Firsts(count, self.after)
        self.at_most = Firsts(count, lambda number: (-1, -1, -1) if number in self.kept else self.possible(number))
        self.spare = Firsts(count, lambda number: self.possible(number, spare=True))

    def changed(self, number: int) -> None:
        """Called when something of a node has changed."""
        for each in (self.now, self.later, self.at_most, self.spare):
            each.changed.add(number)

    def take(self, number: int, need: Room, count: int = 1) -> None:
        """Hold, or with a negative count give back."""
        self.put(number, less(self.free[number], times(need, count)), self.soon[number])

    def put(self, number: int, free: Room, soon: Room) -> None:
        """Set what a node has."""
        self.free[number], self.soon[number] = free, soon
        (self.roomy.add if free[0] > 0 else self.roomy.discard)(number)
        self.changed(number)

    def after(self, number: int) -> Room:
        """What will be free there without anybody else leaving."""
        return add(self.free[number], self.soon[number])

    def will_do(self, number: int, need: Room) -> bool:
        """Whether that will be free there without anybody else leaving."""
        return all(n <= have for n, have in zip(need, self.after(number), strict=True))

    def possible(self, number: int, *, spare: bool = False) -> Room:
        """What can be free there once all idle workers have left; `spare`: those alone that nobody waits for."""
        room = self.after(number)
        for shape, workers in self.idle[number].items():
            if not (spare and self._wanted(shape)):
                room = add(room, times(shape.room, len(workers)))
        return room

    def rests(self, worker: Any) -> None:
        """A worker is idle now."""
        self.idle[worker.node].setdefault(worker.shape, []).append(worker)
        self.changed(worker.node)

    def rises(self, worker: Any) -> None:
        """It is no longer."""
        there = self.idle[worker.node]
        there[worker.shape].remove(worker)
        if not there[worker.shape]:
            del there[worker.shape]
        self.changed(worker.node)

    def keep(self, number: int, need: Room) -> None:
        """Keep what is free, and what soon will be, for a task that needs that much: no other one gets it."""
        left = less(self.after(number), need)
        self.kept.add(number)
        self.put(number, NOTHING, tuple(max(0, rest) for rest in left))


def share(need: Room, there: Room) -> float:
    """How much of what is needed is there, at most 1: of what there is least of."""
    return min(min(1.0, have / n) for have, n in zip(there, need, strict=True) if n)


def add(one: Room, other: Room) -> Room:
    """Both together."""
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]


def less(one: Room, other: Room) -> Room:
    """What is left of the one."""
    return one[0] - other[0], one[1] - other[1], one[2] - other[2]


def times(room: Room, count: int) -> Room:
    """So often."""
    return room[0] * count, room[1] * count, room[2] * count
