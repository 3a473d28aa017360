"""Workers for jobs that are not ready yet: their imports are done while cores have nothing else to do.

A job that is ready goes before: nothing is started here while one wants a core, and of what still imports is ended what
is in the way of one that comes. A worker that has its imports done is one like any other: idle, and gone as soon as
others need what it holds.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from deeprc.pilot.rooms import add, less
from deeprc.pilot.schedule import STARTING, Schedule, ScheduledWorker
from deeprc.pilot.tasks import Room, Shape

CALM = 0.5  # seconds in which no job has come or ended: the next ones are on their way right after that
AT_ONCE = 8  # workers that import for jobs to come: those of ready jobs do not queue behind thousands at the engine
GIVEN_UP = 3  # workers of a shape that may end before they are there; then its jobs start their own


@dataclass
class Expected:
    """Jobs of one shape that are still to come, of which `most` can run at once; the file of their environment."""

    jobs: int
    most: int
    environment: str | None = None


class Foresight:
    """What a run's jobs will want.

    Parameters
    ----------
    schedule
        Knows what waits, and what is free.
    may
        Whether a worker of that shape could start now, were there room.
    """

    def __init__(self, schedule: Schedule, may: Callable[[Shape], bool] = lambda shape: True) -> None:
        self._schedule, self._may = schedule, may
        self._expected: dict[Shape, Expected] = {}  # the soonest first
        self._ended: Counter[Shape] = Counter()
        self._begun: set[str] = set()  # names of the workers that were started for them, until they have called

    def __contains__(self, shape: Shape) -> bool:
        """Whether jobs of that shape are to come."""
        return shape in self._expected

    def __bool__(self) -> bool:
        """Whether any are."""
        return bool(self._expected)

    def expect(self, expected: dict[Shape, Expected]) -> None:
        """Jobs of these shapes will come, those of the first one soonest; none without imports is looked at, and none
        with accelerators: these are for jobs.
        """
        found = {shape: each for shape, each in expected.items() if each.jobs > 0 and shape.warm and not shape.gpus}
        self._expected = found

    def came(self, shapes: Iterable[Shape]) -> None:
        """Jobs of these shapes have come."""
        for shape in shapes:
            if (there := self._expected.get(shape)) is not None:
                there.jobs -= 1
                if there.jobs <= 0:
                    del self._expected[shape]

    @property
    def calls(self) -> bool:
        """Whether any job that waits has neither a worker nor one that starts."""
        several, starting = bool(self._schedule.several), self._schedule.starting
        return several or any(len(alike) > starting[shape] for shape, alike in self._schedule.alike.items())

    def wanted(self) -> tuple[Shape, int] | None:
        """The shape of a worker to start now, and the node that has room for it."""
        schedule = self._schedule
        for shape, each in () if self.calls or len(self._begun) >= AT_ONCE else self._expected.items():
            there = schedule.starting[shape] + len(schedule.ready.get(shape, ())) + schedule.busy[shape]
            waiting = len(schedule.alike.get(shape, ()))
            if self._may(shape) and there < min(each.most, each.jobs + waiting + schedule.busy[shape]):
                node = next(schedule.rooms.now.having(shape.room), None)
                if node is not None:
                    return shape, node
        return None

    def begun(self, shape: Shape, names: Iterable[str]) -> None:
        """Workers of that shape were started for jobs to come; where none could be, that counts as one that ended."""
        self._begun.update(names)
        if not names:
            self._gone(shape)

    def there(self, name: str) -> None:
        """A worker has called."""
        self._begun.discard(name)

    def lost(self, worker: ScheduledWorker) -> bool:
        """Whether a worker that ends before it has called was started for jobs to come, of which none waits for it: its
        end is the fault of none.
        """
        if worker.name not in self._begun:
            return False
        self._begun.discard(worker.name)
        self._gone(worker.shape)
        return worker.shape not in self._schedule.alike

    def in_the_way(self, workers: Iterable[ScheduledWorker]) -> list[ScheduledWorker]:
        """Those that still import for jobs to come, and hold what jobs that wait want: no more than these need, the
        youngest first; all of them where a job of several ranks waits, whose nodes are chosen by the engine.
        """
        if not self._begun or not self.calls:
            return []
        schedule, there = self._schedule, defaultdict(list)
        spare = Counter(schedule.starting)
        spare.subtract({shape: len(alike) for shape, alike in schedule.alike.items()})
        for worker in sorted(workers, key=lambda each: -each.number):
            if worker.name in self._begun and worker.state == STARTING and spare[worker.shape] > 0:
                spare[worker.shape] -= 1  # the others are for jobs that have come meanwhile
                there[worker.node].append(worker)
        if schedule.several:
            return [worker for each in there.values() for worker in each]
        return self._least(there)

    def _least(self, there: dict[int, list[ScheduledWorker]]) -> list[ScheduledWorker]:
        """Of these workers, by their nodes, those whose room is enough for the jobs that wait for some."""
        found, left = [], {node: self._schedule.rooms.after(node) for node in there}
        for shape, alike in self._schedule.alike.items():
            for _ in range(len(alike) - self._schedule.starting[shape]):
                node = next((node for node in there if _holds(_with(left[node], there[node]), shape.room)), None)
                if node is None:
                    break
                while not _holds(left[node], shape.room):
                    found.append(there[node].pop(0))
                    left[node] = add(left[node], found[-1].shape.room)
                left[node] = less(left[node], shape.room)
        return found

    def _gone(self, shape: Shape) -> None:
        self._ended[shape] += 1
        if self._ended[shape] >= GIVEN_UP:
            self._expected.pop(shape, None)


def _with(room: Room, workers: Iterable[ScheduledWorker]) -> Room:
    for worker in workers:
        room = add(room, worker.shape.room)
    return room


def _holds(there: Room, need: Room) -> bool:
    return all(have >= n for have, n in zip(there, need, strict=True))
