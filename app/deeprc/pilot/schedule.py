"""Which worker runs what next: pure logic."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from deeprc.pilot.tasks import Shape, Task

STARTING, IDLE, BUSY, LEAVING = "starting", "idle", "busy", "leaving"


@dataclass(eq=False)
class Worker:
    """A worker, as far as the schedule is concerned. It holds its cores until the pilot has told its end."""

    name: str
    shape: Shape
    state: str = STARTING


@dataclass
class Decision:
    """What is to be done now."""

    assign: list[tuple[Worker, Task]] = field(default_factory=list)
    start: list[Shape] = field(default_factory=list)
    dismiss: list[Worker] = field(default_factory=list)


def decide(
    waiting: Collection[Task], workers: Iterable[Worker], cores: int, gpus: int, stuck: Collection[str] = ()
) -> Decision:
    """Go through the waiting tasks in the order that they came.

    A task of one rank gets an idle worker of its shape, else the next that is starting, else a new one where cores are
    free. Where they are not, it waits for a busy worker of its shape. If there is none, cores are kept for it, and idle
    workers of other shapes leave until there are enough: no younger task can overtake it for ever. (Idle workers that
    nobody waits for leave in any case.) A task of several ranks is with RADICAL-Pilot already, which starts it when
    its cores are free; until it fits, no younger task gets anything.

    Parameters
    ----------
    cores, gpus
        Those that neither a worker nor a running task of several ranks holds; less than 0 if too much was promised.
    stuck
        Tasks of several ranks that have waited for long with enough cores free: these are not where they are needed,
        since a node holds a whole block of ranks or none. No younger task gets anything, and idle workers leave.
    """
    decision, ready, starting, busy = Decision(), defaultdict(list), Counter(), set()
    free, soon = [cores, gpus], [0, 0]  # held by nobody; held by workers that are leaving
    for worker in workers:
        if worker.state == IDLE:
            ready[worker.shape].append(worker)
        elif worker.state == STARTING:
            starting[worker.shape] += 1
        elif worker.state == BUSY:
            busy.add(worker.shape)
        elif worker.state == LEAVING:
            soon = [soon[0] + worker.shape.cores, soon[1] + worker.shape.gpus]

    def dismiss_until(need: tuple[int, int], *, useful: bool) -> None:
        for shape, group in ready.items():
            if not useful and any(task.ranks == 1 and task.shape == shape for task in waiting):
                continue
            while group and any(n > f + s for n, f, s in zip(need, free, soon, strict=True)):
                worker = group.pop()
                decision.dismiss.append(worker)
                soon[0] += worker.shape.cores
                soon[1] += worker.shape.gpus

    for task in waiting:
        if free[0] < 1 and not any(ready.values()) and not starting.total():
            break  # with 10,000 waiting tasks, most looks end here
        shape = task.shape
        need = task.ranks * shape.cores, task.ranks * shape.gpus
        fits = all(n <= f for n, f in zip(need, free, strict=True))
        if task.ranks == 1 and ready[shape]:
            decision.assign.append((ready[shape].pop(), task))
        elif task.ranks == 1 and starting[shape]:
            starting[shape] -= 1
        elif fits and task.uid in stuck:
            decision.dismiss += [worker for group in ready.values() for worker in group]
            break
        elif fits:
            if task.ranks == 1:
                decision.start.append(shape)
            free = [f - n for n, f in zip(need, free, strict=True)]
        else:
            patient = task.ranks == 1 and shape in busy
            dismiss_until(need, useful=not patient)
            if task.ranks > 1:
                break
            if patient:
                continue
            for i in range(2):  # what is free or soon will be is this task's
                left = free[i] + soon[i] - need[i]
                free[i], soon[i] = 0, max(0, left)
    return decision
