"""Which worker runs what next, and on which node new ones start: pure logic.

What has changed is told as it changes, and each decision looks at that alone: it costs no more with a million waiting
tasks than with ten. Waiting tasks of one shape are alike, so of each shape the next one alone is looked at.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left, insort
from collections import Counter, OrderedDict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from deeprc.pilot.deciding import Deciding, Decision
from deeprc.pilot.rooms import Rooms, add, less
from deeprc.pilot.tasks import Room, Shape, Task

STARTING, IDLE, BUSY, LEAVING = "starting", "idle", "busy", "leaving"
WHOLE = (1 << 40,) * 3  # more than any node has
_number = attrgetter("number")


@dataclass(eq=False)
class ScheduledWorker:
    """A worker, as far as the schedule is concerned. It holds its room until the pilot has told its end."""

    name: str
    shape: Shape
    state: str = STARTING
    node: int = 0
    schedule: Schedule | None = field(default=None, repr=False)
    number: int = 0

    def turn(self, state: str) -> None:
        """Change its state."""
        if self.schedule is not None:
            self.schedule.leave(self)
        self.state = state
        if self.schedule is not None:
            self.schedule.enter(self)


class Alike:
    """Waiting tasks of one shape, by their number: those that a starting worker will take, and the others."""

    def __init__(self) -> None:
        self.covered: OrderedDict[str, tuple[int, Task]] = OrderedDict()
        self.open: OrderedDict[str, tuple[int, Task]] = OrderedDict()

    def __len__(self) -> int:
        return len(self.covered) + len(self.open)

    def drop(self, uid: str) -> None:
        """One waits no longer."""
        if self.covered.pop(uid, None) is None:
            del self.open[uid]

    def first(self) -> tuple[int, Task]:
        """The oldest one."""
        return next(iter((self.covered or self.open).values()))

    def cover(self, starting: int) -> None:
        """So many workers are starting."""
        while self.open and len(self.covered) < starting:
            uid, task = self.open.popitem(last=False)
            self.covered[uid] = task
        while len(self.covered) > starting:
            uid, task = self.covered.popitem()
            self.open[uid] = task
            self.open.move_to_end(uid, last=False)


class Schedule:
    """The waiting tasks, the workers and the room of a pilot.

    Parameters
    ----------
    nodes
        What each node has.

    Attributes
    ----------
    waiting
        By their names, in the order that they came. Those of several ranks have the number of `nodes` that they take.
    """

    def __init__(self, nodes: Sequence[Room]) -> None:
        # Ordered: the first of a plain dict is behind all that was deleted before it.
        self.waiting: OrderedDict[str, Task] = OrderedDict()
        self.nodes = len(nodes)
        self.alike: dict[Shape, Alike] = {}
        self.several: OrderedDict[str, tuple[int, Task]] = OrderedDict()
        self.several_alike: dict[tuple, OrderedDict[str, tuple[int, Task]]] = {}  # the same, by their kinds
        self._running: dict[str, tuple[Task, Sequence[int]]] = {}  # of several ranks, with each rank's node
        self.rooms = Rooms(nodes, self.alike.__contains__)
        self.ready: dict[Shape, list[ScheduledWorker]] = {}  # idle ones, the oldest first
        self.starting, self.busy = Counter(), Counter()
        self._numbers, self._uncovered = itertools.count(), set()

    # What happens: tasks come and go.

    def add(self, tasks: Iterable[Task]) -> None:
        """Tasks wait."""
        for task in tasks:
            self.waiting[task.uid], numbered = task, (next(self._numbers), task)
            if task.ranks > 1:
                self.several[task.uid] = numbered
                self.several_alike.setdefault(task.kind, OrderedDict())[task.uid] = numbered
                continue
            if task.shape not in self.alike:
                self.alike[task.shape] = Alike()
                self._wanted(task.shape)
            self.alike[task.shape].open[task.uid] = numbered
            self._uncovered.add(task.shape)

    def drop(self, uid: str) -> Task | None:
        """A task waits no longer."""
        task = self.waiting.pop(uid, None)
        if task is not None and self.several.pop(uid, None) is None:
            self.alike[task.shape].drop(uid)
            self._gone(task.shape)
        elif task is not None:
            del self.several_alike[task.kind][uid]
            if not self.several_alike[task.kind]:
                del self.several_alike[task.kind]
        return task

    def _gone(self, shape: Shape) -> None:
        self._uncovered.add(shape)
        if shape in self.alike and not self.alike[shape]:
            del self.alike[shape]
            self._wanted(shape)

    def of(self, shape: Shape) -> list[Task]:
        """The waiting tasks of one rank that have that shape."""
        alike = self.alike.get(shape, Alike())
        return [task for _, task in (*alike.covered.values(), *alike.open.values())]

    @property
    def first_of_several(self) -> str | None:
        """The name of the oldest waiting task of several ranks."""
        return next(iter(self.several), None)

    def begin(self, uid: str, nodes: Sequence[int]) -> None:
        """A waiting task of several ranks runs, with its ranks on these nodes."""
        if (task := self.drop(uid)) is not None:
            self._running[uid] = task, nodes
            for node, count in Counter(nodes).items():
                self.rooms.take(node, task.shape.room, count)

    def end(self, uid: str) -> None:
        """A task of several ranks has ended, or waits no longer."""
        self.drop(uid)
        task, nodes = self._running.pop(uid, (None, ()))
        for node, count in Counter(nodes).items():
            self.rooms.take(node, task.shape.room, -count)

    # What happens: workers come, change, and go.

    def hire(self, worker: ScheduledWorker) -> None:
        """There is a worker more."""
        worker.number, worker.schedule = next(self._numbers), self
        self.rooms.take(worker.node, worker.shape.room)
        self.enter(worker)

    def move(self, worker: ScheduledWorker, node: int) -> None:
        """A worker is on another node than was thought."""
        if node != worker.node:
            self.lose(worker)
            worker.node, worker.schedule = node, self
            self.rooms.take(node, worker.shape.room)
            self.enter(worker)

    def lose(self, worker: ScheduledWorker) -> None:
        """A worker has ended."""
        self.leave(worker)
        self.rooms.take(worker.node, worker.shape.room, -1)
        worker.schedule = None

    def leave(self, worker: ScheduledWorker) -> None:
        """A worker is no longer in its state."""
        shape, node, rooms = worker.shape, worker.node, self.rooms
        if worker.state == STARTING:
            self.starting[shape] -= 1
            self._uncovered.add(shape)
        elif worker.state == IDLE:
            self.rouse(worker)
        elif worker.state == BUSY:
            self.busy[shape] -= 1
        elif worker.state == LEAVING:
            rooms.put(node, rooms.free[node], less(rooms.soon[node], shape.room))

    def enter(self, worker: ScheduledWorker) -> None:
        """A worker is in its state now."""
        shape, node, rooms = worker.shape, worker.node, self.rooms
        if worker.state == STARTING:
            self.starting[shape] += 1
            self._uncovered.add(shape)
        elif worker.state == IDLE:
            insort(self.ready.setdefault(shape, []), worker, key=_number)
            rooms.rests(worker)
        elif worker.state == BUSY:
            self.busy[shape] += 1
        elif worker.state == LEAVING:
            rooms.put(node, rooms.free[node], add(rooms.soon[node], shape.room))

    def rouse(self, worker: ScheduledWorker) -> None:
        """A worker is idle no longer."""
        ready = self.ready[worker.shape]
        del ready[bisect_left(ready, worker.number, key=_number)]
        if not ready:
            del self.ready[worker.shape]
        self.rooms.rises(worker)

    def close(self, node: int) -> None:
        """Nothing more is to start on a node: its room is held by nobody."""
        self.rooms.take(node, WHOLE)

    def open(self, node: int) -> None:
        """Something may, again."""
        self.rooms.take(node, WHOLE, -1)

    def _wanted(self, shape: Shape) -> None:
        """Tasks have begun or ceased to wait for workers of that shape."""
        for worker in self.ready.get(shape, ()):
            self.rooms.changed(worker.node)

    # What is to be done.

    def decide(self, stuck: Collection[str] = (), pressed: Collection[str] = ()) -> Decision:
        """Go through the waiting tasks in the order that they came.

        The tasks that it gives to workers wait no longer, these are busy, and those that it dismisses are leaving; the
        new ones are to be started, and told by `hire`.

        A task of one rank gets an idle worker of its shape, else the next that is starting, else a new one on the first
        node that has room. Where none has, it waits for a busy worker of its shape. If there is none, room is kept for
        it on the node that has the most of what it needs, and idle workers of other shapes leave there until there is
        enough: no younger task can overtake it for ever. (Idle workers that nobody waits for leave in any case.) A task
        of several ranks is with RADICAL-Pilot already, which starts it when it fits. On one node no younger task gets
        anything until it does. On several nodes younger ones go on, but where one of these tasks fits, no worker is
        started until it has begun: RADICAL-Pilot chooses its nodes.

        Parameters
        ----------
        stuck
            Tasks of several ranks that have waited for long though they fit: the launcher wants neighbouring nodes. No
            younger task gets anything, and idle workers leave.
        pressed
            Tasks of several ranks that have waited for too long: on several nodes, those that will soonest do are kept
            from younger tasks, and no younger one of several ranks is expected to begin.
        """
        for shape in self._uncovered & self.alike.keys():
            self.alike[shape].cover(self.starting[shape])
        self._uncovered.clear()
        if not self.ready and not self.rooms.roomy:
            return Decision()
        decision = Deciding(self, stuck, pressed).decision
        for worker, task in decision.assign:
            worker.state = BUSY
            self.enter(worker)
            del self.waiting[task.uid]
            self._gone(task.shape)
        for worker in decision.dismiss:
            worker.state = LEAVING
            self.enter(worker)
        return decision
