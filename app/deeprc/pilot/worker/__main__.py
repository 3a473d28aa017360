"""A worker: `python …/pilot/worker ADDRESS KEYFILE NAME [MODULE …]`, started as one long task of the pilot.

It runs the jobs that the client (`deeprc.pilot.workers`) sends, one after the other, so that a job costs a fork instead
of a launch by RADICAL-Pilot; and it keeps MODULEs imported for jobs that use them (see `warm`). It is single-threaded,
since it forks, and needs Python's standard library only, since it may run inside an image. When the client is gone,
so are the job and the worker.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import sys
import time
from multiprocessing.connection import Client, Connection
from pathlib import Path

import memory
import sampling
from memory import Memory
from processes import ask_to_end, become_reaper, children, end_leftovers, start
from sampling import Sampler
from warm import Warm

WARM = 0.05  # seconds between two looks at warm programs
KILLED = (-signal.SIGKILL, 128 + signal.SIGKILL)  # the code of a job that was, and of a shell whose program was


class Job:
    """The job that runs."""

    def __init__(self, wanted: dict, environment: dict[str, str]) -> None:
        self.uid, self.grace = wanted["uid"], wanted["grace"]
        self.memory = Memory(wanted["memory_mb"])
        self.pid = start(wanted["argv"], environment)
        self.deadline = time.monotonic() + wanted["timeout"] if wanted["timeout"] else float("inf")
        self.sampler = Sampler(self.pid, Path(wanted["sample"])) if wanted["sample"] else None
        self.ended_by: str | None = None  # "cancel", "timeout" or "memory"
        self.code: int | None = None
        self._killed = False

    def end(self, why: str, spared: list[int]) -> None:
        """Ask its programs to end, so that they can save what they have; the next time, make them."""
        if self.ended_by or not self.grace:
            self.kill(why)
            return
        self.ended_by, self.deadline = why, time.monotonic() + self.grace
        ask_to_end(spared)

    def kill(self, why: str) -> None:
        """End it at once."""
        self.ended_by, self.deadline, self._killed = self.ended_by or why, float("inf"), True
        if self.code is None:  # not reaped yet, so the number is still its own
            os.kill(self.pid, signal.SIGKILL)

    @property
    def over(self) -> bool:
        """Whether it has ended; one that was asked to, with all of its programs: a shell does not wait for its own."""
        return self.code is not None and (self._killed or self.ended_by is None or not children())

    def why(self) -> str | None:
        """What ended it, if it was not its own program."""
        if self.ended_by is None and self.code in KILLED and self.memory.kernel_killed():
            return "kernel"
        return self.ended_by


class Worker:
    """Waits for the client, for the end of the job and for programs that want to be warm, all in one place."""

    def __init__(self, client: Connection, warm: Warm) -> None:
        self._client, self._warm, self._job, self._leaving = client, warm, None, False
        reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._selector = selectors.DefaultSelector()
        self._selector.register(client, selectors.EVENT_READ, self._obey)
        self._selector.register(reader, selectors.EVENT_READ, lambda: os.read(reader, 4096))
        if warm.listener:
            self._selector.register(warm.listener, selectors.EVENT_READ, warm.accept)

    def serve(self) -> None:
        """Run jobs until the client says so, or is gone."""
        try:
            while True:
                for key, _ in self._selector.select(self._pause()):
                    key.data()
                self._warm.look()
                self._reap()
                if self._job is not None and not self._job.over:
                    self._look(self._job)
                if self._job is not None and self._job.over:
                    self._finish(self._job)
        except (EOFError, ConnectionError):
            pass
        finally:
            end_leftovers()

    def _pause(self) -> float | None:
        job = self._job
        if job is None:
            return None
        pauses = [job.deadline - time.monotonic()]
        pauses += [sampling.INTERVAL] if job.sampler else []
        pauses += [memory.INTERVAL] if job.memory.limited else []
        pauses += [WARM] if self._warm.programs else []
        return None if min(pauses) == float("inf") else max(0.0, min(pauses))

    def _look(self, job: Job) -> None:
        """See to it that the job keeps within its time and memory."""
        if time.monotonic() > job.deadline:
            job.end("timeout", self._warm.programs)
        elif job.memory.exceeded():
            job.kill("memory")
        if job.sampler:
            job.sampler.look()

    def _obey(self) -> None:
        wanted = json.loads(self._client.recv_bytes())
        if "run" in wanted:
            try:
                self._job = Job(wanted["run"], self._warm.environment(dict(os.environ)))
            except OSError as error:
                self._tell(ended=wanted["run"]["uid"], code=127, why=str(error), used=0.0)
        elif "cancel" in wanted:
            if self._job is not None and self._job.uid == wanted["cancel"]:
                self._job.end("cancel", self._warm.programs)
        elif self._job is None or wanted["leave"] == "now":
            raise EOFError
        else:
            self._leaving = True
            self._job.end("cancel", self._warm.programs)

    def _reap(self) -> None:
        """Take note of children that ended."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            code = os.waitstatus_to_exitcode(status)
            self._warm.ended(pid, code)
            if self._job is not None and pid == self._job.pid:
                self._job.code = code

    def _finish(self, job: Job) -> None:
        """Tell of the job's end; what it leaves behind is ended with it."""
        end_leftovers()
        self._warm.clear()
        if job.sampler:
            job.sampler.write()
        self._job = None
        self._tell(ended=job.uid, code=job.code, why=job.why(), used=job.memory.used)
        if self._leaving:
            raise EOFError

    def _tell(self, **news: object) -> None:
        self._client.send_bytes(json.dumps(news).encode())


def main() -> None:
    """Connect, import, serve."""
    address, keyfile, name, *modules = sys.argv[1:]
    sys.path.remove(str(Path(__file__).parent))  # it is Python's first entry, and would hide modules of jobs
    become_reaper()
    warm = Warm(modules)
    place = "\0" + address[1:] if address[0] == "@" else (address.rpartition(":")[0], int(address.rpartition(":")[2]))
    try:
        client = Client(place, authkey=Path(keyfile).read_bytes())
    except OSError as error:
        fix = "set DEEPRC_ADDRESS to an address of the submitting machine that the nodes reach"
        sys.exit(f"{socket.gethostname()} cannot reach the client at {address} ({error}): {fix}")
    client.send_bytes(json.dumps({"hello": name, "pid": os.getpid()}).encode())
    Worker(client, warm).serve()


if __name__ == "__main__":
    main()
