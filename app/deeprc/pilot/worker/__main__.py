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

from processes import become_reaper, end_leftovers, kill_group, start
from sampling import INTERVAL, Sampler
from warm import Warm

PATIENCE = 1.0  # seconds from SIGTERM to SIGKILL


class Job:
    """The job that runs."""

    def __init__(self, wanted: dict, environment: dict[str, str]) -> None:
        self.uid = wanted["uid"]
        self.pid = start(wanted["argv"], environment)
        self.deadline = time.monotonic() + wanted["timeout"] if wanted["timeout"] else float("inf")
        self.sampler = Sampler(self.pid, Path(wanted["sample"])) if wanted["sample"] else None
        self.ended_by: str | None = None  # "cancel" or "timeout"

    def end(self, why: str) -> None:
        """Ask it to end; the next time, make it."""
        kill_group(self.pid, signal.SIGKILL if self.ended_by else signal.SIGTERM)
        self.ended_by = self.ended_by or why
        self.deadline = time.monotonic() + PATIENCE


class Worker:
    """Waits for the client, for the end of the job and for programs that want to be warm, all in one place."""

    def __init__(self, client: Connection, warm: Warm) -> None:
        self._client, self._warm, self._job = client, warm, None
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
                if self._job is not None and time.monotonic() > self._job.deadline:
                    self._job.end("timeout")
                if self._job is not None and self._job.sampler:
                    self._job.sampler.look()
        except (EOFError, ConnectionError):
            pass
        finally:
            end_leftovers()

    def _pause(self) -> float | None:
        if self._job is None:
            return None
        until = self._job.deadline - time.monotonic()
        pause = min(until, INTERVAL if self._job.sampler else until, 0.05 if self._warm.busy else until)
        return None if pause == float("inf") else max(0.0, pause)

    def _obey(self) -> None:
        wanted = json.loads(self._client.recv_bytes())
        if "run" in wanted:
            try:
                self._job = Job(wanted["run"], self._warm.environment(dict(os.environ)))
            except OSError as error:
                self._tell(ended=wanted["run"]["uid"], code=127, why=str(error))
        elif "cancel" in wanted:
            if self._job is not None and self._job.uid == wanted["cancel"]:
                self._job.end("cancel")
        else:
            raise EOFError

    def _reap(self) -> None:
        """Take note of children that ended; what a job leaves behind is ended with it."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            code = os.waitstatus_to_exitcode(status)
            self._warm.ended(pid, code)
            job = self._job
            if job is not None and pid == job.pid:
                end_leftovers()
                self._warm.clear()
                if job.sampler:
                    job.sampler.write()
                self._job = None
                self._tell(ended=job.uid, code=code, why=job.ended_by)

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
