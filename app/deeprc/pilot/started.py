"""A worker that was started, the line to it, and what it is to the pilot's engine."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from deeprc.core.threads import variables
from deeprc.pilot import ended, schedule
from deeprc.pilot.gate import Gate
from deeprc.pilot.schedule import IDLE, LEAVING, STARTING
from deeprc.pilot.tasks import Outcome, Shape, Task
from deeprc.pilot.worker import surroundings
from deeprc.pilot.worker.line import Line

PREFIX = "worker."  # of the names of workers among the pilot's tasks
PROGRAM = Path(__file__).with_name("worker")
COMES = 600.0  # seconds after its start in which a worker, or all ranks of a gang, must have called
TOLD = (  # of a task, to its worker
    "uid", "argv", "timeout", "memory_mb", "sample", "folder", "environment", "chosen", "variables", "workdir",
    "repeats", "function", "arguments",
)  # fmt: skip
MORE = ("cpu", "peak", "value", "start", "stop")  # what its worker may tell of a task beside how it ended


class Worker(schedule.ScheduledWorker):
    """A worker, and the line to it. It is idle once it has called and the pilot has told its cores."""

    line: Line | None = None
    cores: list[tuple[str, int]] | None = None
    task: Task | None = None
    made = since = 0.0

    def rest(self) -> None:
        """Wait for a job."""
        if self.state != LEAVING and self.line is not None and self.cores is not None:
            self.turn(IDLE)
            self.since = time.monotonic()

    def is_idle_for(self, seconds: float) -> bool:
        """Whether it has waited for a job for longer."""
        return self.state == IDLE and time.monotonic() - self.since > seconds

    @property
    def late(self) -> str | None:
        """What to say of it if it should have called by now."""
        if self.state != STARTING or self.cores is None or time.monotonic() - self.since <= COMES:
            return None
        what = f"; it may hang as it imports {', '.join(self.shape.warm)}" if self.shape.warm else ""
        return f"its worker did not call within {COMES:.0f} s{what}"

    def run(self, task: Task, grace: float) -> None:
        """Begin a job; `grace`: seconds that it gets to end by itself, when it is to."""
        self.task = task
        self.tell(run={name: getattr(task, name) for name in TOLD} | {"grace": grace})

    def ended(self, news: dict) -> Outcome:
        """The outcome of its job, of which `news` tells; it waits for the next one."""
        task, self.task = self.task, None
        self.rest()
        outcome = ended.of_worker(task, self.cores, news["code"], news["why"], news["used"], news.get("raised"))
        return replace(outcome, **{name: news.get(name) for name in MORE})

    def tell(self, **command: object) -> None:
        """Send a command; that the worker is gone is noticed by the thread that listens to it."""
        with contextlib.suppress(OSError, AttributeError):  # or that it has not called yet
            self.line.send(command)

    def leave(self, *, gently: bool = False) -> None:
        """End as soon as possible; `gently`: once its job has ended, which is asked to."""
        self.turn(LEAVING)
        self.tell(leave="gently" if gently else "now")


class Make:
    """Makes workers, and the tasks that they are.

    Parameters
    ----------
    gate
        Where they call.
    contain
        Puts the command of a worker into the image: takes its shape and the command's words, returns other words.

    Attributes
    ----------
    surroundings
        The environment of the jobs of warm workers, by their shape.
    made
        How many there were.
    """

    def __init__(self, gate: Gate, contain: Callable[[Shape, list[str]], list[str]]) -> None:
        self._gate, self._contain, self.made = gate, contain, 0
        self.surroundings: dict[Shape, str] = {}

    def knows(self, tasks: Sequence[Task]) -> None:
        """Take the environment of those that are for warm workers here."""
        warm = [task for task in tasks if task.warm and task.environment and not task.contained]
        self.surroundings |= {task.shape: task.environment for task in warm}

    def worker(self, shape: Shape, node: int) -> tuple[Worker, Task]:
        """One more, and its task."""
        self.made += 1
        name = f"{PREFIX}{self.made}"
        # They are read when modules are imported.
        threads = [f"{variable}={count}" for variable, count in variables(shape.cores).items()]
        clean = ["/usr/bin/env", "-u", "PYTHONPATH", "-u", "DEEPRC_TOWARDS", *threads]
        python = "python3" if shape.contained else sys.executable  # an image has its own
        program = [python, str(PROGRAM), self._gate.address, str(self._gate.keyfile), name, *shape.warm]
        program = clean + (self._contain(shape, program) if shape.contained else program)
        if shape in self.surroundings:  # what libraries read when they are imported is the user's, too
            program = [sys.executable, "-IS", surroundings.__file__, self.surroundings[shape], *program]
        task = Task(name, program, cores_per_rank=shape.cores, gpus_per_rank=shape.gpus, memory_mb=shape.memory_mb)
        worker = Worker(name, shape, node=node)
        worker.made = time.monotonic()
        return worker, task
