"""The near side of a pilot: start it, hand it tasks, hear what became of them, close it."""

from __future__ import annotations

import queue
import shlex
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from deeprc.core.errors import ConfigError
from deeprc.core.events import PullEvent, WorkerEvent
from deeprc.core.ownership import private
from deeprc.pilot.address import own_address
from deeprc.pilot.allocation import Allocation
from deeprc.pilot.engine import Cores, Engine, PilotNews, TaskNews, Wanted
from deeprc.pilot.fitness import lacking
from deeprc.pilot.foresight import Expected
from deeprc.pilot.gangs import PREFIX, Gangs
from deeprc.pilot.gate import KEY
from deeprc.pilot.link import Link
from deeprc.pilot.planner import Planner
from deeprc.pilot.processes import PATIENCE
from deeprc.pilot.pulls import PREFIX as PULLED
from deeprc.pilot.pulls import Pulls, Say
from deeprc.pilot.scripts import Scripts
from deeprc.pilot.tasks import Outcome, Shape, Task
from deeprc.pilot.workers import Workers
from deeprc.pilot.worlds import LOOK, Worlds

GRACE = 30.0  # seconds that a task gets to save


class Pilot:
    """An allocation that runs tasks: those of one rank by workers, those of several by its engine.

    `running` holds the tasks that run and since when (seconds since the epoch).

    Parameters
    ----------
    folder
        Where all files of the pilot go; made by `start`, readable by its owner only.
    image
        A variant of the catalog for tasks that may run in an image, or `none`; the best one for each, if not given.
    grace
        Seconds from the signal that asks a task to end to the one that makes it.
    sees
        Folders that workers in an image see, beside the pilot's own.
    private
        Files that are removed, too, where this process is killed.
    say
        Takes a line for the user.
    engine
        Makes what takes the nodes and starts the tasks, of the pilot's folder.
    """

    def __init__(
        self, allocation: Allocation, folder: Path, *, image: str | None = None, grace: float = GRACE,
        sees: Sequence[Path] = (), private: Sequence[Path] = (), say: Say = lambda _: None,
        engine: Callable[[Path], Engine] = Link,
    ) -> None:  # fmt: skip
        self.allocation, self.folder, self.grace, self.sees = allocation, folder.absolute(), grace, sees
        self.engine = engine(self.folder)
        self._private, self._say = private, say
        self.pulls = Pulls(allocation.site, self.folder / "tasks", say)
        self.planner = Planner(allocation, image, self.pulls)
        self.running: dict[str, float] = {}
        self._scripts = Scripts(allocation, self.planner, self.folder, sees)
        self._worlds = Worlds(grace=grace, running=self.running, cancel=self.engine.cancel)
        self._workers: Workers | None = None
        self._gangs: Gangs | None = None
        self._nodes: dict[int, str] = {}  # the names of those that tasks were placed on
        self._lacking: dict[str, str] = {}  # those that get no more tasks, and why
        self._outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        self._told: queue.SimpleQueue[WorkerEvent | PullEvent] = queue.SimpleQueue()

    def start(self) -> None:
        """Start the pilot and return at once.

        Raises
        ------
        ConfigError
            Where another one has its files in the folder: one that was killed leaves them.
        """
        there = self.allocation
        for folder in (self.folder, self.folder / "tasks"):
            private(folder, fix="name another folder for the pilot")
        if (self.folder / KEY).exists():
            raise ConfigError(
                "a pilot has its files here", where=self.folder, found="those of one that runs, or was killed",
                expected="a folder of its own for each pilot",
                fix=f"once no program uses it, `rm -r {shlex.quote(str(self.folder))}`; or name another folder",
            )  # fmt: skip
        address = own_address() if there.batch else None
        given = there.submission()
        there.state = "STARTING"
        self._workers = Workers(
            [(there.partition.usable_cores, there.partition.gpus, there.memory_mb)] * there.nodes,
            self.folder,
            address=address,
            grace=self.grace,
            launch=self._launch,
            report=self._report,
            began=lambda uid: self.running.update({uid: time.time()}),
            contain=self._scripts.worker,
            welcome=lambda name, line: self._gangs.welcome(name, line),
            cancel=self.engine.cancel,
            unfit=self._unfit,
            came=self._told.put,
            may=lambda shape: there.active and not (shape.contained and self.pulls.waiting),
        )
        self._gangs = Gangs(
            self._workers,
            grace=self.grace,
            make=self._scripts.gang,
            most=self._most,
            launch=lambda task: self._launch([(task, None)]),
            cancel=self.engine.cancel,
            report=self._report,
            began=lambda uid: self.running.update({uid: time.time()}),
            say=self._say,
        )
        self.engine.start(
            Wanted(
                site=there.site,
                partition=there.partition,
                nodes=there.nodes,
                cores=there.cores,
                gpus=there.gpus,
                runtime=there.runtime,
                mark=there.mark,
                address=address,
                submission=given,
                private=[*self._private, self.pulls.environment],
            )
        )
        threading.Thread(target=self._listen, daemon=True).start()
        threading.Thread(target=self._worlds.attend, args=(lambda: there.ended,), daemon=True).start()

    def submit(self, tasks: list[Task]) -> None:
        """Hand tasks to the pilot; they wait there for free cores, and for their images where these are not here."""
        self._hand_on(self.pulls.sort(tasks, lambda: self.planner.plan(Task("", []))))

    def expect(self, expected: dict[Shape, Expected]) -> None:
        """Tasks of one rank will come: their imports may begin while nothing else wants the cores for that."""
        self._workers.expect(expected)

    def cancel(self, uids: list[str]) -> None:
        """End tasks that wait or run; those that run get the time to save."""
        waiting = self.pulls.drop(uids)
        for uid in waiting:
            self._report(Outcome(uid, "CANCELED", None, [], None))
        for uid in self._workers.cancel(self._gangs.cancel([uid for uid in uids if uid not in waiting])):
            self._worlds.end(uid, "cancel")

    def outcomes(self) -> list[Outcome]:
        """The tasks that ended since the last call."""
        ended = []
        while not self._outcomes.empty():
            ended.append(self._outcomes.get())
        return ended

    def events(self) -> list[WorkerEvent | PullEvent]:
        """What else has happened since the last call: workers that are ready, images that were pulled."""
        told = []
        while not self._told.empty():
            told.append(replace(self._told.get(), pilot=self.folder.name))
        return told

    def settle(self, hurry: threading.Event | None = None) -> None:
        """Ask what runs to end, and wait until it has, for no longer than it gets to save, and until `hurry` is set."""
        if self._workers is None:
            return
        deadline = time.monotonic() + self.grace + PATIENCE
        self._workers.dismiss()
        self._gangs.dismiss()
        self._worlds.end_all()
        while any(each.at_work for each in (self._workers, self._gangs, self._worlds)) and not self.allocation.ended:
            if time.monotonic() > deadline or (hurry is not None and hurry.is_set()):
                return
            time.sleep(LOOK / 4)

    def close(self, *, keep: bool = False) -> float:
        """End the pilot and everything that it started, at once (see `settle`); return the seconds that took.

        Its files are removed, unless `keep`.
        """
        started = time.monotonic()
        self.allocation.state = "CLOSED"
        for each in (self._gangs, self._workers):
            if each is not None:
                each.close()
        self.engine.close()
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)
        return time.monotonic() - started

    def last_words(self) -> tuple[list[str], Path]:
        """What is known about its end beside `allocation.why`: lines, and the file or folder that tells more."""
        return ([], self.engine.log) if self.allocation.explained else self.engine.last_words()

    def _hand_on(self, tasks: list[Task]) -> None:
        placed = [task if task.ranks == 1 else replace(task, nodes=self.planner.layout(task).nodes) for task in tasks]
        self._gangs.submit([task for task in placed if task.ranks > 1 and task.warm])
        others = [task for task in placed if task.ranks == 1 or not task.warm]
        several = [task for task in others if task.ranks > 1]
        self._worlds.add(several)
        self._workers.submit(others)
        if several:
            self._launch([(task, None) for task in several])

    def _most(self, task: Task) -> int:
        """How many such tasks the allocation has room for at once."""
        there, asked = self.allocation, task.shape.room
        memory = there.memory_mb * there.nodes
        rooms = zip((there.cores, there.gpus, memory), asked, strict=True)
        return max(1, min(have // (need * task.ranks) for have, need in rooms if need))

    def _launch(self, tasks: list[tuple[Task, int | None]]) -> None:
        """Hand tasks to the engine, with the numbers of their nodes where these are chosen."""
        unfit = sorted(self._workers.fitness.unfit)
        left = self.allocation.nodes - len(unfit)
        if any(task.ranks > 1 and task.nodes > left for task, _ in tasks):
            self.allocation.fail(f"{self._without()}: too few of its nodes are left")
        self.engine.submit([replace(self._scripts.launch(*each), avoid=unfit) for each in tasks])

    def lacked(self, folder: Path, cores: Cores) -> bool:
        """Whether the node of a rank lacked what it needs to begin, as is written in its task's folder: then no more
        tasks go there. `cores` are those of the task.
        """
        if (found := lacking(folder)) is None:
            return False
        rank, what = found
        hosts = (folder / "hosts").read_text().split() if (folder / "hosts").exists() else [name for name, _ in cores]
        numbers = [number for number, name in self._nodes.items() if name in hosts[rank : rank + 1]]
        for number in numbers:
            self._workers.shut(number, f"has no {what}")
        return bool(numbers)

    def _without(self) -> str:
        return "; ".join(f"{name} {why}" for name, why in self._lacking.items())

    def _unfit(self, number: int, why: str) -> None:
        """A node gets no more tasks."""
        name, there = self._nodes.get(number, f"node {number + 1} of the pilot"), self.allocation
        self._lacking[name] = why
        there.broken = tuple({*there.broken, *([name] if number in self._nodes else [])})
        if len(self._lacking) == there.nodes:
            there.fail(self._without())
        else:
            self._say(f"{name} {why}: no more jobs go there")

    def _listen(self) -> None:
        try:
            for news in self.engine.news():
                self._take(news)
        except Exception as error:  # a defect of ours: the run ends with it, instead of waiting for ever
            self.allocation.fail(f"what the pilot told could not be taken in: {type(error).__name__}: {error}")
            raise

    def _take(self, news: PilotNews | TaskNews) -> None:
        if isinstance(news, PilotNews):
            self.allocation.hear(news)
            return
        each = max(1, len(news.cores) // max(1, len(news.nodes)))
        self._nodes |= {number: news.cores[at * each][0] for at, number in enumerate(news.nodes[: len(news.cores)])}
        failed = news.uid.startswith(PREFIX) and news.state == "FAILED"
        lacks = failed and self.lacked(self.folder / "tasks" / news.uid, news.cores)
        self._workers.news(news.uid, news.state, news.cores, news.reason, news.nodes)
        self._gangs.news(news.uid, news.state, news.cores, news.reason, lacks=lacks)
        if outcome := self._worlds.hear(news):
            self._report(outcome)

    def _report(self, outcome: Outcome) -> None:
        since = self.running.pop(outcome.uid, None)
        if outcome.uid not in self.pulls:
            self._outcomes.put(outcome)
            return
        if since is not None:
            self._told.put(PullEvent(time=time.time(), image=outcome.uid.removeprefix(PULLED), began=since))
        problem, tasks = self.pulls.ended(outcome)
        if problem:
            self.allocation.fail(problem)
        self._hand_on(tasks)
