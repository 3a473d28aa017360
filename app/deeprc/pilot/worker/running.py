"""The command that a worker runs: its process, its files, its end."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from memory import Memory
from processes import KEPT, ask_to_end, children
from sampling import UsageSampler
from usage import Usage

NOTED = 0.5  # seconds after which it is written down that a job has begun: of a shorter one its end says it
KILLED = (-signal.SIGKILL, 128 + signal.SIGKILL)  # the code of a job that was, and of a shell whose program was


class RunningJob:
    """The job that runs: a command, of which it is written down here how it went, or a script that does so itself."""

    def __init__(
        self, wanted: dict, environment: dict[bytes, bytes], start: Callable[..., int], rank: str | None
    ) -> None:
        self._start_process, self._rank = start, rank or "0"
        # Of a rank of several, and of a benchmark, files say it to others; else the message of its end does: a file
        # system takes longer to make and remove these than a short job runs.
        self._in_files = rank is not None or wanted["sample"] is not None
        self.noted, self._times = float("inf"), {}
        self.uid, self.grace, self._argv, self._workdir = (wanted[name] for name in ("uid", "grace", "argv", "workdir"))
        self._environment, self._left = environment, wanted["repeats"]
        self._folder = Path(wanted["folder"]) if self._workdir is not None else None
        self.memory = Memory(wanted["memory_mb"])
        self.deadline = time.monotonic() + wanted["timeout"] if wanted["timeout"] else float("inf")
        self.ended_by: str | None = None  # "cancel", "timeout" or "memory"
        self.code: int | None = None
        self._killed = False
        self.usage = Usage()
        self._start()
        self.sampler = (
            UsageSampler(self.pid, Path(wanted["sample"]), self._folder is None) if wanted["sample"] else None
        )

    def _start(self) -> None:
        self._began = time.time()
        if self._folder is None:
            self.pid = self._start_process(self._argv, self._environment)
            return
        output = self._folder / f"out.{self._rank}"
        self._times = {"start": self._began}
        if self._in_files:
            self.note()
        else:
            self.noted = time.monotonic() + NOTED
        try:
            self.pid = self._start_process(self._argv, self._environment, workdir=self._workdir, output=output)
        except (OSError, ValueError) as error:
            output.write_text(f"the command could not be started: {error}\n")
            self.note()
            raise

    def note(self) -> None:
        """Write down when it began: where its worker is lost, it cannot tell."""
        self.noted = float("inf")
        if self._rank == "0":
            (self._folder / "started").write_text(f"{self._began:.6f}\n")

    def ended(self, code: int) -> None:
        """Take note of the end of its process; where the command is to run once more, it does."""
        self.code = code
        if self._folder is None:
            return
        self.code = 128 - code if code < 0 else code  # as a shell says it
        if self.ended_by is None:
            self._times["stop"] = time.time()
            with contextlib.suppress(OSError):  # the disk is full, or the job has removed the folder
                if self._rank == "0" and self._in_files:
                    with (self._folder / "times").open("a") as times:
                        times.write(f"{self._began:.6f} {self._times['stop']:.6f}\n")
                if self.code:
                    (self._folder / f"code.{self._rank}").write_text(f"{self.code}\n")
        self._left -= 1
        if self.code or self._left <= 0 or self.ended_by is not None:
            return
        try:
            self._start()
        except (OSError, ValueError):
            self.code = 127
            return
        self.code = None
        if self.sampler:
            self.sampler.follow(self.pid)

    def end(self, why: str, spared: list[int]) -> None:
        """Ask its programs to end, so that they can save what they have; the next time, make them."""
        if self.ended_by or not self.grace:
            self.kill(why)
            return
        self.ended_by, self.deadline = why, time.monotonic() + self.grace
        ask_to_end(spared)
        if self.pid in KEPT and self.code is None:
            os.kill(self.pid, signal.SIGTERM)

    def kill(self, why: str) -> None:
        """End it at once."""
        self.ended_by, self.deadline, self._killed = self.ended_by or why, float("inf"), True
        if self.code is None:  # not reaped yet, so the number is still its own
            os.kill(self.pid, signal.SIGKILL)

    @property
    def over(self) -> bool:
        """Whether it has ended; one that was asked to, with all of its programs: a shell does not wait for its own."""
        return self.code is not None and (self._killed or self.ended_by is None or not children())

    def told(self) -> dict:
        """Its exit code, what ended it, if it was not its own program, and where no file says it when it ran."""
        killed = self.ended_by is None and self.code in KILLED and self.memory.kernel_killed()
        times = {} if self._in_files else self._times
        return {"code": self.code, "why": "kernel" if killed else self.ended_by, **times}
