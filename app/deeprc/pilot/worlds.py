"""The tasks of several ranks: each kept within its time, and asked to end before it is made to."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from deeprc.pilot import ended
from deeprc.pilot.engine import TaskNews
from deeprc.pilot.launch_scripts import END
from deeprc.pilot.tasks import Outcome, Task

LOOK = 0.2  # seconds between two looks


class Worlds:
    """Those of a pilot, which its engine starts one by one.

    Parameters
    ----------
    grace
        Seconds that the ranks get to end by themselves.
    running
        Holds the tasks that run and since when, seconds since the epoch; those of several ranks are added here.
    cancel
        Has the engine end tasks.
    """

    def __init__(self, *, grace: float, running: dict[str, float], cancel: Callable[[list[str]], None]) -> None:
        self._grace, self._running, self._cancel = grace, running, cancel
        self._tasks: dict[str, Task] = {}
        self._ending: dict[str, tuple[str, float]] = {}  # why one is to end, and until when

    def add(self, tasks: Iterable[Task]) -> None:
        """Take charge of tasks that the engine gets now."""
        self._tasks |= {task.uid: task for task in tasks}

    @property
    def at_work(self) -> bool:
        """Whether any runs."""
        return bool(self._running.keys() & self._tasks.keys())

    def hear(self, news: TaskNews) -> Outcome | None:
        """Take in the engine's news of a task; how it ended, if that is it, and the task is one of these."""
        task = self._tasks.get(news.uid)
        if task is None:
            return None
        if news.state == "RUNNING":
            self._running[news.uid] = time.time()
            return None
        del self._tasks[news.uid]
        state, code, reason = news.state, news.code, news.reason
        why, _ = self._ending.pop(news.uid, (None, None))
        if why == "timeout":
            state, code, reason = "FAILED", None, ended.for_time(task.timeout)
        elif why == "cancel":
            state, code = "CANCELED", None
        return Outcome(news.uid, state, code, news.cores, reason)

    def attend(self, over: Callable[[], bool]) -> None:
        """Keep them within their time, until it is `over` with the pilot."""
        while not over():
            time.sleep(LOOK)
            for uid, began in [*self._running.items()]:
                task = self._tasks.get(uid)
                if task and task.timeout and uid not in self._ending and time.time() - began > task.timeout:
                    self.end(uid, "timeout")
            for uid, (why, until) in [*self._ending.items()]:
                if time.monotonic() > until:
                    self._ending[uid] = why, float("inf")
                    self._cancel([uid])

    def end_all(self) -> None:
        """Ask all of them to end."""
        for uid in [*self._tasks]:
            self.end(uid, "cancel")

    def end(self, uid: str, why: str) -> None:
        """Ask the ranks of a task to end, by the file that each looks at (`ranks/watch.sh`), and make them later."""
        task, grace = self._tasks.get(uid), 0.0
        if task is None:
            return
        if task.folder and uid in self._running and self._grace:
            Path(task.folder, END).write_text(f"{why}\n")
            grace = self._grace
        self._ending.setdefault(uid, (why, time.monotonic() + grace))
