"""A simulated pilot: events in place of nodes, and the pilot's own schedule between them."""

from __future__ import annotations

import heapq
import itertools
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from deeprc.pilot.patience import Patience
from deeprc.pilot.schedule import IDLE, LEAVING, Schedule, ScheduledWorker
from deeprc.pilot.tasks import Room, Task
from deeprc.pilot.workers import KEPT


@dataclass(frozen=True)
class Costs:
    """What is assumed of the machine, seconds; as measured on two cores (docs/executor.md).

    Attributes
    ----------
    launches
        How many workers and jobs of several ranks RADICAL-Pilot starts in a second; 0: as many as there are.
    worker
        From a worker's launch to its first job.
    job
        From a job's end to the next one's start on its cores.
    world
        From the launch of a job of several ranks to its start.
    leave
        From a worker's dismissal to its room being free.
    """

    launches: float = 20.0
    worker: float = 0.4
    job: float = 0.006
    world: float = 1.0
    leave: float = 0.05


class SimulatedPilot:
    """Runs jobs, and counts.

    Parameters
    ----------
    seconds
        Of a job, by its name.
    ended
        Called with the name of a job that has ended; what is to be submitted then.
    width
        Seconds of a bin of the timeline.

    Attributes
    ----------
    now
        Seconds since the pilot became active.
    busy
        Core-seconds that jobs ran in each bin; `gpu_busy` those of accelerators.
    gangs
        Of each stage of several ranks, how many of its jobs ran at once: so many gangs, where they are warm.
    waited_until, last_end
        When the last waiting job began, and when the last job ended.
    longest
        Seconds that a job of several ranks was the oldest of these, at most, before it began.
    """

    def __init__(
        self, nodes: Sequence[Room], costs: Costs, *, seconds: Callable[[str], float],
        ended: Callable[[str], list[Task]], width: float,
    ) -> None:  # fmt: skip
        self.schedule, self.costs, self._seconds, self._ended = Schedule(nodes), costs, seconds, ended
        self.now, self.width, self.busy, self.gpu_busy = 0.0, width, [], []
        self.cpu, self.decisions, self.done, self.workers, self.waited_until = 0.0, 0, 0, 0, 0.0
        self.most_workers, self._alive, self.last_end, self.longest = 0, 0, 0.0, 0.0
        self._cores = self._gpus = 0  # that run jobs
        self.gangs, self._worlds = Counter(), Counter()  # most at once, and now
        self._counted = 0.0
        self._free_at = 0.0  # when RADICAL-Pilot can start the next
        self._events: list[tuple[float, int, Callable, tuple]] = []
        self._numbers = itertools.count()
        self._patience = Patience(self.schedule)
        self._room = True  # whether there may be room for one of these
        self._idle_since: dict[ScheduledWorker, float] = {}
        self._rested: dict[ScheduledWorker, float] = {}
        self._running: dict[ScheduledWorker, Task] = {}

    def submit(self, tasks: list[Task]) -> None:
        """Jobs wait."""
        self.schedule.add(tasks)
        for task in tasks:
            if task.ranks > 1:
                self._room = True

    def run(self, say: Callable[[], None] = lambda: None) -> None:
        """Until nothing is left; `say` is called now and then."""
        self._act()
        while self._events:
            if self.decisions % 20_000 == 0:
                say()
            at = self._events[0][0]
            self._count(at)
            heard = False
            while self._events and self._events[0][0] == at:
                _, _, what, given = heapq.heappop(self._events)
                heard = what(*given) is not False or heard
            if heard:
                self._act()

    def _later(self, seconds: float, what: Callable, *given: object) -> None:
        heapq.heappush(self._events, (self.now + seconds, next(self._numbers), what, given))

    def _act(self) -> None:
        """What the pilot does after each piece of news."""
        began = time.thread_time()
        idle = [*self._idle_since]
        while True:
            decision = self._patience.decide(self.now)
            self.decisions += 1
            for worker, task in decision.assign:
                self._running[worker] = task
                self._later(self.costs.job, self._job_began, worker)
            for worker in decision.dismiss:
                self._later(self.costs.leave, self._gone, worker)
            for shape, node in decision.start:
                worker = ScheduledWorker("", shape, node=node)
                self.schedule.hire(worker)
                self.workers, self._alive = self.workers + 1, self._alive + 1
                self.most_workers = max(self.most_workers, self._alive)
                self._later(self._launched() + self.costs.worker, self._started, worker)
            if not self._place():
                break
        self.cpu += time.thread_time() - began
        for worker in idle:
            del self._idle_since[worker]
            if worker.state == IDLE:
                self._later(KEPT, self._retire, worker, self.now)

    def _launched(self) -> float:
        """Seconds until RADICAL-Pilot has started one more."""
        if not self.costs.launches:
            return 0.0
        self._free_at = max(self.now, self._free_at) + 1 / self.costs.launches
        return self._free_at - self.now

    def _place(self) -> bool:
        """RADICAL-Pilot starts jobs of several ranks that fit, the largest first; whether there were any."""
        if not (self._room and self.schedule.several):
            return False
        self._room = False
        found, one = False, self.schedule.nodes == 1
        if pressed := self._patience.pressed(self.now):
            if not self._fits(self.schedule.waiting[pressed]):
                return False
            found = True
        alike = self.schedule.several_alike
        for kind in [*alike] if one else sorted(alike, key=lambda kind: -kind[0].cores * kind[1]):
            while kind in alike and self._fits(next(iter(alike[kind].values()))[1]):
                found = True
        return found

    def _fits(self, task: Task) -> bool:
        places = self.schedule.rooms.now.place(task)
        if places:
            self.longest = max(self.longest, self._patience.waited(task.uid, self.now))
            stage = task.uid.rpartition(".")[0]
            self._worlds[stage] += 1
            self.gangs[stage] = max(self.gangs[stage], self._worlds[stage])
            self.schedule.begin(task.uid, [node for node, count in places for _ in range(count)])
            self._later(self._launched() + self.costs.world, self._world_began, task)
        return bool(places)

    # What happens.

    def _started(self, worker: ScheduledWorker) -> None:
        if worker.state != LEAVING:
            self._rest(worker)

    def _rest(self, worker: ScheduledWorker) -> None:
        worker.turn(IDLE)
        self._idle_since[worker] = self._rested[worker] = self.now

    def _retire(self, worker: ScheduledWorker, since: float) -> None:
        if worker.state == IDLE and self._rested[worker] == since:
            worker.turn(LEAVING)
            self._later(self.costs.leave, self._gone, worker)

    def _gone(self, worker: ScheduledWorker) -> None:
        self.schedule.lose(worker)
        self._rested.pop(worker, None)
        self._alive -= 1
        self._room = True

    def _job_began(self, worker: ScheduledWorker) -> bool:
        task = self._running[worker]
        self._begin(task, 1)
        self._later(self._seconds(task.uid), self._job_ended, worker)
        return False  # nothing for the schedule

    def _job_ended(self, worker: ScheduledWorker) -> None:
        task = self._running.pop(worker)
        self._over(task, 1)
        self._rest(worker)

    def _world_began(self, task: Task) -> bool:
        self._begin(task, task.ranks)
        self._later(self._seconds(task.uid), self._world_ended, task)
        return False

    def _world_ended(self, task: Task) -> None:
        self._over(task, task.ranks)
        self._worlds[task.uid.rpartition(".")[0]] -= 1
        self.schedule.end(task.uid)
        self._room = True

    def _begin(self, task: Task, ranks: int) -> None:
        self._cores += task.cores_per_rank * ranks
        self._gpus += task.gpus_per_rank * ranks
        self.waited_until = self.now

    def _over(self, task: Task, ranks: int) -> None:
        self._cores -= task.cores_per_rank * ranks
        self._gpus -= task.gpus_per_rank * ranks
        self.done, self.last_end = self.done + 1, self.now
        self.submit(self._ended(task.uid))

    def _count(self, until: float) -> None:
        """Add what ran since the last event to the timeline."""
        if not self._cores:
            self.now = max(self.now, until)
        while self.now < until:
            at = int(self.now / self.width)
            if (at + 1) * self.width <= self.now:  # the bin's end, rounded
                at += 1
            while len(self.busy) <= at:  # those in which nothing ran, too
                self.busy.append(0.0)
                self.gpu_busy.append(0.0)
            upto = min(until, (at + 1) * self.width)
            self.busy[at] += self._cores * (upto - self.now)
            self.gpu_busy[at] += self._gpus * (upto - self.now)
            self.now = upto
