"""Real workers on this machine, started directly."""

from __future__ import annotations

import queue
import subprocess
import threading
import time

from deeprc.pilot import Task
from deeprc.pilot.workers import Workers


class Here:
    """In the pilot's place: starts the workers' processes, and tells of them what the pilot would.

    On the node of the number `lacking` none starts.
    """

    def __init__(
        self, folder, cores: int, *, address: str | None = None, program: list[str] | None = None, grace: float = 1.0,
        memory: int = 10**6, nodes: int = 1, lacking: int | None = None,
    ) -> None:  # fmt: skip
        self.processes: dict[str, subprocess.Popen] = {}
        self.outcomes: queue.SimpleQueue = queue.SimpleQueue()
        self.began: list[str] = []
        self._program, self._folder, self._lacking = program, folder, lacking
        self.unfit: list[tuple[int, str]] = []
        self.workers = Workers(
            [(cores, 0, memory)] * nodes, folder, address=address, grace=grace, launch=self.launch,
            report=self.outcomes.put, began=self.began.append, unfit=lambda *told: self.unfit.append(told),
        )  # fmt: skip

    def launch(self, tasks: list[tuple[Task, int]]) -> None:
        for task, node in tasks:
            program = ["/bin/false"] if node == self._lacking else self._program or task.argv
            self.processes[task.uid] = subprocess.Popen(program, cwd=self._folder)
            cores = [("here", len(self.processes) - 1)]
            self._later(self.workers.news, task.uid, "RUNNING", cores, None, [node])

    def _later(self, call, *arguments) -> None:
        threading.Timer(0.05, call, arguments).start()

    def settle(self) -> None:
        """Tell of the workers that have ended."""
        for uid, process in list(self.processes.items()):
            if process.poll() is not None:
                del self.processes[uid]
                self.workers.news(uid, "DONE" if process.returncode == 0 else "FAILED", [], "it said nothing")

    def get(self, seconds: float = 60):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.settle()
            if not self.outcomes.empty():
                return self.outcomes.get()
            time.sleep(0.02)
        raise AssertionError("no outcome in time")

    def close(self) -> None:
        self.workers.close()
        for process in self.processes.values():
            process.wait(30)


def shell(uid: str, command: str, **options) -> Task:
    return Task(uid, ["/bin/bash", "-c", command], **options)
