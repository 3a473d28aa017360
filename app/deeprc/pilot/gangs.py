"""The near side of gangs: worlds of ranks that live long, and run jobs of several ranks one after the other.

A job of several ranks that says what is to be warm goes to a gang of its shape: the ranks are started once, by the
site's launcher, import, and start MPI; a job then costs two messages a rank, where a launch of its own costs the
launcher, the imports and MPI's start each time. A gang ends with a job that fails, and with one that leaves anything
changed behind (`worker/state.py`); another one takes the jobs that wait.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from deeprc.pilot import ended, fitness
from deeprc.pilot.schedule import BUSY, IDLE, LEAVING, STARTING
from deeprc.pilot.started import COMES, TOLD
from deeprc.pilot.tasks import Outcome, Task
from deeprc.pilot.worker.line import Line
from deeprc.pilot.workers import KEPT, Workers

PREFIX = "gang."  # of the names of gangs among the pilot's tasks
PATIENCE = 5.0  # seconds that the oldest other task waits before a gang gives its cores up to it
LATE = 10.0  # seconds after which a gang that was told to leave is ended


class Gang:
    """One of them. It is idle once all of its ranks have called and the pilot has told its cores."""

    def __init__(self, name: str, like: Task) -> None:
        self.name, self.like, self.state, self.since = name, like, STARTING, time.monotonic()
        self.lines: dict[int, Line] = {}
        self.cores: list[tuple[str, int]] | None = None
        self.task: Task | None = None
        self.went_well: set[int] = set()  # ranks that have ended the job
        self.failed: tuple[int | None, str | None, float] | None = None  # of the rank that failed first
        self.left: str | None = None

    def rest(self) -> None:
        """Wait for a job."""
        if self.state in (STARTING, BUSY) and self.cores is not None and len(self.lines) == self.like.ranks:
            self.state, self.since = IDLE, time.monotonic()

    def tell(self, **command: object) -> None:
        """Send every rank a command; that one is gone is noticed by the thread that listens to it."""
        for line in self.lines.values():
            with contextlib.suppress(OSError):
                line.send(command)

    def leave(self, *, gently: bool = False) -> None:
        """End as soon as possible; `gently`: once its job has ended, which is asked to."""
        if self.state != LEAVING:
            self.state, self.since = LEAVING, time.monotonic()
        self.tell(leave="gently" if gently else "now")


def kind(task: Task) -> tuple:
    """Jobs of one kind can have the same gang."""
    return task.shape, task.ranks, task.nodes, task.comm, task.environment


class Gangs:
    """All gangs of a pilot.

    Parameters
    ----------
    workers
        Reckons with the room that gangs take, and has the gate where their ranks call.
    grace
        Seconds that jobs get to end by themselves, when they are to.
    make
        The task that is a gang: of a job, the gang's name, and where its ranks call.
    most
        How many gangs for such a job there is room for.
    launch, cancel
        Hand a gang to the pilot's engine, and have it end some.
    report, began
        Take the outcome of a job; the name of one that was sent to a gang.
    say
        Takes a line for the user: each cause of a gang's end is told once.
    """

    def __init__(
        self, workers: Workers, *, grace: float, make: Callable[[Task, str, str, Path], Task],
        most: Callable[[Task], int], launch: Callable[[Task], None], cancel: Callable[[list[str]], None],
        report: Callable[[Outcome], None], began: Callable[[str], None], say: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._workers, self._lock, self._grace = workers, workers.lock, grace
        self._make, self._most, self._launch, self._cancel = make, most, launch, cancel
        self._report, self._began, self._say = report, began, say
        self._waiting: dict[tuple, dict[str, Task]] = defaultdict(dict)
        self._gangs: dict[str, Gang] = {}
        self._started, self._failed = 0, defaultdict(int)
        self._first: tuple[str | None, float] = None, 0.0  # the oldest other task, and since when it is that
        self.ended: dict[str, int] = defaultdict(int)  # why gangs ended with a job that went well, and how many
        self._closed = False
        threading.Thread(target=self._attend, daemon=True).start()

    def submit(self, tasks: list[Task]) -> None:
        """Queue jobs."""
        with self._lock:
            for task in tasks:
                self._waiting[kind(task)][task.uid] = task
            self._go_on()

    def cancel(self, uids: list[str]) -> list[str]:
        """End jobs that wait or run; return the names of those that are not here."""
        others = []
        with self._lock:
            at_work = {gang.task.uid: gang for gang in self._gangs.values() if gang.task}
            for uid in uids:
                queue = next((queue for queue in self._waiting.values() if uid in queue), None)
                if uid in at_work:
                    at_work[uid].tell(cancel=uid)
                elif queue is not None:
                    del queue[uid]
                    self._report(Outcome(uid, "CANCELED", None, [], None))
                else:
                    others.append(uid)
        return others

    @property
    def at_work(self) -> bool:
        """Whether any runs a job."""
        with self._lock:
            return any(gang.task for gang in self._gangs.values())

    def dismiss(self) -> None:
        """Let all go: their jobs are asked to end, and get the time to save. None starts any more."""
        with self._lock:
            self._closed = True
            for gang in self._gangs.values():
                gang.leave(gently=True)

    def close(self) -> None:
        """Let all go at once."""
        with self._lock:
            self._closed = True
            for gang in self._gangs.values():
                gang.leave()

    def news(self, uid: str, state: str, cores: list[tuple], reason: str | None, *, lacks: bool = False) -> None:
        """What the engine says about a gang; `lacks`: it had a node that lacked something, and gets no more."""
        with self._lock:
            gang = self._gangs.get(uid)
            if gang is None:
                return
            if state == "RUNNING":
                gang.cores, gang.since = cores, time.monotonic()
                gang.rest()
            else:
                del self._gangs[uid]
                if gang.state == STARTING and not lacks:
                    self._never_came(gang, reason or f"the pilot says: {state.lower()}")
                self._settle(gang, whole=True)
            self._go_on()

    def welcome(self, name: str, line: Line) -> bool:
        """Serve a caller, if it is the rank of a gang; return once it is gone."""
        name, _, rank = name.partition(":")
        if not rank:
            return False
        with self._lock:
            if (gang := self._gangs.get(name)) is None or gang.state != STARTING:  # told as ended already
                return True
            gang.lines[int(rank)] = line
            gang.rest()
            if len(gang.lines) == gang.like.ranks:
                self._failed[kind(gang.like)] = 0
            self._go_on()
        with contextlib.suppress(OSError, EOFError):
            while True:
                news = line.receive()
                with self._lock:
                    self._take(gang, int(rank), news)
        with self._lock:
            gang.lines.pop(int(rank), None)
            if gang.state != LEAVING:
                gang.failed = gang.failed or (None, f"rank {rank} of its gang has ended", 0.0)
                gang.leave()
            self._settle(gang)
            self._go_on()
        return True

    def _take(self, gang: Gang, rank: int, news: dict) -> None:
        """What a rank tells of the end of its job."""
        if gang.task is None or news["ended"] != gang.task.uid:
            return
        gang.left = gang.left or news["left"]
        if news["code"] == 0 and news["why"] is None:
            gang.went_well.add(rank)
        elif gang.failed is None:
            gang.failed = news["code"], news["why"], news["used"]
            gang.went_well.add(rank)  # with a runtime's end or a cancellation, each rank ends its own part
            if news["why"] in ("timeout", "cancel"):
                gang.state, gang.since = LEAVING, time.monotonic() + self._grace
                gang.tell(leave="gently")
            else:
                gang.leave()
        else:
            gang.went_well.add(rank)
        self._settle(gang)

    def _settle(self, gang: Gang, *, whole: bool = False) -> None:
        """Report the job of a gang once all ranks are done with it, or gone; let the gang go on."""
        task = gang.task
        if task is None:
            return
        if gang.failed is not None:
            if not (whole or not gang.lines):
                return  # other ranks may still write
            code, why, used = gang.failed
        elif len(gang.went_well) == task.ranks:
            code, why, used = 0, None, 0.0
        elif whole:
            code, why, used = None, "its gang has ended", 0.0
        else:
            return
        gang.task, gang.failed, gang.went_well = None, None, set()
        outcome = ended.of_worker(task, gang.cores or [], code, why, used)
        if outcome.state == "DONE":
            if gang.left:
                if not self.ended[gang.left] and not gang.left.startswith("it was the last"):
                    self._say(f"a gang ends after {task.uid}, and another takes the next job: {gang.left}")
                self.ended[gang.left] += 1
                gang.leave()
            else:
                gang.rest()
        self._report(outcome)
        self._go_on()

    def _go_on(self) -> None:
        if self._closed:
            return
        if (first := self._workers.first) != self._first[0]:
            self._first = first, time.monotonic()
        others = self._first[0] is not None and not self._first[0].startswith(PREFIX)
        pressed = others and time.monotonic() - self._first[1] > PATIENCE
        for gang in self._gangs.values():
            if gang.state != IDLE:
                continue
            queue = self._waiting[kind(gang.like)]
            if queue and not pressed:
                self._assign(gang, queue.pop(next(iter(queue))))
            elif pressed or (others and not queue) or time.monotonic() - gang.since > KEPT:
                gang.leave()
        for which, queue in self._waiting.items():
            there = [gang for gang in self._gangs.values() if kind(gang.like) == which]
            coming = sum(gang.state == STARTING for gang in there)
            if len(queue) > coming and queue:
                task = next(iter(queue.values()))
                for _ in range(min(len(queue) - coming, self._most(task) - len(there))):
                    if not self._start(task):
                        break

    def _assign(self, gang: Gang, task: Task) -> None:
        gang.task, gang.state, gang.left, gang.failed, gang.went_well = task, BUSY, None, None, set()
        self._began(task.uid)
        gang.tell(run={name: getattr(task, name) for name in TOLD} | {"grace": self._grace})

    def _start(self, task: Task) -> bool:
        self._started += 1
        name = f"{PREFIX}{self._started}"
        self._gangs[name] = Gang(name, task)
        try:
            made = self._make(task, name, self._workers.gate.address, self._workers.gate.keyfile)
            self._workers.submit([made])
            self._launch(made)
        except OSError as error:  # its script cannot be written
            self._workers.news(name, "FAILED", [], None)
            self._never_came(self._gangs.pop(name), str(error))
            return False
        return True

    def _never_came(self, gang: Gang, reason: str) -> None:
        """A gang has failed to start: try again, but not for ever."""
        which = kind(gang.like)
        self._failed[which] += 1
        if self._failed[which] >= fitness.TRIES:
            for task in [*self._waiting[which].values()]:
                del self._waiting[which][task.uid]
                self._report(Outcome(task.uid, "FAILED", None, [], f"its gang could not be started: {reason}"))

    def _attend(self) -> None:
        while not self._closed:
            time.sleep(KEPT / 5)
            with self._lock:
                for gang in self._gangs.values():
                    if gang.state == STARTING and gang.cores is not None and time.monotonic() - gang.since > COMES:
                        called = f"of its {gang.like.ranks} ranks {len(gang.lines)} came within {COMES:.0f} s"
                        self._never_came(gang, f"{called}; one may hang as it imports {', '.join(gang.like.warm)}")
                        gang.leave()
                late = [gang.name for gang in self._gangs.values() if gang.state == LEAVING]
                late = [name for name in late if time.monotonic() - self._gangs[name].since > LATE]
                self._go_on()
            if late:
                self._cancel(late)
