"""The near side of the workers: starts them, hands them jobs, hears what became of these.

A job of one rank goes to a worker (`worker/`), a long task that holds its cores and runs one job after the other: a job
costs a fork then, where a task of RADICAL-Pilot costs 0.1 CPU-seconds and 0.2 s of latency. Workers are started as
jobs need them and end when they have been idle for a while, or at once when others need their cores.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from deeprc.core.errors import DeepRCError
from deeprc.core.events import WorkerEvent
from deeprc.pilot import schedule
from deeprc.pilot.coming import Coming
from deeprc.pilot.fitness import NodeFitness
from deeprc.pilot.foresight import CALM, Expected, Foresight
from deeprc.pilot.gate import Gate
from deeprc.pilot.patience import Patience
from deeprc.pilot.schedule import IDLE, LEAVING, STARTING
from deeprc.pilot.started import Make, Worker
from deeprc.pilot.tasks import Outcome, Room, Shape, Task
from deeprc.pilot.worker.line import Line

KEPT = 5.0  # seconds that an idle worker keeps its cores where nobody asks for them


class Workers:
    """All workers of a pilot.

    Parameters
    ----------
    nodes
        What each node of the pilot has.
    folder
        Private: holds the key with which a worker proves that it is ours.
    address
        Of this machine, as the workers' nodes see it; None where all run here: no other machine can reach their socket.
    launch, cancel
        Hands workers to the pilot's engine, each with the number of its node; has it end some.
    grace
        Seconds that jobs get to end by themselves, when they are to.
    report, began
        Take the outcome of a job; the name of one that was sent to a worker.
    contain
        Puts the command of a worker into the image: takes its shape and the command's words, returns other words.
    welcome
        Takes the name of a caller that is no worker here, and the line to it; whether it was expected.
    unfit
        Takes the number of a node that gets no more workers, as none starts there, and why.
    came
        Takes the event of a worker, or a gang, that is ready for its first job.
    may
        Whether a worker of that shape could start now, for a job that is not here yet (see `foresight`).
    """

    def __init__(
        self, nodes: Sequence[Room], folder: Path, *, address: str | None = None, grace: float = 30.0,
        launch: Callable[[list[tuple[Task, int]]], None], report: Callable[[Outcome], None],
        began: Callable[[str], None],
        contain: Callable[[Shape, list[str]], list[str]] = lambda shape, command: command,
        welcome: Callable[[str, Line], bool] = lambda name, line: False,
        cancel: Callable[[list[str]], None] = lambda names: None,
        unfit: Callable[[int, str], None] = lambda node, why: None,
        came: Callable[[WorkerEvent], None] = lambda event: None,
        may: Callable[[Shape], bool] = lambda shape: True,
    ) -> None:  # fmt: skip
        self._schedule, self._grace, self._alive = schedule.Schedule(nodes), grace, False
        self._patience, self._foresight = Patience(self._schedule), Foresight(self._schedule, may)
        self._launch, self._report, self._began = launch, report, began
        self._welcome, self._cancel, self.lock = welcome, cancel, threading.RLock()
        self._workers: dict[str, Worker] = {}
        self.fitness = NodeFitness(len(nodes), self._schedule.close, self._schedule.open, unfit)
        self._closed, self._shut, self._stirred = False, False, 0.0  # closed: no job starts any more
        self.gate = Gate(folder, address)
        self._coming, self._make = Coming(came), Make(self.gate, contain)
        for loop in (self._accept, self._retire):
            threading.Thread(target=loop, daemon=True).start()

    def submit(self, tasks: list[Task]) -> None:
        """Queue tasks; those of several ranks are the engine's, and only reckoned with here."""
        with self.lock:
            self._stirred = time.monotonic()
            self._foresight.came(task.shape for task in tasks if task.ranks == 1)
            self._schedule.add(tasks)
            for task in (each for each in tasks if each.ranks > 1):  # gangs, or what never calls
                self._coming.asked(task.uid, task.warm)
            self._make.knows(tasks)
            self._go_on()

    def expect(self, expected: dict[Shape, Expected]) -> None:
        """Jobs of these shapes will come, those of the first one soonest: their imports may begin on idle cores."""
        with self.lock:
            self._foresight.expect(expected)
            self._make.surroundings |= {shape: one.environment for shape, one in expected.items() if one.environment}
            if expected:
                threading.Thread(target=self._look_ahead, daemon=True).start()

    def cancel(self, uids: list[str]) -> list[str]:
        """End jobs that wait or run; return the names of those that are not here."""
        others = []
        with self.lock:
            waiting = self._schedule.waiting
            at_work = {worker.task.uid: worker for worker in self._workers.values() if worker.task}
            for uid in uids:
                if uid in at_work:
                    at_work[uid].tell(cancel=uid)
                elif uid in waiting and waiting[uid].ranks == 1:
                    self._schedule.drop(uid)
                    self._report(Outcome(uid, "CANCELED", None, [], None))
                else:
                    others.append(uid)
        return others

    def news(
        self, uid: str, state: str, cores: list[tuple[str, int]], reason: str | None, nodes: Sequence[int] = (0,)
    ) -> None:
        """What the engine says about a worker or a task of several ranks; `nodes` are the numbers of each rank's."""
        runs = state == "RUNNING"
        with self.lock:
            self._alive = self._alive or runs  # nothing could start before
            if runs:
                self._coming.placed(uid, cores)
            else:
                self._coming.gone(uid)
            if uid in self._workers:
                worker = self._workers[uid]
                if runs:
                    worker.cores, worker.since = cores, time.monotonic()
                    self._schedule.move(worker, nodes[0])
                    worker.rest()
                else:
                    del self._workers[uid]
                    self._schedule.lose(worker)
                    if worker.state == STARTING and not self._foresight.lost(worker):
                        self._never_came(worker, reason or f"the pilot says: {state.lower()}")
            elif runs:
                self._schedule.begin(uid, nodes)
            else:
                self._schedule.end(uid)
            self._go_on()

    @property
    def first(self) -> str | None:
        """The name of the oldest task that waits."""
        with self.lock:
            return next(iter(self._schedule.waiting), None)

    @property
    def at_work(self) -> bool:
        """Whether any runs a job."""
        with self.lock:
            return any(worker.task is not None for worker in self._workers.values())

    def dismiss(self) -> None:
        """Let all go: their jobs are asked to end, and get the time to save. None starts any more."""
        with self.lock:
            self._closed = True
            for worker in self._workers.values():
                worker.leave(gently=True)

    def close(self) -> None:
        """Let all go at once; what they run ends with them."""
        with self.lock:
            if self._shut:
                return
            self._closed = self._shut = True
            for worker in self._workers.values():
                worker.leave()
        self.gate.close()

    def shut(self, node: int, why: str) -> None:
        """Have a node get nothing more, once what runs there has ended."""
        with self.lock:
            self.fitness.shut(node, why)
            self._go_on()

    def _go_on(self) -> None:
        if self._closed:
            return
        for worker in self._workers.values() if self.fitness.unfit else ():
            if worker.state == IDLE and worker.node in self.fitness.unfit:
                worker.leave()
        decision = self._patience.decide(time.monotonic() if self._alive else None)
        for worker, task in decision.assign:
            self._began(task.uid)
            worker.run(task, self._grace)
        for worker in decision.dismiss:
            worker.leave()
        if decision.start:
            self._start_all(decision.start)
        if way := self._foresight.in_the_way(self._workers.values()):
            for worker in way:
                self._foresight.lost(worker)
                worker.leave()
            self._cancel([worker.name for worker in way])

    def _start_all(self, wanted: Sequence[tuple[Shape, int]]) -> set[str]:
        """Start workers; return the names of those that could be."""
        there = set(self._workers)
        try:
            self._launch([(self._start(shape, node), node) for shape, node in wanted])
        except (OSError, DeepRCError) as error:  # a script of theirs cannot be written: none has started
            for worker in [self._workers.pop(name) for name in set(self._workers) - there]:
                self._schedule.lose(worker)
                self._fail(worker.shape, f"its worker could not be started: {error}")
            self._go_on()
        return self._workers.keys() - there

    def _start(self, shape: Shape, node: int) -> Task:
        worker, task = self._make.worker(shape, node)
        self._coming.asked(worker.name, shape.warm)
        self._workers[worker.name] = worker
        self._schedule.hire(worker)
        return task

    def _accept(self) -> None:
        for line in self.gate.workers():
            with contextlib.suppress(RuntimeError):  # no more threads are to be had: this worker ends, others may come
                threading.Thread(target=self._listen, args=(line,), daemon=True).start()

    def _listen(self, line: Line) -> None:
        """Serve one worker."""
        worker = None
        try:
            with contextlib.suppress(OSError, EOFError):
                hello = line.receive()
                name = hello["hello"]
                with self.lock:
                    self._coming.called(name, hello.get("imports", 0.0))
                if self._welcome(name, line):
                    return
                with self.lock:
                    if name not in self._workers:  # told as ended already
                        return
                    worker = self._workers[name]
                    worker.line = line
                    self._foresight.there(name)
                    if worker.state == LEAVING:  # since before it had imported: it could not be told
                        worker.leave()
                    self.fitness.came(worker.shape, worker.node)
                    worker.rest()
                    self._go_on()
                while True:
                    news = line.receive()
                    with self.lock:
                        self._ended(worker, news)
                        self._go_on()
        finally:  # whatever ends this, nobody waits for the worker's job for ever
            with self.lock:
                line.close()
                if worker is not None:
                    worker.turn(LEAVING)
                    if worker.task is not None:
                        self._ended(worker, {"code": None, "why": "its worker has ended", "used": 0.0})

    def _ended(self, worker: Worker, news: dict) -> None:
        self._stirred = time.monotonic()
        self._report(worker.ended(news))

    def _never_came(self, worker: Worker, reason: str) -> None:
        """A worker has failed to start: try again, there or elsewhere, but not for ever."""
        if self.fitness.failed(worker.shape, worker.node, reason, worker.made):
            self._fail(worker.shape, reason)

    def _fail(self, shape: Shape, reason: str) -> None:
        for task in self._schedule.of(shape):
            self._schedule.drop(task.uid)
            self._report(Outcome(task.uid, "FAILED", None, [], reason))

    def _look_ahead(self) -> None:
        """Start workers for jobs to come, where nothing that is ready wants their cores."""
        while self._foresight and not self._closed:
            with self.lock:
                while (
                    not self._closed and time.monotonic() - self._stirred > CALM and (found := self._foresight.wanted())
                ):
                    self._foresight.begun(found[0], self._start_all([found]))
            time.sleep(CALM / 2)

    def _retire(self) -> None:
        while not self._closed:
            time.sleep(KEPT / 5)
            with self.lock:
                for worker in self._workers.values():
                    if worker.is_idle_for(KEPT) and worker.shape not in self._foresight:
                        worker.leave()
                late = {worker: why for worker in self._workers.values() if (why := worker.late)}
                for worker, why in late.items():
                    if not self._foresight.lost(worker):
                        self._never_came(worker, why)
                    worker.leave()
                if late:
                    self._cancel([worker.name for worker in late])
                if late or self._schedule.several:
                    self._go_on()
