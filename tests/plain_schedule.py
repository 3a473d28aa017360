"""The schedule said plainly: each decision looks at all that waits. What `deeprc.pilot.schedule` is compared with."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from deeprc.pilot.deciding import Decision
from deeprc.pilot.rooms import add
from deeprc.pilot.schedule import BUSY, IDLE, LEAVING, STARTING, Schedule, ScheduledWorker
from deeprc.pilot.tasks import Room, Shape, Task

ONE = Shape(1)


def job(uid: str, shape: Shape = ONE, ranks: int = 1, nodes: int = 0) -> Task:
    return Task(uid, ["x"], ranks, shape.cores, shape.gpus, shape.warm, shape.memory_mb, nodes=nodes)


def decide_at_once(waiting, workers, free: list[Room], stuck=(), pressed=()) -> Decision:
    """Where so much is free beside what the workers hold; all is told at once."""
    nodes = [*free]
    for worker in workers:
        nodes[worker.node] = add(nodes[worker.node], worker.shape.room)
    schedule = Schedule(nodes)
    for worker in workers:
        schedule.hire(replace(worker))
    schedule.add(waiting)
    return schedule.decide(stuck, pressed)


class NodeRoom:
    """What of a node is free, and what soon will be, since workers are leaving."""

    def __init__(self, free: Room) -> None:
        self.free, self.soon = free, (0, 0, 0)

    def blocks(self, need: Room) -> int:
        """How often that would fit into what is free."""
        return min(f // n for f, n in zip(self.free, need, strict=True) if n)

    def take(self, need: Room, times: int = 1) -> None:
        """Give that to a task."""
        self.free = tuple(f - times * n for f, n in zip(self.free, need, strict=True))

    def will_do(self, need: Room) -> bool:
        """Whether that will be free without anybody else leaving."""
        return all(n <= f + s for n, f, s in zip(need, self.free, self.soon, strict=True))

    def leaves(self, room: Room) -> None:
        """Somebody with that much is on the way out."""
        self.soon = _sum(self.soon, room)

    def keep(self, need: Room) -> None:
        """Keep what is free, and what soon will be, for a task that needs that much: no other one gets it."""
        left = (f + s - n for n, f, s in zip(need, self.free, self.soon, strict=True))
        self.free, self.soon = (0, 0, 0), tuple(max(0, rest) for rest in left)


def decide(
    waiting: Collection[Task],
    workers: Iterable[ScheduledWorker],
    free: Sequence[Room],
    stuck: Collection[str] = (),
    pressed: Collection[str] = (),
) -> Decision:
    """Go through the waiting tasks in the order that they came.

    A task of one rank gets an idle worker of its shape, else the next that is starting, else a new one on the first
    node that has room. Where none has, it waits for a busy worker of its shape. If there is none, room is kept for it
    on the node that has the most of what it needs, and idle workers of other shapes leave there until there is enough:
    no younger task can overtake it for ever. (Idle workers that nobody waits for leave in any case.) A task of several
    ranks is with RADICAL-Pilot already, which starts it when it fits. On one node no younger task gets anything until
    it does. On several nodes younger ones go on, but where one of these tasks fits, no worker is started until it has
    begun: RADICAL-Pilot chooses its nodes.

    Parameters
    ----------
    waiting
        Those of several ranks have the number of `nodes` that they take.
    free
        What of each node neither a worker nor a running task of several ranks holds.
    stuck
        Tasks of several ranks that have waited for long though they fit: the launcher wants neighbouring nodes. No
        younger task gets anything, and idle workers leave.
    pressed
        Tasks of several ranks that have waited for too long: the nodes that will soonest do are kept for them.
    """
    decision, ready, starting, busy = Decision(), defaultdict(list), Counter(), set()
    nodes = [NodeRoom(room) for room in free]
    for worker in workers:
        if worker.state == IDLE:
            ready[worker.shape].append(worker)
        elif worker.state == STARTING:
            starting[worker.shape] += 1
        elif worker.state == BUSY:
            busy.add(worker.shape)
        elif worker.state == LEAVING:
            nodes[worker.node].leaves(worker.shape.room)
    roomy = [node for node in nodes if node.free[0] > 0]
    unkept = [*nodes]  # those that no task waits for
    apart, full, open_ = [], set(), True  # nodes that a pressed task waits for; kinds of several ranks that do not fit
    patient, wanted = set(), None  # shapes whose tasks wait for a busy worker; those that any task waits for

    def idle(node: NodeRoom | None = None) -> list[ScheduledWorker]:
        found = (worker for group in ready.values() for worker in reversed(group))
        return [worker for worker in found if node in (None, nodes[worker.node])]

    def dismiss(worker: ScheduledWorker) -> None:
        ready[worker.shape].remove(worker)
        decision.dismiss.append(worker)
        nodes[worker.node].leaves(worker.shape.room)

    for task in waiting:
        if not roomy and not any(ready.values()) and not starting.total():
            break  # with 10,000 waiting tasks, most looks end here
        shape = task.shape
        if task.ranks > 1:
            if apart or not open_ or task.kind in full:
                continue
            fits = _fits(task, roomy)
            if fits:
                decision.awaits = decision.awaits or task.uid
            if fits and task.uid not in stuck:
                _place(task, roomy)
                open_ = len(nodes) == 1
            elif not fits and len(nodes) > 1:
                full.add(task.kind)
                if task.uid in pressed:
                    apart = _nearest(task, unkept, nodes, idle())
                    block = _block(task)
                    for node in apart:
                        for worker in idle(node):
                            if not node.will_do(block):
                                dismiss(worker)
                else:
                    asked = {other.shape for other in waiting if other.ranks == 1}
                    for worker in idle():
                        if worker.shape not in asked and not _will_do(task, nodes):
                            dismiss(worker)
            else:
                for worker in idle():
                    if task.uid in stuck or not _will_do(task, nodes):
                        dismiss(worker)
                break
        elif ready[shape]:
            decision.assign.append((ready[shape].pop(), task))
            continue
        elif starting[shape]:
            starting[shape] -= 1
            continue
        elif shape in patient or not open_:
            continue
        elif node := next((node for node in roomy if node.blocks(shape.room) and node not in apart), None):
            decision.start.append((shape, nodes.index(node)))
            node.take(shape.room)
        elif shape in busy:
            patient.add(shape)
            if useless := idle():
                wanted = wanted or {other.shape for other in waiting if other.ranks == 1}
                useless = [worker for worker in useless if worker.shape not in wanted]
                node = _best(nodes, nodes, shape.room, useless)
                for worker in useless:
                    if nodes[worker.node] is node and not node.will_do(shape.room):
                        dismiss(worker)
            continue
        elif others := [node for node in unkept if node not in apart]:
            node = _best(others, nodes, shape.room, idle())
            for worker in idle(node):
                if not node.will_do(shape.room):
                    dismiss(worker)
            node.keep(shape.room)
            unkept.remove(node)
        roomy = [node for node in roomy if node.free[0] > 0]
    return decision


def _best(choice: list[NodeRoom], nodes: list[NodeRoom], need: Room, leaving: list[ScheduledWorker]) -> NodeRoom:
    """The node that will have the most of what is needed, if these workers leave."""
    rooms = {node: [node.free, node.soon] for node in choice}
    for worker in leaving:
        rooms.get(nodes[worker.node], []).append(worker.shape.room)

    def share(node: NodeRoom) -> float:
        return min(min(1.0, total / n) for total, n in zip(_sum(*rooms[node]), need, strict=True) if n)

    return max(choice, key=share)


def _nearest(
    task: Task, choice: list[NodeRoom], nodes: list[NodeRoom], leaving: list[ScheduledWorker]
) -> list[NodeRoom]:
    """As many nodes as a task of several ranks takes: those that will have the most of a block, in their order."""
    left, found = [*choice], []
    while left and len(found) < max(1, task.nodes):
        found.append(_best(left, nodes, _block(task), leaving))
        left.remove(found[-1])
    return [node for node in nodes if node in found]


def _block(task: Task) -> Room:
    """What the ranks of a task need on each of its nodes."""
    ranks = -(-task.ranks // max(1, task.nodes))
    return tuple(ranks * each for each in task.shape.room)


def _fits(task: Task, nodes: list[NodeRoom]) -> bool:
    """Whether there is room."""
    return _place(task, [NodeRoom(node.free) for node in nodes])


def _place(task: Task, nodes: list[NodeRoom]) -> bool:
    """Take the room of a task of several ranks, if there is enough for whole blocks of them."""
    count, need = max(1, task.nodes), task.shape.room
    block = -(-task.ranks // count)
    last = task.ranks - block * (count - 1)
    full = [node for node in nodes if node.blocks(need) >= block]
    chosen = full[:count]
    if len(full) == count - 1:
        chosen += [node for node in nodes if node not in full and node.blocks(need) >= last][:1]
    if len(chosen) < count:
        return False
    for node in chosen:
        node.take(need, block if node is not chosen[-1] else last)
    return True


def _will_do(task: Task, nodes: list[NodeRoom]) -> bool:
    """Whether there will be room without anybody else leaving."""
    return _place(task, [NodeRoom(_sum(node.free, node.soon)) for node in nodes])


def _sum(*rooms: Room) -> Room:
    return tuple(map(sum, zip(*rooms, strict=True)))
