"""A second engine for pilots: processes of this machine, placed first come, first served. It really runs them."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from deeprc.pilot.engine import Launch, PilotNews, TaskNews, Wanted
from deeprc.pilot.processes import MARK, sweep
from deeprc.pilot.resource import PATCHES

sys.path.append(str(PATCHES))
import deeprc_launch


class Local:
    """One node, whose cores are numbers."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "local.log"
        self._news: queue.SimpleQueue[PilotNews | TaskNews | None] = queue.SimpleQueue()
        self._lock = threading.RLock()
        self._waiting: list[Launch] = []
        self._running: dict[str, subprocess.Popen] = {}
        self._cancelled: set[str] = set()
        self._free: list[int] = []
        self._wanted: Wanted | None = None
        self._closed = False

    def start(self, wanted: Wanted) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.log.touch()
        self._wanted, self._free = wanted, list(range(wanted.cores))
        self._news.put(PilotNews("ACTIVE"))

    def submit(self, tasks: Sequence[Launch]) -> None:
        with self._lock:
            self._waiting += [] if self._closed else tasks
            self._go_on()

    def cancel(self, uids: Sequence[str]) -> None:
        with self._lock:
            for task in [task for task in self._waiting if task.uid in uids]:
                self._waiting.remove(task)
                self._news.put(TaskNews(task.uid, "CANCELED"))
            for uid in uids:
                if uid in self._running:
                    self._cancelled.add(uid)
                    os.killpg(self._running[uid].pid, signal.SIGKILL)

    def news(self) -> Iterator[PilotNews | TaskNews]:
        yield from iter(self._news.get, None)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._waiting.clear()
        if self._wanted:
            sweep(self._wanted.mark, None)
        self._news.put(None)

    def last_words(self) -> tuple[list[str], Path]:
        return self.log.read_text().splitlines()[-8:], self.log

    def _go_on(self) -> None:
        for task in [*self._waiting]:
            needed = task.ranks * task.cores_per_rank
            if needed <= len(self._free):
                self._waiting.remove(task)
                cores, self._free = self._free[:needed], self._free[needed:]
                self._start(task, cores)

    def _start(self, task: Launch, cores: list[int]) -> None:
        argv = task.argv
        if task.script:
            of_rank = [cores[rank :: task.ranks] for rank in range(task.ranks)]
            node = {"node_name": "localhost", "node_index": 0, "gpus": []}
            slots = [{**node, "cores": [{"index": core} for core in own]} for own in of_rank]
            deeprc_launch.place(slots, task.slots, Path(task.script).parent)
            argv = ["/bin/bash", task.script]
        process = subprocess.Popen(
            argv, env={**os.environ, MARK: self._wanted.mark}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, start_new_session=True, cwd=self.log.parent,
        )  # fmt: skip
        self._running[task.uid] = process
        where = [("localhost", core) for core in cores]
        self._news.put(TaskNews(task.uid, "RUNNING", cores=where, nodes=[0] * task.ranks))
        threading.Thread(target=self._await, args=(task, process, where), daemon=True).start()

    def _await(self, task: Launch, process: subprocess.Popen, where: list[tuple[str, int]]) -> None:
        words = process.communicate()[1].splitlines()
        with self._lock:
            del self._running[task.uid]
            ended = "CANCELED" if task.uid in self._cancelled else "FAILED" if process.returncode else "DONE"
            reason = (words[-1:] or [""])[0] if ended == "FAILED" else None
            self._news.put(TaskNews(task.uid, ended, process.returncode, where, [0] * task.ranks, reason))
            self._free = sorted(self._free + [core for _, core in where])
            self._go_on()
