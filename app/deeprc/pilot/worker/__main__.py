"""A worker: `python …/pilot/worker ADDRESS KEYFILE NAME[:RANK] [MODULE …]`, started as one long task of the pilot.

It runs the jobs that the client (`deeprc.pilot.workers`) sends, one after the other, so that a job costs a fork instead
of a launch by RADICAL-Pilot; and it keeps MODULEs imported for jobs that use them (see `warm`). A job may be the call
of a function, which costs no fork either (see `functions`). With a RANK it is one of a gang, whose ranks run each job
together (see `gang`). It is single-threaded, since it forks, and needs Python's standard library only, since it may run
inside an image. When the client is gone, so are the job and the worker.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import sys
import time
from pathlib import Path

import memory
import sampling
import surroundings
from calling import call
from functions import Functions, RunningCall
from gang import WarmRank
from line import Line
from processes import end_leftovers
from running import RunningJob
from surroundings import become_reaper
from warm import Warm

RANKS = Path(__file__).parent.with_name("ranks")  # what Python reads first in each of several ranks


class WorkerProcess:
    """Waits for the client, for the end of the job and for programs that want to be warm, all in one place."""

    def __init__(self, client: Line, warm: Warm, rank: str | None) -> None:
        self._client, self._warm, self._job, self._leaving, self._rank = client, warm, None, False, rank
        if rank is not None:
            warm.ended_job = lambda code: self._job.ended(code)
        self._environments: dict[tuple, dict[bytes, bytes]] = {}  # by their files, what is chosen, and for a shell?
        reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGUSR1, signal.SIGUSR2):  # a scheduler's: for the job, which has it, too
            signal.signal(number, lambda *_: None)
        self._selector = selectors.DefaultSelector()
        self._selector.register(client, selectors.EVENT_READ, self._obey)
        self._selector.register(reader, selectors.EVENT_READ, lambda: os.read(reader, 4096))
        warm.attend(self._selector)
        self._functions = Functions(self._selector, self._hear)

    def serve(self) -> None:
        """Run jobs until the client says so, or is gone."""
        try:
            while True:
                for key, _ in self._selector.select(self._pause()):
                    key.data()
                self._warm.hang_up_on_the_late()
                self._reap()
                if self._job is not None and not self._job.over:
                    self._look(self._job)
                if self._job is not None and self._job.over:
                    self._finish(self._job)
        except (EOFError, ConnectionError):
            pass
        finally:
            self._functions.close()
            end_leftovers()
            self._warm.finish()
            end_leftovers()

    def _pause(self) -> float | None:
        job, deadline = self._job, self._warm.deadline
        if job is not None:
            deadline = min(deadline, job.deadline, job.noted)
        pauses = [] if deadline == float("inf") else [max(0.0, deadline - time.monotonic())]
        pauses += [sampling.INTERVAL] if job and job.sampler else []
        pauses += [memory.INTERVAL] if job and job.memory.limited else []
        return min(pauses, default=None)

    def _look(self, job: RunningJob) -> None:
        """See to it that the job keeps within its time and memory; write down that it has begun."""
        if time.monotonic() > job.noted:
            with contextlib.suppress(OSError):
                job.note()
        if time.monotonic() > job.deadline:
            job.end("timeout", self._warm.programs)
        elif job.memory.exceeded():
            job.kill("memory")
        if job.sampler:
            job.sampler.look()

    def _obey(self) -> None:
        wanted = self._client.receive()
        if "run" in wanted:
            job = wanted["run"]
            try:
                if job.get("function") is not None:
                    self._functions.call(job, self._environment(job))
                    self._job = RunningCall(job, self._functions)
                    return
                self._functions.close()
                if self._rank is not None:
                    self._warm.begin()
                self._job = RunningJob(job, self._environment(job), self._warm.start, self._rank)
            except (OSError, ValueError) as error:
                self._tell(ended=job["uid"], code=127, why=str(error), used=0.0, left=None)
        elif "cancel" in wanted:
            if self._job is not None and self._job.uid == wanted["cancel"]:
                self._job.end("cancel", self._warm.programs)
        elif self._job is None or wanted["leave"] == "now":
            raise EOFError
        else:
            self._leaving = True
            if self._job.ended_by is None:  # else it was asked to end already, and has its time to save
                self._job.end("cancel", self._warm.programs)

    def _hear(self) -> None:
        """The process of functions says something."""
        if isinstance(self._job, RunningCall):
            self._job.hear()
        else:
            self._functions.answer()

    def _environment(self, job: dict) -> dict[bytes, bytes]:
        """The variables of a job: the user's, the job's own, and where its `python` finds this worker."""
        path, chosen, plain = job["environment"], job["chosen"], job["workdir"] is not None
        kind = path, None if chosen is None else tuple(chosen), plain
        if kind not in self._environments:  # a run has one
            theirs = None if path is None else surroundings.read(path)
            if chosen is not None:
                theirs = self._warm.born | {name: theirs[name] for name in map(os.fsencode, chosen) if name in theirs}
            self._environments[kind] = surroundings.of_job(theirs, self._warm.born, shell=not plain)
        own = job["variables"] | self._warm.variables
        if self._rank is not None:
            own = {**own, "RP_RANK": self._rank}
        made = self._environments[kind] | {os.fsencode(name): os.fsencode(value) for name, value in own.items()}
        if plain and self._warm.variables:
            made[b"PATH"] = os.fsencode(self._warm.variables["DEEPRC_WARM_PATH"]) + b":" + made.get(b"PATH", b"")
        if self._rank is not None:
            paths = [os.fsencode(RANKS), made.get(b"PYTHONPATH", b"")]
            made[b"PYTHONPATH"] = b":".join(filter(None, paths))
        return made

    def _reap(self) -> None:
        """Take note of children that ended."""
        while True:
            try:
                pid, status, used = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            code = os.waitstatus_to_exitcode(status)
            self._warm.ended(pid, code)
            if self._job is not None:
                self._job.usage.reaped(used)
                if pid == self._job.pid:
                    self._job.ended(code)
            self._functions.reaped(pid)

    def _finish(self, job: RunningJob) -> None:
        """Tell of the job's end; what it leaves behind is ended with it."""
        if not (isinstance(job, RunningCall) and self._functions.pid):  # what a function has started may go on
            end_leftovers()
        self._warm.clear()
        if job.sampler:
            with contextlib.suppress(OSError):  # its benchmark then has the time only
                job.sampler.write()
        self._job = None
        # A gang's programs run in a process that goes on: nobody knows what each has used.
        told = job.usage.told(job.memory.peak) if self._rank is None else {}
        self._tell(ended=job.uid, used=job.memory.used, left=self._warm.left, **(told | job.told()))
        if self._leaving:
            raise EOFError

    def _tell(self, **news: object) -> None:
        self._client.send(news)


def main() -> None:
    """Connect, import, serve."""
    address, keyfile, name, *modules = sys.argv[1:]
    _, _, rank = name.partition(":")
    sys.path.remove(str(Path(__file__).parent))  # it is Python's first entry, and would hide modules of jobs
    become_reaper()
    began = time.monotonic()
    warm = WarmRank(modules) if rank else Warm(modules)
    imports = time.monotonic() - began
    try:
        client = call(address, Path(keyfile).read_bytes())
    except OSError as error:
        fix = "set DEEPRC_ADDRESS to an address of the submitting machine that the nodes reach"
        sys.exit(f"{socket.gethostname()} cannot reach the client at {address} ({error}): {fix}")
    client.send({"hello": name, "pid": os.getpid(), "imports": imports})
    WorkerProcess(client, warm, rank or None).serve()


if __name__ == "__main__":
    main()
