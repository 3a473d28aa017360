"""One decision of the schedule: a walk through the waiting tasks that leaves out those for which nothing can change."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from deeprc.pilot.rooms import add, times
from deeprc.pilot.tasks import Room, Shape, Task

if TYPE_CHECKING:
    from deeprc.pilot.schedule import Schedule, ScheduledWorker


@dataclass
class Decision:
    """What is to be done now; each shape to start has the node that has room for it.

    `awaits` is the oldest task of several ranks for which there is room: the engine is to start it.
    """

    assign: list[tuple[ScheduledWorker, Task]] = field(default_factory=list)
    start: list[tuple[Shape, int]] = field(default_factory=list)
    dismiss: list[ScheduledWorker] = field(default_factory=list)
    awaits: str | None = None


class Deciding:
    """It takes the workers and tasks that it decides upon away from what the schedule knows; the rooms are changed on
    the way, and put back as they were.
    """

    def __init__(self, schedule: Schedule, stuck: Collection[str], pressed: Collection[str]) -> None:
        self._schedule, self._rooms, self._stuck, self._pressed = schedule, schedule.rooms, stuck, pressed
        self.decision = Decision()
        self._before: dict[int, tuple[Room, Room]] = {}  # of nodes that were changed
        self._uncovered: dict[Shape, Iterator[tuple[int, Task]]] = {}
        self._apart: set[int] = set()  # nodes that the oldest task of several ranks waits for
        self._open = True  # whether workers may be started: not where RADICAL-Pilot is to choose nodes for another task
        # Of idle workers, those of the shape whose oldest is the oldest go first; of each shape, the youngest.
        oldest = sorted(schedule.ready, key=lambda shape: schedule.ready[shape][0].number)
        self._order = {shape: place for place, shape in enumerate(oldest)}
        self._walk()
        self._rooms.kept.clear()
        for number, before in self._before.items():
            self._rooms.put(number, *before)

    def _walk(self) -> None:
        schedule = self._schedule
        heads = [head for shape in schedule.alike if (head := self._next(shape))]
        several = {kind: iter(alike.values()) for kind, alike in schedule.several_alike.items()}
        heads += [next(each) for each in several.values()]
        heapq.heapify(heads)
        while heads and (schedule.ready or self._rooms.roomy):
            _, task = heads[0]
            if task.ranks > 1:
                go_on, fits = (True, False) if self._apart or not self._open else self._together(task)
                if not go_on:
                    return
                following = next(several[task.kind], None) if fits else None
            elif task.shape not in schedule.ready and task.shape not in self._uncovered:
                following = self._next(task.shape)  # the worker that it was to have has been dismissed
            else:
                following = self._next(task.shape) if self._alone(task) else None
            if following:
                heapq.heapreplace(heads, following)
            else:
                heapq.heappop(heads)

    def _next(self, shape: Shape) -> tuple[int, Task] | None:
        """The oldest task of that shape that was not looked at and that no starting worker will take."""
        alike = self._schedule.alike[shape]
        if shape in self._schedule.ready:
            return alike.first() if alike else None
        if shape not in self._uncovered:
            alike.cover(self._schedule.starting[shape])
            self._uncovered[shape] = iter(alike.open.values())
        return next(self._uncovered[shape], None)

    def _alone(self, task: Task) -> bool:
        """Find a place for a task of one rank; whether there may be one for others of its shape."""
        schedule, rooms, shape = self._schedule, self._rooms, task.shape
        if shape in schedule.ready:
            worker = schedule.ready[shape][-1]
            schedule.rouse(worker)
            schedule.alike[shape].drop(task.uid)
            self.decision.assign.append((worker, task))
            return True
        if not self._open:
            return False
        if (node := self._other(rooms.now.having(shape.room))) is not None:
            self.decision.start.append((shape, node))
            self._remember(node)
            rooms.take(node, shape.room)
            return True
        if schedule.busy[shape]:
            if any(other not in schedule.alike for other in schedule.ready):
                node = self._sparing(shape.room)
                self._clear(node, shape.room, (w for w in self._idle(node) if w.shape not in schedule.alike))
            return False
        if len(rooms.kept | self._apart) < schedule.nodes:
            node = self._best(shape.room)
            self._clear(node, shape.room, self._idle(node))
            self._remember(node)
            rooms.keep(node, shape.room)
        return len(rooms.kept | self._apart) < schedule.nodes

    def _together(self, task: Task) -> tuple[bool, bool]:
        """Find places for a task of several ranks; whether younger tasks may have what is left, and whether it fits."""
        rooms, stuck, one = self._rooms, task.uid in self._stuck, self._schedule.nodes == 1
        if places := rooms.now.place(task):
            self.decision.awaits = self.decision.awaits or task.uid
        if places and not stuck:
            for node, count in places:
                self._remember(node)
                rooms.take(node, task.shape.room, count)
            self._open = one
            return True, True
        waits = not places and not one
        if waits and task.uid in self._pressed:
            self._set_apart(task)
            return True, False
        idle = {shape: ready for shape, ready in self._schedule.ready.items()
                if not (waits and shape in self._schedule.alike)}  # fmt: skip
        for worker in self._sorted(worker for ready in idle.values() for worker in ready):
            if (waits or not stuck) and rooms.later.place(task):
                break
            self._dismiss(worker)
        return waits, False

    def _set_apart(self, task: Task) -> None:
        """Keep from younger tasks the nodes that will soonest do for one of several ranks: no worker starts there."""
        rooms, count = self._rooms, max(1, task.nodes)
        block = times(task.shape.room, -(-task.ranks // count))
        found = (node for node in rooms.at_most.nearest(block) if node not in rooms.kept)
        self._apart = {*islice(found, count)}
        for node in sorted(self._apart):
            self._clear(node, block, self._idle(node))

    def _other(self, nodes: Iterator[int]) -> int | None:
        """The first of these that no older task of several ranks waits for."""
        return next((node for node in nodes if node not in self._apart), None)

    def _best(self, need: Room) -> int:
        """The node that will have the most of what is needed if all its idle workers leave, of those not kept."""
        rooms = self._rooms
        if (node := self._other(rooms.at_most.having(need))) is not None:
            return node
        return self._other(number for number in rooms.at_most.nearest(need) if number not in rooms.kept)

    def _sparing(self, need: Room) -> int:
        """The node that will have the most of what is needed if those idle workers leave that nobody waits for."""
        rooms = self._rooms
        if (node := next(rooms.spare.having(need), None)) is not None:
            return node
        return next(rooms.spare.nearest(need))

    def _idle(self, node: int) -> list[ScheduledWorker]:
        return self._sorted(worker for there in self._rooms.idle[node].values() for worker in there)

    def _sorted(self, idle: Iterable[ScheduledWorker]) -> list[ScheduledWorker]:
        return sorted(idle, key=lambda worker: (self._order[worker.shape], -worker.number))

    def _clear(self, node: int, need: Room, idle: Iterable[ScheduledWorker]) -> None:
        """Dismiss workers until there will be enough."""
        for worker in idle:
            if self._rooms.will_do(node, need):
                return
            self._dismiss(worker)

    def _dismiss(self, worker: ScheduledWorker) -> None:
        self._schedule.rouse(worker)
        self._remember(worker.node)
        rooms, node = self._rooms, worker.node
        rooms.put(node, rooms.free[node], add(rooms.soon[node], worker.shape.room))
        self.decision.dismiss.append(worker)

    def _remember(self, node: int) -> None:
        self._before.setdefault(node, (self._rooms.free[node], self._rooms.soon[node]))
